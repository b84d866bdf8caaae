//! The cache of one sequence: keys and values at the tiers that a plan gives
//! them.

mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use dtatrans_kernels::Isa;
use dtatrans_kernels::vector::{self, Symmetric};
use dtatrans_precision::cache::{CachePlan, CachedToken, Places, Scope, Widths};
use dtatrans_precision::{Bits, Tier};
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use self::rows::Rows;
use super::Structure;

/// What one sequence keeps of its tokens' keys and values.
#[derive(Clone)]
pub(crate) struct TieredCache {
    plan: Arc<CachePlan>,
    /// By age, from 1: the weights of all queries that could see such a token. The
    /// last one holds for older tokens too.
    queries: Arc<[f32]>,
    layers: Vec<LayerCache>,
    /// Where leaving cascades: what each token received at the layers so far; not
    /// a number once it has left one.
    standing: Vec<f32>,
    tokens: usize,
    dim: usize,
}

/// One layer: a unit for each set of heads that decide together.
#[derive(Clone)]
struct LayerCache {
    units: Vec<Unit>,
}

#[derive(Clone)]
struct Unit {
    upper: Slots,
    lower: Slots,
}

/// The tokens of one tier, in slots.
#[derive(Clone)]
struct Slots {
    widths: Widths,
    /// One per head.
    heads: Vec<KeysValues>,
    positions: Vec<u32>,
    /// Where nothing ranks by it: none.
    received: Option<Vec<f32>>,
}

#[derive(Clone)]
struct KeysValues {
    keys: Rows,
    values: Rows,
    /// What keys were taken as differences from, if they were.
    centre: Option<Vec<f32>>,
}

/// Keys and values of new tokens at all key-value heads.
#[derive(Clone, Copy)]
pub(super) struct NewTokens<'a> {
    /// (tokens, key_value_heads x head_dim) each.
    pub(super) keys: &'a [i8],
    pub(super) values: &'a [i8],
    /// (tokens, key_value_heads) each.
    pub(super) key_scales: &'a [f32],
    pub(super) value_scales: &'a [f32],
    /// One per token.
    pub(super) bits: &'a [Bits],
}

impl NewTokens<'_> {
    fn rows(&self, token: usize, head: usize) -> TokenRows<'_> {
        let row = token * (self.key_scales.len() / self.bits.len()) + head;
        let dim = self.keys.len() / self.key_scales.len();
        TokenRows {
            key: &self.keys[row * dim..(row + 1) * dim],
            value: &self.values[row * dim..(row + 1) * dim],
            key_scale: self.key_scales[row],
            value_scale: self.value_scales[row],
        }
    }
}

/// One token's key and value at one head.
struct TokenRows<'a> {
    key: &'a [i8],
    value: &'a [i8],
    key_scale: f32,
    value_scale: f32,
}

/// What caches need of a text that was read at once, whatever they keep of it.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(super) tokens: usize,
    /// How the weights of queries may fall from one to the next.
    pub(super) decays: Vec<f32>,
    pub(super) layers: Vec<LayerReading>,
}

#[derive(Clone)]
pub(super) struct LayerReading {
    /// The tokens that have keys and values.
    pub(super) positions: Vec<usize>,
    /// The bits of their codes.
    pub(super) bits: Vec<Bits>,
    /// One per key-value head.
    pub(super) heads: Vec<HeadReading>,
}

#[derive(Clone)]
pub(super) struct HeadReading {
    /// (tokens, head_dim).
    pub(super) key_codes: Vec<i8>,
    pub(super) key_scales: Vec<f32>,
    /// (tokens, head_dim).
    pub(super) value_codes: Vec<i8>,
    pub(super) value_scales: Vec<f32>,
    /// For each decay: the probability that each token received, summed over the
    /// query heads and, with the decay's weights, over the queries.
    pub(super) received: Vec<Vec<f32>>,
}

impl HeadReading {
    /// The mean of all keys, if they are of 8 bits.
    fn centre(&self, bits: &[Bits]) -> Option<Vec<f32>> {
        let dim = self.key_codes.len() / self.key_scales.len();
        let row = |token: usize| Row {
            codes: self.rows(token).key,
            scale: self.key_scales[token],
            bits: Bits::Eight,
        };
        let whole = bits.iter().all(|&bits| bits == Bits::Eight);
        whole.then(|| mean((0..bits.len()).map(row), dim))
    }

