//! SpAtten's rule.

use super::{CachePolicy, CachedToken};

/// The sum of all probabilities that a token received at all heads of this layer
/// and of those before; a token that has left a layer is gone from all behind it
/// (Wang et al., *SpAtten*, HPCA 2021: cascade token pruning).
pub struct Cascade;

impl CachePolicy for Cascade {
    fn name(&self) -> &'static str {
        "cascade"
    }

    fn summary(&self) -> &'static str {
        "sum of the probability received at all layers so far; gone from one layer, gone behind it (SpAtten)"
    }

    fn rank(&self, token: &CachedToken) -> f32 {
        token.received
    }

    fn cascades(&self) -> bool {
        true
    }
}
