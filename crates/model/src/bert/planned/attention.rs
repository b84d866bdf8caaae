//! Attention in integers: one head of one sequence at a time.

use std::ops::Range;

use dtatrans_kernels::Lhs;
use dtatrans_kernels::vector::{self, ZERO_POINT};
use dtatrans_precision::{Bits, trace};
use rayon::prelude::*;

use super::PlannedBert;
use super::rows::{Rows, Sequence};

/// What one head of one sequence gives.
struct HeadOutput {
    /// (queries, head_dim).
    context: Vec<f32>,
    /// Probability that each key received, summed over the queries.
    received: Vec<f32>,
    unsure_queries: u32,
}

impl PlannedBert {
    /// The heads' outputs side by side, one row per query. Adds what each token
    /// received to its importance.
    pub(super) fn attention(
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
            let places = &keys.places[columns];
            sequence.add_gain(&self.plan, places, &received, self.heads * rows.len());
            if with_trace {
                sequence.record.trace.push(trace::Layer {
                    tiers: sequence.record.tiers.last().cloned().unwrap_or_default(),
                    importance: sequence.scores.clone(),
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
        let gemm = &self.quantizers.gemm;
        let (m, n, dim) = (query_bits.len(), key_bits.len(), channels.len());
        let width = query.len() / m;

        // One scale per token and head.
        let isa = self.quantizers.isa;
        let values = channels.start + width..channels.end + width;
        let offset = |row: &[f32], bits, codes: &mut [u8]| {
            vector::quantize_offset(isa, row, self.quantizers.symmetric(bits), codes)
        };
        let signed = |row: &[f32], bits, codes: &mut [i8]| {
            vector::quantize_symmetric(isa, row, self.quantizers.symmetric(bits), codes)
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
        gemm.multiply(lhs, &gemm.pack(&key_codes, n, dim), &mut sums);

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
            vector::dequantize(isa, sums, query_scales[i], &key_scales, &zeros, &mut row);
            vector::softmax(isa, &mut row, scale);
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
            probability_scales.push(vector::quantize_unsigned(isa, &row, limit, codes));
        }

        if self.plan.importance.weighs_values() {
            weigh_by_norms(&mut received, &value_codes, &value_scales);
        }

        let mut sums = vec![0; m * dim];
        let lhs = Lhs {
            codes: &probability_codes,
            zero_point: 0,
        };
        gemm.multiply(lhs, &gemm.pack_transposed(&value_codes, dim, n), &mut sums);
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

/// Multiplies what each key received by the norm of its value, relative to the
/// mean norm.
fn weigh_by_norms(received: &mut [f32], codes: &[i8], scales: &[f32]) {
    let dim = codes.len() / scales.len().max(1);
    let norms: Vec<f32> = codes
        .chunks_exact(dim)
        .zip(scales)
        .map(|(row, scale)| {
            let square: i32 = row.iter().map(|&code| i32::from(code).pow(2)).sum();
            (square as f32).sqrt() * scale
        })
        .collect();
    let mean = norms.iter().sum::<f32>() / norms.len().max(1) as f32;
    if mean > 0.0 {
        for (received, norm) in received.iter_mut().zip(norms) {
            *received *= norm / mean;
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
