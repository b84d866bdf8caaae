//! The variable-speed systolic array.
//!
//! R x C elements, each with one multiplier for 4-bit operands that takes 1
//! cycle for 4 b x 4 b, 2 for 4 b x 8 b and 4 for 8 b x 8 b, output-stationary,
//! handshaked with a buffer of depth 2 at each hop and a registered "ready": so
//! equal-cost tiles run without a bubble, and a tile of mixed costs goes at the
//! speed of its slowest element. [`wavefront`] has the exact timing, which the RTL
//! of `rtl/` is held against; [`timing`] runs whole products.

mod arrays;
mod order;
pub mod timing;
pub mod wavefront;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::gemm::Gemm;
use dtatrans_precision::workload::{Product, RightBits, Workload};
use dtatrans_precision::{Bits, Tier};
use serde::Deserialize;

pub use order::Order;

use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, Run};
use crate::array_shape::ArrayShape;
use crate::blocks::Surroundings;
use crate::energy::{Action, Actions, Part};
use crate::machine::tables;
use crate::memory::operands::{left_bits, right_bits};
use crate::memory::{Dram, Sram, SramFile};
use crate::products::{ArrayRun, ProductArray};
use crate::sort::Sorter;
use crate::vector::VectorUnit;
use crate::vssa::arrays::{Lanes, Shelf};
use crate::vssa::timing::{Columns, Operands, Timing};

pub(crate) const KIND: Kind = Kind {
    name: "vssa",
    summary: "variable-speed systolic array: 1, 2 or 4 cycles a product by its operands' bits",
    read,
};

/// Width of an accumulator and of its shadow, in bits.
const ACCUMULATOR_BITS: u64 = 32;
/// Bits that tell an operand's width, handed on with it.
const TAG_BITS: u64 = 1;

/// A variable-speed systolic array with its surroundings.
#[derive(Debug)]
pub struct Vssa {
    shape: ArrayShape,
    order: Order,
    around: Surroundings,
    shelf: Shelf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    array: ArrayFile,
    buffer: SramFile,
    dram: Dram,
    vector: VectorUnit,
    sort: Sorter,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArrayFile {
    rows: u64,
    columns: u64,
    arrays: u64,
    order: Order,
}

fn read(file: toml::Table, clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let file: File = tables(file)?;
    let shape = ArrayShape {
        rows: file.array.rows,
        columns: file.array.columns,
        arrays: file.array.arrays,
    };
    shape.check()?;
    file.dram.check()?;
    file.vector.check()?;
    file.sort.check()?;
    Ok(Box::new(Vssa {
        shape,
        order: file.array.order,
        shelf: Shelf::default(),
        around: Surroundings {
            sram: file.buffer.build()?,
            dram: file.dram,
            clock_ghz,
            vector: file.vector,
            sort: Some(file.sort),
            reorders: file.array.order != Order::Arrival,
        },
    }))
}

impl Accelerator for Vssa {
    fn elements(&self) -> u64 {
        self.shape.elements()
    }

    fn element_bits(&self) -> u64 {
        4
    }

    fn arrays(&self) -> u64 {
        self.shape.arrays
    }

    fn dram(&self) -> &Dram {
        &self.around.dram
    }

    fn sram(&self) -> Option<&Sram> {
        Some(&self.around.sram)
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&input.workload(header))
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        self.work(&Workload::step_under_plan(
            &header.model,
            &header.plan,
            kept,
        ))
    }

    fn array(&self) -> Option<&dyn ProductArray> {
        Some(self)
    }
}

impl ProductArray for Vssa {
    fn shape(&self) -> ArrayShape {
        self.shape
    }

    fn product(&self, gemm: &Gemm, left: Bits, right: Bits) -> ArrayRun {
        let nibbles = [left, right].map(|bits| bits.nibbles() as u8);
        let (cycles, element_cycles) = Timing::new(self.shape).run_uniform(gemm, nibbles);
        ArrayRun {
            cycles,
            element_cycles,
        }
    }
}

impl Vssa {
    fn work(&self, work: &Workload) -> Run {
        let lanes = Lanes::new(self.shape, self.order, &self.shelf);
        let fed = format!("the trace's tiers, tokens in {} order", self.order.name());
        self.around.run(lanes, work, fed)
    }
}

/// What the arrays do that costs energy.
///
/// An element multiplies, adds and clocks its accumulator on every nibble
/// step, as `rtl/src/sum_naive.sv` does without clock gating: an upper bound for the
/// gated element, whose netlist's energy `rtl/synthesis/energy.csv` has and this
/// does not use yet. It clocks both operands
/// with their tags once per product. Zeros that pad a tile clock
/// the registers of a 4-bit product. Each result moves to the shadow
/// register and down the column, half of it on average.
fn count(shape: ArrayShape, product: &Product, actions: &mut Actions) {
    let copies = product.count as u64;
    let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
    let nibble_steps = product.element_cycles();
    actions.count(Part::Arithmetic, Action::Multiply5, nibble_steps);
    actions.count(Part::Arithmetic, Action::Add32, nibble_steps);

    let (left, right) = (left_bits(product), right_bits(product));
    let operands = copies * (left * n + right * m + 2 * TAG_BITS * m * n * k);
    let (row_tiles, column_tiles) = (m.div_ceil(shape.rows), n.div_ceil(shape.columns));
    let padded = row_tiles * shape.rows * column_tiles * shape.columns;
    let padding = copies * (padded - m * n) * k;
    let padding_bits = ACCUMULATOR_BITS + 2 * (4 + TAG_BITS);
    let drained = copies * m * n * ACCUMULATOR_BITS * (1 + shape.rows.div_ceil(2));
    actions.count(
        Part::Registers,
        Action::RegisterBit,
        nibble_steps * ACCUMULATOR_BITS + operands + padding * padding_bits + drained,
    );

    // Each strip of rows enters once for each tile of columns, and the other way
    // round.
    let read = copies * (left * column_tiles + right * row_tiles);
    actions.count(Part::Buffer, Action::SramReadBit, read);
}

/// The operands of a product as they enter the array.
pub fn operands(product: &Product, order: Order) -> Operands {
    let (n, k) = (product.n as u64, product.k as u64);
    let nibbles = |bits: &Bits| bits.nibbles() as u8;
    let arrange = |lines: &[Bits]| order.arrange(lines).0.iter().map(nibbles).collect();
    Operands {
        count: product.count as u64,
        rows: arrange(&product.rows),
        columns: match &product.right {
            RightBits::Uniform(bits) => Columns::Lines(vec![nibbles(bits); product.n], k),
            RightBits::Columns(keys) => Columns::Lines(arrange(keys), k),
            RightBits::Steps(values) => Columns::Steps(n, values.iter().map(nibbles).collect()),
        },
    }
}
