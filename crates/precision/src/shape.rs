//! The sizes of a model that its cost depends on.

use serde::{Deserialize, Serialize};

/// The shape of a transformer encoder or decoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Name of the model, for people.
    pub name: String,
    /// Number of layers.
    pub layers: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Attention heads per layer.
    pub heads: usize,
    /// Key and value heads per layer; each serves as many of the heads.
    pub key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub intermediate: usize,
    /// Whether the activation multiplies a second projection.
    pub gated: bool,
    /// Whether queries and keys are turned by their positions.
    pub rotary: bool,
    /// Whether a query attends only to itself and to earlier tokens.
    pub causal: bool,
}

impl ModelShape {
    /// BERT-base's shape (Devlin et al., NAACL 2019, section 3).
    pub fn bert_base() -> ModelShape {
        ModelShape {
            name: "bert-base".into(),
            layers: 12,
            hidden: 768,
            heads: 12,
            key_value_heads: 12,
            head_dim: 64,
            intermediate: 3072,
            gated: false,
            rotary: false,
            causal: false,
        }
    }
}
