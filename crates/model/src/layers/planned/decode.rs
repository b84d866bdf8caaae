//! New tokens behind those in caches: the forward pass of generation.

use dtatrans_kernels::vector;
use dtatrans_precision::Bits;
use dtatrans_precision::workload::rotation_block;
use rayon::prelude::*;

use super::cache::{NewTokens, Query, stored};
use super::{PlannedLayers, TieredCache};
use crate::layers::rotary::Turns;

impl PlannedLayers {
    /// Runs all layers on the states of new tokens, (tokens, hidden): for each
    /// sequence some, which go one by one behind those in its cache. Each is the
    /// newest when it comes, so that no other token could rank before it: it is
    /// computed as the plan computes a protected token, and it attends to what the
    /// cache has left.
    pub(crate) fn extend(
        &self,
        states: &mut [f32],
        sequences: &mut [(&mut TieredCache, usize)],
        mut after: impl FnMut(&[f32]),
    ) {
        let by = &self.quantizers;
        let (isa, structure) = (by.isa, &self.structure);
        let width = structure.hidden;
        let tokens = states.len() / width;
        let turns = structure.rotary.as_ref().map(|rotary| {
            let positions = sequences
                .iter()
                .flat_map(|(cache, count)| cache.tokens()..cache.tokens() + count);
            Turns::new(rotary, structure.head_dim, positions)
        });
        for (index, layer) in self.layers.iter().enumerate() {
            let bits = vec![self.plan.bits_of_newest(index); tokens];
            let norm = &layer.attention_norm;
            let seen = norm.enter(isa, structure.norms, states.to_vec());
            let input = by.quantize(seen, width, &bits, &layer.input);
            let query = by.linear(&input, &layer.query);
            let key_value = by.linear(&input, &layer.key_value);
            let context =
                self.attend_caches(index, query, key_value, &bits, turns.as_ref(), sequences);
            let context = by.quantize(context, structure.query_width(), &bits, &layer.context);
            let change = by.linear(&context, &layer.output);
            norm.leave(isa, structure.norms, states, &change);

            let norm = &layer.feed_forward_norm;
            let seen = norm.enter(isa, structure.norms, states.to_vec());
            let codes = by.quantize(seen, width, &bits, &layer.attended);
            let wide = structure.activate(isa, by.linear(&codes, &layer.up));
            let codes = by.quantize(wide, layer.down.k(), &bits, &layer.wide);
            let change = by.linear(&codes, &layer.down);
            norm.leave(isa, structure.norms, states, &change);
            after(states);
        }
        for (cache, count) in sequences {
            cache.advance(*count);
        }
    }

    /// The heads' outputs side by side, one row per new token.
    fn attend_caches(
        &self,
        layer: usize,
        mut query: Vec<f32>,
        mut key_value: Vec<f32>,
        bits: &[Bits],
        turns: Option<&Turns>,
        sequences: &mut [(&mut TieredCache, usize)],
    ) -> Vec<f32> {
        let structure = &self.structure;
        let by = &self.quantizers;
        let dim = structure.head_dim;
        let (wide, narrow) = (structure.query_width(), structure.key_width());
        if let Some(turns) = turns {
            let block = rotation_block(dim);
            let rows = query.chunks_exact_mut(wide);
            for (row, (query, key)) in rows.zip(key_value.chunks_exact_mut(2 * narrow)).enumerate()
            {
                for part in [query, &mut key[..narrow]] {
                    turns.turn(by.isa, row, part);
                    by.rotate(part, block);
                }
            }
        }
        let quantize = |values: &[f32], bits: Bits, codes: &mut Vec<i8>, scales: &mut Vec<f32>| {
            for head in values.chunks_exact(dim) {
                let start = codes.len();
                codes.resize(start + dim, 0);
                let codes = &mut codes[start..];
                scales.push(vector::quantize_symmetric(
                    by.isa,
                    head,
                    by.symmetric(bits),
                    codes,
                ));
            }
        };
        let (mut queries, mut query_scales) = (Vec::new(), Vec::new());
        let (mut keys, mut key_scales) = (Vec::new(), Vec::new());
        let (mut values, mut value_scales) = (Vec::new(), Vec::new());
        let rows = query
            .chunks_exact(wide)
            .zip(key_value.chunks_exact(2 * narrow));
        for ((query, key_value), &bits) in rows.zip(bits) {
            let (key, value) = key_value.split_at(narrow);
            quantize(query, bits, &mut queries, &mut query_scales);
            quantize(key, bits, &mut keys, &mut key_scales);
            quantize(value, bits, &mut values, &mut value_scales);
        }
        for scale in key_scales.iter_mut().chain(&mut value_scales) {
            *scale = stored(*scale).to_f32();
        }
        let mut start = 0;
        let starts: Vec<usize> = sequences
            .iter()
            .map(|(_, count)| {
                start += count;
                start - count
            })
            .collect();
        let arithmetic = self.arithmetic(layer);
        let shared = structure.key_value_heads;
        let contexts: Vec<Vec<f32>> = sequences
            .par_iter_mut()
            .zip(starts)
            .map(|((cache, count), start)| {
                let own = start..start + *count;
                let heads = own.start * shared..own.end * shared;
                let news = NewTokens {
                    keys: &keys[heads.start * dim..heads.end * dim],
                    values: &values[heads.start * dim..heads.end * dim],
                    key_scales: &key_scales[heads.clone()],
                    value_scales: &value_scales[heads],
                    bits: &bits[own.clone()],
                };
                let attend = |(token, row): (usize, usize)| {
                    let query = Query {
                        codes: &queries[row * wide..(row + 1) * wide],
                        scales: &query_scales[row * structure.heads..(row + 1) * structure.heads],
                        probability_limit: self
                            .plan
                            .probability_bits
                            .of(bits[row])
                            .unsigned_limit(),
                    };
                    cache.attend(layer, &query, &news, token, &arithmetic)
                };
                own.enumerate().flat_map(attend).collect()
            })
            .collect();
        contexts.concat()
    }
}
