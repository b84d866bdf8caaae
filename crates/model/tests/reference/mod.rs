//! A layer of BERT under a plan, written once more: one sequence and one row at a
//! time, without integers, kernels, gathered rows or packed weights.
//!
//! What the engine quantizes is rounded here to the same grid, and what it
//! multiplies in integers is multiplied here in f64. Between these steps values
//! are f32. Weights are prepared in f32 in the order in which one would write it
//! down, so that their codes are the engine's.

#![allow(missing_docs, unreachable_pub)]

use dtatrans_model::Tensors;
use dtatrans_precision::calibration::ChangeMap;
use dtatrans_precision::compensation::Change;
use dtatrans_precision::{Bits, Plan, Tier};

const D: usize = 64;
const WIDE: usize = 160;
const HEADS: usize = 4;
const DIM: usize = D / HEADS;
const LAYERS: usize = 3;

type Row = Vec<f32>;

pub struct Reference {
    plan: Plan,
    layers: Vec<Layer>,
}

struct Layer {
    input: Preparation,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: Norm,
    attended: Preparation,
    up: Linear,
    wide: Preparation,
    down: Linear,
    output_norm: Norm,
    map: Option<Map>,
}

#[derive(Clone)]
struct Norm {
    gain: Row,
    bias: Row,
}

/// Weights as the checkpoint has them: one row per output.
struct Weights {
    rows: Vec<Row>,
    bias: Row,
}

/// Weights on their grid.
struct Linear {
    rows: Vec<Vec<f64>>,
    bias: Row,
}

/// What happens to a row before it is quantized for weights.
struct Preparation {
    balance: Option<Row>,
    rotation: bool,
}

const PLAIN: Preparation = Preparation {
    balance: None,
    rotation: false,
};

enum Map {
    Diagonal { gain: Row, offset: Row },
    LowRank { down: Linear, up: Linear },
}

/// Whole numbers of a step.
pub struct OnGrid {
    pub codes: Vec<f64>,
    pub step: f64,
}

/// What one head multiplies, row by row.
pub struct HeadOperands {
    pub query: Vec<OnGrid>,
    pub key: Vec<OnGrid>,
    pub value: Vec<OnGrid>,
    /// Probabilities times values' steps.
    pub probability: Vec<OnGrid>,
}

/// What a sequence is before a layer.
pub struct Before<'a> {
    /// One row per token.
    pub states: &'a [Row],
    pub scores: &'a [f32],
    pub tiers: &'a [Tier],
    /// Tokens that have left for good, at this layer too.
    pub gone: &'a [bool],
    /// Heads that have not left.
    pub heads: &'a [usize],
}

/// What a layer makes of it.
pub struct After {
    pub states: Vec<Row>,
    /// The tokens that offered a key.
    pub keys: Vec<usize>,
    /// What each of them received, summed over heads and queries.
    pub received: Row,
    /// How many heads and queries.
    pub summed: usize,
    pub heads: Vec<HeadOperands>,
}

/// A row of the layer's products: a token's, or that of the average of the
/// 0-bit tokens.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Token(usize),
    Average,
}

