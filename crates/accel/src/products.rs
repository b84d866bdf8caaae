//! Products that belong to no model, one after the other on a machine's array.
//!
//! Only the array is looked at: operands are in the buffer when it wants them, and
//! results leave when they are there. That is what SCALE-Sim's compute cycles are.

use dtatrans_precision::Bits;
use dtatrans_precision::workload::gemm::Gemm;
use serde::Serialize;

use crate::array_shape::ArrayShape;
use crate::report::Breakdown;
use crate::{AccelError, Machine};

/// What an array does with one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayRun {
    /// Cycles of the whole batch.
    pub cycles: u64,
    /// What the elements do in them.
    pub element_cycles: Breakdown,
}

/// An array that runs products that belong to no model.
pub trait ProductArray {
    /// Its sizes.
    fn shape(&self) -> ArrayShape;

    /// What it does with equal products whose operands have these widths.
    fn product(&self, gemm: &Gemm, left: Bits, right: Bits) -> ArrayRun;
}

/// A machine's answer for one product of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GemmReport {
    /// Its name in the list.
    pub name: String,
    /// Rows of the left matrix.
    pub m: u64,
    /// Columns of the right matrix.
    pub n: u64,
    /// Length of the reduction.
    pub k: u64,
    /// How many such products.
    pub batch: u64,
    /// Scalar products of the batch.
    pub macs: u64,
    /// Cycles of the batch.
    pub cycles: u64,
    /// Time, in microseconds.
    pub time_us: f64,
    /// The share of all element-cycles that worked, between 0 and 1.
    pub utilisation: f64,
    /// What the elements did.
    pub element_cycles: Breakdown,
}

impl Machine {
    /// Runs the products of a list one after the other on the machine's array, each with
    /// its left operand at `left` bits and its right one at `right`, as far as the machine
    /// knows widths.
    ///
    /// # Errors
    /// [`AccelError::NoProducts`] if the machine has no engine for them,
    /// [`AccelError::ProductTooLarge`] if element-cycles could overflow a count.
    pub fn simulate_products(
        &self,
        gemms: &[Gemm],
        left: Bits,
        right: Bits,
    ) -> Result<Vec<GemmReport>, AccelError> {
        let array = self.accelerator().array();
        let array = array.ok_or_else(|| AccelError::NoProducts {
            machine: self.name().to_owned(),
            kind: self.kind(),
        })?;
        for gemm in gemms {
            if most_element_cycles(gemm, array.shape()).is_none() {
                return Err(AccelError::ProductTooLarge {
                    machine: self.name().to_owned(),
                    product: gemm.name.clone(),
                });
            }
        }
        let run = |gemm| self.gemm_report(gemm, array.product(gemm, left, right));
        Ok(gemms.iter().map(run).collect())
    }

    fn gemm_report(&self, gemm: &Gemm, run: ArrayRun) -> GemmReport {
        let Gemm {
            name,
            m,
            n,
            k,
            batch,
        } = gemm.clone();
        let ArrayRun {
            cycles,
            element_cycles,
        } = run;
        let all = element_cycles.total().max(1);
        GemmReport {
            name,
            m,
            n,
            k,
            batch,
            macs: gemm.macs(),
            cycles,
            time_us: cycles as f64 / (self.clock_ghz() * 1e3),
            utilisation: element_cycles.active as f64 / all as f64,
            element_cycles,
        }
    }
}

/// At least as many element-cycles as a product takes on an array of that shape; `None`
/// where they do not fit a count.
///
/// A tile takes at most 16 cycles a step and two for each row and column beyond, and the
/// elements of all arrays may wait for the one that has a tile.
fn most_element_cycles(gemm: &Gemm, shape: ArrayShape) -> Option<u64> {
    let side = u128::from(shape.rows.max(shape.columns));
    let mut most = 16 * u128::from(shape.arrays) * u128::from(gemm.batch);
    for size in [gemm.m, gemm.n, gemm.k] {
        most = most.checked_mul(u128::from(size) + 4 * side)?;
    }
    u64::try_from(most).ok()
}
