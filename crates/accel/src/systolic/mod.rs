//! A plain systolic array, whose elements all have one width and one speed: the
//! baseline that gains nothing from tokens of fewer bits than others. It is fed the
//! dense model at the input's own length, or the trace's tokens.

mod timing;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{self, Product, RightBits, Workload};
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
use crate::sort::Sorter;
use crate::vector::VectorUnit;

pub(crate) const KIND: Kind = Kind {
    name: "systolic",
    summary: "plain systolic array: elements of one width, output-, weight- or input-stationary",
    read,
};

/// A plain systolic array with its surroundings.
#[derive(Debug)]
pub struct Systolic {
    array: PlainArray,
    fed: Fed,
    around: Surroundings,
}

/// The array itself.
#[derive(Clone, Copy, Debug)]
struct PlainArray {
    shape: ArrayShape,
    element: Element,
    dataflow: Dataflow,
    overlap: Overlap,
}

/// What the array is fed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fed {
    /// All tokens, at one width.
    #[default]
    Dense,
    /// The tokens that the trace computes, at their tiers. A product runs at the speed
    /// of its widest operands.
    Tiers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    array: ArrayFile,
    buffer: SramFile,
    dram: Dram,
    vector: VectorUnit,
    sort: Option<Sorter>,
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
    #[serde(default)]
    fed: Fed,
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
    match (&file.sort, file.array.fed) {
        (Some(sort), Fed::Tiers) => sort.check()?,
        (None, Fed::Dense) => {}
        (None, Fed::Tiers) => {
            let allowed = "a table where array.fed is \"tiers\": tokens are ranked";
            return Err(check::refuse("sort", "none", allowed));
        }
        (Some(_), Fed::Dense) => {
            let allowed = "only there where array.fed is \"tiers\"";
            return Err(check::refuse("sort", "a table", allowed));
        }
    }
    Ok(Box::new(Systolic {
        array: PlainArray {
            shape,
            dataflow: file.array.dataflow,
            overlap: file.array.overlap,
            element,
        },
        fed: file.array.fed,
        around: Surroundings {
            sram: file.buffer.build()?,
            dram: file.dram,
            clock_ghz,
            vector: file.vector,
            sort: file.sort,
            reorders: false,
        },
    }))
}

impl Systolic {
    fn work(&self, work: &Workload) -> Run {
        let running = Running {
            array: self.array,
            shared: Shared::default(),
        };
        let fed = match self.fed {
            Fed::Dense => format!("all tokens at {} bits", self.dense().bits()),
            Fed::Tiers => "the trace's tiers, each product at its widest operands".into(),
        };
        self.around.run(running, work, fed)
    }

    fn dense(&self) -> Bits {
        self.array.element.bits
    }
}

impl PlainArray {
    /// A product as the array takes it: operands wider than the elements come part by
    /// part, each part of one with each of the other.
    fn gemm(&self, [m, n, k]: [u64; 3], left: Bits, right: Bits) -> Gemm {
        let parts =
            |operand: Bits| u64::from(operand.bits()).div_ceil(u64::from(self.element.bits.bits()));
        Gemm {
            m,
            n,
            k: k * parts(left) * parts(right),
        }
    }

    fn of(&self, product: &Product) -> Gemm {
        let widest = |bits: &[Bits]| bits.iter().copied().max().unwrap_or(Bits::Four);
        let right = match &product.right {
            RightBits::Uniform(bits) => *bits,
            RightBits::Columns(bits) | RightBits::Steps(bits) => widest(bits),
        };
        let sizes = [product.m(), product.n, product.k].map(|size| size as u64);
        self.gemm(sizes, widest(&product.rows), right)
    }

    /// Cycles of equal products, and what the elements do in them.
    fn run(&self, gemm: Gemm, copies: u64) -> (u64, Breakdown) {
        timing::run(self.shape, self.dataflow, self.overlap, gemm, copies)
    }
}

impl Accelerator for Systolic {
    fn elements(&self) -> u64 {
        self.array.shape.elements()
    }