impl Reference {
    pub fn new(tensors: &Tensors, plan: &Plan) -> Reference {
        let norm = |name: &str| Norm {
            gain: tensors.read(&format!("{name}.weight"), &[D]).unwrap(),
            bias: tensors.read(&format!("{name}.bias"), &[D]).unwrap(),
        };
        let weights = |name: &str, n: usize, k: usize| {
            let flat = tensors.read(&format!("{name}.weight"), &[n, k]).unwrap();
            Weights {
                rows: flat.chunks(k).map(<[f32]>::to_vec).collect(),
                bias: tensors.read(&format!("{name}.bias"), &[n]).unwrap(),
            }
        };
        let mut before = norm("embeddings.LayerNorm");
        let mut layers = Vec::new();
        for index in 0..LAYERS {
            let name = |part: &str| format!("encoder.layer.{index}.{part}");
            let mut query = weights(&name("attention.self.query"), D, D);
            let mut key = weights(&name("attention.self.key"), D, D);
            let mut value = weights(&name("attention.self.value"), D, D);
            let mut output = weights(&name("attention.output.dense"), D, D);
            let up = weights(&name("intermediate.dense"), WIDE, D);
            let down = weights(&name("output.dense"), D, WIDE);
            let attention_norm = norm(&name("attention.output.LayerNorm"));
            let output_norm = norm(&name("output.LayerNorm"));

            let prepared = |squares: &dyn Fn() -> Row, meets: &[&Weights]| Preparation {
                balance: plan.balance.then(|| balance(&squares(), meets)),
                rotation: plan.rotation,
            };
            let input = prepared(&|| squares_of_norm(&before), &[&query, &key, &value]);
            let attended = prepared(&|| squares_of_norm(&attention_norm), &[&up]);
            let wide = prepared(&|| squares_of_gelu(&attention_norm, &up), &[&down]);
            if plan.rotation {
                for weights in [&mut query, &mut key, &mut value] {
                    weights.rotate_outputs(DIM);
                }
                output.rotate_inputs(DIM);
            }
            let map = plan.predicts_at(index).then(|| {
                let compensation = plan.compensation_at(index);
                let maps = &plan.parameters.as_ref().unwrap().layers[index];
                let input = match compensation.attends() {
                    true => &attended,
                    false => &input,
                };
                Map::new(maps.of(compensation).unwrap(), input, plan)
            });
            layers.push(Layer {
                query: Linear::new(&query, &input, plan),
                key: Linear::new(&key, &input, plan),
                value: Linear::new(&value, &input, plan),
                output: Linear::new(&output, &PLAIN, plan),
                up: Linear::new(&up, &attended, plan),
                down: Linear::new(&down, &wide, plan),
                input,
                attention_norm,
                attended,
                wide,
                output_norm: output_norm.clone(),
                map,
            });
            before = output_norm;
        }
        Reference {
            plan: plan.clone(),
            layers,
        }
    }

