//! What a decoder computes, whichever family it is of.

use dtatrans_precision::{Ends, ModelShape, Reads};

use crate::layers::{Activation, NormPlace, Rotary, Structure};

/// Sizes and choices of a decoder.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads per layer.
    pub heads: usize,
    /// Key and value heads per layer; each serves `heads / key_value_heads`
    /// query heads.
    pub key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub intermediate_size: usize,
    /// The most positions: the longest text, prompt and answer together.
    pub context: usize,
    /// How the model knows where a token stands.
    pub positions: Positions,
    /// Added to variances or mean squares before their root is taken.
    pub norm_epsilon: f32,
    /// The feed-forward network's activation function.
    pub activation: Activation,
    /// Whether the activation multiplies a second projection (Shazeer, 2020).
    pub gated: bool,
    /// Whether scores are divided by the root of `head_dim`.
    pub scaled_scores: bool,
    /// Whether scores are divided by the layer's number, from 1.
    pub scaled_by_layer: bool,
    /// Whether the output layer is the token embedding.
    pub tied_head: bool,
}

/// How a decoder knows where a token stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Positions {
    /// A learned embedding is added to the token's.
    Learned,
    /// Queries and keys are turned by angles that grow with the position.
    Rotary(Rotary),
}

/// What a configuration can be wrong in; families have names of their own for
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    KeyValueHeads,
    HeadDim,
    NormEpsilon,
    RotaryBase,
    RotaryFactor,
}

impl DecoderConfig {
    /// The sizes that the model's cost depends on.
    pub fn shape(&self, name: &str) -> ModelShape {
        ModelShape {
            name: name.into(),
            layers: self.layers,
            hidden: self.hidden_size,
            heads: self.heads,
            key_value_heads: self.key_value_heads,
            head_dim: self.head_dim,
            intermediate: self.intermediate_size,
            gated: self.gated,
            rotary: matches!(self.positions, Positions::Rotary(_)),
            causal: true,
            ends: Some(Ends {
                vocabulary: self.vocab_size,
                tables: match self.positions {
                    Positions::Learned => 2,
                    Positions::Rotary(_) => 1,
                },
                reads: Reads::Last,
                pooler: false,
                outputs: self.vocab_size,
            }),
        }
    }

    /// What the layers compute.
    pub(super) fn structure(&self) -> Structure {
        Structure {
            layers: self.layers,
            hidden: self.hidden_size,
            heads: self.heads,
            key_value_heads: self.key_value_heads,
            head_dim: self.head_dim,
            intermediate: self.intermediate_size,
            causal: true,
            norms: NormPlace::Before,
            rotary: match &self.positions {
                Positions::Learned => None,
                Positions::Rotary(rotary) => Some(rotary.clone()),
            },
            activation: self.activation,
            gated: self.gated,
            scaled_scores: self.scaled_scores,
            scaled_by_layer: self.scaled_by_layer,
        }
    }

    /// Checks what every family must hold to; a refusal says by which of its
    /// fields.
    pub(super) fn check(&self) -> Result<(), (Field, String)> {
        let (heads, shared) = (self.heads, self.key_value_heads);
        if !heads.is_multiple_of(shared) {
            let reason = format!("{shared} does not divide the {heads} query heads");
            return Err((Field::KeyValueHeads, reason));
        }
        if !(self.norm_epsilon >= 0.0 && self.norm_epsilon < 1.0) {
            let reason = format!("{}: must be 0 to 1", self.norm_epsilon);
            return Err((Field::NormEpsilon, reason));
        }
        if let Positions::Rotary(rotary) = &self.positions {
            if !self.head_dim.is_multiple_of(2) {
                let reason = format!("{}: rotary positions need an even one", self.head_dim);
                return Err((Field::HeadDim, reason));
            }
            if !(rotary.base > 1.0 && rotary.base.is_finite()) {
                let reason = format!("{}: must be above 1", rotary.base);
                return Err((Field::RotaryBase, reason));
            }
            if !(rotary.linear_factor >= 1.0 && rotary.linear_factor.is_finite()) {
                let reason = format!("factor {}: must be at least 1", rotary.linear_factor);
                return Err((Field::RotaryFactor, reason));
            }
        }
        Ok(())
    }
}
