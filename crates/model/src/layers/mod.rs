//! The layers of every model family, in two forward passes over the same
//! weights: `dense` at f32, `planned` in integers under a plan.
//!
//! A family says by its [`Structure`] what its layers compute, and by its
//! [`Source`] where their weights are.

mod dense;
mod least_squares;
mod linear;
mod planned;
mod rotary;
mod structure;
mod weights;

pub(crate) use dense::{DenseCache, DenseLayers};
pub(crate) use linear::Linear;
pub use planned::AttentionHead;
pub(crate) use planned::{PlannedHead, PlannedLayers, Reading, TieredCache};
pub use structure::{Activation, Rotary};
pub(crate) use structure::{NormPlace, Structure};
pub(crate) use weights::{Layer, Norm, Source, add};