    /// Runs one layer on one sequence.
    pub fn run(&self, index: usize, before: &Before) -> After {
        let Before {
            states,
            scores,
            tiers,
            gone,
            heads: left,
        } = *before;
        let layer = &self.layers[index];
        let compensation = self.plan.compensation_at(index);
        let change = compensation.change();
        let present: Vec<usize> = (0..states.len()).filter(|&token| !gone[token]).collect();
        let left_out: Vec<usize> = present
            .iter()
            .copied()
            .filter(|&token| tiers[token] == Tier::Zero)
            .collect();
        let fused = change == Change::Fused && !left_out.is_empty();
        let average = self.average(states, scores, &left_out);
        let state = |who: Who| match who {
            Who::Token(token) => &states[token],
            Who::Average => &average,
        };

        // Who takes part, at which bits.
        let own = |token: usize| tiers[token].operand();
        let key = |token: usize| own(token).or(compensation.key_value_bits());
        let rows = |bits: &dyn Fn(usize) -> Option<Bits>, average: bool| -> Vec<(Who, Bits)> {
            let tokens = present.iter().copied();
            let mut rows: Vec<(Who, Bits)> = tokens
                .filter_map(|token| Some((Who::Token(token), bits(token)?)))
                .collect();
            if average {
                rows.push((Who::Average, Bits::Eight));
            }
            rows
        };
        let computed = rows(&own, fused);
        let queries = match compensation.attends() {
            true => rows(&key, fused),
            false => computed.clone(),
        };
        let keys = rows(&key, fused && compensation.key_value_bits().is_none());

        // The attention.
        let project = |rows: &[(Who, Bits)], linear: &Linear| -> Vec<Row> {
            rows.iter()
                .map(|&(who, bits)| linear.apply(&self.grid(state(who), bits, &layer.input)))
                .collect()
        };
        let q = project(&queries, &layer.query);
        let (k, v) = (project(&keys, &layer.key), project(&keys, &layer.value));
        let kept = self.plan.pruning_at(index).value_share();
        let (context, received, heads) = self.attention(&q, &k, &v, &queries, &keys, left, kept);
        let attention: Vec<(Who, Row)> = queries
            .iter()
            .zip(&context)
            .map(|(&(who, bits), row)| (who, layer.output.apply(&self.grid(row, bits, &PLAIN))))
            .collect();
        let change_by_attention = |who: Who| {
            let found = attention.iter().find(|(other, _)| *other == who);
            &found.unwrap().1
        };
        let attended = |who| add_norm(state(who), change_by_attention(who), &layer.attention_norm);

        // The feed-forward network.
        let feed_forward = |row: &Row, bits| -> Row {
            let wide = layer.up.apply(&self.grid(row, bits, &layer.attended));
            let wide: Row = wide.into_iter().map(gelu).collect();
            layer.down.apply(&self.grid(&wide, bits, &layer.wide))
        };
        let mut after = states.to_vec();
        let mut change_of_average = None;
        for &(who, bits) in &computed {
            let attended = attended(who);
            let change = feed_forward(&attended, bits);
            match who {
                Who::Token(token) => {
                    after[token] = add_norm(&attended, &change, &layer.output_norm);
                }
                Who::Average => change_of_average = Some(change),
            }
        }

        // The 0-bit tokens.
        for &token in &left_out {
            let state = &states[token];
            after[token] = match change {
                Change::None => state.clone(),
                Change::Fused => {
                    let first = change_by_attention(Who::Average);
                    let half = add_norm(state, first, &layer.attention_norm);
                    let second = change_of_average.as_ref().unwrap();
                    add_norm(&half, second, &layer.output_norm)
                }
                Change::Diagonal | Change::LowRank => {
                    let (base, input) = match compensation.attends() {
                        true => (attended(Who::Token(token)), &layer.attended),
                        false => (state.clone(), &layer.input),
                    };
                    let change = self.estimate(layer.map.as_ref().unwrap(), &base, input);
                    add_norm(&base, &change, &layer.output_norm)
                }
            };
        }

        let tokens = keys.iter().filter_map(|&(who, _)| match who {
            Who::Token(token) => Some(token),
            Who::Average => None,
        });
        let keys: Vec<usize> = tokens.collect();
        After {
            states: after,
            received: received[..keys.len()].to_vec(),
            keys,
            summed: left.len() * queries.len(),
            heads,
        }
    }

    /// The 0-bit tokens' average, weighted by importance.
    fn average(&self, states: &[Row], scores: &[f32], left_out: &[usize]) -> Row {
        let weight = |token: usize| f64::from(scores[token].max(0.0));
        let sum: f64 = left_out.iter().map(|&token| weight(token)).sum();
        let share = |token: usize| match sum > 0.0 {
            true => weight(token) / sum,
            false => 1.0 / left_out.len() as f64,
        };
        let channel = |c: usize| -> f64 {
            let parts = left_out.iter();
            parts
                .map(|&token| share(token) * f64::from(states[token][c]))
                .sum()
        };
        (0..D).map(|c| channel(c) as f32).collect()
    }

