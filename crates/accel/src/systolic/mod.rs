//! A plain systolic array of 8-bit elements, or of 4-bit ones: the baseline that gains
//! nothing from tokens of fewer bits. It is fed the dense model at its elements' bits and
//! the input's own length.

mod timing;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{self, Product, Workload};
use dtatrans_precision::{Bits, Tier};
use serde::Deserialize;

pub use timing::{Dataflow, Gemm, Overlap, cycles};

use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, Run};
use crate::area::{Area, Cell};
use crate::array_shape::ArrayShape;
use crate::blocks::{Shared, Surroundings, TiledArrays};
use crate::energy::{Action, Actions, Part, Waiting};
use crate::machine::{check, tables, tokens_so_far};
use crate::mapping::SUM_BITS;
use crate::memory::operands::{left_bits, right_bits};
use crate::memory::{Dram, Sram, SramFile};
use crate::node::Technology;
use crate::products::{ArrayRun, ProductArray};
use crate::report::Breakdown;
use crate::schedule::{Arrays, LaneRun, TileRange};
use crate::vector::VectorUnit;

pub(crate) const KIND: Kind = Kind {
    name: "systolic",
    summary: "plain systolic array of 8 or 4 bits: dense, output-, weight- or input-stationary",
    read,
};

/// A plain systolic array with its surroundings.
#[derive(Debug)]
pub struct Systolic {
    shape: ArrayShape,
    element: Element,
    dataflow: Dataflow,
    overlap: Overlap,
    around: Surroundings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    array: ArrayFile,
    buffer: SramFile,
    dram: Dram,
    vector: VectorUnit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArrayFile {
    rows: u64,
    columns: u64,
    #[serde(default = "eight")]
    element_bits: u64,
    dataflow: Dataflow,
    overlap: Overlap,
}

fn eight() -> u64 {
    8
}

/// What the elements multiply, and what that costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    bits: Bits,
    cell: Cell,
    product: Action,
    zeros: Action,
    idle: Action,
    shift: Action,
}

/// `rtl/src/plain_element.sv`.
const EIGHT: Element = Element {
    bits: Bits::Eight,
    cell: Cell::PlainElement8,
    product: Action::Plain8Product,
    zeros: Action::Plain8Zeros,
    idle: Action::Plain8IdleCycle,
    shift: Action::Plain8Shift,
};

/// `rtl/baselines/plain_element_4b.sv`.
const FOUR: Element = Element {
    bits: Bits::Four,
    cell: Cell::PlainElement4,
    product: Action::Plain4Product,
    zeros: Action::Plain4Zeros,
    idle: Action::Plain4IdleCycle,
    shift: Action::Plain4Shift,
};

fn read(file: toml::Table, clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let file: File = tables(file)?;
    let shape = ArrayShape {
        rows: file.array.rows,
        columns: file.array.columns,
        arrays: 1,
    };
    shape.check()?;
    let element = match file.array.element_bits {
        8 => EIGHT,
        4 => FOUR,
        other => return Err(check::refuse("array.element_bits", other, "8 or 4")),
    };
    file.dram.check()?;
    file.vector.check()?;
    Ok(Box::new(Systolic {
        shape,
        element,
        dataflow: file.array.dataflow,
        overlap: file.array.overlap,
        around: Surroundings {
            sram: file.buffer.build()?,
            dram: file.dram,
            clock_ghz,
            vector: file.vector,
            sort: None,
            reorders: false,
        },
    }))
}

impl Systolic {
    fn work(&self, work: &Workload) -> Run {
        let running = Running {
            shape: self.shape,
            element: self.element,
            dataflow: self.dataflow,
            overlap: self.overlap,
            shared: Shared::default(),
        };
        let fed = format!("all tokens at {} bits", self.element.bits.bits());
        self.around.run(running, work, fed)
    }
}

impl Accelerator for Systolic {
    fn elements(&self) -> u64 {
        self.shape.elements()
    }

    fn element_bits(&self) -> u64 {
        u64::from(self.element.bits.bits())
    }

    fn area(&self, technology: &Technology) -> Area {
        let mut area = Area::default();
        area.cells(Part::Array, self.element.cell, self.elements() as f64);
        self.around.area(&mut area, technology);
        area
    }

    fn waiting(&self) -> Option<Waiting> {
        Some(Waiting {
            part: Part::Array,
            // All stand still together, and begin again with what they held.
            late: self.element.idle,
            idle: self.element.idle,
            zeros: Some(self.element.zeros),
        })
    }

    fn dram(&self) -> &Dram {
        &self.around.dram
    }

