//! The attention is computed, the feed-forward network estimated.

use super::{Change, Compensation};
use crate::Bits;

/// A 0-bit token runs the attention at 4 bits, query included, and a calibrated
/// map of low rank estimates what the feed-forward network adds to it: four of
/// the twelve d x d products, and 2 r d. On MiniLM a linear map predicts the
/// network far better than the whole layer, since the part that depends on the
/// other tokens is computed.
pub struct AttentionPredict;

impl Compensation for AttentionPredict {
    fn name(&self) -> &'static str {
        "attention+predict"
    }

    fn summary(&self) -> &'static str {
        "a 0-bit token attends at 4 bits, a calibrated map estimates its feed-forward network"
    }

    fn key_value_bits(&self) -> Option<Bits> {
        Some(Bits::Four)
    }

    fn attends(&self) -> bool {
        true
    }

    fn change(&self) -> Change {
        Change::LowRank
    }
}
