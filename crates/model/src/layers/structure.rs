//! What the layers of a model compute.

use dtatrans_kernels::{Isa, vector};

/// Sizes and choices that all layers of a model share.
#[derive(Clone, Debug)]
pub(crate) struct Structure {
    pub(crate) layers: usize,
    pub(crate) hidden: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads; each serves as many query heads.
    pub(crate) key_value_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) intermediate: usize,
    /// Whether a query sees only itself and earlier tokens.
    pub(crate) causal: bool,
    pub(crate) norms: NormPlace,
    /// Where queries and keys are turned by their positions.
    pub(crate) rotary: Option<Rotary>,
    pub(crate) activation: Activation,
    /// Whether the activation multiplies a second projection (Shazeer, 2020).
    pub(crate) gated: bool,
    /// Whether scores are divided by the root of `head_dim`.
    pub(crate) scaled_scores: bool,
    /// Whether scores are divided by the layer's number, from 1.
    pub(crate) scaled_by_layer: bool,
}

/// Where a layer's two norms stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormPlace {
    /// Each half of a layer sees the norm of the states and adds to the states.
    Before,
    /// Each half sees the states; the norm is of the states with what it adds.
    After,
}

/// The angles of rotary positions: pair i of a head turns by
/// position x frequency(i).
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Frequencies fall from 1 to nearly 1 / base.
    pub base: f32,
    /// Positions are divided by this (Chen et al., 2023); 1 leaves them.
    pub linear_factor: f32,
}

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The Gaussian error linear unit.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// The sigmoid linear unit.
    Silu,
    /// The rectified linear unit.
    Relu,
}

impl Activation {
    /// The activation of a name in `config.json`.
    pub(crate) fn named(name: &str) -> Result<Activation, String> {
        Ok(match name {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Activation::GeluTanh,
            "silu" | "swish" => Activation::Silu,
            "relu" => Activation::Relu,
            other => {
                return Err(format!(
                    "`{other}`: must be gelu, gelu_new, gelu_pytorch_tanh, silu, swish or relu"
                ));
            }
        })
    }

    /// Applies the function in place.
    pub(crate) fn apply(self, isa: Isa, values: &mut [f32]) {
        match self {
            Activation::Gelu => vector::gelu(isa, values),
            Activation::GeluTanh => vector::gelu_tanh(isa, values),
            Activation::Silu => vector::silu(isa, values),
            Activation::Relu => values.iter_mut().for_each(|value| *value = value.max(0.0)),
        }
    }
}

impl Structure {
    /// Width of all queries of a token side by side.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all keys of a token side by side, and of all values.
    pub(crate) fn key_width(&self) -> usize {
        self.key_value_heads * self.head_dim
    }

    /// Query heads that share a key and value head.
    pub(crate) fn group(&self) -> usize {
        self.heads / self.key_value_heads
    }

    /// What the scores of a layer are multiplied by before the softmax.
    pub(crate) fn score_scale(&self, layer: usize) -> f32 {
        let by_width = match self.scaled_scores {
            true => (self.head_dim as f32).sqrt(),
            false => 1.0,
        };
        let by_layer = match self.scaled_by_layer {
            true => (layer + 1) as f32,
            false => 1.0,
        };
        1.0 / (by_width * by_layer)
    }

    /// What goes into the last projection of a feed-forward network, from the
    /// rows of its first one: of a gated network gate and up side by side.
    pub(crate) fn activate(&self, isa: Isa, mut rows: Vec<f32>) -> Vec<f32> {
        if !self.gated {
            self.activation.apply(isa, &mut rows);
            return rows;
        }
        let wide = self.intermediate;
        let mut out = Vec::with_capacity(rows.len() / 2);
        for row in rows.chunks_exact_mut(2 * wide) {
            let (gate, up) = row.split_at_mut(wide);
            self.activation.apply(isa, gate);
            out.extend(gate.iter().zip(&*up).map(|(gate, up)| gate * up));
        }
        out
    }
}
