//! The workload: the matrix products that a run implies, with the bits of
//! their operands, and the vector work between them.
//!
//! A product multiplies an M x K operand by a K x N operand. The bits of the
//! left operand belong to its rows; those of the right operand to all of it
//! (weights), to its columns (keys), or to the steps along K (values). Its cost
//! is counted in element-cycles, `bits/4 x bits/4` for each of its M N K scalar
//! products, without stalls or padding: 4 for 8 b x 8 b.

use serde::{Deserialize, Serialize};

use crate::cache::Widths;
use crate::compensation::{Change, Compensation};
use crate::{Bits, ModelShape, Plan, Tier};

/// Which product of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Hidden states times W_q.
    Query,
    /// Hidden states times W_k and W_v side by side.
    KeyValue,
    /// Q x K^T, one head.
    Score,
    /// P x V, one head.
    Context,
    /// Context times W_o.
    Output,
    /// Hidden states times the first feed-forward matrix.
    Up,
    /// Activations times the second feed-forward matrix.
    Down,
    /// States of 0-bit tokens times the first factor of a low-rank map.
    PredictDown,
    /// The result times the map's second factor.
    PredictUp,
}

impl Operation {
    /// All operations in the order in which a layer runs them.
    pub const ALL: [Operation; 9] = [
        Operation::Query,
        Operation::KeyValue,
        Operation::Score,
        Operation::Context,
        Operation::Output,
        Operation::Up,
        Operation::Down,
        Operation::PredictDown,
        Operation::PredictUp,
    ];

    /// Whether the product belongs to the attention proper: Q x K^T or P x V.
    pub fn is_attention(self) -> bool {
        matches!(self, Operation::Score | Operation::Context)
    }

    /// A short name for tables.
    pub fn label(self) -> &'static str {
        match self {
            Operation::Query => "query",
            Operation::KeyValue => "key, value",
            Operation::Score => "Q x K",
            Operation::Context => "P x V",
            Operation::Output => "output",
            Operation::Up => "feed-forward up",
            Operation::Down => "feed-forward down",
            Operation::PredictDown => "prediction down",
            Operation::PredictUp => "prediction up",
        }
    }
}

/// The bits of the right operand of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightBits {
    /// The same everywhere: weights.
    Uniform(Bits),
    /// One width per column: keys.
    Columns(Vec<Bits>),
    /// One width per step along K: values.
    Steps(Vec<Bits>),
}

/// Equal products of one kind at one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Index of the layer, from 0.
    pub layer: usize,
    /// Which product.
    pub operation: Operation,
    /// How many independent products of this shape and these bits: the heads.
    pub count: usize,
    /// Columns of the right operand.
    pub n: usize,
    /// Length of the reduction.
    pub k: usize,
    /// Bits of the left operand, one entry per row, in order of arrival.
    pub rows: Vec<Bits>,
    /// Bits of the right operand.
    pub right: RightBits,
    /// The vector work that makes its inputs and follows its results, of all
    /// copies together.
    pub vector: VectorWork,
}

impl Product {
    /// Rows of the left operand.
    pub fn m(&self) -> usize {
        self.rows.len()
    }

    /// Scalar products of all copies together: count x M x N x K.
    pub fn macs(&self) -> u64 {
        (self.count * self.m() * self.n * self.k) as u64
    }

    /// Element-cycles of all copies together.
    pub fn element_cycles(&self) -> u64 {
        let nibbles = |bits: &[Bits]| -> u64 { bits.iter().map(|b| u64::from(b.nibbles())).sum() };
        // Every row meets every (column, step), so the sum factorises.
        let right = match &self.right {
            RightBits::Uniform(bits) => u64::from(bits.nibbles()) * (self.n * self.k) as u64,
            RightBits::Columns(columns) => nibbles(columns) * self.k as u64,
            RightBits::Steps(steps) => nibbles(steps) * self.n as u64,
        };
        self.count as u64 * nibbles(&self.rows) * right
    }
}

/// Vector work, in scalar operations of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorWork {
    /// Additions of probabilities into the importance scores.
    pub importance_additions: u64,
    /// Elements that pass the softmax.
    pub softmax_elements: u64,
    /// Elements that pass a layer normalisation, residual addition included.
    pub layer_norm_elements: u64,
    /// Elements that pass the activation function.
    pub activation_elements: u64,
    /// Additions of the Hadamard rotations.
    pub hadamard_additions: u64,
    /// Elements quantized.
    pub quantized_elements: u64,
    /// Elements whose error is taken at one of the scales that clipping tries.
    pub clipping_trials: u64,
    /// Multiplications and additions of vectors beyond these: the balance of
    /// channels, drains of groups, averages and estimates of 0-bit tokens.
    pub multiply_additions: u64,
}

