//! Own keys and values, the change of the average.

use super::{Change, Compensation};
use crate::Bits;

/// As `keys-values`, and the average of the 0-bit tokens runs as one extra 8-bit
/// query, whose change each of them takes on as under `fused`. The average
/// offers no key: its tokens offer their own.
pub struct KeysValuesFused;

impl Compensation for KeysValuesFused {
    fn name(&self) -> &'static str {
        "keys-values+fused"
    }

    fn summary(&self) -> &'static str {
        "as keys-values, and the change of the average 0-bit token is added to each"
    }

    fn key_value_bits(&self) -> Option<Bits> {
        Some(Bits::Four)
    }

    fn change(&self) -> Change {
        Change::Fused
    }
}
