//! A decoder made ready to run at one precision, and the contexts that it
//! extends.

use std::sync::Arc;

use dtatrans_kernels::{F32Gemm, Isa, PackedF32};
use dtatrans_precision::cache::{CacheBudget, CachePlan, Scope};
use dtatrans_precision::{Tier, trace};

use super::{DecoderCheckpoint, DecoderConfig};
use crate::layers::{
    self, DenseCache, DenseLayers, Linear, Norm, PlannedHead, PlannedLayers, TieredCache, add,
};
use crate::{Encoding, ModelError, Precision};

/// Tokens of one sequence that pass the layers at once at f32: a longer prompt
/// passes in pieces, which keeps memory small.
const PIECE: usize = 512;

const NO_TIERS: &str = "a cache at tiers needs a plan: at f32 it keeps everything";

/// A decoder made ready to run at one precision.
pub struct Decoder {
    config: DecoderConfig,
    isa: Isa,
    embedding: Vec<f32>,
    positions: Vec<f32>,
    norm: Norm,
    pass: Pass,
}

/// The layers and the output layer.
enum Pass {
    Dense {
        layers: DenseLayers,
        gemm: F32Gemm,
        head: PackedF32,
        no_bias: Vec<f32>,
    },
    Planned {
        layers: Box<PlannedLayers>,
        head: PlannedHead,
        cache: Arc<CachePlan>,
    },
}

/// What a decoder keeps of the tokens that one sequence has so far.
#[derive(Clone)]
pub struct Context {
    cache: Cache,
}

#[derive(Clone)]
enum Cache {
    Dense(DenseCache),
    Tiered(TieredCache),
}

impl Context {
    /// Tokens so far.
    pub fn tokens(&self) -> usize {
        match &self.cache {
            Cache::Dense(cache) => cache.tokens(),
            Cache::Tiered(cache) => cache.tokens(),
        }
    }

    /// Bytes of the cache, as allocated: keys and values, and under a plan their
    /// scales and what ranks the tokens.
    pub fn bytes(&self) -> usize {
        match &self.cache {
            Cache::Dense(cache) => cache.bytes(),
            Cache::Tiered(cache) => cache.bytes(),
        }
    }

    /// Under a plan, by layer and set of heads that decide together: the tier of
    /// each token so far, 8 being the upper one and 4 the lower one; at f32 none.
    pub fn tiers(&self) -> Vec<Vec<Vec<Tier>>> {
        match &self.cache {
            Cache::Dense(_) => Vec::new(),
            Cache::Tiered(cache) => cache.tiers(),
        }
    }
}

/// Bytes of keys and values of which nothing is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullCache {
    /// As 16-bit floats.
    pub at_f16: usize,
    /// As 8-bit codes, with a scale per token and head.
    pub at_8_bits: usize,
}

/// A text that was read at once, before anything of it is left out.
#[derive(Clone)]
pub struct Reading(layers::Reading);

