//! The two-level top-k that gives each token its tier.

use crate::plan::ProtectedBits;
use crate::{Ratio, Tier};

/// What the tiers of one layer depend on, besides the scores.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// The shares of the tiers.
    pub ratio: Ratio,
    /// One flag per token: must always be computed (read-out depends on it).
    pub protected: &'a [bool],
    /// The least precision of protected tokens.
    pub protected_bits: ProtectedBits,
    /// One flag per token: has left for good and cannot be chosen.
    pub gone: &'a [bool],
    /// Rows of an accelerator's tile that groups are rounded up to; 1 rounds
    /// nothing.
    pub round_to: usize,
}

/// The tier of each token.
///
/// The ceil(r8 n) best tokens get 8 bits, the next ceil(r4 n) 4 bits, the rest
/// 0, n being the number of all tokens, gone ones included. Ties go to the
/// earlier token. Protected tokens get at least their bits: at 8 they take the
/// first of the 8-bit places, and there are at least as many places as they
/// are; at 4 those that did not earn 8 bits take the first of the 4-bit places.
///
/// With `round_to` above 1 the 8-bit group is rounded up to whole tiles out of
/// the next best tokens, and the last tile of computed tokens is filled up: in
/// products with weights both are nearly free in cycles on an array that works
/// tile by tile, but in the attention these tokens are keys and values too.
///
/// # Panics
/// If the slices differ in length, a protected token is gone, or `round_to` is 0.
pub fn assign(scores: &[f32], rule: Rule) -> Vec<Tier> {
    let n = scores.len();
    assert_eq!(n, rule.protected.len());
    assert_eq!(n, rule.gone.len());
    assert!(rule.round_to > 0);

    // Best first; a stable sort leaves ties in order of place.
    let mut ranked: Vec<usize> = (0..n).filter(|&token| !rule.gone[token]).collect();
    ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let protected = ranked
        .iter()
        .filter(|&&token| rule.protected[token])
        .count();
    assert_eq!(
        protected,
        rule.protected.iter().filter(|&&flag| flag).count()
    );

    let (mut eight, four) = rule.ratio.counts(n);
    if rule.protected_bits == ProtectedBits::Eight {
        ranked.sort_by_key(|&token| !rule.protected[token]);
        eight = eight.max(protected);
    }
    let computed = eight + four;
    let eight = round_up(eight, rule.round_to).min(ranked.len());
    let (eights, others) = ranked.split_at(eight);

    // Protected tokens without a place come first; the sort is stable again.
    let mut others = others.to_vec();
    others.sort_by_key(|&token| !rule.protected[token]);
    let unplaced = others
        .iter()
        .filter(|&&token| rule.protected[token])
        .count();
    let four = computed.saturating_sub(eight).max(unplaced);
    let four = (round_up(eight + four, rule.round_to) - eight).min(others.len());

    let mut tiers = vec![Tier::Zero; n];
    for &token in eights {
        tiers[token] = Tier::Eight;
    }
    for &token in &others[..four] {
        tiers[token] = Tier::Four;
    }
    tiers
}

/// The next multiple of `tile` from `count` on.
fn round_up(count: usize, tile: usize) -> usize {
    count.div_ceil(tile) * tile
}
