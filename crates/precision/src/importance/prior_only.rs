//! The scores that tokens begin with.

use super::{Importance, LayerGain};

/// Nothing that happens in the model changes a score: with a prior, each token id
/// has its own for good. A control, which shows what looking at the text is
/// worth.
pub struct PriorOnly;

impl Importance for PriorOnly {
    fn name(&self) -> &'static str {
        "static"
    }

    fn summary(&self) -> &'static str {
        "the prior alone, whatever the model attends to: a control"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        // What was there before stays.
        let _ = (scores, layer);
    }
}
