//! BERT's weights by their names in the checkpoint.

use super::BertConfig;
use crate::layers::{Activation, Layer, Linear, Norm, NormPlace, Source, Structure};
use crate::{ModelError, Tensors};

/// Reads BERT's tensors, whose names may all begin with `bert.`.
pub(crate) struct Weights<'a> {
    tensors: &'a Tensors,
    config: &'a BertConfig,
    prefix: &'static str,
}

impl<'a> Weights<'a> {
    pub(crate) fn new(tensors: &'a Tensors, config: &'a BertConfig) -> Weights<'a> {
        let prefixed = tensors.contains("bert.embeddings.word_embeddings.weight");
        Weights {
            tensors,
            config,
            prefix: if prefixed { "bert." } else { "" },
        }
    }

    pub(super) fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Vec<f32>, ModelError> {
        self.tensors.read(&format!("{}{name}", self.prefix), &shape)
    }

    pub(super) fn linear(&self, name: &str, n: usize, k: usize) -> Result<Linear, ModelError> {
        let name = format!("{}{name}", self.prefix);
        Ok(Linear {
            weight: self.tensors.read(&format!("{name}.weight"), &[n, k])?,
            bias: self.tensors.read(&format!("{name}.bias"), &[n])?,
            n,
            k,
        })
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        let name = format!("{}{name}", self.prefix);
        let width = [self.config.hidden_size];
        Ok(Norm::Layer {
            gain: self.tensors.read(&format!("{name}.weight"), &width)?,
            bias: self.tensors.read(&format!("{name}.bias"), &width)?,
            epsilon: self.config.layer_norm_eps,
        })
    }

    /// The norm of the embedded tokens.
    pub(super) fn embedding_norm(&self) -> Result<Norm, ModelError> {
        self.norm("embeddings.LayerNorm")
    }
}

impl Source for Weights<'_> {
    fn structure(&self) -> Structure {
        let config = self.config;
        Structure {
            layers: config.num_hidden_layers,
            hidden: config.hidden_size,
            heads: config.num_attention_heads,
            key_value_heads: config.num_attention_heads,
            head_dim: config.head_dim(),
            intermediate: config.intermediate_size,
            causal: false,
            norms: NormPlace::After,
            rotary: None,
            activation: Activation::Gelu,
            gated: false,
            scaled_scores: true,
            scaled_by_layer: false,
        }
    }

    fn entry_norm(&self) -> Result<Option<Norm>, ModelError> {
        self.embedding_norm().map(Some)
    }

    fn layer(&self, index: usize) -> Result<Layer, ModelError> {
        let (d, wide) = (self.config.hidden_size, self.config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        Ok(Layer {
            attention_norm: self.norm(&name("attention.output.LayerNorm"))?,
            query: self.linear(&name("attention.self.query"), d, d)?,
            key: self.linear(&name("attention.self.key"), d, d)?,
            value: self.linear(&name("attention.self.value"), d, d)?,
            output: self.linear(&name("attention.output.dense"), d, d)?,
            feed_forward_norm: self.norm(&name("output.LayerNorm"))?,
            gate: None,
            up: self.linear(&name("intermediate.dense"), wide, d)?,
            down: self.linear(&name("output.dense"), d, wide)?,
        })
    }
}
