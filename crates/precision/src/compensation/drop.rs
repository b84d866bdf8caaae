//! Nothing: the token leaves for good.

use super::Compensation;

/// A 0-bit token leaves for good, as in SpAtten's cascade token pruning
/// (HPCA 2021, section III-A): the baseline without compensation. It is read
/// out from its last state.
pub struct Drop;

impl Compensation for Drop {
    fn name(&self) -> &'static str {
        "drop"
    }

    fn summary(&self) -> &'static str {
        "a 0-bit token leaves for good"
    }

    fn may_return(&self) -> bool {
        false
    }
}