impl VectorWork {
    /// Adds other work.
    pub fn add(&mut self, other: &VectorWork) {
        self.importance_additions += other.importance_additions;
        self.softmax_elements += other.softmax_elements;
        self.layer_norm_elements += other.layer_norm_elements;
        self.activation_elements += other.activation_elements;
        self.hadamard_additions += other.hadamard_additions;
        self.quantized_elements += other.quantized_elements;
        self.clipping_trials += other.clipping_trials;
        self.multiply_additions += other.multiply_additions;
    }
}

/// The work of one layer on one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerWork {
    /// The products, in order of execution.
    pub products: Vec<Product>,
    /// Tokens whose scores the top-k unit ranks before the layer.
    pub ranked_tokens: u64,
}

/// The work of all layers on one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Tokens of the input.
    pub tokens: usize,
    /// One entry per layer.
    pub layers: Vec<LayerWork>,
}

/// Element-cycles, by the parts that savings are stated for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementCycles {
    /// Q x K^T and P x V.
    pub attention: u64,
    /// All products of the layers, attention included.
    pub encoder: u64,
}

impl ElementCycles {
    /// Adds another input's.
    pub fn add(&mut self, other: ElementCycles) {
        self.attention += other.attention;
        self.encoder += other.encoder;
    }
}

/// The shares of the dense model's element-cycles that a plan saves, between
/// 0 and 1 (below 0 where it costs more).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Of Q x K^T and P x V.
    pub attention: f64,
    /// Of all products.
    pub encoder: f64,
}

impl Saved {
    /// What `spent` saves against `dense`, both summed over the same inputs.
    pub fn new(spent: ElementCycles, dense: ElementCycles) -> Saved {
        let share = |spent: u64, dense: u64| match dense {
            0 => 0.0,
            _ => 1.0 - spent as f64 / dense as f64,
        };
        Saved {
            attention: share(spent.attention, dense.attention),
            encoder: share(spent.encoder, dense.encoder),
        }
    }
}

/// Multiplications and additions of an element that is turned by its position: with
/// its own cosine and its partner's sine.
const TURN: u64 = 2;

/// The block of the Hadamard rotation of a width: the largest power of two up
/// to 128 that divides it.
pub fn rotation_block(width: usize) -> usize {
    1 << width.trailing_zeros().min(7)
}

impl Workload {
    /// The work of the dense model on `tokens` tokens, all operands at `bits`,
    /// without rotations and quantizers.
    pub fn dense(shape: &ModelShape, tokens: usize, bits: Bits) -> Workload {
        let rows = vec![bits; tokens];
        let layers = (0..shape.layers)
            .map(|layer| LayerWork {
                products: LayerRows::dense(&rows).products(shape, layer, bits, None),
                ranked_tokens: 0,
            })
            .collect();
        Workload { tokens, layers }
    }

    /// The work of a run under a plan: `tiers[layer][token]` as its trace has
    /// them.
    pub fn under_plan(shape: &ModelShape, plan: &Plan, tiers: &[Vec<Tier>]) -> Workload {
        let tokens = tiers.first().map_or(0, Vec::len);
        let mut gone = vec![false; tokens];
        let layers = tiers
            .iter()
            .enumerate()
            .map(|(layer, tiers)| {
                let compensation = plan.compensation_at(layer);
                let alive = gone.iter().filter(|&&gone| !gone).count();
                let rows = LayerRows::of(tiers, &gone, compensation);
                if !compensation.may_return() {
                    for (gone, tier) in gone.iter_mut().zip(tiers) {
                        *gone |= !tier.is_computed();
                    }
                }
                LayerWork {
                    products: rows.products(shape, layer, plan.weight_bits, Some(plan)),
                    ranked_tokens: match layer {
                        0 if !plan.prior() => 0,
                        _ => alive as u64,
                    },
                }
            })
            .collect();
        Workload { tokens, layers }
    }

    /// The work of the dense model on one new token behind others, `tokens` in all.
    pub fn dense_step(shape: &ModelShape, tokens: usize, bits: Bits) -> Workload {
        let kept = vec![bits; tokens];
        let rows = LayerRows::step(bits, vec![[kept.clone(), kept]]);
        let layers = (0..shape.layers)
            .map(|layer| LayerWork {
                products: rows.products(shape, layer, bits, None),
                ranked_tokens: 0,
            })
            .collect();
        Workload { tokens: 1, layers }
    }

