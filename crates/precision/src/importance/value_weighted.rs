//! Attention times what it carries.

use super::{Importance, LayerGain};

/// Each head's probability counts with the norm of the value that it lets
/// through, relative to the norms' mean: a token that is looked at but gives
/// nothing is not important (Kobayashi et al., EMNLP 2020, on norms in
/// attention).
pub struct ValueWeighted;

impl Importance for ValueWeighted {
    fn name(&self) -> &'static str {
        "value-weighted"
    }

    fn summary(&self) -> &'static str {
        "attention probability times the norm of the value, summed over layers"
    }

    fn weighs_values(&self) -> bool {
        true
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        for (token, gain) in layer.gains() {
            scores[token] += gain;
        }
    }
}