    fn rows(&self, token: usize) -> TokenRows<'_> {
        let dim = self.key_codes.len() / self.key_scales.len();
        TokenRows {
            key: &self.key_codes[token * dim..(token + 1) * dim],
            value: &self.value_codes[token * dim..(token + 1) * dim],
            key_scale: self.key_scales[token],
            value_scale: self.value_scales[token],
        }
    }
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

/// What one query head gives.
struct Attended {
    context: Vec<f32>,
    /// By slot, the upper tier's first.
    received: Vec<f32>,
}

impl TieredCache {
    /// An empty cache.
    pub(crate) fn new(plan: &Arc<CachePlan>, structure: &Structure) -> TieredCache {
        let heads = structure.key_value_heads;
        let (units, together) = match plan.scope {
            Scope::Head => (heads, 1),
            Scope::Layer => (1, heads),
        };
        let dim = structure.head_dim;
        let slots = |widths: Widths| Slots::new(widths, together, dim, plan);
        let unit = Unit {
            upper: slots(plan.upper),
            lower: slots(plan.lower),
        };
        let layer = LayerCache {
            units: vec![unit; units],
        };
        TieredCache {
            plan: plan.clone(),
            queries: weights_by_age(plan.decay()),
            layers: vec![layer; structure.layers],
            standing: Vec::new(),
            tokens: 0,
            dim,
        }
    }

    /// Sets of heads that decide at a layer.
    pub(crate) fn sets(&self) -> usize {
        self.layers[0].units.len()
    }

