//! H2O's rule.

use super::{CachePolicy, CachedToken};

/// The sum of all probabilities that a token ever received: heavy hitters
/// (Zhang et al., *H2O*, NeurIPS 2023), which keeps recent tokens beside them.
pub struct HeavyHitters;

impl CachePolicy for HeavyHitters {
    fn name(&self) -> &'static str {
        "heavy-hitters"
    }

    fn summary(&self) -> &'static str {
        "sum of the probability ever received (H2O)"
    }

    fn rank(&self, token: &CachedToken) -> f32 {
        token.received
    }
}
