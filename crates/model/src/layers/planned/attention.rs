//! Attention in integers: the heads of one sequence that share keys and values.

use std::ops::Range;

use dtatrans_kernels::Lhs;
use dtatrans_kernels::vector::{self, ZERO_POINT};
use dtatrans_precision::workload::rotation_block;
use dtatrans_precision::{Bits, Pruning, trace};
use rayon::prelude::*;

use super::PlannedLayers;
use super::cache::{Arithmetic, HeadReading, LayerReading, stored};
use super::operands::{Places, Traced, matrix};
use super::rows::{Rows, Sequence};

/// Queries under a causal mask that are multiplied with keys at once: keys
/// behind all of them are passed over.
const BLOCK: usize = 64;

/// What one query head of one sequence gives.
struct HeadOutput {
    /// (queries, head_dim).
    context: Vec<f32>,
    /// Probability that each key received, summed over the queries.
    received: Vec<f32>,
    unsure_queries: u32,
    /// What it multiplied, where a trace is to hold that.
    operands: Option<trace::Operands>,
}

/// What the query heads that share keys and values give.
struct SharedOutput {
    heads: Vec<HeadOutput>,
    kept: Option<HeadReading>,
}

/// Queries, keys and values of one sequence, side by side for all heads.
struct Operands<'a> {
    /// (queries, heads x head_dim).
    query: &'a [f32],
    /// (keys, 2 x key_value_heads x head_dim).
    key_value: &'a [f32],
    query_bits: &'a [Bits],
    key_bits: &'a [Bits],
    /// How many of the keys each query sees.
    seen: &'a [usize],
    /// How many queries came behind each one.
    ages: &'a [usize],
    /// Where keys and values are kept: how the weights of queries fall with their
    /// age.
    decays: Option<&'a [f32]>,
    score_scale: f32,
    pruning: Pruning,
    /// The query heads whose operands a trace holds.
    recorded: &'a [usize],
    places: Places<'a>,
}

