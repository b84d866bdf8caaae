//! BERT's weights by their names in the checkpoint.

use super::BertConfig;
use crate::linear::Linear;
use crate::{ModelError, Tensors};

/// Reads BERT's tensors, whose names may all begin with `bert.`.
pub(super) struct Source<'a> {
    tensors: &'a Tensors,
    prefix: &'static str,
}

/// Gain and bias of a layer normalisation.
#[derive(Clone)]
pub(super) struct Norm {
    pub(super) gain: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// One layer.
pub(super) struct Layer {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) attention_norm: Norm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) output_norm: Norm,
}

impl<'a> Source<'a> {
    pub(super) fn new(tensors: &'a Tensors) -> Source<'a> {
        let prefixed = tensors.contains("bert.embeddings.word_embeddings.weight");
        let prefix = if prefixed { "bert." } else { "" };
        Source { tensors, prefix }
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

    pub(super) fn norm(&self, name: &str, width: usize) -> Result<Norm, ModelError> {
        let name = format!("{}{name}", self.prefix);
        Ok(Norm {
            gain: self.tensors.read(&format!("{name}.weight"), &[width])?,
            bias: self.tensors.read(&format!("{name}.bias"), &[width])?,
        })
    }

    pub(super) fn layer(&self, config: &BertConfig, index: usize) -> Result<Layer, ModelError> {
        let (d, wide) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        Ok(Layer {
            query: self.linear(&name("attention.self.query"), d, d)?,
            key: self.linear(&name("attention.self.key"), d, d)?,
            value: self.linear(&name("attention.self.value"), d, d)?,
            output: self.linear(&name("attention.output.dense"), d, d)?,
            attention_norm: self.norm(&name("attention.output.LayerNorm"), d)?,
            up: self.linear(&name("intermediate.dense"), wide, d)?,
            down: self.linear(&name("output.dense"), d, wide)?,
            output_norm: self.norm(&name("output.LayerNorm"), d)?,
        })
    }
}
