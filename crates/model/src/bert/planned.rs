//! The forward pass in integers, under a plan.
//!
//! At each layer the tokens of a sequence get their tiers from the importance
//! that the layers before have left. Only computed tokens are gathered into the
//! products; 0-bit tokens keep their state, and where the compensation says so
//! still offer a key and a value. All matrix products multiply integers and
//! scale after; everything that decides or quantizes looks at one sequence
//! alone, so that neither the batch nor its order changes a bit.

use std::ops::Range;

use dtatrans_kernels::vector::{self, Symmetric, ZERO_POINT};
use dtatrans_kernels::{Int8Gemm, Isa, Lhs, PackedInt8};
use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::importance::CumulativeAttention;
use dtatrans_precision::trace;
use dtatrans_precision::workload::rotation_block;
use dtatrans_precision::{Bits, Plan, Tier};
use rayon::prelude::*;

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

/// One sequence of a batch on its way through the layers.
struct Sequence<'a> {
    /// Its first row in the batch.
    start: usize,
    protected: &'a [bool],
    importance: CumulativeAttention,
    gone: Vec<bool>,
    record: Record,
}

/// Rows of a batch that take part in a product, in order of arrival.
struct Rows {
    /// Their places in the batch.
    places: Vec<usize>,
    bits: Vec<Bits>,
    /// How many belong to each sequence.
    counts: Vec<usize>,
}

/// Quantized rows: codes with [`ZERO_POINT`], one scale a row.
struct Codes {
    codes: Vec<u8>,
    scales: Vec<f32>,
}

/// What one head of one sequence gives.
struct HeadOutput {
    /// (queries, head_dim).
    context: Vec<f32>,
    /// Probability that each key received, summed over the queries.
    received: Vec<f32>,
    unsure_queries: u32,
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
                let sequence = Sequence {
                    start,
                    protected: &input.protected,
                    importance: CumulativeAttention::new(input.len()),
                    gone: vec![false; input.len()],
                    record: Record {
                        tiers: Vec::new(),
                        trace: Vec::new(),
                    },
                };
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

    /// The heads' outputs side by side, one row per query. Adds what each token
    /// received to its importance.
    fn attention(
        &self,
        query: &[f32],
        key_value: &[f32],
        queries: &Rows,
        keys: &Rows,
        sequences: &mut [Sequence],
        with_trace: bool,
    ) -> Vec<f32> {
        let width = query.len() / queries.bits.len();
        let dim = width / self.heads;
        let (query_starts, key_starts) = (queries.starts(), keys.starts());
        let outputs: Vec<HeadOutput> = (0..sequences.len() * self.heads)
            .into_par_iter()
            .map(|job| {
                let (sequence, head) = (job / self.heads, job % self.heads);
                let rows = query_starts[sequence]..query_starts[sequence + 1];
                let columns = key_starts[sequence]..key_starts[sequence + 1];
                self.attend(
                    &query[rows.start * width..rows.end * width],
                    &key_value[columns.start * 2 * width..columns.end * 2 * width],
                    &queries.bits[rows],
                    &keys.bits[columns],
                    head * dim..(head + 1) * dim,
                )
            })
            .collect();

        let mut context = vec![0.0; query.len()];
        for (index, sequence) in sequences.iter_mut().enumerate() {
            let outputs = &outputs[index * self.heads..(index + 1) * self.heads];
            let rows = query_starts[index]..query_starts[index + 1];
            for (head, output) in outputs.iter().enumerate() {
                let rows = context[rows.start * width..rows.end * width].chunks_exact_mut(width);
                for (row, part) in rows.zip(output.context.chunks_exact(dim)) {
                    row[head * dim..(head + 1) * dim].copy_from_slice(part);
                }
            }
            let columns = key_starts[index]..key_starts[index + 1];
            let mut received = vec![0.0; columns.len()];
            for output in outputs {
                for (sum, value) in received.iter_mut().zip(&output.received) {
                    *sum += value;
                }
            }
            let tokens: Vec<usize> = keys.places[columns]
                .iter()
                .map(|place| place - sequence.start)
                .collect();
            sequence
                .importance
                .add_layer(&tokens, &received, self.heads, rows.len());
            if with_trace {
                sequence.record.trace.push(trace::Layer {
                    tiers: sequence.record.tiers.last().cloned().unwrap_or_default(),
                    importance: sequence.importance.scores().to_vec(),
                    heads: outputs.iter().map(HeadOutput::trace).collect(),
                });
            }
        }
        context
    }

