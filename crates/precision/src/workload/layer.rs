//! One layer: which rows take which part in it, the products and the vector work
//! that follow, and what a plan does to rows before they enter one.

use super::{Operation, Product, RightBits, VectorWork, rotation_block};
use crate::compensation::{Change, Compensation};
use crate::{Bits, ModelShape, Plan, Tier};

/// Multiplications and additions of an element that is turned by its position: with
/// its own cosine and its partner's sine.
const TURN: u64 = 2;

/// The rows of one layer's products, by the part that they take in it.
pub(super) struct LayerRows {
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
    pub(super) fn dense(rows: &[Bits]) -> LayerRows {
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
    pub(super) fn step(bits: Bits, kept: Vec<[Vec<Bits>; 2]>) -> LayerRows {
        LayerRows {
            kept: Some(kept),
            ..LayerRows::dense(&[bits])
        }
    }

    pub(super) fn of(tiers: &[Tier], gone: &[bool], compensation: &dyn Compensation) -> LayerRows {
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
        let weighs = plan.map_or(0, |plan| u64::from(plan.importance.weighs_values()));
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
                before: VectorWork::default(),
                after: VectorWork {
                    softmax_elements: scores,
                    importance_additions: adds * scores,
                    quantized_elements: quantizes * scores,
                    // What each key got in each head, times the norm of its value.
                    multiply_additions: adds
                        * weighs
                        * (shape.heads / sets.len() * keys.len()) as u64,
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
                before: VectorWork::default(),
                // The values' rotation is folded into the weights.
                after: Preparation { plan }.quantized(&queries, count * dim),
            });
        }
        products
    }

    /// The products of the layer; without a plan nothing is rotated or quantized.
    pub(super) fn products(
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
        let linear = |operation, rows: &[Bits], n, k, before, after: &[VectorWork]| Product {
            layer,
            operation,
            count: 1,
            n,
            k,
            rows: rows.to_vec(),
            right: RightBits::Uniform(weights),
            before,
            after: sum(after),
        };
        let none = VectorWork::default();
        let mut products = vec![
            // Queries, keys and values have the same input.
            linear(
                Operation::Query,
                queries,
                inner,
                hidden,
                prepare.input(inputs, hidden),
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
                none,
                &[
                    prepare.quantized(keys, 2 * narrow),
                    prepare.drained(keys, hidden, 2 * narrow),
                    prepare.turned(shape, keys, narrow),
                    prepare.norms(keys, narrow),
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
                none,
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
                prepare.input(computed, hidden),
                &[
                    VectorWork {
                        activation_elements: (computed.len() * intermediate) as u64,
                        // The gate.
                        multiply_additions: (computed.len() * (up - intermediate)) as u64,
                        ..VectorWork::default()
                    },
                    prepare.drained(computed, hidden, up),
                ],
            ),
            linear(
                Operation::Down,
                computed,
                hidden,
                intermediate,
                prepare.input(computed, intermediate),
                &[
                    normalised(computed.len()),
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
                own_input,
                &[prepare.drained(&rows, hidden, rank)],
            ));
            products.push(linear(
                Operation::PredictUp,
                &rows,
                hidden,
                rank,
                prepare.quantized(&rows, rank),
                &[
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
pub(super) struct Preparation<'a> {
    pub(super) plan: Option<&'a Plan>,
}

impl Preparation<'_> {
    /// Balance, rotation and quantization of rows of `width` channels.
    fn input(&self, rows: &[Bits], width: usize) -> VectorWork {
        let Some(plan) = self.plan else {
            return VectorWork::default();
        };
        VectorWork {
            multiply_additions: match plan.balance {
                true => (rows.len() * width) as u64,
                false => 0,
            },
            ..self.rotated(rows, width)
        }
    }

    /// Rotation and quantization of rows whose channels are not balanced.
    pub(super) fn rotated(&self, rows: &[Bits], width: usize) -> VectorWork {
        let rotates = self.plan.is_some_and(|plan| plan.rotation);
        let stages = u64::from(rotation_block(width).ilog2());
        VectorWork {
            hadamard_additions: match rotates {
                true => (rows.len() * width) as u64 * stages,
                false => 0,
            },
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

    /// The norm of each value in each head, where the importance weighs by it.
    fn norms(&self, rows: &[Bits], width: usize) -> VectorWork {
        let weighs = self
            .plan
            .is_some_and(|plan| plan.importance.weighs_values());
        VectorWork {
            multiply_additions: if weighs {
                (rows.len() * width) as u64
            } else {
                0
            },
            ..VectorWork::default()
        }
    }

    /// Where groups of channels have scales of their own, the sums of each group
    /// but the last are scaled and added to those before.
    pub(super) fn drained(&self, rows: &[Bits], k: usize, n: usize) -> VectorWork {
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

pub(super) fn sum(works: &[VectorWork]) -> VectorWork {
    let mut sum = VectorWork::default();
    for work in works {
        sum.add(work);
    }
    sum
}
