//! The key-value heads of a layer that decide together, and their attention.

use dtatrans_kernels::vector;
use dtatrans_precision::cache::Places;
use half::slice::HalfFloatSliceExt;

use super::Arithmetic;
use super::rows::Rows;
use super::slots::{KeysValues, Slots};

/// What one query head gives.
pub(super) struct Attended {
    pub(super) context: Vec<f32>,
    /// By slot, the upper tier's first.
    received: Vec<f32>,
}

/// The tokens that some key-value heads of a layer keep together.
#[derive(Clone)]
pub(super) struct HeadSet {
    pub(super) upper: Slots,
    pub(super) lower: Slots,
}

impl HeadSet {
    /// Positions of all slots, the upper tier's first.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        let all = self.upper.positions.iter().chain(&self.lower.positions);
        all.map(|&position| position as usize)
    }

    /// What the tokens of all slots received, the upper tier's first; 0 where
    /// nothing ranks by it.
    pub(super) fn received(&self) -> Vec<f32> {
        let tiers = [&self.upper, &self.lower].into_iter();
        let known = |slots: &Slots| match &slots.received {
            Some(received) => received.clone(),
            None => vec![0.0; slots.len()],
        };
        tiers.flat_map(known).collect()
    }

    /// Adds what each slot received from a new query at the set's heads.
    pub(super) fn age(&mut self, decay: f32, attended: &[Attended]) {
        let tiers = [&mut self.upper, &mut self.lower].into_iter();
        let slots = tiers.flat_map(|slots| slots.received.iter_mut().flatten());
        for (slot, sum) in slots.enumerate() {
            let news: f32 = attended.iter().map(|head| head.received[slot]).sum();
            *sum = *sum * decay + news;
        }
    }

    /// Moves the least tokens down until every tier has its places. What has no
    /// place at the lower tier either leaves at once.
    pub(super) fn move_down(
        &mut self,
        places: Places,
        mut ranks: Vec<f32>,
        centres: bool,
        by: &Arithmetic,
    ) {
        let HeadSet { upper, lower } = self;
        let mut lower_ranks = ranks.split_off(upper.len());
        let mut upper_ranks = ranks;
        let gone = |ranks: &[f32]| ranks.contains(&f32::NEG_INFINITY);
        while upper.len() > places.upper || gone(&upper_ranks) {
            let Some(slot) = least(&upper_ranks, &upper.positions) else {
                break;
            };
            let rank = upper_ranks.swap_remove(slot);
            if places.lower == 0 || rank == f32::NEG_INFINITY {
                upper.remove(slot);
                continue;
            }
            if centres && lower.len() == 0 {
                lower.centre_on(upper);
            }
            lower.take_down(upper, slot, by);
            lower_ranks.push(rank);
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

    /// One query head over the key-value head `own`.
    pub(super) fn attend(
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
        // The values' scales go into the probabilities, so that the sum over
        // tokens of different scales is one of plain integers.
        let mut received = vec![0.0; slots];
        let value_scales = floats(|head| &head.values);
        vector::receive(by.isa, &mut row, &mut received, &value_scales);
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

/// The slot of the least rank, among equals that of the oldest token; none where
/// all are protected.
fn least(ranks: &[f32], positions: &[u32]) -> Option<usize> {
    let slots = (0..ranks.len()).filter(|&slot| ranks[slot] != f32::INFINITY);
    slots.min_by(|&a, &b| {
        let by_rank = ranks[a].total_cmp(&ranks[b]);
        by_rank.then(positions[a].cmp(&positions[b]))
    })
}
