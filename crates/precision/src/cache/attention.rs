//! The attention that a token can expect.

use super::{CachePolicy, CachedToken};

/// The mean probability that a query gave to a token, over the queries that could
/// see it, recent ones counting more. A mean does not hold against a token that
/// few could see it yet, and a sum that forgets lets what is no longer read go.
pub struct Attention;

impl CachePolicy for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn summary(&self) -> &'static str {
        "mean probability received from the queries that could see a token, recent ones counting more"
    }

    fn rank(&self, token: &CachedToken) -> f32 {
        token.received / token.queries
    }

    fn forgets(&self) -> bool {
        true
    }
}