impl PlannedLayers {
    /// The heads' outputs side by side, one row per query. Adds what each token
    /// received to its importance.
    #[expect(clippy::too_many_arguments)]
    pub(super) fn attention(
        &self,
        index_of_layer: usize,
        mut query: Vec<f32>,
        mut key_value: Vec<f32>,
        queries: &Rows,
        keys: &Rows,
        sequences: &mut [Sequence],
        traced: Traced,
    ) -> Vec<f32> {
        let structure = &self.structure;
        let recorded = traced.unwrap_or(&[]).iter();
        let recorded = recorded.filter(|at| at.layer == index_of_layer);
        let recorded: Vec<usize> = recorded.map(|at| at.head).collect();
        let (dim, shared) = (structure.head_dim, structure.key_value_heads);
        let (wide, narrow) = (structure.query_width(), structure.key_width());
        let (query_starts, key_starts) = (queries.starts(), keys.starts());
        let pruning = self.plan.pruning_at(index_of_layer);
        for sequence in sequences.iter_mut() {
            sequence.heads.keep(pruning.heads(shared));
        }
        let mut seen = Vec::with_capacity(queries.len());
        for (index, sequence) in sequences.iter().enumerate() {
            let rows = query_starts[index]..query_starts[index + 1];
            let columns = key_starts[index]..key_starts[index + 1];
            self.turn(
                sequence,
                &queries.places[rows.clone()],
                &mut query[rows.start * wide..],
                wide,
                wide,
            );
            self.turn(
                sequence,
                &keys.places[columns.clone()],
                &mut key_value[columns.start * 2 * narrow..],
                2 * narrow,
                narrow,
            );
            let places = &keys.places[columns];
            seen.extend(
                queries.places[rows]
                    .iter()
                    .map(|place| match structure.causal {
                        true => places.partition_point(|key| key <= place),
                        false => places.len(),
                    }),
            );
        }
        let ages: Vec<usize> = sequences
            .iter()
            .zip(query_starts.windows(2))
            .flat_map(|(sequence, rows)| {
                let last = sequence.start + sequence.scores.len() - 1;
                let places = queries.places[rows[0]..rows[1]].iter();
                places.map(move |place| last.saturating_sub(*place))
            })
            .collect();
        let decays: Vec<Option<Vec<f32>>> = sequences
            .iter()
            .map(|sequence| sequence.record.reading.as_ref().map(|r| r.decays.clone()))
            .collect();
        let left: Vec<Vec<usize>> = sequences
            .iter()
            .map(|sequence| sequence.heads.left().to_vec())
            .collect();
        let tokens: Vec<Range<usize>> = sequences
            .iter()
            .map(|sequence| sequence.start..sequence.start + sequence.scores.len())
            .collect();
        let shared_outputs: Vec<SharedOutput> = (0..sequences.len() * shared)
            .into_par_iter()
            .map(|job| {
                let (sequence, head) = (job / shared, job % shared);
                let rows = query_starts[sequence]..query_starts[sequence + 1];
                let columns = key_starts[sequence]..key_starts[sequence + 1];
                if !left[sequence].contains(&head) {
                    return self.pruned(rows.len(), columns.len());
                }
                let operands = Operands {
                    query: &query[rows.start * wide..rows.end * wide],
                    key_value: &key_value[columns.start * 2 * narrow..columns.end * 2 * narrow],
                    query_bits: &queries.bits[rows.clone()],
                    key_bits: &keys.bits[columns.clone()],
                    seen: &seen[rows.clone()],
                    ages: &ages[rows.clone()],
                    decays: decays[sequence].as_deref(),
                    score_scale: structure.score_scale(index_of_layer),
                    pruning,
                    recorded: &recorded,
                    places: Places {
                        tokens: tokens[sequence].clone(),
                        queries: &queries.places[rows],
                        keys: &keys.places[columns],
                    },
                };
                self.attend(&operands, head)
            })
            .collect();
        let (outputs, kept): (Vec<_>, Vec<_>) = shared_outputs
            .into_iter()
            .map(|output| (output.heads, output.kept))
            .unzip();
        let mut outputs: Vec<HeadOutput> = outputs.into_iter().flatten().collect();

        let mut context = vec![0.0; query.len()];
        for (index, sequence) in sequences.iter_mut().enumerate() {
            let outputs = &mut outputs[index * structure.heads..(index + 1) * structure.heads];
            let rows = query_starts[index]..query_starts[index + 1];
            for (head, output) in outputs.iter().enumerate() {
                let rows = context[rows.start * wide..rows.end * wide].chunks_exact_mut(wide);
                for (row, part) in rows.zip(output.context.chunks_exact(dim)) {
                    row[head * dim..(head + 1) * dim].copy_from_slice(part);
                }
            }
            let columns = key_starts[index]..key_starts[index + 1];
            let mut received = vec![0.0; columns.len()];
            for output in &*outputs {
                for (sum, value) in received.iter_mut().zip(&output.received) {
                    *sum += value;
                }
            }
            let seen = &seen[rows];
            if self.plan.first_pruned().is_some() {
                let magnitude =
                    |group: &[HeadOutput]| group.iter().map(HeadOutput::magnitude).sum();
                let group = structure.group();
                sequence
                    .heads
                    .add(outputs.chunks_exact(group).map(magnitude));
            }
            let summed_heads = structure.group() * left[index].len();
            let summed: Vec<usize> = (0..columns.len())
                .map(|key| {
                    let blind = seen.partition_point(|&seen| seen <= key);
                    summed_heads * (seen.len() - blind)
                })
                .collect();
            if let Some(reading) = &mut sequence.record.reading {
                let kept = kept[index * shared..(index + 1) * shared].iter().flatten();
                let places = keys.places[columns.clone()].iter();
                reading.layers.push(LayerReading {
                    positions: places.map(|place| place - sequence.start).collect(),
                    bits: keys.bits[columns.clone()].to_vec(),
                    heads: kept.cloned().collect(),
                });
            }
            let places = &keys.places[columns];
            sequence.add_gain(&self.plan, places, &received, &summed);
            if traced.is_some() {
                let operands = outputs.iter_mut().filter_map(|head| head.operands.take());
                let operands = operands.collect();
                sequence.record.trace.push(trace::Layer {
                    tiers: sequence.record.tiers.last().cloned().unwrap_or_default(),
                    importance: sequence.scores.clone(),
                    heads: outputs.iter().map(HeadOutput::trace).collect(),
                    operands,
                });
            }
        }
        context
    }

    /// How a layer's codes are made and multiplied.
    pub(super) fn arithmetic(&self, layer: usize) -> Arithmetic {
        Arithmetic {
            isa: self.quantizers.isa,
            four: self.quantizers.symmetric(Bits::Four),
            score_scale: self.structure.score_scale(layer),
        }
    }

