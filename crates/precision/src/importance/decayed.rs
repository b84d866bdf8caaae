//! A sum that forgets.

use super::{Importance, LayerGain};

/// Gains add up, and half of the sum is forgotten at each layer. The half is our
/// choice.
pub struct Decayed;

impl Importance for Decayed {
    fn name(&self) -> &'static str {
        "decayed"
    }

    fn summary(&self) -> &'static str {
        "attention probability received, halved at each layer"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        for score in scores.iter_mut() {
            *score *= 0.5;
        }
        for (token, gain) in layer.gains() {
            scores[token] += gain;
        }
    }
}
