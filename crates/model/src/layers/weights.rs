//! The weights of a layer, by what they do.

use dtatrans_kernels::{Isa, vector};

use super::{Linear, NormPlace, Structure};
use crate::ModelError;

/// One layer.
pub(crate) struct Layer {
    /// Of the attention's half.
    pub(crate) attention_norm: Norm,
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) output: Linear,
    /// Of the feed-forward network's half.
    pub(crate) feed_forward_norm: Norm,
    /// Of a gated network: what goes through the activation.
    pub(crate) gate: Option<Linear>,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

/// Where the weights of a model's layers come from.
pub(crate) trait Source {
    /// What the layers compute.
    fn structure(&self) -> Structure;

    /// The norm that the first layer's states have passed, where norms stand
    /// behind the halves of layers.
    fn entry_norm(&self) -> Result<Option<Norm>, ModelError>;

    /// One layer.
    fn layer(&self, index: usize) -> Result<Layer, ModelError>;
}

/// A normalisation with its parameters.
#[derive(Clone)]
pub(crate) enum Norm {
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
    /// Normalises rows in place.
    pub(crate) fn apply(&self, isa: Isa, rows: &mut [f32]) {
        match self {
            Norm::Layer {
                gain,
                bias,
                epsilon,
            } => vector::layer_norm(isa, rows, gain, bias, *epsilon),
            Norm::RootMeanSquare { gain, epsilon } => {
                vector::rms_norm(isa, rows, gain, *epsilon);
            }
        }
    }

    /// What a half of a layer sees of states.
    pub(crate) fn enter(&self, isa: Isa, place: NormPlace, mut states: Vec<f32>) -> Vec<f32> {
        if place == NormPlace::Before {
            self.apply(isa, &mut states);
        }
        states
    }

    /// Takes what a half of a layer adds into the states.
    pub(crate) fn leave(&self, isa: Isa, place: NormPlace, states: &mut [f32], change: &[f32]) {
        add(states, change);
        if place == NormPlace::After {
            self.apply(isa, states);
        }
    }

    /// Standard deviations and means of the channels of normalised rows.
    pub(crate) fn deviations_and_means(&self) -> (&[f32], Option<&[f32]>) {
        match self {
            Norm::Layer { gain, bias, .. } => (gain, Some(bias)),
            Norm::RootMeanSquare { gain, .. } => (gain, None),
        }
    }
}

/// Adds a change to states.
pub(crate) fn add(states: &mut [f32], change: &[f32]) {
    for (state, change) in states.iter_mut().zip(change) {
        *state += change;
    }
}
