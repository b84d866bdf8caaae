//! The forward pass at f32.

use dtatrans_kernels::{F32Gemm, Isa, PackedF32, vector};
use rayon::prelude::*;

use super::layers::{Layer, Norm};
use super::rotary::Turns;
use super::{Activation, DecoderConfig, Positions};
use crate::linear::Linear;

/// Queries that are multiplied with keys at once: keys behind all of them are
/// passed over.
const BLOCK: usize = 64;

/// A decoder's layers at f32.
pub(super) struct DenseLayers {
    gemm: F32Gemm,
    isa: Isa,
    config: DecoderConfig,
    layers: Vec<DenseLayer>,
}

struct DenseLayer {
    attention_norm: Norm,
    /// W_q, W_k and W_v side by side.
    query_key_value: Packed,
    output: Packed,
    feed_forward_norm: Norm,
    /// Of a gated network W_gate and W_up side by side.
    up: Packed,
    down: Packed,
    score_scale: f32,
}

struct Packed {
    weights: PackedF32,
    bias: Vec<f32>,
}

/// The keys and values of one sequence at f32.
#[derive(Clone)]
pub(super) struct DenseCache {
    /// One per layer and key-value head: (tokens, head_dim) keys, and values.
    heads: Vec<(Vec<f32>, Vec<f32>)>,
    tokens: usize,
}

impl DenseCache {
    pub(super) fn new(config: &DecoderConfig) -> DenseCache {
        DenseCache {
            heads: vec![(Vec::new(), Vec::new()); config.layers * config.key_value_heads],
            tokens: 0,
        }
    }

    /// Tokens whose keys and values are kept.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }
}

impl DenseLayers {
    pub(super) fn new(config: &DecoderConfig, isa: Isa) -> DenseLayers {
        DenseLayers {
            gemm: F32Gemm::new(),
            isa,
            config: config.clone(),
            layers: Vec::new(),
        }
    }

    /// Adds the next layer.
    pub(super) fn push(&mut self, layer: Layer) {
        let score_scale = self.config.score_scale(self.layers.len());
        let up = match &layer.gate {
            Some(gate) => self.pack(&[gate, &layer.up]),
            None => self.pack(&[&layer.up]),
        };
        self.layers.push(DenseLayer {
            query_key_value: self.pack(&[&layer.query, &layer.key, &layer.value]),
            output: self.pack(&[&layer.output]),
            up,
            down: self.pack(&[&layer.down]),
            attention_norm: layer.attention_norm,
            feed_forward_norm: layer.feed_forward_norm,
            score_scale,
        });
    }

    fn pack(&self, linears: &[&Linear]) -> Packed {
        let weights: Vec<f32> = linears.iter().flat_map(|l| &l.weight).copied().collect();
        let bias: Vec<f32> = linears.iter().flat_map(|l| &l.bias).copied().collect();
        Packed {
            weights: self.gemm.pack(&weights, bias.len(), linears[0].k),
            bias,
        }
    }