    /// Turns the first `width` values of the rows at `places` of a sequence by
    /// their positions, and rotates what could not be rotated before.
    fn turn(
        &self,
        sequence: &Sequence,
        places: &[usize],
        rows: &mut [f32],
        stride: usize,
        width: usize,
    ) {
        let Some(turns) = &sequence.turns else {
            return;
        };
        let isa = self.quantizers.isa;
        for (place, row) in places.iter().zip(rows.chunks_exact_mut(stride)) {
            turns.turn(isa, place - sequence.start, &mut row[..width]);
            self.quantizers
                .rotate(&mut row[..width], rotation_block(self.structure.head_dim));
        }
    }

    /// What the query heads of one sequence give whose key and value head the plan has
    /// pruned: nothing.
    fn pruned(&self, queries: usize, keys: usize) -> SharedOutput {
        let nothing = || HeadOutput {
            context: vec![0.0; queries * self.structure.head_dim],
            received: vec![0.0; keys],
            unsure_queries: 0,
            operands: None,
        };
        SharedOutput {
            heads: (0..self.structure.group()).map(|_| nothing()).collect(),
            kept: None,
        }
    }

    /// The query heads of one sequence that share the key and value head
    /// `shared`.
    fn attend(&self, operands: &Operands, shared: usize) -> SharedOutput {
        let Operands {
            query,
            key_value,
            query_bits,
            key_bits,
            seen,
            ages,
            decays,
            score_scale,
            pruning,
            ..
        } = *operands;
        let structure = &self.structure;
        let gemm = &self.quantizers.gemm;
        let isa = self.quantizers.isa;
        let (m, n, dim) = (query_bits.len(), key_bits.len(), structure.head_dim);
        let (wide, narrow) = (structure.query_width(), structure.key_width());

        // One scale per token and head.
        let offset = |row: &[f32], bits, codes: &mut [u8]| {
            vector::quantize_offset(isa, row, self.quantizers.symmetric(bits), codes)
        };
        let signed = |row: &[f32], bits, codes: &mut [i8]| {
            vector::quantize_symmetric(isa, row, self.quantizers.symmetric(bits), codes)
        };
        let channels = shared * dim..(shared + 1) * dim;
        let values = channels.start + narrow..channels.end + narrow;
        let (key_codes, mut key_scales) =
            quantize_heads(key_value, 2 * narrow, channels, key_bits, signed);
        let (value_codes, mut value_scales) =
            quantize_heads(key_value, 2 * narrow, values, key_bits, signed);
        if structure.causal {
            // As a cache stores them, so that what is read at once and what is
            // read from a cache give the same.
            for scale in key_scales.iter_mut().chain(&mut value_scales) {
                *scale = stored(*scale).to_f32();
            }
        }
        let heads = shared * structure.group()..(shared + 1) * structure.group();
        let queries: Vec<_> = heads
            .map(|head| {
                let channels = head * dim..(head + 1) * dim;
                quantize_heads(query, wide, channels, query_bits, offset)
            })
            .collect();
        let mut outputs: Vec<HeadOutput> = queries
            .iter()
            .map(|_| HeadOutput {
                context: Vec::with_capacity(m * dim),
                received: vec![0.0; n],
                unsure_queries: 0,
                operands: None,
            })
            .collect();

        let mut decayed = vec![vec![0.0; n]; decays.map_or(0, <[f32]>::len)];
        let zeros = vec![0.0; n];
        let mut row = vec![0.0; n];
        let mut order: Vec<usize> = Vec::new();
        let block = if structure.causal { BLOCK } else { m.max(1) };
        // Used again and again: fresh memory costs as much as the products.
        let mut sums = vec![0; block.min(m) * n];
        let mut probability_codes = vec![0u8; block.min(m) * n];
        let mut probability_scales = Vec::with_capacity(block.min(m));
        let mut context = vec![0; block.min(m) * dim];
        for begin in (0..m).step_by(block) {
            let end = m.min(begin + block);
            let n = seen[end - 1];
            let keys = gemm.pack(&key_codes[..n * dim], n, dim);
            let values = gemm.pack_transposed(&value_codes[..n * dim], dim, n);
            let sums = &mut sums[..(end - begin) * n];
            let probability_codes = &mut probability_codes[..(end - begin) * n];
            let context = &mut context[..(end - begin) * dim];
            for (index, output) in outputs.iter_mut().enumerate() {
                let (query_codes, query_scales) = &queries[index];
                let lhs = Lhs {
                    codes: &query_codes[begin * dim..end * dim],
                    zero_point: ZERO_POINT,
                };
                gemm.multiply(lhs, &keys, sums);
                probability_scales.clear();
                let rows = sums
                    .chunks_exact(n)
                    .zip(probability_codes.chunks_exact_mut(n));
                for (i, (sums, codes)) in (begin..end).zip(rows) {
                    let seen = seen[i];
                    let row = &mut row[..seen];
                    let scales = &key_scales[..seen];
                    vector::dequantize(
                        isa,
                        &sums[..seen],
                        query_scales[i],
                        scales,
                        &zeros[..seen],
                        row,
                    );
                    vector::softmax(isa, row, score_scale);
                    for (decayed, decay) in decayed.iter_mut().zip(decays.unwrap_or(&[])) {
                        let weight = decay.powi(ages[i] as i32);
                        vector::add_scaled(isa, decayed, weight, row);
                    }
                    let passed_over = pruned_values(row, pruning, &mut order);
                    // The values' scales go into the probabilities, so that the
                    // sum over tokens of different scales is one of plain
                    // integers.
                    let largest = vector::receive(isa, row, &mut output.received, &value_scales);
                    output.unsure_queries += u32::from(largest < trace::UNSURE_BELOW);
                    for &key in passed_over {
                        row[key] = 0.0;
                    }
                    let limit = self
                        .plan
                        .probability_bits
                        .of(query_bits[i])
                        .unsigned_limit();
                    let (codes, unseen) = codes.split_at_mut(seen);
                    probability_scales.push(vector::quantize_unsigned(isa, row, limit, codes));
                    unseen.fill(0);
                }
                let lhs = Lhs {
                    codes: probability_codes,
                    zero_point: 0,
                };
                gemm.multiply(lhs, &values, context);
                let rows = context.chunks_exact(dim).zip(&probability_scales);
                output.context.extend(
                    rows.flat_map(|(sums, scale)| sums.iter().map(move |&sum| sum as f32 * scale)),
                );
                let head = shared * structure.group() + index;
                if operands.recorded.contains(&head) {
                    // Never so under a causal mask, so the block is all queries.
                    let places = &operands.places;
                    let of_query = |&bits| self.plan.probability_bits.of(bits);
                    let probability_bits: Vec<Bits> = query_bits.iter().map(of_query).collect();
                    let signed = query_codes.iter().map(|code| (code ^ ZERO_POINT) as i8);
                    let signed: Vec<i8> = signed.collect();
                    output.operands = Some(trace::Operands {
                        head,
                        score_scale,
                        query: places.queries(query_bits, &signed, query_scales),
                        key: places.keys(key_bits, &key_codes, &key_scales),
                        value: places.keys(key_bits, &value_codes, &value_scales),
                        probability: places.queries(
                            &probability_bits,
                            probability_codes,
                            &probability_scales,
                        ),
                        score_sums: matrix(sums, m),
                        context_sums: matrix(context, m),
                    });
                }
            }
        }
        if self.plan.importance.weighs_values() {
            for output in &mut outputs {
                weigh_by_norms(&mut output.received, &value_codes, &value_scales);
            }
        }
        SharedOutput {
            heads: outputs,
            kept: decays.map(|_| HeadReading {
                key_codes,
                key_scales,
                value_codes,
                value_scales,
                received: decayed,
            }),
        }
    }
}

impl HeadOutput {
    /// The mean magnitude of the output over queries and channels.
    fn magnitude(&self) -> f32 {
        let sum: f32 = self.context.iter().map(|value| value.abs()).sum();
        sum / self.context.len() as f32
    }

    fn trace(&self) -> trace::Head {
        trace::Head {
            magnitude: self.magnitude(),
            unsure_queries: self.unsure_queries,
        }
    }
}

/// The keys whose values a query passes over: those of the least probability, the later
/// of two alike. `order` is room for them.
fn pruned_values<'a>(
    probabilities: &[f32],
    pruning: Pruning,
    order: &'a mut Vec<usize>,
) -> &'a [usize] {
    let kept = pruning.values(probabilities.len());
    if kept >= probabilities.len() {
        return &[];
    }
    order.clear();
    order.extend(0..probabilities.len());
    order.select_nth_unstable_by(kept, |&a, &b| {
        probabilities[b]
            .total_cmp(&probabilities[a])
            .then(a.cmp(&b))
    });
    &order[kept..]
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
