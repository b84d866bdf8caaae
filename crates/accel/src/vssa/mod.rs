//! The variable-speed systolic array.
//!
//! R x C elements, each with one multiplier for 4-bit operands that takes 1
//! cycle for 4 b x 4 b, 2 for 4 b x 8 b and 4 for 8 b x 8 b, output-stationary,
//! handshaked with a buffer of depth 2 at each hop and a registered "ready": so
//! equal-cost tiles run without a bubble, and a tile of mixed costs goes at the
//! speed of its slowest element. [`wavefront`] has the exact timing, which the RTL
//! of `rtl/` is held against; [`timing`] runs whole products.

mod order;
pub mod timing;
pub mod wavefront;

use std::cell::RefCell;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{Product, RightBits, Workload};
use dtatrans_precision::{Bits, Tier};
use serde::Deserialize;

pub use order::Order;

use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, Run};
use crate::array_shape::ArrayShape;
use crate::energy::{Action, Actions, Part};
use crate::machine::tables;
use crate::memory::operands::{left_bits, right_bits};
use crate::memory::{Dram, Sram, SramFile};
use crate::sort::Sorter;
use crate::tiled_layer::{ProductRun, Surroundings, TiledArray};
use crate::vector::VectorUnit;
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
/// Bits of an address in the table that grouping needs, for each row and key of
/// each product.
const INDEX_BITS: u64 = 16;

/// A variable-speed systolic array with its surroundings.
#[derive(Debug)]
pub struct Vssa {
    shape: ArrayShape,
    order: Order,
    around: Surroundings,
    dram: Dram,
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

fn read(file: toml::Table, _clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
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
        around: Surroundings {
            sram: file.buffer.build()?,
            vector: file.vector,
            sort: Some(file.sort),
        },
        dram: file.dram,
    }))
}

impl Accelerator for Vssa {
    fn elements(&self) -> u64 {
        self.shape.elements()
    }

    fn element_bits(&self) -> u64 {
        4
    }

    fn dram(&self) -> Dram {
        self.dram
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
}

/// The arrays while they run an input: tiles like those before are known.
struct Arrays<'a> {
    vssa: &'a Vssa,
    timing: RefCell<Timing>,
}

impl TiledArray for Arrays<'_> {
    fn shape(&self) -> ArrayShape {
        self.vssa.shape
    }

    fn product(&self, product: &Product) -> ProductRun {
        let operands = operands(product, self.vssa.order);
        let (cycles, element_cycles) = self.timing.borrow_mut().run(&operands);
        let mut actions = Actions::default();
        self.vssa.count(product, &mut actions);
        ProductRun {
            cycles,
            element_cycles,
            actions,
        }
    }
}

impl Vssa {
    fn work(&self, work: &Workload) -> Run {
        let arrays = Arrays {
            vssa: self,
            timing: RefCell::new(Timing::new(self.shape)),
        };
        Run {
            fed: format!("the trace's tiers, tokens in {} order", self.order.name()),
            layers: self.around.layers(&arrays, work),
            runs_encoder: true,
        }
    }

    /// What the array does that costs energy.
    ///
    /// An element multiplies, adds and clocks its accumulator on every nibble
    /// step, as `rtl/src/sum_naive.sv` does without clock gating: an upper bound for
    /// the gated element, whose energy is not measured yet. It clocks both operands
    /// with their tags once per product. Zeros that pad a tile clock
    /// the registers of a 4-bit product. Each result moves to the shadow
    /// register and down the column, half of it on average.
    fn count(&self, product: &Product, actions: &mut Actions) {
        let copies = product.count as u64;
        let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
        let nibble_steps = product.element_cycles();
        actions.count(Part::Arithmetic, Action::Multiply5, nibble_steps);
        actions.count(Part::Arithmetic, Action::Add32, nibble_steps);

        let (left, right) = (left_bits(product), right_bits(product));
        let operands = copies * (left * n + right * m + 2 * TAG_BITS * m * n * k);
        let (row_tiles, column_tiles) =
            (m.div_ceil(self.shape.rows), n.div_ceil(self.shape.columns));
        let padded = row_tiles * self.shape.rows * column_tiles * self.shape.columns;
        let padding = copies * (padded - m * n) * k;
        let padding_bits = ACCUMULATOR_BITS + 2 * (4 + TAG_BITS);
        let drained = copies * m * n * ACCUMULATOR_BITS * (1 + self.shape.rows.div_ceil(2));
        actions.count(
            Part::Registers,
            Action::RegisterBit,
            nibble_steps * ACCUMULATOR_BITS + operands + padding * padding_bits + drained,
        );

        // Each strip of rows enters once for each tile of columns, and the
        // other way round.
        let mut read = copies * (left * column_tiles + right * row_tiles);
        if self.order == Order::Grouped {
            let keys = match &product.right {
                RightBits::Uniform(_) => 0,
                RightBits::Columns(keys) | RightBits::Steps(keys) => keys.len() as u64,
            };
            read += copies * INDEX_BITS * (m + keys);
        }
        actions.count(Part::Buffer, Action::SramReadBit, read);
    }
}

/// The operands of a product as they enter the array.
pub fn operands(product: &Product, order: Order) -> Operands {
    let (n, k) = (product.n as u64, product.k as u64);
    let nibbles = |bits: &Bits| bits.nibbles() as u8;
    Operands {
        count: product.count as u64,
        rows: order.arrange(&product.rows),
        columns: match &product.right {
            RightBits::Uniform(bits) => Columns::Lines(vec![nibbles(bits); product.n], k),
            RightBits::Columns(keys) => Columns::Lines(order.arrange(keys), k),
            RightBits::Steps(values) => Columns::Steps(n, values.iter().map(nibbles).collect()),
        },
    }
}