    /// The heads' outputs side by side, one row per query, what each key received,
    /// and what each head multiplies. Of the heads only those that are `left` do, and each
    /// query adds up the share `kept` of the values, those of its largest probabilities.
    #[expect(clippy::too_many_arguments)]
    fn attention(
        &self,
        q: &[Row],
        k: &[Row],
        v: &[Row],
        queries: &[(Who, Bits)],
        keys: &[(Who, Bits)],
        left: &[usize],
        kept: f64,
    ) -> (Vec<Row>, Row, Vec<HeadOperands>) {
        let mut context = vec![vec![0.0; D]; q.len()];
        let mut heads = Vec::new();
        let mut received_by_all = vec![0.0; k.len()];
        for &head in left {
            let channels = head * DIM..(head + 1) * DIM;
            let on_grid = |rows: &[Row], bits: &[(Who, Bits)]| -> Vec<OnGrid> {
                let rows = rows.iter().zip(bits);
                rows.map(|(row, &(_, bits))| self.round(&row[channels.clone()], bits))
                    .collect()
            };
            let (q, k, v) = (on_grid(q, queries), on_grid(k, keys), on_grid(v, keys));
            let mut received = vec![0.0; k.len()];
            let mut probability = Vec::new();
            for (i, q) in q.iter().enumerate() {
                let score = |k: &OnGrid| dot(&q.values(), &k.values()) / (DIM as f64).sqrt();
                let probabilities = softmax(k.iter().map(score).collect());
                // A value's step goes into its probability before that is rounded.
                let products = probabilities.iter().zip(&v);
                let mut products: Row = products.map(|(p, v)| (p * v.step) as f32).collect();
                let mut falling: Vec<usize> = (0..k.len()).collect();
                falling.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
                let most = (k.len() as f64 * kept - 1e-9).ceil() as usize;
                falling[most..].iter().for_each(|&key| products[key] = 0.0);
                let bits = self.plan.probability_bits.of(queries[i].1);
                let rounded = round_unsigned(&products, bits.unsigned_limit() as f32);
                for (c, out) in context[i][channels.clone()].iter_mut().enumerate() {
                    let column: Vec<f64> = v.iter().map(|v| v.codes[c]).collect();
                    *out = dot(&rounded.values(), &column) as f32;
                }
                for (sum, p) in received.iter_mut().zip(probabilities) {
                    *sum += p;
                }
                probability.push(rounded);
            }
            if self.plan.importance.weighs_values() {
                let norm = |v: &OnGrid| dot(&v.values(), &v.values()).sqrt();
                let norms: Vec<f64> = v.iter().map(norm).collect();
                let mean = norms.iter().sum::<f64>() / norms.len() as f64;
                for (received, norm) in received.iter_mut().zip(norms) {
                    *received *= norm / mean;
                }
            }
            for (sum, received) in received_by_all.iter_mut().zip(received) {
                *sum += received;
            }
            heads.push(HeadOperands {
                query: q,
                key: k,
                value: v,
                probability,
            });
        }
        let received = received_by_all.into_iter().map(|x| x as f32).collect();
        (context, received, heads)
    }

    /// The change that a map estimates, at 4 bits where it multiplies.
    fn estimate(&self, map: &Map, base: &Row, input: &Preparation) -> Row {
        match map {
            Map::Diagonal { gain, offset } => (0..D)
                .map(|c| {
                    let [gain, offset, x] = [gain[c], offset[c], base[c]].map(f64::from);
                    (gain * x + offset) as f32
                })
                .collect(),
            Map::LowRank { down, up } => {
                let middle = down.apply(&self.grid(base, Bits::Four, input));
                up.apply(&self.grid(&middle, Bits::Four, &PLAIN))
            }
        }
    }

    /// A row as it enters a product with weights: each group of channels on a
    /// grid of its own.
    fn grid(&self, row: &Row, bits: Bits, preparation: &Preparation) -> Vec<f64> {
        let mut row = row.clone();
        if let Some(factors) = &preparation.balance {
            for (value, factor) in row.iter_mut().zip(factors) {
                *value *= factor;
            }
        }
        if preparation.rotation {
            let block = block(row.len());
            rotate(&mut row, block);
        }
        let group = match self.plan.group {
            0 => row.len(),
            group => group,
        };
        let groups = row.chunks(group);
        groups
            .flat_map(|part| self.round(part, bits).values())
            .collect()
    }

    fn round(&self, row: &[f32], bits: Bits) -> OnGrid {
        round(row, bits, self.plan.clipping)
    }
}

impl Weights {
    /// Rotates blocks of the outputs: of the rows of each column, and of the bias.
    fn rotate_outputs(&mut self, block: usize) {
        rotate(&mut self.bias, block);
        for k in 0..self.rows[0].len() {
            let mut column: Row = self.rows.iter().map(|row| row[k]).collect();
            rotate(&mut column, block);
            for (row, value) in self.rows.iter_mut().zip(column) {
                row[k] = value;
            }
        }
    }