    /// Bytes that so many places of one set of heads take, as allocated.
    pub(crate) fn bytes_of(&self, places: Places) -> usize {
        let unit = &self.layers[0].units[0];
        // One slot more than there are places is taken before one is given back.
        let bytes = unit.upper.bytes_of(places.upper + 1) + unit.lower.bytes_of(places.lower + 1);
        let centres = match self.plan.centres() {
            true => unit.lower.heads.len() * self.dim * size_of::<f32>(),
            false => 0,
        };
        bytes + centres
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
        let units = self.layers[layer].units.len();
        let positions = &read.positions;
        let heads = read.heads.chunks_exact(read.heads.len() / units);
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
            let unit = &mut self.layers[layer].units[index];
            if !lower.is_empty() && self.plan.centres() {
                for (own, head) in unit.lower.heads.iter_mut().zip(heads) {
                    own.centre = head.centre(&read.bits);
                }
            }
            for (slots, chosen) in [(&mut unit.upper, &upper), (&mut unit.lower, &lower)] {
                slots.reserve(chosen.len());
                for &token in chosen {
                    let rows = heads.iter().map(|head| head.rows(token));
                    let bits = read.bits[token];
                    slots.push(rows, bits, positions[token], own[token], by);
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
        let heads = query.scales.len();
        let shared = news.key_scales.len() / news.bits.len();
        let units = &mut self.layers[layer].units;
        let together = shared / units.len();
        for (index, unit) in units.iter_mut().enumerate() {
            let rows =
                (index * together..(index + 1) * together).map(|head| news.rows(token, head));
            let bits = news.bits[token];
            let slots = match bits {
                Bits::Eight => &mut unit.upper,
                _ => &mut unit.lower,
            };
            slots.push(rows, bits, position, 0.0, by);
        }
        let dim = query.codes.len() / heads;
        let attended: Vec<Attended> = (0..heads)
            .into_par_iter()
            .with_min_len(2)
            .map(|head| {
                let shared = head * shared / heads;
                let unit = &units[shared / together];
                let codes = &query.codes[head * dim..(head + 1) * dim];
                let scale = query.scales[head];
                unit.attend(shared % together, codes, scale, query.probability_limit, by)
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
        let units = self.layers[layer].units.len();
        let decay = self.plan.decay();
        for (index, attended) in attended.chunks_exact(attended.len() / units).enumerate() {
            self.layers[layer].units[index].age(decay, attended);
            let unit = &self.layers[layer].units[index];
            let positions: Vec<usize> = unit.positions().collect();
            let received = unit.received();
            let places = self.plan.places(layer, index, tokens);
            let ranks = self.ranks(&mut standing, layer, places, tokens, &positions, &received);
            self.move_down(layer, index, places, ranks, by);
            if self.plan.policy.cascades() {
                let unit = &self.layers[layer].units[index];
                leave_all_but(&mut standing, unit.positions());
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
            let queries = self.queries[age.min(self.queries.len()) - 1];
            self.plan.policy.rank(&CachedToken {
                position,
                received,
                queries,
            })
        };
        positions.iter().zip(received).map(rank).collect()
    }

    /// Moves the least of a unit's tokens down until every tier has its places.
    fn move_down(
        &mut self,
        layer: usize,
        unit: usize,
        places: Places,
        mut ranks: Vec<f32>,
        by: &Arithmetic,
    ) {
        let Unit { upper, lower } = &mut self.layers[layer].units[unit];
        let mut lower_ranks = ranks.split_off(upper.len());
        let mut upper_ranks = ranks;
        let gone = |ranks: &[f32]| ranks.contains(&f32::NEG_INFINITY);
        while upper.len() > places.upper || gone(&upper_ranks) {
            let Some(slot) = least(&upper_ranks, &upper.positions) else {
                break;
            };
            if lower.len() == 0 && self.plan.centres() {
                lower.centre_on(upper);
            }
            lower.take_down(upper, slot, by);
            lower_ranks.push(upper_ranks.swap_remove(slot));
        }
        while upper.len() + lower.len() > places.upper + places.lower || gone(&lower_ranks) {
            let Some(slot) = least(&lower_ranks, &lower.positions) else {
                break;
            };
            lower.remove(slot);
            lower_ranks.swap_remove(slot);
        }
        upper.shrink();
        lower.shrink();
    }

    /// Bytes of codes, scales, positions and what tokens received, as allocated.
    pub(crate) fn bytes(&self) -> usize {
        let units = self.layers.iter().flat_map(|layer| &layer.units);
        units
            .map(|unit| unit.upper.bytes() + unit.lower.bytes())
            .sum()
    }

    /// By layer and set of heads that decide together: the tier of each token so
    /// far.
    pub(crate) fn tiers(&self) -> Vec<Vec<Vec<Tier>>> {
        let tiers = |unit: &Unit| {
            let mut tiers = vec![Tier::Zero; self.tokens];
            for (slots, tier) in [(&unit.upper, Tier::Eight), (&unit.lower, Tier::Four)] {
                for &position in &slots.positions {
                    tiers[position as usize] = tier;
                }
            }
            tiers
        };
        let layers = self.layers.iter();
        layers
            .map(|layer| layer.units.iter().map(tiers).collect())
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

/// The slot of the least rank, among equals that of the oldest token; none where
/// all are protected.
fn least(ranks: &[f32], positions: &[u32]) -> Option<usize> {
    let slots = (0..ranks.len()).filter(|&slot| ranks[slot] != f32::INFINITY);
    slots.min_by(|&a, &b| {
        let by_rank = ranks[a].total_cmp(&ranks[b]);
        by_rank.then(positions[a].cmp(&positions[b]))
    })
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
/// growing.
fn weights_by_age(decay: f32) -> Arc<[f32]> {
    const OLDEST: usize = 1 << 20;
    let (mut sum, mut weight) = (0.0f64, 1.0f64);
    let mut sums = Vec::new();
    while weight > 1e-9 && sums.len() < OLDEST {
        sum += weight;
        weight *= f64::from(decay);
        sums.push(sum as f32);
    }
    sums.into()
}

impl Unit {
    /// Positions of all slots, the upper tier's first.
    fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.upper.positions.iter().chain(&self.lower.positions);
        all.map(|&position| position as usize)
    }

    /// What the tokens of all slots received, the upper tier's first; 0 where
    /// nothing ranks by it.
    fn received(&self) -> Vec<f32> {
        let tiers = [&self.upper, &self.lower].into_iter();
        let known = |slots: &Slots| match &slots.received {
            Some(received) => received.clone(),
            None => vec![0.0; slots.len()],
        };
        tiers.flat_map(known).collect()
    }

    /// Adds what each slot received from a new query at the unit's heads.
    fn age(&mut self, decay: f32, attended: &[Attended]) {
        let tiers = [&mut self.upper, &mut self.lower].into_iter();
        let slots = tiers.flat_map(|slots| slots.received.iter_mut().flatten());
        for (slot, sum) in slots.enumerate() {
            let news: f32 = attended.iter().map(|head| head.received[slot]).sum();
            *sum = *sum * decay + news;
        }
    }

    /// One query head over the key-value head `own`.
    fn attend(
        &self,
        own: usize,
        query: &[i8],
        scale: f32,
        probability_limit: u32,
        by: &Arithmetic,
    ) -> Attended {
        let tiers = [&self.upper, &self.lower];
        let slots: usize = tiers.iter().map(|tier| tier.len()).sum();
        let floats = |rows: fn(&KeysValues) -> &Rows| -> Vec<f32> {
            let mut scales = vec![0.0; slots];
            let (above, below) = scales.split_at_mut(self.upper.len());
            for (tier, scales) in tiers.into_iter().zip([above, below]) {
                rows(&tier.heads[own]).scales().convert_to_f32_slice(scales);
            }
            scales
        };
        let mut sums = vec![0; slots];
        let (above, below) = sums.split_at_mut(self.upper.len());
        for (tier, sums) in tiers.into_iter().zip([above, below]) {
            tier.heads[own].keys.dots(by.isa, query, sums);
        }
        let mut row = vec![0.0; slots];
        let key_scales = floats(|head| &head.keys);
        vector::dequantize(
            by.isa,
            &sums,
            scale,
            &key_scales,
            &vec![0.0; slots],
            &mut row,
        );
        if let Some(centre) = &self.lower.heads[own].centre {
            let products = centre.iter().zip(query);
            let shift: f32 = products.map(|(x, &code)| x * f32::from(code)).sum();
            for score in &mut row[self.upper.len()..] {
                *score += scale * shift;
            }
        }
        vector::softmax(by.isa, &mut row, by.score_scale);
        let received = row.clone();
        // The values' scales go into the probabilities, so that the sum over
        // tokens of different scales is one of plain integers.
        for (probability, scale) in row.iter_mut().zip(floats(|head| &head.values)) {
            *probability *= scale;
        }
        let mut codes = vec![0; slots];
        let scale = vector::quantize_unsigned(by.isa, &row, probability_limit, &mut codes);
        let mut sums = vec![0; query.len()];
        let (above, below) = codes.split_at(self.upper.len());
        for (tier, codes) in tiers.into_iter().zip([above, below]) {
            tier.heads[own].values.mix(by.isa, codes, &mut sums);
        }
        Attended {
            context: sums.into_iter().map(|sum| sum as f32 * scale).collect(),
            received,
        }
    }
}

impl Slots {
    fn new(widths: Widths, heads: usize, dim: usize, plan: &CachePlan) -> Slots {
        let head = KeysValues {
            keys: Rows::new(widths.key, dim),
            values: Rows::new(widths.value, dim),
            centre: None,
        };
        Slots {
            widths,
            heads: vec![head; heads],
            positions: Vec::new(),
            received: plan.keeps_received().then(Vec::new),
        }
    }

    fn len(&self) -> usize {
        self.positions.len()
    }

    /// Bytes that so many slots take, as they are allocated.
    fn bytes_of(&self, slots: usize) -> usize {
        let heads = self.heads.iter();
        let rows: usize = heads
            .map(|head| head.keys.bytes_of(slots) + head.values.bytes_of(slots))
            .sum();
        let noted = size_of::<u32>() + self.received.as_ref().map_or(0, |_| size_of::<f32>());
        rows + rows::allocated(slots) * noted
    }

    fn reserve(&mut self, slots: usize) {
        for head in &mut self.heads {
            head.keys.reserve(slots);
            head.values.reserve(slots);
        }
        let room = self.heads[0].keys.room();
        self.positions.reserve_exact(room);
        if let Some(received) = &mut self.received {
            received.reserve_exact(room);
        }
    }

    /// Takes in a token: its rows at each head, of codes of so many bits.
    fn push<'a>(
        &mut self,
        rows: impl Iterator<Item = TokenRows<'a>>,
        bits: Bits,
        position: usize,
        received: f32,
        by: &Arithmetic,
    ) {
        self.reserve(1);
        let widths = self.widths;
        for (own, rows) in self.heads.iter_mut().zip(rows) {
            let key = Row {
                codes: rows.key,
                scale: rows.key_scale,
                bits,
            };
            let value = Row {
                codes: rows.value,
                scale: rows.value_scale,
                bits,
            };
            own.push(key, value, widths, by);
        }
        self.positions.push(position as u32);
        if let Some(all) = &mut self.received {
            all.push(received);
        }
    }

    /// Takes over a slot of the tier above.
    fn take_down(&mut self, above: &mut Slots, slot: usize, by: &Arithmetic) {
        self.reserve(1);
        let (from, to) = (above.widths, self.widths);
        for (own, head) in self.heads.iter_mut().zip(&above.heads) {
            let (keys, values) = (head.keys.codes(slot), head.values.codes(slot));
            let key = Row {
                codes: &keys,
                scale: head.keys.scales()[slot].to_f32(),
                bits: from.key,
            };
            let value = Row {
                codes: &values,
                scale: head.values.scales()[slot].to_f32(),
                bits: from.value,
            };
            own.push(key, value, to, by);
        }
        self.positions.push(above.positions[slot]);
        if let (Some(own), Some(theirs)) = (&mut self.received, &above.received) {
            own.push(theirs[slot]);
        }
        above.remove(slot);
    }

    /// Keeps keys as differences from the mean of those above, while there are none
    /// here.
    fn centre_on(&mut self, above: &Slots) {
        for (own, head) in self.heads.iter_mut().zip(&above.heads) {
            let keys: Vec<Vec<i8>> = (0..above.len()).map(|slot| head.keys.codes(slot)).collect();
            let rows = keys
                .iter()
                .zip(head.keys.scales())
                .map(|(codes, scale)| Row {
                    codes,
                    scale: scale.to_f32(),
                    bits: above.widths.key,
                });
            own.centre = Some(mean(rows, keys.first().map_or(0, Vec::len)));
        }
    }

    /// Gives back memory where much more is held than needed.
    fn shrink(&mut self) {
        for head in &mut self.heads {
            head.keys.shrink();
            head.values.shrink();
        }
        let slots = self.len() + self.heads[0].keys.room();
        self.positions.shrink_to(slots);
        if let Some(received) = &mut self.received {
            received.shrink_to(slots);
        }
    }

    fn remove(&mut self, slot: usize) {
        for head in &mut self.heads {
            head.keys.swap_remove(slot);
            head.values.swap_remove(slot);
        }
        self.positions.swap_remove(slot);
        if let Some(received) = &mut self.received {
            received.swap_remove(slot);
        }
    }

    fn bytes(&self) -> usize {
        let rows = self.heads.iter();
        let rows: usize = rows.map(KeysValues::bytes).sum();
        let received = self.received.as_ref().map_or(0, Vec::capacity);
        rows + self.positions.capacity() * size_of::<u32>() + received * size_of::<f32>()
    }
}

/// A row of codes of so many bits.
#[derive(Clone, Copy)]
struct Row<'a> {
    codes: &'a [i8],
    scale: f32,
    bits: Bits,
}

impl Row<'_> {
    fn floats(self) -> impl Iterator<Item = f32> {
        self.codes
            .iter()
            .map(move |&code| f32::from(code) * self.scale)
    }

    /// Adds the row, or its difference from a centre, to rows of a width.
    fn add_to(self, rows: &mut Rows, width: Bits, centre: Option<&[f32]>, by: &Arithmetic) {
        if centre.is_none() && (self.bits, width) != (Bits::Eight, Bits::Four) {
            return rows.push(self.codes, stored(self.scale));
        }
        let mut values: Vec<f32> = self.floats().collect();
        for (value, centre) in values.iter_mut().zip(centre.unwrap_or(&[])) {
            *value -= centre;
        }
        let quantizer = match width {
            Bits::Four => by.four,
            _ => Symmetric::new(width.code_limit()),
        };
        let mut codes = vec![0; values.len()];
        let scale = vector::quantize_symmetric(by.isa, &values, quantizer, &mut codes);
        rows.push(&codes, stored(scale));
    }
}

impl KeysValues {
    fn push(&mut self, key: Row, value: Row, widths: Widths, by: &Arithmetic) {
        key.add_to(&mut self.keys, widths.key, self.centre.as_deref(), by);
        value.add_to(&mut self.values, widths.value, None, by);
    }

    /// Bytes, as allocated.
    fn bytes(&self) -> usize {
        let centre = self.centre.as_ref().map_or(0, Vec::capacity);
        self.keys.bytes() + self.values.bytes() + centre * size_of::<f32>()
    }
}

/// The mean of rows of `dim` values; zeros if there are none.
fn mean<'a>(rows: impl Iterator<Item = Row<'a>>, dim: usize) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.0; dim], 0);
    for row in rows {
        for (sum, value) in sum.iter_mut().zip(row.floats()) {
            *sum += value;
        }
        count += 1;
    }
    for sum in &mut sum {
        *sum /= count.max(1) as f32;
    }
    sum
}

/// A scale as the cache stores it.
pub(super) fn stored(scale: f32) -> f16 {
    f16::from_f32(scale.min(f16::MAX.to_f32()))
}
