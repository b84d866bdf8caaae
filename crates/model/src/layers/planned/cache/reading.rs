//! Keys and values on their way into caches.

use dtatrans_precision::{Bits, Tier};

use super::slots::{Row, mean};

/// Keys and values of new tokens at all key-value heads.
#[derive(Clone, Copy)]
pub(in crate::layers::planned) struct NewTokens<'a> {
    /// (tokens, key_value_heads x head_dim) each.
    pub(in crate::layers::planned) keys: &'a [i8],
    pub(in crate::layers::planned) values: &'a [i8],
    /// (tokens, key_value_heads) each.
    pub(in crate::layers::planned) key_scales: &'a [f32],
    pub(in crate::layers::planned) value_scales: &'a [f32],
    /// One per token.
    pub(in crate::layers::planned) bits: &'a [Bits],
}

impl NewTokens<'_> {
    /// Key-value heads.
    pub(super) fn heads(&self) -> usize {
        self.key_scales.len() / self.bits.len()
    }

    /// A token's key and value at one head.
    pub(super) fn rows(&self, token: usize, head: usize) -> [Row<'_>; 2] {
        let row = token * self.heads() + head;
        let bits = self.bits[token];
        [
            Row::of(self.keys, self.key_scales, row, bits),
            Row::of(self.values, self.value_scales, row, bits),
        ]
    }
}

/// What caches need of a text that was read at once, whatever they keep of it.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(in crate::layers::planned) tokens: usize,
    /// How the weights of queries may fall from one to the next.
    pub(in crate::layers::planned) decays: Vec<f32>,
    pub(in crate::layers::planned) layers: Vec<LayerReading>,
    /// By layer: the tier at which each token was computed.
    pub(crate) tiers: Vec<Vec<Tier>>,
}

#[derive(Clone)]
pub(in crate::layers::planned) struct LayerReading {
    /// The tokens that have keys and values.
    pub(in crate::layers::planned) positions: Vec<usize>,
    /// The bits of their codes.
    pub(in crate::layers::planned) bits: Vec<Bits>,
    /// One per key-value head.
    pub(in crate::layers::planned) heads: Vec<HeadReading>,
}

#[derive(Clone)]
pub(in crate::layers::planned) struct HeadReading {
    /// (tokens, head_dim).
    pub(in crate::layers::planned) key_codes: Vec<i8>,
    pub(in crate::layers::planned) key_scales: Vec<f32>,
    /// (tokens, head_dim).
    pub(in crate::layers::planned) value_codes: Vec<i8>,
    pub(in crate::layers::planned) value_scales: Vec<f32>,
    /// For each decay: the probability that each token received, summed over the
    /// query heads and, with the decay's weights, over the queries.
    pub(in crate::layers::planned) received: Vec<Vec<f32>>,
}

impl HeadReading {
    /// The mean of all keys, if they are of 8 bits.
    pub(super) fn centre(&self, bits: &[Bits]) -> Option<Vec<f32>> {
        let keys = (0..bits.len()).map(|token| self.rows(token, bits[token])[0]);
        let whole = bits.iter().all(|&bits| bits == Bits::Eight);
        whole.then(|| mean(keys))
    }

    /// A token's key and value, whose codes have so many bits.
    pub(super) fn rows(&self, token: usize, bits: Bits) -> [Row<'_>; 2] {
        [
            Row::of(&self.key_codes, &self.key_scales, token, bits),
            Row::of(&self.value_codes, &self.value_scales, token, bits),
        ]
    }
}
