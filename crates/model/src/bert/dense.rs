//! The forward pass at f32.

use dtatrans_kernels::{F32Gemm, Isa, PackedF32, vector};
use rayon::prelude::*;

use super::BertConfig;
use super::weights::{Norm, Source};
use crate::linear::Linear;
use crate::{ModelError, Tensors};

/// BERT's layers at f32.
pub(crate) struct DenseBert {
    gemm: F32Gemm,
    isa: Isa,
    heads: usize,
    epsilon: f32,
    layers: Vec<Layer>,
}

struct Layer {
    /// W_q, W_k and W_v side by side.
    query_key_value: Packed,
    output: Packed,
    attention_norm: Norm,
    up: Packed,
    down: Packed,
    output_norm: Norm,
}

struct Packed {
    weights: PackedF32,
    bias: Vec<f32>,
}

impl DenseBert {
    pub(crate) fn read(
        tensors: &Tensors,
        config: &BertConfig,
        isa: Isa,
    ) -> Result<DenseBert, ModelError> {
        let source = Source::new(tensors);
        let gemm = F32Gemm::new();
        let pack = |linears: &[&Linear]| {
            let weight = linears
                .iter()
                .flat_map(|linear| linear.weight.iter().copied());
            let bias: Vec<f32> = linears
                .iter()
                .flat_map(|linear| linear.bias.iter().copied())
                .collect();
            Packed {
                weights: gemm.pack(&weight.collect::<Vec<_>>(), bias.len(), linears[0].k),
                bias,
            }
        };
        let layers = (0..config.num_hidden_layers)
            .map(|index| {
                let layer = source.layer(config, index)?;
                Ok(Layer {
                    query_key_value: pack(&[&layer.query, &layer.key, &layer.value]),
                    output: pack(&[&layer.output]),
                    attention_norm: layer.attention_norm,
                    up: pack(&[&layer.up]),
                    down: pack(&[&layer.down]),
                    output_norm: layer.output_norm,
                })
            })
            .collect::<Result<_, ModelError>>()?;
        Ok(DenseBert {
            gemm,
            isa,
            heads: config.num_attention_heads,
            epsilon: config.layer_norm_eps,
            layers,
        })
    }

    /// Runs all layers on the hidden states of a batch, (tokens, hidden);
    /// `lengths` are the tokens of each sequence. `after` sees the states after
    /// each layer.
    pub(crate) fn run(
        &self,
        states: &mut Vec<f32>,
        lengths: &[usize],
        mut after: impl FnMut(&[f32]),
    ) {
        for index in 0..self.layers.len() {
            let attended = self.attended(index, states, lengths);
            let mut out = self.feed_forward(index, &attended);
            self.add_norm(&mut out, &attended, &self.layers[index].output_norm);
            *states = out;
            after(states);
        }
    }

    /// What a layer adds to states before its last norm.
    pub(crate) fn change(&self, index: usize, states: &[f32], lengths: &[usize]) -> Vec<f32> {
        let attended = self.attended(index, states, lengths);
        let mut change = self.feed_forward(index, &attended);
        for ((change, attended), state) in change.iter_mut().zip(attended).zip(states) {
            *change += attended - state;
        }
        change
    }

    /// The states after a layer's attention and its norm.
    fn attended(&self, index: usize, states: &[f32], lengths: &[usize]) -> Vec<f32> {
        let layer = &self.layers[index];
        let fused = self.linear(states, &layer.query_key_value);
        let context = self.attention(&fused, lengths);
        let mut attended = self.linear(&context, &layer.output);
        self.add_norm(&mut attended, states, &layer.attention_norm);
        attended
    }

    /// What a layer's feed-forward network makes of rows.
    pub(crate) fn feed_forward(&self, index: usize, rows: &[f32]) -> Vec<f32> {
        let layer = &self.layers[index];
        let mut wide = self.linear(rows, &layer.up);
        vector::gelu(self.isa, &mut wide);
        self.linear(&wide, &layer.down)
    }

    fn linear(&self, rows: &[f32], layer: &Packed) -> Vec<f32> {
        let n = layer.bias.len();
        let mut out = vec![0.0; rows.len() / layer.weights.k() * n];
        self.gemm
            .multiply(rows, &layer.weights, &layer.bias, &mut out);
        out
    }

    /// The heads' outputs side by side, (tokens, hidden), from queries, keys and
    /// values side by side, (tokens, 3 hidden).
    fn attention(&self, fused: &[f32], lengths: &[usize]) -> Vec<f32> {
        let tokens: usize = lengths.iter().sum();
        let width = fused.len() / tokens / 3;
        let mut context = vec![0.0; tokens * width];
        let mut sequences = Vec::with_capacity(lengths.len());
        let (mut fused, mut rest) = (fused, &mut context[..]);
        for &n in lengths {
            let (sequence, others) = fused.split_at(n * 3 * width);
            let (out, out_rest) = rest.split_at_mut(n * width);
            sequences.push((sequence, out));
            (fused, rest) = (others, out_rest);
        }
        sequences.into_par_iter().for_each(|(fused, context)| {
            for head in 0..self.heads {
                self.attend(fused, head, width, context);
            }
        });
        context
    }

    fn attend(&self, fused: &[f32], head: usize, width: usize, context: &mut [f32]) {
        let n = context.len() / width;
        let dim = width / self.heads;
        let part = |which: usize| -> Vec<f32> {
            let start = which * width + head * dim;
            fused
                .chunks_exact(3 * width)
                .flat_map(|row| row[start..start + dim].iter().copied())
                .collect()
        };
        let (query, key, value) = (part(0), part(1), part(2));
        let mut scores = vec![0.0; n * n];
        self.gemm
            .multiply_transposed(&query, &key, dim, &mut scores);
        for row in scores.chunks_exact_mut(n) {
            vector::softmax(self.isa, row, 1.0 / (dim as f32).sqrt());
        }
        let mut out = vec![0.0; n * dim];
        self.gemm.multiply_plain(&scores, &value, n, &mut out);
        for (row, out) in context.chunks_exact_mut(width).zip(out.chunks_exact(dim)) {
            row[head * dim..(head + 1) * dim].copy_from_slice(out);
        }
    }

    fn add_norm(&self, rows: &mut [f32], residual: &[f32], norm: &Norm) {
        for (value, residual) in rows.iter_mut().zip(residual) {
            *value += residual;
        }
        vector::layer_norm(self.isa, rows, &norm.gain, &norm.bias, self.epsilon);
    }
}
