//! The cache of one sequence: keys and values at the tiers that a plan gives
//! them.

mod head_set;
mod reading;
mod rows;
mod slots;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use dtatrans_kernels::Isa;
use dtatrans_kernels::vector::Symmetric;
use dtatrans_precision::cache::{CachePlan, CachedToken, Places, Scope, Widths};
use dtatrans_precision::{Bits, Tier};
use rayon::prelude::*;

use self::head_set::{Attended, HeadSet};
pub(crate) use self::reading::Reading;
pub(super) use self::reading::{HeadReading, LayerReading, NewTokens};
use self::slots::Slots;
pub(super) use self::slots::stored;
use super::Structure;

/// What one sequence keeps of its tokens' keys and values.
#[derive(Clone)]
pub(crate) struct TieredCache {
    plan: Arc<CachePlan>,
    /// Where weights fall with age: by age, from 1, those of all queries that could
    /// see such a token. The last one holds for older tokens too.
    queries: Arc<[f32]>,
    /// By layer: the heads that decide together.
    layers: Vec<Vec<HeadSet>>,
    /// Where leaving cascades: what each token received at the layers so far; not
    /// a number once it has left one.
    standing: Vec<f32>,
    tokens: usize,
}

/// Queries of one new token.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    /// (heads, head_dim).
    pub(super) codes: &'a [i8],
    /// One per head.
    pub(super) scales: &'a [f32],
    /// The largest code of its probabilities.
    pub(super) probability_limit: u32,
}

/// How codes are made and multiplied.
#[derive(Clone, Copy)]
pub(super) struct Arithmetic {
    pub(super) isa: Isa,
    /// What makes 4-bit codes.
    pub(super) four: Symmetric,
    pub(super) score_scale: f32,
}

impl TieredCache {
    /// An empty cache.
    pub(crate) fn new(plan: &Arc<CachePlan>, structure: &Structure) -> TieredCache {
        let heads = structure.key_value_heads;
        let (sets, together) = match plan.scope {
            Scope::Head => (heads, 1),
            Scope::Layer => (1, heads),
        };
        let slots = |widths: Widths| Slots::new(widths, together, structure.head_dim, plan);
        let set = HeadSet {
            upper: slots(plan.upper),
            lower: slots(plan.lower),
        };
        TieredCache {
            plan: plan.clone(),
            queries: weights_by_age(plan.decay()),
            layers: vec![vec![set; sets]; structure.layers],
            standing: Vec::new(),
            tokens: 0,
        }
    }

    /// Sets of heads that decide at a layer.
    pub(crate) fn sets(&self) -> usize {
        self.layers[0].len()
    }

    /// Bytes that so many places of one set of heads take, as allocated.
    pub(crate) fn bytes_of(&self, places: Places) -> usize {
        let HeadSet { upper, lower } = &self.layers[0][0];
        // One slot more than there are places is taken before one is given back.
        let lower = lower.bytes_of(places.lower + 1, self.plan.centres());
        upper.bytes_of(places.upper + 1, false) + lower
    }

    /// Tokens so far, those that are gone included.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// The plan that the cache follows.
    pub(crate) fn plan(&self) -> &Arc<CachePlan> {
        &self.plan
    }