impl Reading {
    /// By layer: the tier at which each token was computed.
    pub fn tiers(&self) -> &[Vec<Tier>] {
        &self.0.tiers
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
    /// Reads a checkpoint's weights and lays them out, quantized where the
    /// precision asks for it.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] naming a tensor that is missing or unfit,
    /// [`ModelError::Plan`] if the plan is for another depth or needs what a
    /// decoder cannot do.
    pub fn new(
        checkpoint: &DecoderCheckpoint,
        precision: &Precision,
        isa: Isa,
    ) -> Result<Decoder, ModelError> {
        let config = &checkpoint.config;
        let source = checkpoint.source();
        let ends = source.ends()?;
        let head = ends.head.as_ref().unwrap_or(&ends.embedding);
        let pass = match precision {
            Precision::F32 => {
                let gemm = F32Gemm::new();
                Pass::Dense {
                    layers: DenseLayers::read(&*source, isa)?,
                    head: gemm.pack(head, config.vocab_size, config.hidden_size),
                    no_bias: vec![0.0; config.vocab_size],
                    gemm,
                }
            }
            Precision::Plan(plan) => {
                let layers = PlannedLayers::read(&*source, config.vocab_size, plan, isa)?;
                let linear = Linear {
                    weight: head.clone(),
                    bias: vec![0.0; config.vocab_size],
                    n: config.vocab_size,
                    k: config.hidden_size,
                };
                let all = || Arc::new(CachePlan::all_eight(config.layers));
                let cache = plan.cache.clone().unwrap_or_else(all);
                cache.check_sets(match cache.scope {
                    Scope::Head => config.key_value_heads,
                    Scope::Layer => 1,
                })?;
                Pass::Planned {
                    head: layers.head(&linear),
                    layers: Box::new(layers),
                    cache,
                }
            }
        };
        Ok(Decoder {
            config: config.clone(),
            isa,
            embedding: ends.embedding,
            positions: ends.positions,
            norm: ends.norm,
            pass,
        })
    }

    /// The decoder with a bound on what each context keeps.
    ///
    /// # Errors
    /// [`ModelError::Plan`] if the tokens that are always kept do not fit;
    /// [`ModelError::Input`] at f32, where everything is kept.
    pub fn bounded(mut self, budget: CacheBudget) -> Result<Decoder, ModelError> {
        let Pass::Planned { layers, cache, .. } = &mut self.pass else {
            return Err(ModelError::Input(NO_TIERS.into()));
        };
        let empty = layers.cache(cache);
        let bounded = (**cache)
            .clone()
            .bounded(budget, empty.sets(), |places| empty.bytes_of(places))?;
        *cache = Arc::new(bounded);
        Ok(self)
    }

    /// What keys and values of so many tokens take if all are kept.
    pub fn full_cache(&self, tokens: usize) -> FullCache {
        let config = &self.config;
        let rows = 2 * config.key_value_heads * config.layers * tokens;
        FullCache {
            at_f16: rows * config.head_dim * 2,
            at_8_bits: rows * (config.head_dim + 2),
        }
    }

    /// A context without tokens.
    pub fn context(&self) -> Context {
        Context {
            cache: match &self.pass {
                Pass::Dense { layers, .. } => Cache::Dense(layers.cache()),
                Pass::Planned { layers, cache, .. } => Cache::Tiered(layers.cache(cache)),
            },
        }
    }

    /// Reads a text once for any number of ways to cache it: gives the states of its
    /// tokens after the final norm, (tokens, hidden), and what
    /// [`Decoder::context_after`] makes contexts from. `plans` are those that may be
    /// asked for.
    ///
    /// # Errors
    /// As [`Decoder::extend`]; [`ModelError::Input`] at f32, where nothing is left
    /// out of a cache.
    pub fn read(
        &self,
        ids: &[u32],
        plans: &[Arc<CachePlan>],
    ) -> Result<(Vec<f32>, Reading), ModelError> {
        let Pass::Planned { layers, .. } = &self.pass else {
            return Err(ModelError::Input(NO_TIERS.into()));
        };
        self.check(0, ids)?;
        let mut decays: Vec<f32> = Vec::new();
        for decay in plans.iter().filter_map(|plan| decay_of(plan)) {
            if !decays.contains(&decay) {
                decays.push(decay);
            }
        }
        let (mut states, reading, _) = self.read_text(layers, ids, decays, false, &mut |_| ());
        self.finish(&mut states)?;
        Ok((states, Reading(reading)))
    }

    /// The context that a text leaves under a way to cache it.
    ///
    /// # Panics
    /// If the text was read by another decoder, or for plans of other half-lives.
    pub fn context_after(&self, reading: &Reading, plan: &Arc<CachePlan>) -> Context {
        let Pass::Planned { layers, .. } = &self.pass else {
            panic!("a reading of another decoder");
        };
        Context {
            cache: Cache::Tiered(layers.cache_after(&reading.0, plan)),
        }
    }

    /// Reads a text that begins as [`Decoder::extend`] does; gives its context and
    /// the record of each layer for a trace.
    ///
    /// # Errors
    /// As [`Decoder::extend`]; [`ModelError::Input`] at f32, where tokens have no
    /// tiers.
    pub fn read_traced(&self, ids: &[u32]) -> Result<(Context, Vec<trace::Layer>), ModelError> {
        let Pass::Planned { layers, cache, .. } = &self.pass else {
            return Err(ModelError::Input("a trace needs a plan".into()));
        };
        self.check(0, ids)?;
        let decays = decay_of(cache).into_iter().collect();
        let (mut states, reading, trace) = self.read_text(layers, ids, decays, true, &mut |_| ());
        self.finish(&mut states)?;
        Ok((self.context_after(&Reading(reading), cache), trace))
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
            self.check(extension.context.tokens(), extension.ids)?;
        }
        let mut states = match &self.pass {
            Pass::Dense { layers, .. } => match extensions {
                [one] => {
                    let mut states = Vec::with_capacity(one.ids.len() * self.config.hidden_size);
                    for ids in one.ids.chunks(PIECE) {
                        let context = &mut *one.context;
                        let piece = Extension { context, ids };
                        states.extend(self.extend_dense(layers, &mut [piece], watch));
                    }
                    states
                }
                several => self.extend_dense(layers, several, watch),
            },
            Pass::Planned { layers, .. } => self.extend_planned(layers, extensions, watch),
        };
        self.finish(&mut states)?;
        Ok(states)
    }

    /// The final norm.
    fn finish(&self, states: &mut [f32]) -> Result<(), ModelError> {
        if !states.iter().all(|state| state.is_finite()) {
            return Err(ModelError::NotFinite);
        }
        self.norm.apply(self.isa, states);
        Ok(())
    }

    fn extend_dense(
        &self,
        layers: &DenseLayers,
        extensions: &mut [Extension],
        watch: &mut dyn FnMut(&[f32]),
    ) -> Vec<f32> {
        let mut states = self.embed_all(extensions);
        watch(&states);
        let mut sequences: Vec<_> = extensions
            .iter_mut()
            .map(|extension| match &mut extension.context.cache {
                Cache::Dense(cache) => (cache, extension.ids.len()),
                Cache::Tiered(_) => panic!("a context of another decoder"),
            })
            .collect();
        layers.run(&mut states, &mut sequences, watch);
        states
    }

