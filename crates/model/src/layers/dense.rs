//! The forward pass at f32.

use dtatrans_kernels::{F32Gemm, Isa, PackedF32, vector};
use rayon::prelude::*;

use super::rotary::Turns;
use super::{Layer, Linear, Norm, Source, Structure};
use crate::ModelError;

/// Queries under a causal mask that are multiplied with keys at once: keys
/// behind all of them are passed over.
const BLOCK: usize = 64;

/// A model's layers at f32.
pub(crate) struct DenseLayers {
    gemm: F32Gemm,
    isa: Isa,
    structure: Structure,
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
}

struct Packed {
    weights: PackedF32,
    bias: Vec<f32>,
}

/// The keys and values of one sequence at f32: under a causal mask of all
/// layers and tokens so far, otherwise of one layer at a time.
#[derive(Clone)]
pub(crate) struct DenseCache {
    /// One per layer and key-value head: (tokens, head_dim) keys, and values.
    heads: Vec<(Vec<f32>, Vec<f32>)>,
    tokens: usize,
}

impl DenseCache {
    /// Tokens whose keys and values are kept.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Bytes of keys and values, as allocated.
    pub(crate) fn bytes(&self) -> usize {
        let heads = self.heads.iter();
        let floats: usize = heads
            .map(|(keys, values)| keys.capacity() + values.capacity())
            .sum();
        floats * size_of::<f32>()
    }
}

impl DenseLayers {
    /// Reads and lays out all layers.
    pub(crate) fn read(source: &dyn Source, isa: Isa) -> Result<DenseLayers, ModelError> {
        let structure = source.structure();
        let gemm = F32Gemm::new();
        let layers = (0..structure.layers)
            .map(|index| Ok(DenseLayer::new(&gemm, source.layer(index)?)))
            .collect::<Result<_, ModelError>>()?;
        Ok(DenseLayers {
            gemm,
            isa,
            structure,
            layers,
        })
    }

    /// A cache of no tokens.
    pub(crate) fn cache(&self) -> DenseCache {
        let layers = match self.structure.causal {
            true => self.structure.layers,
            false => 1,
        };
        DenseCache {
            heads: vec![(Vec::new(), Vec::new()); layers * self.structure.key_value_heads],
            tokens: 0,
        }
    }

    /// Runs all layers on the states of new tokens, (tokens, hidden): for each
    /// sequence some, which go behind those in its cache. `after` sees the states
    /// after each layer.
    pub(crate) fn run(
        &self,
        states: &mut [f32],
        sequences: &mut [(&mut DenseCache, usize)],
        mut after: impl FnMut(&[f32]),
    ) {
        let turns = self.turns(sequences);
        for index in 0..self.layers.len() {
            self.attend_layer(index, states, sequences, turns.as_ref());
            let layer = &self.layers[index];
            let change = self.feed_forward(index, states);
            let norm = &layer.feed_forward_norm;
            norm.leave(self.isa, self.structure.norms, states, &change);
            after(states);
        }
        for (cache, count) in sequences {
            cache.tokens += *count;
        }
    }

    /// As [`DenseLayers::run`] on whole sequences of `lengths` tokens.
    pub(crate) fn run_whole(
        &self,
        states: &mut [f32],
        lengths: &[usize],
        after: impl FnMut(&[f32]),
    ) {
        let mut caches = vec![self.cache(); lengths.len()];
        let mut sequences: Vec<_> = caches.iter_mut().zip(lengths.iter().copied()).collect();
        self.run(states, &mut sequences, after);
    }

    /// What a layer adds to the states of whole sequences, before its last norm
    /// where norms stand behind.
    pub(crate) fn change(&self, index: usize, states: &[f32], lengths: &[usize]) -> Vec<f32> {
        let mut caches = vec![self.cache(); lengths.len()];
        let mut sequences: Vec<_> = caches.iter_mut().zip(lengths.iter().copied()).collect();
        let turns = self.turns(&sequences);
        let mut attended = states.to_vec();
        self.attend_layer(index, &mut attended, &mut sequences, turns.as_ref());
        let mut change = self.feed_forward(index, &attended);
        for ((change, attended), state) in change.iter_mut().zip(attended).zip(states) {
            *change += attended - state;
        }
        change
    }

    /// What a layer's feed-forward half adds to rows.
    pub(crate) fn feed_forward(&self, index: usize, rows: &[f32]) -> Vec<f32> {
        let layer = &self.layers[index];
        let norm = &layer.feed_forward_norm;
        let rows = norm.enter(self.isa, self.structure.norms, rows.to_vec());
        let wide = self.linear(&rows, &layer.up);
        let wide = self.structure.activate(self.isa, wide);
        self.linear(&wide, &layer.down)
    }

    fn turns(&self, sequences: &[(&mut DenseCache, usize)]) -> Option<Turns> {
        let rotary = self.structure.rotary.as_ref()?;
        let positions = sequences
            .iter()
            .flat_map(|(cache, count)| cache.tokens..cache.tokens + count);
        Some(Turns::new(rotary, self.structure.head_dim, positions))
    }