    /// Counts new tokens once all layers have them.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.tokens += tokens;
    }

    /// Takes in a text that was read at once.
    ///
    /// # Panics
    /// If the reading lacks the decay of a plan that needs one.
    pub(super) fn fill(&mut self, reading: &Reading, by: impl Fn(usize) -> Arithmetic) {
        let which = self.plan.keeps_received().then(|| {
            let decay = self.plan.decay();
            let which = reading.decays.iter().position(|&known| known == decay);
            which.expect("the reading was asked for this decay")
        });
        for (layer, read) in reading.layers.iter().enumerate() {
            self.fill_layer(layer, reading.tokens, read, which, &by(layer));
        }
        self.advance(reading.tokens);
    }

    fn fill_layer(
        &mut self,
        layer: usize,
        tokens: usize,
        read: &LayerReading,
        decay: Option<usize>,
        by: &Arithmetic,
    ) {
        let mut standing = std::mem::take(&mut self.standing);
        let positions = &read.positions;
        let heads = read.heads.chunks_exact(read.heads.len() / self.sets());
        for (index, heads) in heads.enumerate() {
            let mut own = vec![0.0; positions.len()];
            for received in heads.iter().filter_map(|head| head.received.get(decay?)) {
                for (sum, received) in own.iter_mut().zip(received) {
                    *sum += received;
                }
            }
            let places = self.plan.places(layer, index, tokens);
            let ranks = self.ranks(&mut standing, layer, places, tokens, positions, &own);
            let [upper, lower] = share_out(places, &read.bits, &ranks);
            let set = &mut self.layers[layer][index];
            if !lower.is_empty() && self.plan.centres() {
                for (own, head) in set.lower.heads.iter_mut().zip(heads) {
                    own.centre = head.centre(&read.bits);
                }
            }
            for (slots, chosen) in [(&mut set.upper, &upper), (&mut set.lower, &lower)] {
                slots.reserve(chosen.len());
                for &token in chosen {
                    let rows = heads.iter().map(|head| head.rows(token, read.bits[token]));
                    slots.push(rows, positions[token], own[token], by);
                }
            }
            if self.plan.policy.cascades() {
                let kept = upper.iter().chain(&lower).map(|&token| positions[token]);
                leave_all_but(&mut standing, kept);
            }
        }
        self.standing = standing;
    }

    /// The outputs of all heads for a new token, whose keys and values, the
    /// `token`th of the new ones, go into the cache before.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        query: &Query,
        news: &NewTokens,
        token: usize,
        by: &Arithmetic,
    ) -> Vec<f32> {
        let position = self.tokens + token;
        let sets = &mut self.layers[layer];
        let together = news.heads() / sets.len();
        for (index, set) in sets.iter_mut().enumerate() {
            let heads = index * together..(index + 1) * together;
            let slots = match news.bits[token] {
                Bits::Eight => &mut set.upper,
                _ => &mut set.lower,
            };
            slots.push(heads.map(|head| news.rows(token, head)), position, 0.0, by);
        }
        let heads = query.scales.len();
        let dim = query.codes.len() / heads;
        let attended: Vec<Attended> = (0..heads)
            .into_par_iter()
            .with_min_len(2)
            .map(|head| {
                let shared = head * news.heads() / heads;
                let codes = &query.codes[head * dim..(head + 1) * dim];
                let (scale, limit) = (query.scales[head], query.probability_limit);
                sets[shared / together].attend(shared % together, codes, scale, limit, by)
            })
            .collect();
        if !self.plan.keeps_all() {
            self.settle(layer, position + 1, &attended, by);
        }
        attended.into_iter().flat_map(|head| head.context).collect()
    }

    /// Takes what the slots of a layer received from the newest token and brings
    /// the tiers back to their places.
    fn settle(&mut self, layer: usize, tokens: usize, attended: &[Attended], by: &Arithmetic) {
        let mut standing = std::mem::take(&mut self.standing);
        let queries_of_set = attended.len() / self.sets();
        for (index, attended) in attended.chunks_exact(queries_of_set).enumerate() {
            let set = &mut self.layers[layer][index];
            set.age(self.plan.decay(), attended);
            let positions: Vec<usize> = set.positions().collect();
            let received = set.received();
            let places = self.plan.places(layer, index, tokens);
            let ranks = self.ranks(&mut standing, layer, places, tokens, &positions, &received);
            let set = &mut self.layers[layer][index];
            set.move_down(places, ranks, self.plan.centres(), by);
            if self.plan.policy.cascades() {
                leave_all_but(&mut standing, set.positions());
            }
        }
        self.standing = standing;
    }

    /// What tokens at these positions are worth; infinite where they are
    /// protected.
    fn ranks(
        &self,
        standing: &mut Vec<f32>,
        layer: usize,
        places: Places,
        tokens: usize,
        positions: &[usize],
        received: &[f32],
    ) -> Vec<f32> {
        let cascades = self.plan.policy.cascades();
        if cascades {
            if layer == 0 {
                standing.clear();
                standing.resize(tokens, 0.0);
            }
            for (&position, received) in positions.iter().zip(received) {
                standing[position] += received;
            }
        }
        let rank = |(&position, &received): (&usize, &f32)| {
            if self.plan.protects(position, tokens) {
                return f32::INFINITY;
            }
            let received = match cascades {
                true => standing[position],
                false => received,
            };
            if received.is_nan() {
                return f32::NEG_INFINITY;
            }
            if self.plan.spares(places, position, tokens) {
                return f32::MAX;
            }
            let age = tokens - position;
            let queries = match self.queries.len() {
                0 => age as f32,
                oldest => self.queries[age.min(oldest) - 1],
            };
            self.plan.policy.rank(&CachedToken {
                position,
                received,
                queries,
            })
        };
        positions.iter().zip(received).map(rank).collect()
    }

    /// Bytes of codes, scales, positions and what tokens received, as allocated.
    pub(crate) fn bytes(&self) -> usize {
        let sets = self.layers.iter().flatten();
        sets.map(|set| set.upper.bytes() + set.lower.bytes()).sum()
    }

    /// By layer and set of heads that decide together: the tier of each token so
    /// far.
    pub(crate) fn tiers(&self) -> Vec<Vec<Vec<Tier>>> {
        let tiers = |set: &HeadSet| {
            let mut tiers = vec![Tier::Zero; self.tokens];
            for (slots, tier) in [(&set.upper, Tier::Eight), (&set.lower, Tier::Four)] {
                for &position in &slots.positions {
                    tiers[position as usize] = tier;
                }
            }
            tiers
        };
        let layers = self.layers.iter();
        layers
            .map(|layer| layer.iter().map(tiers).collect())
            .collect()
    }
}

