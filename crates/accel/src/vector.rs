//! The vector unit: softmax, layer norm, activation, rotation, quantizers and
//! the importance accumulator.

use dtatrans_precision::workload::VectorWork;
use serde::Deserialize;

use crate::AccelError;
use crate::area::{Area, Cell};
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
    /// Errors taken at a trial scale.
    pub clipping_trials_per_cycle: u64,
    /// Other multiplications and additions.
    pub multiply_additions_per_cycle: u64,
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
            (
                "vector.clipping_trials_per_cycle",
                self.clipping_trials_per_cycle,
            ),
            (
                "vector.multiply_additions_per_cycle",
                self.multiply_additions_per_cycle,
            ),
        ] {
            check::between(key, lanes, 1, 1 << 16)?;
        }
        Ok(())
    }

    /// What it adds to a chip: for each kind of work the multiply-adders and adders that
    /// its lanes need to take a result each cycle. Tables of the exponential, square
    /// roots and divisions are not counted.
    pub(crate) fn area(&self, area: &mut Area) {
        let multiply_adds = SOFTMAX_MULTIPLY_ADDS * self.softmax_per_cycle
            + NORM_MULTIPLY_ADDS * (self.layer_norm_per_cycle + self.activation_per_cycle)
            + self.quantized_per_cycle
            + self.multiply_additions_per_cycle
            + TRIAL_MULTIPLY_ADDS * self.clipping_trials_per_cycle;
        for (cell, count) in [
            (Cell::VectorMultiplyAdd, multiply_adds),
            (Cell::VectorAdder32, self.importance_per_cycle),
            (Cell::VectorAdder16, self.hadamard_additions_per_cycle),
        ] {
            area.cells(Part::Vector, cell, count as f64);
        }
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
            work.clipping_trials
                .div_ceil(self.clipping_trials_per_cycle),
            work.multiply_additions
                .div_ceil(self.multiply_additions_per_cycle),
        ]
        .into_iter()
        .max()
        .unwrap_or(0)
    }
}

/// Multiply-adds of an element of the softmax: scale, piecewise exponential, sum,
/// normalise. Our decision, as are the next two.
const SOFTMAX_MULTIPLY_ADDS: u64 = 4;
/// Of an element of a layer norm with its residual addition, or of the activation.
const NORM_MULTIPLY_ADDS: u64 = 3;
/// Of a trial of the quantizer's clipping.
const TRIAL_MULTIPLY_ADDS: u64 = 2;

/// Counts what vector work does, in 16-bit fixed point. A quantizer takes one multiply-add
/// an element; the rotation adds 16 bits, a score 32.
pub(crate) fn count(work: &VectorWork, actions: &mut Actions) {
    let multiply_adds = SOFTMAX_MULTIPLY_ADDS * work.softmax_elements
        + NORM_MULTIPLY_ADDS * (work.layer_norm_elements + work.activation_elements)
        + work.quantized_elements
        + work.multiply_additions
        + TRIAL_MULTIPLY_ADDS * work.clipping_trials;
    let mut count = |action, n| actions.count(Part::Vector, action, n);
    count(Action::VectorMultiplyAdd, multiply_adds);
    count(Action::VectorAdd32, work.importance_additions);
    count(Action::VectorAdd16, work.hadamard_additions);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_kind_sets_the_pace() {
        let unit = VectorUnit {
            softmax_per_cycle: 8,
            importance_per_cycle: 8,
            layer_norm_per_cycle: 16,
            activation_per_cycle: 16,
            hadamard_additions_per_cycle: 128,
            quantized_per_cycle: 16,
            clipping_trials_per_cycle: 64,
            multiply_additions_per_cycle: 16,
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
