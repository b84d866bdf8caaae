//! A sliding window.

use super::{CachePolicy, CachedToken};

/// The newest tokens, beside the first ones: a sliding window with attention
/// sinks (Xiao et al., *StreamingLLM*, ICLR 2024).
pub struct Recent;

impl CachePolicy for Recent {
    fn name(&self) -> &'static str {
        "recent"
    }

    fn summary(&self) -> &'static str {
        "the newest (StreamingLLM's sliding window, with the first tokens protected)"
    }

    fn attends(&self) -> bool {
        false
    }

    fn rank(&self, token: &CachedToken) -> f32 {
        token.position as f32
    }
}