/// Which of the tokens of a text that was read at once go to the upper and to the
/// lower tier, in order of their places in the text.
fn share_out(places: Places, bits: &[Bits], ranks: &[f32]) -> [Vec<usize>; 2] {
    // Best first; among equals the newer.
    let mut order: Vec<usize> = (0..ranks.len()).collect();
    order.sort_by(|&a, &b| ranks[b].total_cmp(&ranks[a]).then(b.cmp(&a)));
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    for token in order {
        if ranks[token] == f32::NEG_INFINITY {
            continue;
        }
        if bits[token] == Bits::Eight && upper.len() < places.upper {
            upper.push(token);
        } else if upper.len() + lower.len() < places.upper + places.lower {
            lower.push(token);
        }
    }
    upper.sort_unstable();
    lower.sort_unstable();
    [upper, lower]
}

/// Notes that all tokens but these have left a layer.
fn leave_all_but(standing: &mut [f32], kept: impl Iterator<Item = usize>) {
    let mut stays = vec![false; standing.len()];
    for position in kept {
        stays[position] = true;
    }
    for (standing, stays) in standing.iter_mut().zip(stays) {
        if !stays {
            *standing = f32::NAN;
        }
    }
}

/// By age, from 1: the sum of the weights of so many queries, until it stops
/// growing; nothing where all weigh the same.
fn weights_by_age(decay: f32) -> Arc<[f32]> {
    const OLDEST: usize = 1 << 20;
    let mut sums = Vec::new();
    let (mut sum, mut weight) = (0.0f64, 1.0f64);
    while decay < 1.0 && weight > 1e-9 && sums.len() < OLDEST {
        sum += weight;
        weight *= f64::from(decay);
        sums.push(sum as f32);
    }
    sums.into()
}