    /// One head of one sequence: `query` of shape (queries, hidden),
    /// `key_value` of shape (keys, 2 hidden), of which the head has `channels`.
    fn attend(
        &self,
        query: &[f32],
        key_value: &[f32],
        query_bits: &[Bits],
        key_bits: &[Bits],
        channels: Range<usize>,
    ) -> HeadOutput {
        let (m, n, dim) = (query_bits.len(), key_bits.len(), channels.len());
        let width = query.len() / m;

        // One scale per token and head.
        let isa = self.isa;
        let values = channels.start + width..channels.end + width;
        let offset = |row: &[f32], bits, codes: &mut [u8]| {
            vector::quantize_offset(isa, row, self.quantizer(bits), codes)
        };
        let signed = |row: &[f32], bits, codes: &mut [i8]| {
            vector::quantize_symmetric(isa, row, self.quantizer(bits), codes)
        };
        let (query_codes, query_scales) =
            quantize_heads(query, width, channels.clone(), query_bits, offset);
        let (key_codes, key_scales) =
            quantize_heads(key_value, 2 * width, channels, key_bits, signed);
        let (value_codes, value_scales) =
            quantize_heads(key_value, 2 * width, values, key_bits, signed);

        let mut sums = vec![0; m * n];
        let lhs = Lhs {
            codes: &query_codes,
            zero_point: ZERO_POINT,
        };
        self.gemm
            .multiply(lhs, &self.gemm.pack(&key_codes, n, dim), &mut sums);

        let mut received = vec![0.0; n];
        let mut unsure_queries = 0;
        let mut probability_codes = vec![0u8; m * n];
        let mut probability_scales = Vec::with_capacity(m);
        let zeros = vec![0.0; n];
        let mut row = vec![0.0; n];
        let scale = 1.0 / (dim as f32).sqrt();
        for (i, (sums, codes)) in sums
            .chunks_exact(n)
            .zip(probability_codes.chunks_exact_mut(n))
            .enumerate()
        {
            vector::dequantize(
                self.isa,
                sums,
                query_scales[i],
                &key_scales,
                &zeros,
                &mut row,
            );
            vector::softmax(self.isa, &mut row, scale);
            let mut largest = 0.0f32;
            // The values' scales go into the probabilities, so that the sum
            // over tokens of different scales is one of plain integers.
            for ((probability, received), scale) in
                row.iter_mut().zip(&mut received).zip(&value_scales)
            {
                *received += *probability;
                largest = largest.max(*probability);
                *probability *= scale;
            }
            unsure_queries += u32::from(largest < trace::UNSURE_BELOW);
            let bits = self.plan.probability_bits.of(query_bits[i]);
            let limit = bits.unsigned_limit();
            probability_scales.push(vector::quantize_unsigned(self.isa, &row, limit, codes));
        }

        let mut sums = vec![0; m * dim];
        let lhs = Lhs {
            codes: &probability_codes,
            zero_point: 0,
        };
        self.gemm.multiply(
            lhs,
            &self.gemm.pack_transposed(&value_codes, dim, n),
            &mut sums,
        );
        let context = sums
            .chunks_exact(dim)
            .zip(&probability_scales)
            .flat_map(|(sums, scale)| sums.iter().map(move |&sum| sum as f32 * scale))
            .collect();
        HeadOutput {
            context,
            received,
            unsure_queries,
        }
    }