    fn rotate_inputs(&mut self, block: usize) {
        for row in &mut self.rows {
            rotate(row, block);
        }
    }
}

impl Linear {
    /// Rounds weights for inputs that are prepared so: each row takes back what
    /// the preparation does.
    fn new(weights: &Weights, input: &Preparation, plan: &Plan) -> Linear {
        let rows = weights.rows.iter().map(|row| {
            let mut row = row.clone();
            if let Some(factors) = &input.balance {
                for (weight, factor) in row.iter_mut().zip(factors) {
                    *weight /= factor;
                }
            }
            if input.rotation {
                let block = block(row.len());
                rotate(&mut row, block);
            }
            round(&row, plan.weight_bits, plan.clipping).values()
        });
        Linear {
            rows: rows.collect(),
            bias: weights.bias.clone(),
        }
    }

    fn apply(&self, row: &[f64]) -> Row {
        let outputs = self.rows.iter().zip(&self.bias);
        outputs
            .map(|(weights, bias)| (dot(weights, row) + f64::from(*bias)) as f32)
            .collect()
    }
}

impl Map {
    fn new(map: &ChangeMap, input: &Preparation, plan: &Plan) -> Map {
        match map {
            ChangeMap::Diagonal { gain, offset } => Map::Diagonal {
                gain: gain.clone(),
                offset: offset.clone(),
            },
            ChangeMap::LowRank { down, up, offset } => {
                let rank = up.len() / D;
                let mut down = Weights {
                    rows: down.chunks(D).map(<[f32]>::to_vec).collect(),
                    bias: vec![0.0; rank],
                };
                let mut up = Weights {
                    rows: up.chunks(rank).map(<[f32]>::to_vec).collect(),
                    bias: offset.clone(),
                };
                if plan.rotation {
                    down.rotate_outputs(block(rank));
                    up.rotate_inputs(block(rank));
                }
                Map::LowRank {
                    down: Linear::new(&down, input, plan),
                    up: Linear::new(&up, &PLAIN, plan),
                }
            }
        }
    }
}

impl OnGrid {
    fn values(&self) -> Vec<f64> {
        self.codes.iter().map(|code| code * self.step).collect()
    }
}

/// Rounds to whole steps, of which `bits` allow 7 or 127 either way. The largest
/// magnitude is the last step; with clipping, at 4 bits, that of four shares of
/// it which gives the least squared error.
fn round(row: &[f32], bits: Bits, clipping: bool) -> OnGrid {
    let limit = bits.code_limit() as f32;
    let largest = row.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let shares: &[f32] = match clipping && bits == Bits::Four {
        true => &[1.0, 0.88, 0.76, 0.64],
        false => &[1.0],
    };
    let mut best: Option<(f64, OnGrid)> = None;
    for share in shares {
        let range = largest * share;
        let step = f64::from(range / limit);
        let code = |x: &f32| match limit / range {
            per_step if per_step.is_finite() => {
                f64::from((x * per_step).clamp(-limit, limit).round_ties_even())
            }
            _ => 0.0,
        };
        let codes: Vec<f64> = row.iter().map(code).collect();
        let rest = |(x, code): (&f32, &f64)| (f64::from(*x) - code * step).powi(2);
        let error: f64 = row.iter().zip(&codes).map(rest).sum();
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, OnGrid { codes, step }));
        }
    }
    best.unwrap().1
}

/// Rounds what is not negative to `limit` steps.
fn round_unsigned(row: &[f32], limit: f32) -> OnGrid {
    let largest = row.iter().copied().fold(0.0f32, f32::max);
    let code = |x: &f32| f64::from((x * (limit / largest)).round_ties_even());
    OnGrid {
        codes: match largest > 0.0 {
            true => row.iter().map(code).collect(),
            false => vec![0.0; row.len()],
        },
        step: f64::from(largest / limit),
    }
}