    /// Runs all layers on the states of new tokens, (tokens, hidden): for each
    /// sequence some, which go behind those in its cache. `after` sees the states
    /// after each layer.
    pub(super) fn run(
        &self,
        states: &mut [f32],
        sequences: &mut [(&mut DenseCache, usize)],
        after: &mut dyn FnMut(&[f32]),
    ) {
        let turns = match &self.config.positions {
            Positions::Learned => None,
            Positions::Rotary(rotary) => {
                let positions = sequences
                    .iter()
                    .flat_map(|(cache, count)| cache.tokens..cache.tokens + count);
                Some(Turns::new(rotary, self.config.head_dim, positions))
            }
        };
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = layer.attention_norm.of(self.isa, states);
            let mut fused = self.linear(&normed, &layer.query_key_value);
            if let Some(turns) = &turns {
                let turned =
                    (self.config.heads + self.config.key_value_heads) * self.config.head_dim;
                let rows = fused.chunks_exact_mut(layer.query_key_value.bias.len());
                for (row, values) in rows.enumerate() {
                    turns.turn(self.isa, row, &mut values[..turned]);
                }
            }
            let context = self.attention(index, fused, sequences);
            add(states, &self.linear(&context, &layer.output));
            let normed = layer.feed_forward_norm.of(self.isa, states);
            let wide = self.linear(&normed, &layer.up);
            let wide = activate(self.isa, &self.config, wide);
            add(states, &self.linear(&wide, &layer.down));
            after(states);
        }
        for (cache, count) in sequences {
            cache.tokens += *count;
        }
    }

    fn linear(&self, rows: &[f32], layer: &Packed) -> Vec<f32> {
        let n = layer.bias.len();
        let mut out = vec![0.0; rows.len() / layer.weights.k() * n];
        self.gemm
            .multiply(rows, &layer.weights, &layer.bias, &mut out);
        out
    }

    /// The heads' outputs side by side, (tokens, heads x head_dim), from queries,
    /// keys and values side by side; the keys and values go into the caches.
    fn attention(
        &self,
        index: usize,
        fused: Vec<f32>,
        sequences: &mut [(&mut DenseCache, usize)],
    ) -> Vec<f32> {
        let config = &self.config;
        let (dim, shared) = (config.head_dim, config.key_value_heads);
        let (wide, narrow) = (config.heads * dim, shared * dim);
        let width = wide + 2 * narrow;
        let mut context = vec![0.0; fused.len() / width * wide];
        let mut jobs = Vec::new();
        let (mut rows, mut out) = (&fused[..], &mut context[..]);
        for (cache, count) in sequences.iter_mut() {
            let (own, others) = rows.split_at(*count * width);
            let (own_out, other_out) = out.split_at_mut(*count * wide);
            (rows, out) = (others, other_out);
            let heads = &mut cache.heads[index * shared..(index + 1) * shared];
            for (head, (keys, values)) in heads.iter_mut().enumerate() {
                for row in own.chunks_exact(width) {
                    let key = wide + head * dim;
                    keys.extend_from_slice(&row[key..key + dim]);
                    values.extend_from_slice(&row[key + narrow..key + narrow + dim]);
                }
            }
            let block = BLOCK * width;
            let outs = own_out.chunks_mut(BLOCK * wide);
            for (block, (rows, out)) in own.chunks(block).zip(outs).enumerate() {
                jobs.push((&cache.heads[..], cache.tokens + block * BLOCK, rows, out));
            }
        }
        let scale = self.layers[index].score_scale;
        jobs.into_par_iter().for_each(|(heads, first, rows, out)| {
            let heads = &heads[index * shared..(index + 1) * shared];
            for (head, out_of_head) in (0..config.heads).map(|head| (head, head * dim)) {
                let (keys, values) = &heads[head * shared / config.heads];
                let queries = rows
                    .chunks_exact(width)
                    .flat_map(|row| row[out_of_head..out_of_head + dim].iter().copied())
                    .collect::<Vec<f32>>();
                let seen = first + queries.len() / dim;
                let attended = self.attend(
                    &queries,
                    &keys[..seen * dim],
                    &values[..seen * dim],
                    first,
                    scale,
                );
                for (row, part) in out.chunks_exact_mut(wide).zip(attended.chunks_exact(dim)) {
                    row[out_of_head..out_of_head + dim].copy_from_slice(part);
                }
            }
        });
        context
    }

    /// One head: query i sees the keys up to `first` + i.
    fn attend(
        &self,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        first: usize,
        scale: f32,
    ) -> Vec<f32> {
        let dim = self.config.head_dim;
        let (m, n) = (queries.len() / dim, keys.len() / dim);
        let mut scores = vec![0.0; m * n];
        self.gemm
            .multiply_transposed(queries, keys, dim, &mut scores);
        for (i, row) in scores.chunks_exact_mut(n).enumerate() {
            let (seen, unseen) = row.split_at_mut(first + i + 1);
            vector::softmax(self.isa, seen, scale);
            unseen.fill(0.0);
        }
        let mut out = vec![0.0; m * dim];
        self.gemm.multiply_plain(&scores, values, n, &mut out);
        out
    }
}

/// What goes into the last projection of a feed-forward network, from the rows
/// of its first one: of a gated network gate and up side by side.
pub(super) fn activate(isa: Isa, config: &DecoderConfig, mut rows: Vec<f32>) -> Vec<f32> {
    let apply = |values: &mut [f32]| match config.activation {
        Activation::Gelu => vector::gelu(isa, values),
        Activation::GeluTanh => vector::gelu_tanh(isa, values),
        Activation::Silu => vector::silu(isa, values),
        Activation::Relu => values.iter_mut().for_each(|value| *value = value.max(0.0)),
    };
    if !config.gated {
        apply(&mut rows);
        return rows;
    }
    let wide = config.intermediate_size;
    let mut out = Vec::with_capacity(rows.len() / 2);
    for row in rows.chunks_exact_mut(2 * wide) {
        let (gate, up) = row.split_at_mut(wide);
        apply(gate);
        out.extend(gate.iter().zip(&*up).map(|(gate, up)| gate * up));
    }
    out
}

/// Adds a change to states.
pub(super) fn add(states: &mut [f32], change: &[f32]) {
    for (state, change) in states.iter_mut().zip(change) {
        *state += change;
    }
}
