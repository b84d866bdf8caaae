//! The forward pass in integers, under a plan.
//!
//! At each layer the tokens of a sequence get their tiers from the importance
//! that the layers before have left. Only computed tokens are gathered into the
//! products; 0-bit tokens keep their state, and where the compensation says so
//! still offer a key and a value. All matrix products multiply integers and
//! scale after; everything that decides or quantizes looks at one sequence
//! alone, so that neither the batch nor its order changes a bit.

mod attention;
mod rows;

use dtatrans_kernels::vector::{self, Symmetric, ZERO_POINT};
use dtatrans_kernels::{Int8Gemm, Isa, Lhs, PackedInt8};
use dtatrans_precision::trace;
use dtatrans_precision::workload::rotation_block;
use dtatrans_precision::{Bits, Plan, Tier};

use self::rows::{Codes, Rows, Sequence, gather, select};
use super::BertConfig;
use super::weights::{Linear, Norm, Source};
use crate::{Encoding, ModelError, Tensors};

/// BERT's layers, quantized as a plan asks.
pub(crate) struct PlannedBert {
    gemm: Int8Gemm,
    isa: Isa,
    plan: Plan,
    heads: usize,
    epsilon: f32,
    layers: Vec<Layer>,
}

struct Layer {
    query: Quantized,
    /// W_k and W_v side by side.
    key_value: Quantized,
    output: Quantized,
    attention_norm: Norm,
    up: Quantized,
    down: Quantized,
    output_norm: Norm,
}

/// A linear layer with integer weights, one scale per output channel.
struct Quantized {
    weights: PackedInt8,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

/// What happened to one sequence.
pub(crate) struct Record {
    /// One entry per layer and token.
    pub(crate) tiers: Vec<Vec<Tier>>,
    /// One entry per layer; empty if not asked for.
    pub(crate) trace: Vec<trace::Layer>,
}

impl PlannedBert {
    pub(crate) fn read(
        tensors: &Tensors,
        config: &BertConfig,
        plan: &Plan,
        isa: Isa,
    ) -> Result<PlannedBert, ModelError> {
        plan.check_depth(config.num_hidden_layers)?;
        let source = Source::new(tensors);
        let mut model = PlannedBert {
            gemm: Int8Gemm::new(isa),
            isa,
            plan: plan.clone(),
            heads: config.num_attention_heads,
            epsilon: config.layer_norm_eps,
            layers: Vec::new(),
        };
        let head_dim = config.head_dim();
        for index in 0..config.num_hidden_layers {
            let mut layer = source.layer(config, index)?;
            if plan.rotation {
                // Inputs are rotated at run time, so the weights' inputs here.
                for linear in [
                    &mut layer.query,
                    &mut layer.key,
                    &mut layer.value,
                    &mut layer.up,
                    &mut layer.down,
                ] {
                    vector::hadamard(isa, &mut linear.weight, rotation_block(linear.k));
                }
                // Per head: q and k by the same rotation, v by one that W_o
                // takes back.
                let block = rotation_block(head_dim);
                for linear in [&mut layer.query, &mut layer.key, &mut layer.value] {
                    rotate_outputs(isa, linear, block);
                }
                vector::hadamard(isa, &mut layer.output.weight, block);
            }
            let layer = Layer {
                query: model.quantize_weights(&[&layer.query]),
                key_value: model.quantize_weights(&[&layer.key, &layer.value]),
                output: model.quantize_weights(&[&layer.output]),
                attention_norm: layer.attention_norm,
                up: model.quantize_weights(&[&layer.up]),
                down: model.quantize_weights(&[&layer.down]),
                output_norm: layer.output_norm,
            };
            model.layers.push(layer);
        }
        Ok(model)
    }

    /// The quantizer of that width: 4-bit ones are clipped if the plan says so.
    fn quantizer(&self, bits: Bits) -> Symmetric {
        let limit = bits.code_limit();
        if self.plan.clipping && bits == Bits::Four {
            Symmetric::clipped(limit)
        } else {
            Symmetric::new(limit)
        }
    }

    fn quantize_weights(&self, linears: &[&Linear]) -> Quantized {
        let k = linears[0].k;
        let mut codes = Vec::new();
        let mut scales = Vec::new();
        for row in linears
            .iter()
            .flat_map(|linear| linear.weight.chunks_exact(k))
        {
            let start = codes.len();
            codes.resize(start + k, 0);
            let by = self.quantizer(self.plan.weight_bits);
            scales.push(vector::quantize_symmetric(
                self.isa,
                row,
                by,
                &mut codes[start..],
            ));
        }
        Quantized {
            weights: self.gemm.pack(&codes, scales.len(), k),
            bias: linears
                .iter()
                .flat_map(|linear| linear.bias.iter().copied())
                .collect(),
            scales,
        }
    }

