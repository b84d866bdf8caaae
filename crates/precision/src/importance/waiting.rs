//! Those that were left out come first.

use super::{Importance, LayerGain};

/// More than any sum of gains, which are below 1 a layer; a power of two, so
/// that adding it costs few of the score's bits.
const WAITED: f32 = 1024.0;

/// Cumulative attention among equals, but a token that was at 0 bits at the layer
/// before comes before all that were computed: as long as less than half are
/// left out, none misses two layers in a row.
pub struct Waiting;

impl Importance for Waiting {
    fn name(&self) -> &'static str {
        "waiting"
    }

    fn summary(&self) -> &'static str {
        "cumulative, but tokens at 0 bits at the layer before come first"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        for score in scores.iter_mut() {
            // Takes back what the layer before gave for waiting.
            *score %= WAITED;
        }
        for (token, gain) in layer.gains() {
            scores[token] += gain;
        }
        for (score, tier) in scores.iter_mut().zip(layer.tiers) {
            if !tier.is_computed() {
                *score += WAITED;
            }
        }
    }
}
