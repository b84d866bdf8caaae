//! GPT-2: its `config.json` and the names of its tensors.

use super::config::Field;
use super::source::{DecoderSource, Ends, Store};
use super::{Activation, DecoderConfig, Positions};
use crate::ModelError;
use crate::json::Fields;
use crate::layers::{Layer, Linear, Norm, Source, Structure};

/// Fields of Hugging Face's `GPT2Config` that change the result are read; those
/// that ask for what is not here are refused.
pub(crate) fn config(fields: &Fields) -> Result<DecoderConfig, ModelError> {
    let hidden_size = fields.size("n_embd")?;
    let heads = fields.size("n_head")?;
    if !hidden_size.is_multiple_of(heads) {
        let reason = format!("{heads} does not divide n_embd = {hidden_size}");
        return Err(fields.refuse("n_head", reason));
    }
    if fields.find("add_cross_attention")? == Some(true) {
        return Err(fields.refuse("add_cross_attention", "true: must be false".into()));
    }
    let activation: Option<String> = fields.find("activation_function")?;
    let activation = Activation::named(activation.as_deref().unwrap_or("gelu_new"))
        .map_err(|reason| fields.refuse("activation_function", reason))?;
    let config = DecoderConfig {
        vocab_size: fields.size("vocab_size")?,
        hidden_size,
        layers: fields.size("n_layer")?,
        heads,
        key_value_heads: heads,
        head_dim: hidden_size / heads,
        intermediate_size: match fields.find::<usize>("n_inner")? {
            None => 4 * hidden_size,
            Some(_) => fields.size("n_inner")?,
        },
        context: fields.size("n_positions")?,
        positions: Positions::Learned,
        norm_epsilon: fields.find("layer_norm_epsilon")?.unwrap_or(1e-5),
        activation,
        gated: false,
        scaled_scores: fields.find("scale_attn_weights")?.unwrap_or(true),
        scaled_by_layer: fields
            .find("scale_attn_by_inverse_layer_idx")?
            .unwrap_or(false),
        tied_head: fields.find("tie_word_embeddings")?.unwrap_or(true),
    };
    config.check().map_err(|(field, reason)| match field {
        Field::NormEpsilon => fields.refuse("layer_norm_epsilon", reason),
        _ => fields.refuse("n_head", reason),
    })?;
    Ok(config)
}

/// Names with or without `transformer.` in front.
pub(super) struct Gpt2<'a> {
    store: &'a Store,
    config: &'a DecoderConfig,
    prefix: &'static str,
}

impl<'a> Gpt2<'a> {
    pub(super) fn new(store: &'a Store, config: &'a DecoderConfig) -> Gpt2<'a> {
        let prefixed = store.contains("transformer.wte.weight");
        Gpt2 {
            store,
            config,
            prefix: if prefixed { "transformer." } else { "" },
        }
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.store.read(&format!("{}{name}", self.prefix), shape)
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        let width = [self.config.hidden_size];
        Ok(Norm::Layer {
            gain: self.read(&format!("{name}.weight"), &width)?,
            bias: self.read(&format!("{name}.bias"), &width)?,
            epsilon: self.config.norm_epsilon,
        })
    }

    /// A layer that the checkpoint has as (k, n): one row per input.
    fn linear(&self, name: &str, n: usize, k: usize) -> Result<Linear, ModelError> {
        let turned = self.read(&format!("{name}.weight"), &[k, n])?;
        let mut weight = Vec::with_capacity(n * k);
        for output in 0..n {
            weight.extend(turned.iter().skip(output).step_by(n));
        }
        Ok(Linear {
            weight,
            bias: self.read(&format!("{name}.bias"), &[n])?,
            n,
            k,
        })
    }
}

impl DecoderSource for Gpt2<'_> {
    fn ends(&self) -> Result<Ends, ModelError> {
        let config = self.config;
        let (rows, width) = (config.vocab_size, config.hidden_size);
        Ok(Ends {
            embedding: self.read("wte.weight", &[rows, width])?,
            positions: self.read("wpe.weight", &[config.context, width])?,
            norm: self.norm("ln_f")?,
            head: match config.tied_head {
                true => None,
                // It stands beside the transformer.
                false => Some(self.store.read("lm_head.weight", &[rows, width])?),
            },
        })
    }
}

impl Source for Gpt2<'_> {
    fn structure(&self) -> Structure {
        self.config.structure()
    }

    fn entry_norm(&self) -> Result<Option<Norm>, ModelError> {
        Ok(None)
    }

    fn layer(&self, index: usize) -> Result<Layer, ModelError> {
        let (d, wide) = (self.config.hidden_size, self.config.intermediate_size);
        let name = |part: &str| format!("h.{index}.{part}");
        let fused = self.linear(&name("attn.c_attn"), 3 * d, d)?;
        let part = |which: usize| Linear {
            weight: fused.weight[which * d * d..(which + 1) * d * d].to_vec(),
            bias: fused.bias[which * d..(which + 1) * d].to_vec(),
            n: d,
            k: d,
        };
        Ok(Layer {
            attention_norm: self.norm(&name("ln_1"))?,
            query: part(0),
            key: part(1),
            value: part(2),
            output: self.linear(&name("attn.c_proj"), d, d)?,
            feed_forward_norm: self.norm(&name("ln_2"))?,
            gate: None,
            up: self.linear(&name("mlp.c_fc"), wide, d)?,
            down: self.linear(&name("mlp.c_proj"), d, wide)?,
        })
    }
}
