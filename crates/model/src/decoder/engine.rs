//! A decoder made ready to run at one precision, and the contexts that it
//! extends.

use dtatrans_kernels::{F32Gemm, Isa, PackedF32};

use super::{DecoderCheckpoint, DecoderConfig};
use crate::layers::{DenseCache, DenseLayers, Norm, add};
use crate::{ModelError, Precision};

/// Tokens of one sequence that pass the layers at once at f32: a longer prompt
/// passes in pieces, which keeps memory small.
const PIECE: usize = 512;

/// A decoder made ready to run at one precision.
pub struct Decoder {
    config: DecoderConfig,
    isa: Isa,
    gemm: F32Gemm,
    embedding: Vec<f32>,
    positions: Vec<f32>,
    norm: Norm,
    head: PackedF32,
    no_bias: Vec<f32>,
    layers: DenseLayers,
}

/// What a decoder keeps of the tokens that one sequence has so far.
#[derive(Clone)]
pub struct Context {
    cache: DenseCache,
}

impl Context {
    /// Tokens so far.
    pub fn tokens(&self) -> usize {
        self.cache.tokens()
    }
}

/// Tokens that go behind those of a context.
pub struct Extension<'a> {
    /// The context that grows.
    pub context: &'a mut Context,
    /// Ids of the new tokens.
    pub ids: &'a [u32],
}

impl Decoder {
    /// Reads a checkpoint's weights and lays them out.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] naming a tensor that is missing or unfit;
    /// [`ModelError::Input`] at another precision than f32, which decoders cannot
    /// run at yet.
    pub fn new(
        checkpoint: &DecoderCheckpoint,
        precision: &Precision,
        isa: Isa,
    ) -> Result<Decoder, ModelError> {
        let config = &checkpoint.config;
        if *precision != Precision::F32 {
            return Err(ModelError::Input(
                "a decoder runs at f32 only (--bits 32): plans are for encoders so far".into(),
            ));
        }
        let source = checkpoint.source();
        let ends = source.ends()?;
        let layers = DenseLayers::read(&*source, isa)?;
        let gemm = F32Gemm::new();
        let head = ends.head.as_ref().unwrap_or(&ends.embedding);
        Ok(Decoder {
            head: gemm.pack(head, config.vocab_size, config.hidden_size),
            no_bias: vec![0.0; config.vocab_size],
            config: config.clone(),
            isa,
            gemm,
            embedding: ends.embedding,
            positions: ends.positions,
            norm: ends.norm,
            layers,
        })
    }

    /// A context without tokens.
    pub fn context(&self) -> Context {
        Context {
            cache: self.layers.cache(),
        }
    }

    /// Runs the model on new tokens of several sequences. Gives the states of all
    /// of them after the final norm, (tokens, hidden), one sequence after the
    /// other; [`Decoder::logits`] says what they predict.
    ///
    /// A sequence's states are the same alone and among others.
    ///
    /// # Errors
    /// [`ModelError::Input`] if there are no tokens, or an id without an
    /// embedding; [`ModelError::TooLong`] beyond the model's context;
    /// [`ModelError::NotFinite`] if a state would not be a number. The contexts
    /// are then not to be used any more.
    pub fn extend(&self, extensions: &mut [Extension]) -> Result<Vec<f32>, ModelError> {
        self.extend_watched(extensions, &mut |_| ())
    }

    /// As [`Decoder::extend`] for one sequence; gives the states after the
    /// embedding, after each layer, and, as the last ones, after the final norm.
    ///
    /// # Errors
    /// As [`Decoder::extend`]; [`ModelError::TooLong`] from 512 tokens on.
    pub fn hidden_states(&self, ids: &[u32]) -> Result<Vec<Vec<f32>>, ModelError> {
        if ids.len() > PIECE {
            return Err(ModelError::TooLong {
                tokens: ids.len(),
                limit: PIECE,
            });
        }
        let mut context = self.context();
        let mut hidden = Vec::new();
        let extension = Extension {
            context: &mut context,
            ids,
        };
        let last = self.extend_watched(&mut [extension], &mut |states| {
            hidden.push(states.to_vec());
        })?;
        if let Some(before) = hidden.last_mut() {
            *before = last;
        }
        Ok(hidden)
    }

    fn extend_watched(
        &self,
        extensions: &mut [Extension],
        watch: &mut dyn FnMut(&[f32]),
    ) -> Result<Vec<f32>, ModelError> {
        for extension in extensions.iter() {
            self.check(extension)?;
        }
        let mut states = match extensions {
            [one] => {
                let mut states = Vec::with_capacity(one.ids.len() * self.config.hidden_size);
                for ids in one.ids.chunks(PIECE) {
                    let context = &mut *one.context;
                    let piece = Extension { context, ids };
                    states.extend(self.run(&mut [piece], watch));
                }
                states
            }
            several => self.run(several, watch),
        };
        if !states.iter().all(|state| state.is_finite()) {
            return Err(ModelError::NotFinite);
        }
        self.norm.apply(self.isa, &mut states);
        Ok(states)
    }

    fn run(&self, extensions: &mut [Extension], watch: &mut dyn FnMut(&[f32])) -> Vec<f32> {
        let width = self.config.hidden_size;
        let row = |table: &[f32], index: usize| table[index * width..(index + 1) * width].to_vec();
        let mut states = Vec::new();
        for extension in extensions.iter() {
            for (place, &id) in extension.ids.iter().enumerate() {
                let mut state = row(&self.embedding, id as usize);
                if !self.positions.is_empty() {
                    let position = row(&self.positions, extension.context.tokens() + place);
                    add(&mut state, &position);
                }
                states.extend(state);
            }
        }
        watch(&states);
        let mut sequences: Vec<_> = extensions
            .iter_mut()
            .map(|extension| (&mut extension.context.cache, extension.ids.len()))
            .collect();
        self.layers.run(&mut states, &mut sequences, watch);
        states
    }

    fn check(&self, extension: &Extension) -> Result<(), ModelError> {
        if extension.ids.is_empty() {
            return Err(ModelError::Input("it has no token at all".into()));
        }
        let tokens = extension.context.tokens() + extension.ids.len();
        if tokens > self.config.context {
            return Err(ModelError::TooLong {
                tokens,
                limit: self.config.context,
            });
        }
        let rows = self.config.vocab_size;
        match extension.ids.iter().find(|&&id| id as usize >= rows) {
            Some(id) => Err(ModelError::Input(format!(
                "token id {id}: the model embeds {rows}"
            ))),
            None => Ok(()),
        }
    }

    /// One logit per token of the vocabulary for each row of states after the
    /// final norm: (rows, vocabulary).
    pub fn logits(&self, states: &[f32]) -> Vec<f32> {
        let rows = states.len() / self.config.hidden_size;
        let mut logits = vec![0.0; rows * self.config.vocab_size];
        self.gemm
            .multiply(states, &self.head, &self.no_bias, &mut logits);
        logits
    }

    /// Sizes and choices of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }
}