    fn sram(&self) -> Option<&Sram> {
        Some(&self.around.sram)
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&Workload::dense(
            &header.model,
            input.read(),
            self.element.bits,
        ))
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        let tokens = tokens_so_far(kept);
        self.work(&Workload::dense_step(
            &header.model,
            tokens,
            self.element.bits,
        ))
    }

    fn array(&self) -> Option<&dyn ProductArray> {
        Some(self)
    }
}

impl ProductArray for Systolic {
    fn shape(&self) -> ArrayShape {
        self.shape
    }

    fn product(&self, gemm: &workload::gemm::Gemm, _left: Bits, _right: Bits) -> ArrayRun {
        let own = Gemm {
            m: gemm.m,
            n: gemm.n,
            k: gemm.k,
        };
        let (cycles, element_cycles) =
            timing::run(self.shape, self.dataflow, self.overlap, own, gemm.batch);
        ArrayRun {
            cycles,
            element_cycles,
        }
    }
}

/// The array while it runs.
#[derive(Debug)]
struct Running {
    shape: ArrayShape,
    element: Element,
    dataflow: Dataflow,
    overlap: Overlap,
    shared: Shared,
}

impl Arrays for Running {
    fn lanes(&self) -> usize {
        self.shared.lanes()
    }

    fn reset(&mut self) {
        self.shared.reset();
    }

    fn run(&mut self, product: usize, tiles: TileRange, ready: u64, runs: &mut Vec<LaneRun>) {
        self.shared.run(product, tiles, ready, runs);
    }

    fn delay(&mut self, lane: usize, cycles: u64) {
        self.shared.delay(lane, cycles);
    }

    fn end(&self, lane: usize) -> (u64, Breakdown, i64) {
        self.shared.end(lane)
    }
}

fn gemm(product: &Product) -> Gemm {
    Gemm {
        m: product.m() as u64,
        n: product.n as u64,
        k: product.k as u64,
    }
}

impl TiledArrays for Running {
    fn shape(&self) -> ArrayShape {
        self.shape
    }

    fn add(&mut self, product: &Product) -> u64 {
        let gemm = gemm(product);
        let copies = product.count as u64;
        let (cycles, element_cycles) =
            timing::run(self.shape, self.dataflow, self.overlap, gemm, copies);
        let tiles = copies * gemm.m.div_ceil(self.shape.rows) * gemm.n.div_ceil(self.shape.columns);
        self.shared.add(cycles, element_cycles, tiles);
        cycles
    }

    fn element_cycles(&self, product: &Product) -> u64 {
        product.macs()
    }

    fn add_none(&mut self) {
        self.shared.add(0, Breakdown::default(), 0);
    }

    fn arrange(&self, lines: &[Bits]) -> (Vec<Bits>, Vec<usize>) {
        (lines.to_vec(), (0..lines.len()).collect())
    }

    /// What the array does that costs energy: products, zeros that pad, priced by the
    /// netlist of an output-stationary element whatever the dataflow. Output-stationary
    /// sums drain down the column, half of it on average; the other dataflows write and
    /// read partial sums for each fold of the reduction.
    fn count(&self, product: &Product, actions: &mut Actions) {
        let gemm = gemm(product);
        let copies = product.count as u64;
        let macs = product.macs();
        let (_, element_cycles) =
            timing::run(self.shape, self.dataflow, self.overlap, gemm, copies);
        let padding = element_cycles.tail;
        actions.count(Part::Array, self.element.product, macs);
        actions.count(Part::Array, self.element.zeros, padding);

        let (left, right) = (left_bits(product), right_bits(product));
        let sums = copies * gemm.m * gemm.n;
        let ArrayShape { rows, columns, .. } = self.shape;
        let (read, written) = match self.dataflow {
            Dataflow::OutputStationary => {
                let shifts = sums * (1 + rows.div_ceil(2));
                actions.count(Part::Array, self.element.shift, shifts);
                let read = left * gemm.n.div_ceil(columns) + right * gemm.m.div_ceil(rows);
                (copies * read, 0)
            }
            Dataflow::WeightStationary => {
                let partial = sums * (gemm.k.div_ceil(rows) - 1) * SUM_BITS;
                let read = copies * (left * gemm.n.div_ceil(columns) + right);
                (read + partial, partial)
            }
            Dataflow::InputStationary => {
                let partial = sums * (gemm.k.div_ceil(rows) - 1) * SUM_BITS;
                let read = copies * (left + right * gemm.m.div_ceil(columns));
                (read + partial, partial)
            }
        };
        actions.count(Part::Buffer, Action::SramReadBit, read);
        actions.count(Part::Buffer, Action::SramWriteBit, written);
    }
}