    /// The work of one new token under a plan, which attends to what a cache has kept
    /// and to itself: by layer and set of key-value heads that decide together, the
    /// tier of each token so far.
    pub fn step_under_plan(shape: &ModelShape, plan: &Plan, kept: &[Vec<Vec<Tier>>]) -> Workload {
        let (upper, lower) = match &plan.cache {
            Some(cache) => (cache.upper, cache.lower),
            None => (Widths::of(Bits::Eight), Widths::of(Bits::Four)),
        };
        let widths = |tier: &Tier| match tier {
            Tier::Eight => Some(upper),
            Tier::Four => Some(lower),
            Tier::Zero => None,
        };
        let layers = kept.iter().enumerate().map(|(layer, sets)| {
            let bits = |set: &Vec<Tier>| {
                let widths: Vec<Widths> = set.iter().filter_map(widths).collect();
                let keys = widths.iter().map(|widths| widths.key).collect();
                [keys, widths.iter().map(|widths| widths.value).collect()]
            };
            let sets: Vec<[Vec<Bits>; 2]> = sets.iter().map(bits).collect();
            let ranked = sets.iter().map(|[keys, _]| keys.len() as u64).sum();
            let rows = LayerRows::step(plan.bits_of_newest(layer), sets);
            LayerWork {
                products: rows.products(shape, layer, plan.weight_bits, Some(plan)),
                ranked_tokens: match &plan.cache {
                    Some(cache) if !cache.keeps_all() => ranked,
                    _ => 0,
                },
            }
        });
        Workload {
            tokens: 1,
            layers: layers.collect(),
        }
    }

    /// All products of all layers.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.layers.iter().flat_map(|layer| &layer.products)
    }

    /// The element-cycles of all products.
    pub fn element_cycles(&self) -> ElementCycles {
        let mut sum = ElementCycles::default();
        for product in self.products() {
            let cycles = product.element_cycles();
            sum.encoder += cycles;
            if product.operation.is_attention() {
                sum.attention += cycles;
            }
        }
        sum
    }
}

/// The rows of one layer's products, by the part that they take in it.
struct LayerRows {
    /// Tokens whose state is quantized for the layer, each once.
    inputs: Vec<Bits>,
    /// Tokens that attend.
    queries: Vec<Bits>,
    /// Tokens that are attended to.
    keys: Vec<Bits>,
    /// Tokens that pass the feed-forward network.
    computed: Vec<Bits>,
    /// 0-bit tokens that have not left for good.
    left_out: usize,
    /// What stands in for their change.
    change: Change,
    attends: bool,
    /// Where the key-value heads do not all see the keys above: what those see that
    /// keep tokens together, the bits of keys and of values.
    kept: Option<Vec<[Vec<Bits>; 2]>>,
}

impl LayerRows {
    fn dense(rows: &[Bits]) -> LayerRows {
        LayerRows {
            inputs: rows.to_vec(),
            queries: rows.to_vec(),
            keys: rows.to_vec(),
            computed: rows.to_vec(),
            left_out: 0,
            change: Change::None,
            attends: false,
            kept: None,
        }
    }

    /// One new token behind those in a cache.
    fn step(bits: Bits, kept: Vec<[Vec<Bits>; 2]>) -> LayerRows {
        LayerRows {
            kept: Some(kept),
            ..LayerRows::dense(&[bits])
        }
    }

    fn of(tiers: &[Tier], gone: &[bool], compensation: &dyn Compensation) -> LayerRows {
        let offered = compensation.key_value_bits();
        let present = || tiers.iter().zip(gone).filter(|(_, gone)| !**gone);
        let left_out = present().filter(|(tier, _)| !tier.is_computed()).count();
        let rows = |bits: &dyn Fn(&Tier) -> Option<Bits>| -> Vec<Bits> {
            present().filter_map(|(tier, _)| bits(tier)).collect()
        };
        let mut keys = rows(&|tier| tier.operand().or(offered));
        let mut queries = match compensation.attends() {
            true => keys.clone(),
            false => rows(&|tier| tier.operand()),
        };
        let mut computed = rows(&|tier| tier.operand());
        let change = compensation.change();
        // Without a key of its own a token may still have a state to predict from.
        let mut inputs = match change {
            Change::LowRank => rows(&|tier| tier.operand().or(Some(Bits::Four))),
            _ => keys.clone(),
        };
        if change == Change::Fused && left_out > 0 {
            for rows in [&mut inputs, &mut queries, &mut computed] {
                rows.push(Bits::Eight);
            }
            if offered.is_none() {
                keys.push(Bits::Eight);
            }
        }
        LayerRows {
            inputs,
            queries,
            keys,
            computed,
            left_out,
            change,
            attends: compensation.attends(),
            kept: None,
        }
    }