    fn element_bits(&self) -> u64 {
        self.array.element.bits.bits().into()
    }

    fn area(&self, technology: &Technology) -> Area {
        let mut area = Area::default();
        area.cells(Part::Array, self.array.element.cell, self.elements() as f64);
        self.around.area(&mut area, technology);
        area
    }

    fn waiting(&self) -> Option<Waiting> {
        Some(Waiting {
            part: Part::Array,
            // All stand still together, and begin again with what they held.
            late: self.array.element.idle,
            idle: self.array.element.idle,
            zeros: Some(self.array.element.zeros),
        })
    }

    fn dram(&self) -> &Dram {
        &self.around.dram
    }

    fn sram(&self) -> Option<&Sram> {
        Some(&self.around.sram)
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&match self.fed {
            Fed::Dense => Workload::dense(&header.model, input.read(), self.dense()),
            Fed::Tiers => input.workload(header),
        })
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        let Header { model, plan } = header;
        self.work(&match self.fed {
            Fed::Dense => Workload::dense_step(model, tokens_so_far(kept), self.dense()),
            Fed::Tiers => Workload::step_under_plan(model, plan, kept),
        })
    }

    fn array(&self) -> Option<&dyn ProductArray> {
        Some(self)
    }
}

impl ProductArray for Systolic {
    fn shape(&self) -> ArrayShape {
        self.array.shape
    }

    fn product(&self, gemm: &workload::gemm::Gemm, left: Bits, right: Bits) -> ArrayRun {
        let own = self.array.gemm([gemm.m, gemm.n, gemm.k], left, right);
        let (cycles, element_cycles) = self.array.run(own, gemm.batch);
        ArrayRun {
            cycles,
            element_cycles,
        }
    }
}

/// The array while it runs.
#[derive(Debug)]
struct Running {
    array: PlainArray,
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

impl TiledArrays for Running {
    fn shape(&self) -> ArrayShape {
        self.array.shape
    }

    fn add(&mut self, product: &Product) -> u64 {
        let gemm = self.array.of(product);
        let copies = product.count as u64;
        let (cycles, element_cycles) = self.array.run(gemm, copies);
        let ArrayShape { rows, columns, .. } = self.array.shape;
        let tiles = copies * gemm.m.div_ceil(rows) * gemm.n.div_ceil(columns);
        self.shared.add(cycles, element_cycles, tiles);
        cycles
    }

    fn element_cycles(&self, product: &Product) -> u64 {
        let Gemm { m, n, k } = self.array.of(product);
        product.count as u64 * m * n * k
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
        let gemm = self.array.of(product);
        let copies = product.count as u64;
        let multiplied = self.element_cycles(product);
        let (_, element_cycles) = self.array.run(gemm, copies);
        let padding = element_cycles.tail;
        actions.count(Part::Array, self.array.element.product, multiplied);
        actions.count(Part::Array, self.array.element.zeros, padding);

        let (left, right) = (left_bits(product), right_bits(product));
        let sums = copies * gemm.m * gemm.n;
        let ArrayShape { rows, columns, .. } = self.array.shape;
        let (read, written) = match self.array.dataflow {
            Dataflow::OutputStationary => {
                let shifts = sums * (1 + rows.div_ceil(2));
                actions.count(Part::Array, self.array.element.shift, shifts);
                let read = left * gemm.n.div_ceil(columns) + right * gemm.m.div_ceil(rows);
                (copies * read, 0)
            }
            Dataflow::WeightStationary => {
                let partial = sums * ((product.k as u64).div_ceil(rows) - 1) * SUM_BITS;
                let read = copies * (left * gemm.n.div_ceil(columns) + right);
                (read + partial, partial)
            }
            Dataflow::InputStationary => {
                let partial = sums * ((product.k as u64).div_ceil(rows) - 1) * SUM_BITS;
                let read = copies * (left + right * gemm.m.div_ceil(columns));
                (read + partial, partial)
            }
        };
        actions.count(Part::Buffer, Action::SramReadBit, read);
        actions.count(Part::Buffer, Action::SramWriteBit, written);
    }
}
