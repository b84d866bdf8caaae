//! The weights of a decoder, and where they come from.

use crate::layers::{Norm, Source};
use crate::{Gguf, ModelError, Tensors};

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

/// Where the weights of a decoder come from: one implementation a family.
pub(super) trait DecoderSource: Source {
    /// What stands around the layers.
    fn ends(&self) -> Result<Ends, ModelError>;
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
