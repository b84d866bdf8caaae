//! The vector unit: softmax, layer norm, activation, rotation, quantizers and
//! the importance accumulator.

use dtatrans_precision::workload::{LayerWork, Operation, VectorWork, rotation_block};
use serde::Deserialize;

use crate::AccelError;
use crate::energy::{Action, Actions, Part};
use crate::machine::check;

/// Lanes for each kind of work, in elements per cycle. Each kind has lanes of
/// its own, and the kinds work one behind the other as a stream, so that work
/// takes as long as its slowest kind. Our decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorUnit {
    /// Elements of the softmax.
    pub softmax_per_cycle: u64,
    /// Additions into the importance scores.
    pub importance_per_cycle: u64,
    /// Elements of a layer norm.
    pub layer_norm_per_cycle: u64,
    /// Elements of the activation function.
    pub activation_per_cycle: u64,
    /// Additions of the Hadamard rotation.
    pub hadamard_additions_per_cycle: u64,
    /// Elements quantized.
    pub quantized_per_cycle: u64,
}

impl VectorUnit {
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        for (key, lanes) in [
            ("vector.softmax_per_cycle", self.softmax_per_cycle),
            ("vector.importance_per_cycle", self.importance_per_cycle),
            ("vector.layer_norm_per_cycle", self.layer_norm_per_cycle),
            ("vector.activation_per_cycle", self.activation_per_cycle),
            (
                "vector.hadamard_additions_per_cycle",
                self.hadamard_additions_per_cycle,
            ),
            ("vector.quantized_per_cycle", self.quantized_per_cycle),
        ] {
            check::between(key, lanes, 1, 1 << 16)?;
        }
        Ok(())
    }

    /// Cycles that work takes, its kinds streaming behind one another.
    pub fn cycles(&self, work: &VectorWork) -> u64 {
        [
            work.softmax_elements.div_ceil(self.softmax_per_cycle),
            work.importance_additions
                .div_ceil(self.importance_per_cycle),
            work.layer_norm_elements.div_ceil(self.layer_norm_per_cycle),
            work.activation_elements.div_ceil(self.activation_per_cycle),
            work.hadamard_additions
                .div_ceil(self.hadamard_additions_per_cycle),
            work.quantized_elements.div_ceil(self.quantized_per_cycle),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }
}

/// Counts what vector work does, in 16-bit fixed point. Our decision: softmax
/// (scale, piecewise exponential, sum, normalise) takes 4 multiply-adds an
/// element, layer norm with its residual addition and the activation 3, a
/// quantizer 1; an addition of the rotation or into a score clocks its result.
pub(crate) fn count(work: &VectorWork, actions: &mut Actions) {
    let multiply_adds = 4 * work.softmax_elements
        + 3 * (work.layer_norm_elements + work.activation_elements)
        + work.quantized_elements;
    let mut count = |action, n| actions.count(Part::Vector, action, n);
    count(Action::Multiply16, multiply_adds);
    count(Action::Add32, multiply_adds + work.importance_additions);
    count(
        Action::RegisterBit,
        32 * (multiply_adds + work.importance_additions),
    );
    count(Action::Add16, work.hadamard_additions);
    count(Action::RegisterBit, 16 * work.hadamard_additions);
}

/// The share of a layer's vector work that goes with one operation: what makes
/// its inputs and what follows its results.
///
/// The softmax, the importance and the quantizing of the probabilities go with
/// the scores. The shares of all operations sum to the layer's work, the
/// ranking of tokens left out.
pub fn of_operation(layer: &LayerWork, operation: Operation) -> VectorWork {
    let find = |wanted| {
        layer
            .products
            .iter()
            .find(|product| product.operation == wanted)
    };
    let none = VectorWork::default();
    let (Some(query), Some(key_value), Some(up)) = (
        find(Operation::Query),
        find(Operation::KeyValue),
        find(Operation::Up),
    ) else {
        return none;
    };
    let (computed, keys) = (query.m() as u64, key_value.m() as u64);
    let (hidden, inner, intermediate) = (query.k as u64, query.n as u64, up.n as u64);
    let rotated = layer.vector.hadamard_additions > 0;
    let quantized = layer.vector.quantized_elements > 0;
    let rotation = |rows: u64, width: u64| match rotated {
        true => rows * width * u64::from(rotation_block(width as usize).ilog2()),
        false => 0,
    };
    let quantize = |elements: u64| if quantized { elements } else { 0 };
    match operation {
        Operation::Query => VectorWork {
            quantized_elements: quantize(computed * inner),
            ..none
        },
        Operation::KeyValue => VectorWork {
            hadamard_additions: rotation(keys, hidden),
            quantized_elements: quantize(keys * (hidden + 2 * inner)),
            ..none
        },
        Operation::Score => VectorWork {
            softmax_elements: layer.vector.softmax_elements,
            importance_additions: layer.vector.importance_additions,
            quantized_elements: quantize(layer.vector.softmax_elements),
            ..none
        },
        Operation::Context => VectorWork {
            quantized_elements: quantize(computed * inner),
            ..none
        },
        Operation::Output => VectorWork {
            layer_norm_elements: computed * hidden,
            ..none
        },
        Operation::Up => VectorWork {
            hadamard_additions: rotation(computed, hidden),
            activation_elements: computed * intermediate,
            quantized_elements: quantize(computed * hidden),
            ..none
        },
        Operation::Down => VectorWork {
            hadamard_additions: rotation(computed, intermediate),
            layer_norm_elements: computed * hidden,
            quantized_elements: quantize(computed * intermediate),
            ..none
        },
    }
}

#[cfg(test)]
mod tests {
    use dtatrans_precision::workload::Workload;
    use dtatrans_precision::{Bits, ModelShape, Plan, Tier, compensation};

    use super::*;

    fn sum(layer: &LayerWork) -> VectorWork {
        let mut sum = VectorWork::default();
        for operation in Operation::ALL {
            sum.add(&of_operation(layer, operation));
        }
        sum.ranked_tokens = layer.vector.ranked_tokens;
        sum
    }

    #[test]
    fn the_shares_of_the_operations_sum_to_the_layers_work() {
        let shape = ModelShape {
            layers: 2,
            ..ModelShape::bert_base()
        };
        let tiers = vec![
            vec![Tier::Eight; 9],
            [Tier::Eight, Tier::Zero, Tier::Four].repeat(3),
        ];
        for name in ["drop", "carry", "keys-values"] {
            for rotation in [true, false] {
                let mut plan = Plan::dense_eight(2);
                plan.compensation = compensation::find(name).unwrap();
                plan.rotation = rotation;
                for layer in Workload::under_plan(&shape, &plan, &tiers).layers {
                    assert_eq!(sum(&layer), layer.vector, "{name} {rotation}");
                }
            }
        }
        for layer in Workload::dense(&shape, 9, Bits::Sixteen).layers {
            assert_eq!(sum(&layer), layer.vector);
        }
    }

    #[test]
    fn the_slowest_kind_sets_the_pace() {
        let unit = VectorUnit {
            softmax_per_cycle: 8,
            importance_per_cycle: 8,
            layer_norm_per_cycle: 16,
            activation_per_cycle: 16,
            hadamard_additions_per_cycle: 128,
            quantized_per_cycle: 16,
        };
        let work = VectorWork {
            softmax_elements: 81,
            quantized_elements: 100,
            ..VectorWork::default()
        };
        assert_eq!(unit.cycles(&work), 11);
        assert_eq!(unit.cycles(&VectorWork::default()), 0);
    }
}
