//! The hidden state passes the layer unchanged.

use super::Compensation;

/// A 0-bit token keeps its hidden state unchanged through the layer. Nobody
/// attends to it there; it may be computed again later.
pub struct Carry;

impl Compensation for Carry {
    fn name(&self) -> &'static str {
        "carry"
    }

    fn summary(&self) -> &'static str {
        "a 0-bit token keeps its hidden state through the layer"
    }
}
