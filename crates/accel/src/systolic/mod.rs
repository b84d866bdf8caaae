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
use crate::array_shape::ArrayShape;
use crate::blocks::{Shared, Surroundings, TiledArrays};
use crate::energy::{Action, Actions, Part};
use crate::machine::{check, tables, tokens_so_far};
use crate::mapping::SUM_BITS;
use crate::memory::operands::{left_bits, right_bits};
use crate::memory::{Dram, Sram, SramFile};
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

/// Width of an accumulator, in bits.
const ACCUMULATOR_BITS: u64 = 32;

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
    dataflow: Dataflow,
    overlap: Overlap,
    element_bits: ElementBits,
}

/// Width of the operands that an element multiplies at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
enum ElementBits {
    Four,
    #[default]
    Eight,
    Sixteen,
}

impl ElementBits {
    fn bits(self) -> u64 {
        match self {
            ElementBits::Four => 4,
            ElementBits::Eight => 8,
            ElementBits::Sixteen => 16,
        }
    }

    /// Parts of operands of a width that elements take one after the other.
    fn parts(self, operand: Bits) -> u64 {
        u64::from(operand.bits()).div_ceil(self.bits())
    }

    /// The width at which the dense model is computed: what weights and activations
    /// bear without tiers, or all that the elements have.
    fn dense(self) -> Bits {
        match self {
            ElementBits::Four | ElementBits::Eight => Bits::Eight,
            ElementBits::Sixteen => Bits::Sixteen,
        }
    }
}

impl TryFrom<u64> for ElementBits {
    type Error = String;

    fn try_from(bits: u64) -> Result<ElementBits, String> {
        match bits {
            4 => Ok(ElementBits::Four),
            8 => Ok(ElementBits::Eight),
            16 => Ok(ElementBits::Sixteen),
            _ => Err(format!("element_bits = {bits}: must be 4, 8 or 16")),
        }
    }
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
    dataflow: Dataflow,
    overlap: Overlap,
    #[serde(default)]
    element_bits: ElementBits,
    #[serde(default)]
    fed: Fed,
}

fn read(file: toml::Table, clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let file: File = tables(file)?;
    let shape = ArrayShape {
        rows: file.array.rows,
        columns: file.array.columns,
        arrays: 1,
    };
    shape.check()?;
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
            element_bits: file.array.element_bits,
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
        self.array.element_bits.dense()
    }
}

impl PlainArray {
    /// A product as the array takes it: operands wider than the elements come part by
    /// part, each part of one with each of the other.
    fn gemm(&self, [m, n, k]: [u64; 3], left: Bits, right: Bits) -> Gemm {
        let parts = self.element_bits.parts(left) * self.element_bits.parts(right);
        Gemm { m, n, k: k * parts }
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
        self.array.element_bits.bits()
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

    /// What the array does that costs energy: an element multiplies, adds, and
    /// clocks accumulator and both operands once per product, and clocks them
    /// for padding too. Output-stationary sums drain down the column, half of it
    /// on average; the other dataflows write and read partial sums for each fold
    /// of the reduction.
    fn count(&self, product: &Product, actions: &mut Actions) {
        let gemm = self.array.of(product);
        let copies = product.count as u64;
        let multiplied = self.element_cycles(product);
        let (_, element_cycles) = self.array.run(gemm, copies);
        let padding = element_cycles.tail;
        let multiply = match self.array.element_bits {
            ElementBits::Four => Action::Multiply5,
            ElementBits::Eight => Action::Multiply8,
            ElementBits::Sixteen => Action::Multiply16,
        };
        actions.count(Part::Arithmetic, multiply, multiplied);
        actions.count(Part::Arithmetic, Action::Add32, multiplied);
        let per_product = ACCUMULATOR_BITS + 2 * self.array.element_bits.bits();
        let mut clocked = (multiplied + padding) * per_product;

        let (left, right) = (left_bits(product), right_bits(product));
        let sums = copies * gemm.m * gemm.n;
        let ArrayShape { rows, columns, .. } = self.array.shape;
        let (read, written) = match self.array.dataflow {
            Dataflow::OutputStationary => {
                clocked += sums * ACCUMULATOR_BITS * (1 + rows.div_ceil(2));
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
        actions.count(Part::Registers, Action::RegisterBit, clocked);
        actions.count(Part::Buffer, Action::SramReadBit, read);
        actions.count(Part::Buffer, Action::SramWriteBit, written);
    }
}
