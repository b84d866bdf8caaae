//! The layer before alone.

use super::{Importance, LayerGain};

/// The gain of the layer before alone; a token that nobody could attend to there
/// has none.
pub struct LastLayer;

impl Importance for LastLayer {
    fn name(&self) -> &'static str {
        "last-layer"
    }

    fn summary(&self) -> &'static str {
        "attention probability received at the layer before"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        scores.fill(0.0);
        for (token, gain) in layer.gains() {
            scores[token] = gain;
        }
    }
}
