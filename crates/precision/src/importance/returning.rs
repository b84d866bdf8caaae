//! A sum under which a token that nobody saw keeps its place.

use super::{Importance, LayerGain};

/// As `cumulative`, but a token without a key at a layer gains the mean of those
/// that had one, so that it falls behind nobody for having been left out and can
/// return.
pub struct Returning;

impl Importance for Returning {
    fn name(&self) -> &'static str {
        "returning"
    }

    fn summary(&self) -> &'static str {
        "cumulative, with the mean gain for tokens that offered no key"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        let mean = layer.mean_gain();
        let mut seen = vec![false; scores.len()];
        for (token, gain) in layer.gains() {
            scores[token] += gain;
            seen[token] = true;
        }
        for (score, seen) in scores.iter_mut().zip(seen) {
            if !seen {
                *score += mean;
            }
        }
    }
}
