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
use crate::area::{Area, Cell};
use crate::array_shape::ArrayShape;
use crate::blocks::Surroundings;
use crate::energy::{Action, Actions, Part, Waiting};
use crate::machine::tables;
use crate::memory::operands::{left_bits, right_bits};
use crate::memory::{Dram, Sram, SramFile};
use crate::node::Technology;
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

    fn area(&self, technology: &Technology) -> Area {
        let mut area = Area::default();
        area.cells(Part::Array, Cell::VssaElement, self.elements() as f64);
        self.around.area(&mut area, technology);
        area
    }

    fn waiting(&self) -> Option<Waiting> {
        Some(Waiting {
            part: Part::Array,
            late: Action::VssaLateCycle,
            idle: Action::VssaIdleCycle,
            zeros: Some(Action::VssaZeros),
        })
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
/// An element's products are counted by the bits of their operands, and priced by its
/// netlist with all that it clocks. Zeros that pad a tile are products of 4-bit zeros.
/// Each result moves to the shadow register and down the column, half of it on average.
fn count(shape: ArrayShape, product: &Product, actions: &mut Actions) {
    let copies = product.count as u64;
    let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
    for (action, products) in products_by_bits(product) {
        actions.count(Part::Array, action, copies * products);
    }
    let (left, right) = (left_bits(product), right_bits(product));
    let (row_tiles, column_tiles) = (m.div_ceil(shape.rows), n.div_ceil(shape.columns));
    let padded = row_tiles * shape.rows * column_tiles * shape.columns;
    let zeros = copies * (padded - m * n) * k;
    actions.count(Part::Array, Action::VssaZeros, zeros);
    let shifts = copies * m * n * (1 + shape.rows.div_ceil(2));
    actions.count(Part::Array, Action::VssaShift, shifts);

    // Each strip of rows enters once for each tile of columns, and the other way
    // round.
    let read = copies * (left * column_tiles + right * row_tiles);
    actions.count(Part::Buffer, Action::SramReadBit, read);
}

/// How many products of each kind one copy has. Operands of 16 bits are two of 8.
fn products_by_bits(product: &Product) -> [(Action, u64); 3] {
    // Operands of 4 bits, and halves of 8 bits of the others.
    let halves = |lines: &[Bits]| {
        let of = |wanted: fn(Bits) -> u64| lines.iter().map(|&bits| wanted(bits)).sum::<u64>();
        [
            of(|bits| u64::from(bits == Bits::Four)),
            of(|bits| u64::from(bits.nibbles() / 2)),
        ]
    };
    let [row_fours, row_eights] = halves(&product.rows);
    let (n, k) = (product.n as u64, product.k as u64);
    // Pairs of a row with an operand of the other side.
    let [fours, eights] = match &product.right {
        RightBits::Uniform(bits) => halves(&[*bits]).map(|count| count * n * k),
        RightBits::Columns(columns) => halves(columns).map(|count| count * k),
        RightBits::Steps(steps) => halves(steps).map(|count| count * n),
    };
    [
        (Action::VssaProduct4x4, row_fours * fours),
        (
            Action::VssaProduct4x8,
            row_fours * eights + row_eights * fours,
        ),
        (Action::VssaProduct8x8, row_eights * eights),
    ]
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
