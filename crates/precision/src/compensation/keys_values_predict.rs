//! Own keys and values, the change by a map of low rank.

use super::{Change, Compensation};
use crate::Bits;

/// As `keys-values`, and a calibrated map of low rank estimates the token's
/// change as under `predict-low-rank`, from the same 4-bit codes.
pub struct KeysValuesPredict;

impl Compensation for KeysValuesPredict {
    fn name(&self) -> &'static str {
        "keys-values+predict"
    }

    fn summary(&self) -> &'static str {
        "as keys-values, and a calibrated map of low rank estimates the change"
    }

    fn key_value_bits(&self) -> Option<Bits> {
        Some(Bits::Four)
    }

    fn change(&self) -> Change {
        Change::LowRank
    }
}
