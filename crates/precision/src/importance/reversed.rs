//! The least attended first.

use super::{Importance, LayerGain};

/// Cumulative attention with its sign turned: a control, which shows what the
/// order is worth.
pub struct Reversed;

impl Importance for Reversed {
    fn name(&self) -> &'static str {
        "reversed"
    }

    fn summary(&self) -> &'static str {
        "the tokens that received least attention come first: a control"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        for (token, gain) in layer.gains() {
            scores[token] -= gain;
        }
    }
}