/// The largest power of two up to 128 that divides a width.
fn block(width: usize) -> usize {
    let powers = [128, 64, 32, 16, 8, 4, 2, 1];
    let mut dividing = powers
        .into_iter()
        .filter(|&power| width.is_multiple_of(power));
    dividing.next().unwrap()
}

/// Multiplies each block by Sylvester's Hadamard matrix over the root of its
/// size: sums and differences of halves, of halves of halves, and so on.
fn rotate(values: &mut [f32], block: usize) {
    fn transform(values: &mut [f32]) {
        if values.len() == 1 {
            return;
        }
        let (low, high) = values.split_at_mut(values.len() / 2);
        transform(low);
        transform(high);
        for (a, b) in low.iter_mut().zip(high) {
            (*a, *b) = (*a + *b, *a - *b);
        }
    }
    for part in values.chunks_mut(block) {
        transform(part);
        for value in part {
            *value *= 1.0 / (block as f32).sqrt();
        }
    }
}

/// The factors of channels of these mean squares that meet these weights: the
/// fourth root of the quotient of squares, over the mean.
fn balance(squares: &Row, meets: &[&Weights]) -> Row {
    let factors: Row = (0..squares.len())
        .map(|c| {
            let rows = meets.iter().flat_map(|weights| &weights.rows);
            let weights = rows.fold(0.0, |sum, row| sum + row[c] * row[c]);
            (weights / squares[c]).powf(0.25)
        })
        .collect();
    let mean = factors.iter().sum::<f32>() / factors.len() as f32;
    let factors = factors.into_iter().map(|factor| factor / mean);
    factors
        .map(|factor| factor.clamp(1.0 / 16.0, 16.0))
        .collect()
}

/// A layer norm makes a channel of mean `bias` and deviation `gain`.
fn squares_of_norm(norm: &Norm) -> Row {
    let channels = norm.gain.iter().zip(&norm.bias);
    channels
        .map(|(gain, bias)| gain * gain + bias * bias)
        .collect()
}

/// Mean squares of GELU of what a linear layer makes of such channels, which is
/// taken for normal: 64 points within four deviations.
fn squares_of_gelu(norm: &Norm, weights: &Weights) -> Row {
    let square = |(row, bias): (&Row, &f32)| {
        let (mut mean, mut variance) = (0.0, 0.0);
        for ((w, gain), shift) in row.iter().zip(&norm.gain).zip(&norm.bias) {
            mean += w * shift;
            variance += w * w * gain * gain;
        }
        let (mut sum, mut weights) = (0.0f32, 0.0f32);
        for point in 0..64 {
            let z = 8.0 * (point as f32 + 0.5) / 64.0 - 4.0;
            let weight = (-0.5 * z * z).exp();
            let x = gelu(mean + bias + variance.sqrt() * z);
            sum += x * x * weight;
            weights += weight;
        }
        sum / weights
    };
    weights.rows.iter().zip(&weights.bias).map(square).collect()
}

/// The norm of the sum.
fn add_norm(row: &Row, change: &Row, norm: &Norm) -> Row {
    let sums = row.iter().zip(change);
    let sums: Vec<f64> = sums.map(|(a, b)| f64::from(*a) + f64::from(*b)).collect();
    let mean = sums.iter().sum::<f64>() / D as f64;
    let variance = sums.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / D as f64;
    (0..D)
        .map(|c| {
            let normal = (sums[c] - mean) / (variance + 1e-12).sqrt();
            (normal * f64::from(norm.gain[c]) + f64::from(norm.bias[c])) as f32
        })
        .collect()
}

fn softmax(scores: Vec<f64>) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn gelu(x: f32) -> f32 {
    let x = f64::from(x);
    (x * 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2))) as f32
}

/// By the series of exp(x^2) erf(x), whose terms all have one sign.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while sum + term != sum {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    sum * (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