    /// A text that begins passes the layers as a whole, tokens behind others one
    /// by one.
    fn extend_planned(
        &self,
        layers: &PlannedLayers,
        extensions: &mut [Extension],
        watch: &mut dyn FnMut(&[f32]),
    ) -> Vec<f32> {
        let begins =
            |extension: &Extension| extension.context.tokens() == 0 && extension.ids.len() > 1;
        if extensions.iter().any(begins) {
            let mut states = Vec::new();
            for extension in extensions {
                if !begins(extension) {
                    let one = std::slice::from_mut(extension);
                    states.extend(self.extend_planned(layers, one, watch));
                    continue;
                }
                let cache = extension.context.tiered();
                let plan = cache.plan().clone();
                let decays = decay_of(&plan).into_iter().collect();
                let (own, reading, _) = self.read_text(layers, extension.ids, decays, false, watch);
                *cache = layers.cache_after(&reading, &plan);
                states.extend(own);
            }
            return states;
        }
        // What a token is worth at a layer depends on those before it.
        let in_turn = |one: &mut Extension| {
            one.ids.len() > 1 && one.context.tiered().plan().policy.cascades()
        };
        if extensions.iter_mut().any(in_turn) {
            let mut states = Vec::new();
            for extension in extensions {
                for ids in extension.ids.chunks(1) {
                    let context = &mut *extension.context;
                    let one = &mut [Extension { context, ids }];
                    states.extend(self.extend_planned(layers, one, watch));
                }
            }
            return states;
        }
        let mut states = self.embed_all(extensions);
        watch(&states);
        let mut sequences: Vec<_> = extensions
            .iter_mut()
            .map(|extension| (extension.context.tiered(), extension.ids.len()))
            .collect();
        layers.extend(&mut states, &mut sequences, watch);
        states
    }

    /// The states of a whole text before the final norm, what caches need, and the
    /// records of the layers, if they are asked for.
    fn read_text(
        &self,
        layers: &PlannedLayers,
        ids: &[u32],
        decays: Vec<f32>,
        with_trace: bool,
        watch: &mut dyn FnMut(&[f32]),
    ) -> (Vec<f32>, layers::Reading, Vec<trace::Layer>) {
        // The last token must be computed, since what follows is predicted from
        // it, and the first, where heads look that look for nothing.
        let text = Encoding::from_ids(ids.to_vec(), vec![0; ids.len()]);
        let mut states = self.embed(ids, 0);
        watch(&states);
        let (reading, trace) = layers.read_text(&mut states, &text, decays, with_trace, watch);
        (states, reading, trace)
    }

    fn embed_all(&self, extensions: &[Extension]) -> Vec<f32> {
        let embed = |one: &Extension| self.embed(one.ids, one.context.tokens());
        extensions.iter().flat_map(embed).collect()
    }

    /// The states of tokens that stand from `start` on.
    fn embed(&self, ids: &[u32], start: usize) -> Vec<f32> {
        let width = self.config.hidden_size;
        let row = |table: &[f32], index: usize| table[index * width..(index + 1) * width].to_vec();
        let mut states = Vec::with_capacity(ids.len() * width);
        for (place, &id) in ids.iter().enumerate() {
            let mut state = row(&self.embedding, id as usize);
            if !self.positions.is_empty() {
                add(&mut state, &row(&self.positions, start + place));
            }
            states.extend(state);
        }
        states
    }

    fn check(&self, before: usize, ids: &[u32]) -> Result<(), ModelError> {
        if ids.is_empty() {
            return Err(ModelError::Input("it has no token at all".into()));
        }
        let tokens = before + ids.len();
        if tokens > self.config.context {
            return Err(ModelError::TooLong {
                tokens,
                limit: self.config.context,
            });
        }
        let rows = self.config.vocab_size;
        match ids.iter().find(|&&id| id as usize >= rows) {
            Some(id) => Err(ModelError::Input(format!(
                "token id {id}: the model embeds {rows}"
            ))),
            None => Ok(()),
        }
    }

    /// One logit per token of the vocabulary for each row of states after the
    /// final norm: (rows, vocabulary).
    pub fn logits(&self, states: &[f32]) -> Vec<f32> {
        match &self.pass {
            Pass::Dense {
                gemm,
                head,
                no_bias,
                ..
            } => {
                let rows = states.len() / self.config.hidden_size;
                let mut logits = vec![0.0; rows * self.config.vocab_size];
                gemm.multiply(states, head, no_bias, &mut logits);
                logits
            }
            Pass::Planned { layers, head, .. } => layers.apply(head, states),
        }
    }

    /// Sizes and choices of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }
}

/// How the weights of queries fall with their age, where a cache ranks by them.
fn decay_of(plan: &CachePlan) -> Option<f32> {
    plan.keeps_received().then(|| plan.decay())
}

impl Context {
    fn tiered(&mut self) -> &mut TieredCache {
        match &mut self.cache {
            Cache::Tiered(cache) => cache,
            Cache::Dense(_) => panic!("a context of another decoder"),
        }
    }
}
