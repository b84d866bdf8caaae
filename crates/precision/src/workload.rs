//! The workload: the matrix products that a run implies, with the bits of
//! their operands, and the vector work between them.
//!
//! A product multiplies an M x K operand by a K x N operand. The bits of the
//! left operand belong to its rows; those of the right operand to all of it
//! (weights), to its columns (keys), or to the steps along K (values). Its cost
//! is counted in element-cycles, `bits/4 x bits/4` for each of its M N K scalar
//! products, without stalls or padding: 4 for 8 b x 8 b.

mod ends;
mod footprint;
pub mod gemm;
mod layer;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::cache::Widths;
use crate::{Bits, ModelShape, Plan, Tier};
pub use ends::{Embedding, EndsWork, Pooling};
pub use footprint::Footprint;
use layer::LayerRows;

/// Which product of a layer, or what of a model's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Before the layers: the sum of the rows of the tables, and its norm. No product.
    Embedding,
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
    /// Behind the layers: one state times the pooler's matrix; or the mean of states,
    /// which is no product.
    Pool,
    /// Behind the layers: states times the head's matrix.
    Head,
}

impl Operation {
    /// All operations in the order in which a model runs them.
    pub const ALL: [Operation; 12] = [
        Operation::Embedding,
        Operation::Query,
        Operation::KeyValue,
        Operation::Score,
        Operation::Context,
        Operation::Output,
        Operation::Up,
        Operation::Down,
        Operation::PredictDown,
        Operation::PredictUp,
        Operation::Pool,
        Operation::Head,
    ];

    /// Whether the product belongs to the attention proper: Q x K^T or P x V.
    pub fn is_attention(self) -> bool {
        matches!(self, Operation::Score | Operation::Context)
    }

    /// Whether it belongs to a layer, and not to what stands before or behind them.
    pub fn is_of_layer(self) -> bool {
        !matches!(
            self,
            Operation::Embedding | Operation::Pool | Operation::Head
        )
    }

    /// A short name for tables.
    pub fn label(self) -> &'static str {
        match self {
            Operation::Embedding => "embedding",
            Operation::Query => "query",
            Operation::KeyValue => "key, value",
            Operation::Score => "Q x K",
            Operation::Context => "P x V",
            Operation::Output => "output",
            Operation::Up => "feed-forward up",
            Operation::Down => "feed-forward down",
            Operation::PredictDown => "prediction down",
            Operation::PredictUp => "prediction up",
            Operation::Pool => "pooling",
            Operation::Head => "head",
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
    /// Index of the layer, from 0; behind the last layer the number of layers.
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
    /// The vector work that makes its left operand, of all copies together.
    pub before: VectorWork,
    /// The vector work on its results, of all copies together.
    pub after: VectorWork,
}

impl Product {
    /// Rows of the left operand.
    pub fn m(&self) -> usize {
        self.rows.len()
    }

    /// The vector work on its left operand and on its results.
    pub fn vector(&self) -> VectorWork {
        let mut work = self.before;
        work.add(&self.after);
        work
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

/// The work of a model on one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Tokens of the input.
    pub tokens: usize,
    /// One entry per layer.
    pub layers: Vec<LayerWork>,
    /// What stands before and behind the layers, where the shape says. No saving is
    /// stated for it: it costs the same under every plan of these weights' bits.
    pub ends: Option<EndsWork>,
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

/// The block of the Hadamard rotation of a width: the largest power of two up
/// to 128 that divides it.
pub fn rotation_block(width: usize) -> usize {
    1 << width.trailing_zeros().min(7)
}

/// The shape of a layer without the heads that a plan prunes there. Those that share
/// keys and values stay or leave together.
fn of_kept_heads<'a>(shape: &'a ModelShape, plan: &Plan, layer: usize) -> Cow<'a, ModelShape> {
    let kept = plan.pruning_at(layer).heads(shape.key_value_heads);
    if kept == shape.key_value_heads {
        return Cow::Borrowed(shape);
    }
    Cow::Owned(ModelShape {
        heads: shape.heads / shape.key_value_heads * kept,
        key_value_heads: kept,
        ..shape.clone()
    })
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
        Workload {
            tokens,
            layers,
            ends: EndsWork::of(shape, [tokens; 2], [bits; 2], None),
        }
    }

    /// The work of a run under a plan: `tiers[layer][token]` as its trace has
    /// them.
    ///
    /// Heads that a plan prunes have no products. Values that it prunes do: which ones
    /// differs from query to query, so that only a machine which fetches values by query
    /// is spared them.
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
                let shape = of_kept_heads(shape, plan, layer);
                LayerWork {
                    products: rows.products(&shape, layer, plan.weight_bits, Some(plan)),
                    ranked_tokens: match layer {
                        0 if !plan.prior() => 0,
                        _ => alive as u64,
                    },
                }
            })
            .collect();
        let last = tiers.last().into_iter().flatten();
        let computed = last.filter(|tier| tier.is_computed()).count();
        let bits = [Bits::Eight, plan.weight_bits];
        Workload {
            tokens,
            layers,
            ends: EndsWork::of(shape, [tokens, computed], bits, Some(plan)),
        }
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
        Workload {
            tokens: 1,
            layers,
            ends: EndsWork::of(shape, [1; 2], [bits; 2], None),
        }
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
            ends: EndsWork::of(shape, [1; 2], [Bits::Eight, plan.weight_bits], Some(plan)),
        }
    }

    /// All products of all layers; those of the ends are no part of them.
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