    fn add_norm(&self, rows: &mut [f32], residual: &[f32], norm: &Norm) {
        for (value, residual) in rows.iter_mut().zip(residual) {
            *value += residual;
        }
        vector::layer_norm(self.isa, rows, &norm.gain, &norm.bias, self.epsilon);
    }
}

impl Sequence<'_> {
    fn choose_tiers(&mut self, plan: &Plan, layer: usize) {
        let tiers = assign(
            self.importance.scores(),
            Rule {
                ratio: plan.layers()[layer],
                protected: self.protected,
                protected_bits: plan.protected_bits,
                gone: &self.gone,
                round_to: plan.round_to,
            },
        );
        if !plan.compensation.may_return() {
            for (gone, tier) in self.gone.iter_mut().zip(&tiers) {
                *gone |= !tier.is_computed();
            }
        }
        self.record.tiers.push(tiers);
    }
}

impl Rows {
    /// The tokens for which `bits` gives some, by the tiers chosen last.
    fn new(sequences: &[Sequence], bits: impl Fn(Tier) -> Option<Bits>) -> Rows {
        let mut rows = Rows {
            places: Vec::new(),
            bits: Vec::new(),
            counts: Vec::new(),
        };
        for sequence in sequences {
            let before = rows.places.len();
            let tiers = sequence.record.tiers.last().map_or(&[][..], Vec::as_slice);
            for (token, &tier) in tiers.iter().enumerate() {
                if let Some(bits) = bits(tier) {
                    rows.places.push(sequence.start + token);
                    rows.bits.push(bits);
                }
            }
            rows.counts.push(rows.places.len() - before);
        }
        rows
    }

    /// Where each sequence's rows begin, and where the last one's end.
    fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for count in &self.counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        starts
    }
}

impl HeadOutput {
    fn trace(&self) -> trace::Head {
        let sum: f32 = self.context.iter().map(|value| value.abs()).sum();
        trace::Head {
            magnitude: sum / self.context.len() as f32,
            unsure_queries: self.unsure_queries,
        }
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

/// Quantizes the `channels` of each row of `stride` values, at its bits, by
/// `quantize` (row, bits, codes); gives codes and scales.
fn quantize_heads<C: Copy + Default>(
    rows: &[f32],
    stride: usize,
    channels: Range<usize>,
    bits: &[Bits],
    quantize: impl Fn(&[f32], Bits, &mut [C]) -> f32,
) -> (Vec<C>, Vec<f32>) {
    let dim = channels.len();
    let mut codes = vec![C::default(); bits.len() * dim];
    let scales = rows
        .chunks_exact(stride)
        .zip(bits)
        .zip(codes.chunks_exact_mut(dim))
        .map(|((row, &bits), codes)| quantize(&row[channels.clone()], bits, codes))
        .collect();
    (codes, scales)
}

/// The rows of a batch's states at the given places.
fn gather(states: &[f32], rows: &Rows, width: usize) -> Vec<f32> {
    let mut gathered = Vec::with_capacity(rows.places.len() * width);
    for &place in &rows.places {
        gathered.extend_from_slice(&states[place * width..(place + 1) * width]);
    }
    gathered
}

/// Of quantized rows `from` the rows `to`, which are some of them.
fn select(codes: &Codes, from: &Rows, to: &Rows) -> Codes {
    let width = codes.codes.len() / from.places.len();
    let mut selected = Codes {
        codes: Vec::with_capacity(to.places.len() * width),
        scales: Vec::with_capacity(to.places.len()),
    };
    let mut wanted = to.places.iter().peekable();
    for (row, place) in from.places.iter().enumerate() {
        if wanted.next_if_eq(&place).is_some() {
            selected
                .codes
                .extend_from_slice(&codes.codes[row * width..(row + 1) * width]);
            selected.scales.push(codes.scales[row]);
        }
    }
    selected
}
