//! No order at all.

use super::{Importance, LayerGain};

/// A hash of the token's place and of what it received: a control, which shows
/// what any order is worth. The same input gives the same scores.
pub struct Random;

impl Importance for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn summary(&self) -> &'static str {
        "a hash of place and attention: a control"
    }

    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain) {
        for (token, gain) in layer.gains() {
            scores[token] = hash(token as u64, gain.to_bits());
        }
    }
}

/// A number in [0, 1) (SplitMix64's finaliser, Steele et al., OOPSLA 2014).
fn hash(token: u64, bits: u32) -> f32 {
    let mut x = (token << 32 | u64::from(bits)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    (x >> 40) as f32 / (1u64 << 24) as f32
}