    /// Q x K^T and P x V, for each set of key-value heads that see the same keys. The
    /// queries that share a key-value head are rows of one product.
    fn attention(&self, shape: &ModelShape, layer: usize, plan: Option<&Plan>) -> Vec<Product> {
        let own = [[self.keys.clone(), self.keys.clone()]];
        let sets = self.kept.as_deref().unwrap_or(&own);
        let queries = self.queries.repeat(shape.heads / shape.key_value_heads);
        let probabilities: Vec<Bits> = match plan {
            Some(plan) => {
                let bits = queries.iter().map(|&bits| plan.probability_bits.of(bits));
                bits.collect()
            }
            None => queries.clone(),
        };
        let count = shape.key_value_heads / sets.len();
        let dim = shape.head_dim;
        let quantizes = u64::from(plan.is_some());
        // What new tokens give to those in a cache counts only where one may leave.
        let adds = match (plan, &self.kept) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(plan), Some(_)) => u64::from(
                plan.cache
                    .as_ref()
                    .is_some_and(|cache| cache.keeps_received()),
            ),
        };
        let mut products = Vec::new();
        for [keys, values] in sets {
            let scores = (count * queries.len() * keys.len()) as u64;
            products.push(Product {
                layer,
                operation: Operation::Score,
                count,
                n: keys.len(),
                k: dim,
                rows: queries.clone(),
                right: RightBits::Columns(keys.clone()),
                vector: VectorWork {
                    softmax_elements: scores,
                    importance_additions: adds * scores,
                    quantized_elements: quantizes * scores,
                    ..VectorWork::default()
                },
            });
            products.push(Product {
                layer,
                operation: Operation::Context,
                count,
                n: dim,
                k: values.len(),
                rows: probabilities.clone(),
                right: RightBits::Steps(values.clone()),
                // The values' rotation is folded into the weights.
                vector: Preparation { plan }.quantized(&queries, count * dim),
            });
        }
        products
    }

    /// The products of the layer; without a plan nothing is rotated or quantized.
    fn products(
        &self,
        shape: &ModelShape,
        layer: usize,
        weights: Bits,
        plan: Option<&Plan>,
    ) -> Vec<Product> {
        let LayerRows {
            inputs,
            queries,
            keys,
            computed,
            ..
        } = self;
        let (hidden, intermediate) = (shape.hidden, shape.intermediate);
        let inner = shape.heads * shape.head_dim;
        // Gate and up side by side.
        let up = if shape.gated {
            2 * intermediate
        } else {
            intermediate
        };
        let prepare = Preparation { plan };
        let narrow = shape.key_value_heads * shape.head_dim;
        let normalised = |rows: usize| VectorWork {
            layer_norm_elements: (rows * hidden) as u64,
            ..VectorWork::default()
        };
        let linear = |operation, rows: &[Bits], n, k, works: &[VectorWork]| Product {
            layer,
            operation,
            count: 1,
            n,
            k,
            rows: rows.to_vec(),
            right: RightBits::Uniform(weights),
            vector: sum(works),
        };
        let mut products = vec![
            // Its input is the keys' and values'.
            linear(
                Operation::Query,
                queries,
                inner,
                hidden,
                &[
                    prepare.quantized(queries, inner),
                    prepare.drained(queries, hidden, inner),
                    prepare.turned(shape, queries, inner),
                ],
            ),
            linear(
                Operation::KeyValue,
                keys,
                2 * narrow,
                hidden,
                &[
                    prepare.input(inputs, hidden),
                    prepare.quantized(keys, 2 * narrow),
                    prepare.drained(keys, hidden, 2 * narrow),
                    prepare.turned(shape, keys, narrow),
                ],
            ),
        ];
        products.extend(self.attention(shape, layer, plan));
        products.extend([
            linear(
                Operation::Output,
                queries,
                hidden,
                inner,
                &[
                    normalised(queries.len()),
                    prepare.drained(queries, inner, hidden),
                ],
            ),
            linear(
                Operation::Up,
                computed,
                up,
                hidden,
                &[
                    VectorWork {
                        activation_elements: (computed.len() * intermediate) as u64,
                        // The gate.
                        multiply_additions: (computed.len() * (up - intermediate)) as u64,
                        ..VectorWork::default()
                    },
                    prepare.input(computed, hidden),
                    prepare.drained(computed, hidden, up),
                ],
            ),
            linear(
                Operation::Down,
                computed,
                hidden,
                intermediate,
                &[
                    normalised(computed.len()),
                    prepare.input(computed, intermediate),
                    prepare.drained(computed, intermediate, hidden),
                    self.change_of_vectors(hidden),
                ],
            ),
        ]);
        if let (Change::LowRank, Some(plan), 1..) = (self.change, plan, self.left_out) {
            let rows = vec![Bits::Four; self.left_out];
            let own_input = match self.attends {
                // The state after the attention is quantized for this alone.
                true => prepare.input(&rows, hidden),
                false => VectorWork::default(),
            };
            let rank = plan.rank.min(hidden);
            products.push(linear(
                Operation::PredictDown,
                &rows,
                rank,
                hidden,
                &[own_input, prepare.drained(&rows, hidden, rank)],
            ));
            products.push(linear(
                Operation::PredictUp,
                &rows,
                hidden,
                rank,
                &[
                    prepare.quantized(&rows, rank),
                    normalised(self.left_out),
                    prepare.drained(&rows, rank, hidden),
                ],
            ));
        }
        products
    }

    /// The vector work of a change that needs no product of its own.
    fn change_of_vectors(&self, hidden: usize) -> VectorWork {
        let elements = (self.left_out * hidden) as u64;
        let (norms, multiply_additions) = match self.change {
            Change::None | Change::LowRank => (0, 0),
            // Into the average, and two changes with a norm behind each.
            Change::Fused => (2, 1),
            Change::Diagonal => (1, 1),
        };
        VectorWork {
            layer_norm_elements: norms * elements,
            multiply_additions: multiply_additions * elements,
            ..VectorWork::default()
        }
    }
}