    /// The first half of a layer.
    fn attend_layer(
        &self,
        index: usize,
        states: &mut [f32],
        sequences: &mut [(&mut DenseCache, usize)],
        turns: Option<&Turns>,
    ) {
        let layer = &self.layers[index];
        let norm = &layer.attention_norm;
        let rows = norm.enter(self.isa, self.structure.norms, states.to_vec());
        let mut fused = self.linear(&rows, &layer.query_key_value);
        if let Some(turns) = turns {
            let turned = self.structure.query_width() + self.structure.key_width();
            let rows = fused.chunks_exact_mut(layer.query_key_value.bias.len());
            for (row, values) in rows.enumerate() {
                turns.turn(self.isa, row, &mut values[..turned]);
            }
        }
        let context = self.attention(index, fused, sequences);
        let change = self.linear(&context, &layer.output);
        norm.leave(self.isa, self.structure.norms, states, &change);
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
        let structure = &self.structure;
        let (dim, shared) = (structure.head_dim, structure.key_value_heads);
        let (wide, narrow) = (structure.query_width(), structure.key_width());
        let width = wide + 2 * narrow;
        let own_heads = match structure.causal {
            true => index * shared..(index + 1) * shared,
            false => 0..shared,
        };
        let mut context = vec![0.0; fused.len() / width * wide];
        let mut jobs = Vec::new();
        let (mut rows, mut out) = (&fused[..], &mut context[..]);
        for (cache, count) in sequences.iter_mut() {
            let (own, others) = rows.split_at(*count * width);
            let (own_out, other_out) = out.split_at_mut(*count * wide);
            (rows, out) = (others, other_out);
            let heads = &mut cache.heads[own_heads.clone()];
            for (head, (keys, values)) in heads.iter_mut().enumerate() {
                if !structure.causal {
                    keys.clear();
                    values.clear();
                }
                for row in own.chunks_exact(width) {
                    let key = wide + head * dim;
                    keys.extend_from_slice(&row[key..key + dim]);
                    values.extend_from_slice(&row[key + narrow..key + narrow + dim]);
                }
            }
            let heads = &cache.heads[own_heads.clone()];
            let block = match structure.causal {
                true => BLOCK,
                false => (*count).max(1),
            };
            let outs = own_out.chunks_mut(block * wide);
            for (index, (rows, out)) in own.chunks(block * width).zip(outs).enumerate() {
                jobs.push((heads, cache.tokens + index * block, rows, out));
            }
        }
        let scale = structure.score_scale(index);
        jobs.into_par_iter().for_each(|(heads, first, rows, out)| {
            for (head, own) in (0..structure.heads).map(|head| (head, head * dim)) {
                let (keys, values) = &heads[head / structure.group()];
                let queries = rows
                    .chunks_exact(width)
                    .flat_map(|row| row[own..own + dim].iter().copied())
                    .collect::<Vec<f32>>();
                let seen = first + queries.len() / dim;
                let first = structure.causal.then_some(first);
                let (keys, values) = (&keys[..seen * dim], &values[..seen * dim]);
                let attended = self.attend(&queries, keys, values, first, scale);
                for (row, part) in out.chunks_exact_mut(wide).zip(attended.chunks_exact(dim)) {
                    row[own..own + dim].copy_from_slice(part);
                }
            }
        });
        context
    }

    /// One head: query i sees the keys up to `first` + i, or all of them.
    fn attend(
        &self,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        first: Option<usize>,
        scale: f32,
    ) -> Vec<f32> {
        let dim = self.structure.head_dim;
        let (m, n) = (queries.len() / dim, keys.len() / dim);
        let mut scores = vec![0.0; m * n];
        self.gemm
            .multiply_transposed(queries, keys, dim, &mut scores);
        for (i, row) in scores.chunks_exact_mut(n).enumerate() {
            let seen = first.map_or(n, |first| first + i + 1);
            let (seen, unseen) = row.split_at_mut(seen);
            vector::softmax(self.isa, seen, scale);
            unseen.fill(0.0);
        }
        let mut out = vec![0.0; m * dim];
        self.gemm.multiply_plain(&scores, values, n, &mut out);
        out
    }
}

impl DenseLayer {
    fn new(gemm: &F32Gemm, layer: Layer) -> DenseLayer {
        let up: Vec<&Linear> = layer.gate.iter().chain([&layer.up]).collect();
        DenseLayer {
            query_key_value: Packed::new(gemm, &[&layer.query, &layer.key, &layer.value]),
            output: Packed::new(gemm, &[&layer.output]),
            up: Packed::new(gemm, &up),
            down: Packed::new(gemm, &[&layer.down]),
            attention_norm: layer.attention_norm,
            feed_forward_norm: layer.feed_forward_norm,
        }
    }
}

impl Packed {
    fn new(gemm: &F32Gemm, linears: &[&Linear]) -> Packed {
        let weights: Vec<f32> = linears.iter().flat_map(|l| &l.weight).copied().collect();
        let bias: Vec<f32> = linears.iter().flat_map(|l| &l.bias).copied().collect();
        Packed {
            weights: gemm.pack(&weights, bias.len(), linears[0].k),
            bias,
        }
    }
}
