//! The weights of a decoder, by what they do, and where they come from.

use dtatrans_kernels::{Isa, vector};

use super::DecoderConfig;
use crate::linear::Linear;
use crate::{Gguf, ModelError, Tensors};

/// One layer: each half adds to the states what it makes of their norm.
pub(super) struct Layer {
    pub(super) attention_norm: Norm,
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) feed_forward_norm: Norm,
    /// Of a gated network: what goes through the activation.
    pub(super) gate: Option<Linear>,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

/// What stands around the layers.
pub(super) struct Ends {
    /// (vocabulary, hidden).
    pub(super) embedding: Vec<f32>,
    /// (context, hidden); empty where positions are rotary.
    pub(super) positions: Vec<f32>,
    pub(super) norm: Norm,
    /// (vocabulary, hidden), where it is not the embedding.
    pub(super) head: Option<Vec<f32>>,
}

/// A normalisation with its parameters.
pub(super) enum Norm {
    Layer {
        gain: Vec<f32>,
        bias: Vec<f32>,
        epsilon: f32,
    },
    RootMeanSquare {
        gain: Vec<f32>,
        epsilon: f32,
    },
}

impl Norm {
    /// The norms of rows.
    pub(super) fn of(&self, isa: Isa, rows: &[f32]) -> Vec<f32> {
        let mut rows = rows.to_vec();
        match self {
            Norm::Layer {
                gain,
                bias,
                epsilon,
            } => vector::layer_norm(isa, &mut rows, gain, bias, *epsilon),
            Norm::RootMeanSquare { gain, epsilon } => {
                vector::rms_norm(isa, &mut rows, gain, *epsilon);
            }
        }
        rows
    }
}

/// Where the weights of a decoder come from: one implementation a family.
pub(super) trait Source {
    /// What stands around the layers.
    fn ends(&self, config: &DecoderConfig) -> Result<Ends, ModelError>;

    /// One layer.
    fn layer(&self, config: &DecoderConfig, index: usize) -> Result<Layer, ModelError>;
}

/// Named tensors in either file format.
pub(crate) enum Store {
    Safetensors(Tensors),
    Gguf(Gguf),
}

impl Store {
    pub(super) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        match self {
            Store::Safetensors(tensors) => tensors.read(name, shape),
            Store::Gguf(gguf) => gguf.tensor(name, shape),
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Store::Safetensors(tensors) => tensors.contains(name),
            Store::Gguf(gguf) => gguf.contains(name),
        }
    }
}