    /// Runs all layers on the hidden states of a batch, (tokens, hidden).
    /// `after` sees the states after each layer.
    pub(crate) fn run(
        &self,
        states: &mut [f32],
        batch: &[&Encoding],
        with_trace: bool,
        mut after: impl FnMut(&[f32]),
    ) -> Vec<Record> {
        let mut start = 0;
        let mut sequences: Vec<Sequence> = batch
            .iter()
            .map(|input| {
                let sequence = Sequence::new(input, start);
                start += input.len();
                sequence
            })
            .collect();
        for (index, layer) in self.layers.iter().enumerate() {
            for sequence in &mut sequences {
                sequence.choose_tiers(&self.plan, index);
            }
            self.run_layer(layer, states, &mut sequences, with_trace);
            after(states);
        }
        sequences
            .into_iter()
            .map(|sequence| sequence.record)
            .collect()
    }

    fn run_layer(
        &self,
        layer: &Layer,
        states: &mut [f32],
        sequences: &mut [Sequence],
        with_trace: bool,
    ) {
        let width = layer.query.weights.k();
        let queries = Rows::new(sequences, Tier::operand);
        let offered = self.plan.compensation.key_value_bits();
        let keys = Rows::new(sequences, |tier| tier.operand().or(offered));

        let key_input = self.quantize(gather(states, &keys, width), width, &keys.bits, true);
        let query_input = select(&key_input, &keys, &queries);
        let query = self.linear(&query_input, &layer.query);
        let key_value = self.linear(&key_input, &layer.key_value);
        let context = self.attention(&query, &key_value, &queries, &keys, sequences, with_trace);

        let context = self.quantize(context, width, &queries.bits, false);
        let mut attended = self.linear(&context, &layer.output);
        let residual = gather(states, &queries, width);
        self.add_norm(&mut attended, &residual, &layer.attention_norm);

        let input = self.quantize(attended.clone(), width, &queries.bits, true);
        let mut wide = self.linear(&input, &layer.up);
        vector::gelu(self.isa, &mut wide);
        let wide = self.quantize(wide, layer.down.weights.k(), &queries.bits, true);
        let mut out = self.linear(&wide, &layer.down);
        self.add_norm(&mut out, &attended, &layer.output_norm);
        for (&place, row) in queries.places.iter().zip(out.chunks_exact(width)) {
            states[place * width..(place + 1) * width].copy_from_slice(row);
        }
    }

    /// Quantizes rows of `width` values at their bits, rotated before if asked
    /// (and if the plan rotates).
    fn quantize(&self, mut values: Vec<f32>, width: usize, bits: &[Bits], rotate: bool) -> Codes {
        if rotate && self.plan.rotation {
            vector::hadamard(self.isa, &mut values, rotation_block(width));
        }
        let mut codes = vec![0; values.len()];
        let scales = values
            .chunks_exact(width)
            .zip(bits)
            .zip(codes.chunks_exact_mut(width))
            .map(|((row, &bits), codes)| {
                vector::quantize_offset(self.isa, row, self.quantizer(bits), codes)
            })
            .collect();
        Codes { codes, scales }
    }

    fn linear(&self, input: &Codes, layer: &Quantized) -> Vec<f32> {
        let n = layer.weights.n();
        let mut sums = vec![0; input.scales.len() * n];
        let lhs = Lhs {
            codes: &input.codes,
            zero_point: ZERO_POINT,
        };
        self.gemm.multiply(lhs, &layer.weights, &mut sums);
        let mut out = vec![0.0; sums.len()];
        for ((out, sums), &scale) in out
            .chunks_exact_mut(n)
            .zip(sums.chunks_exact(n))
            .zip(&input.scales)
        {
            vector::dequantize(self.isa, sums, scale, &layer.scales, &layer.bias, out);
        }
        out
    }

    fn add_norm(&self, rows: &mut [f32], residual: &[f32], norm: &Norm) {
        for (value, residual) in rows.iter_mut().zip(residual) {
            *value += residual;
        }
        vector::layer_norm(self.isa, rows, &norm.gain, &norm.bias, self.epsilon);
    }
}

/// Rotates the outputs of a linear layer in blocks: rows of its weight, and its
/// bias.
fn rotate_outputs(isa: Isa, linear: &mut Linear, block: usize) {
    vector::hadamard(isa, &mut linear.bias, block);
    let mut column = vec![0.0; linear.n];
    for k in 0..linear.k {
        for (value, row) in column.iter_mut().zip(linear.weight.chunks_exact(linear.k)) {
            *value = row[k];
        }
        vector::hadamard(isa, &mut column, block);
        for (value, row) in column.iter().zip(linear.weight.chunks_exact_mut(linear.k)) {
            row[k] = *value;
        }
    }
}
