//! The sum over layers.

use super::{Importance, LayerGain};

/// The paper's cumulative attention probability: gains of all layers add up. A
/// token that was not attended to gains nothing.
pub struct Cumulative;

impl Importance for Cumulative {
    fn name(&self) -> &'static str {
        "cumulative"
    }

    fn summary(&self) -> &'static str {
        "attention probability received, summed over layers"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        for (token, gain) in layer.gains() {
            scores[token] += gain;
        }
    }
}