/// What a plan does to rows before they enter a product, and to its sums.
struct Preparation<'a> {
    plan: Option<&'a Plan>,
}

impl Preparation<'_> {
    /// Balance, rotation and quantization of rows of `width` channels.
    fn input(&self, rows: &[Bits], width: usize) -> VectorWork {
        let Some(plan) = self.plan else {
            return VectorWork::default();
        };
        let elements = (rows.len() * width) as u64;
        let stages = u64::from(rotation_block(width).ilog2());
        VectorWork {
            hadamard_additions: if plan.rotation { elements * stages } else { 0 },
            multiply_additions: if plan.balance { elements } else { 0 },
            ..self.quantized(rows, width)
        }
    }

    /// What turns queries or keys by their positions, and rotates them behind that,
    /// where the weights cannot do it.
    fn turned(&self, shape: &ModelShape, rows: &[Bits], width: usize) -> VectorWork {
        if !shape.rotary {
            return VectorWork::default();
        }
        let elements = (rows.len() * width) as u64;
        let stages = u64::from(rotation_block(shape.head_dim).ilog2());
        VectorWork {
            multiply_additions: TURN * elements,
            hadamard_additions: match self.plan {
                Some(plan) if plan.rotation => stages * elements,
                _ => 0,
            },
            ..VectorWork::default()
        }
    }

    /// Quantization alone.
    fn quantized(&self, rows: &[Bits], width: usize) -> VectorWork {
        let Some(plan) = self.plan else {
            return VectorWork::default();
        };
        let trials = |&bits: &Bits| plan.clipping_trials(bits);
        VectorWork {
            quantized_elements: (rows.len() * width) as u64,
            clipping_trials: rows.iter().map(trials).sum::<u64>() * width as u64,
            ..VectorWork::default()
        }
    }

    /// Where groups of channels have scales of their own, the sums of each group
    /// but the last are scaled and added to those before.
    fn drained(&self, rows: &[Bits], k: usize, n: usize) -> VectorWork {
        let groups = match self.plan {
            Some(plan) if plan.group > 0 => k.div_ceil(plan.group),
            _ => 1,
        };
        VectorWork {
            multiply_additions: ((groups - 1) * rows.len() * n) as u64,
            ..VectorWork::default()
        }
    }
}

fn sum(works: &[VectorWork]) -> VectorWork {
    let mut sum = VectorWork::default();
    for work in works {
        sum.add(work);
    }
    sum
}
