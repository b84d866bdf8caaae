//! A plain 8-bit systolic array: the baseline that gains nothing from tokens of
//! fewer bits. It is fed the dense model at the input's own length.

mod timing;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{self, Product, Workload};
use dtatrans_precision::{Bits, Tier};
use serde::Deserialize;

pub use timing::{Dataflow, Gemm, Overlap, cycles};

use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, Run};
use crate::array_shape::ArrayShape;
use crate::blocks::{Shared, Surroundings, TiledArrays};
use crate::energy::{Action, Actions, Part};
use crate::machine::{tables, tokens_so_far};
use crate::mapping::SUM_BITS;
use crate::memory::operands::{left_bits, right_bits};
use crate::memory::{Dram, Sram, SramFile};
use crate::products::{ArrayRun, ProductArray};
use crate::report::Breakdown;
use crate::schedule::{Arrays, LaneRun, TileRange};
use crate::vector::VectorUnit;

pub(crate) const KIND: Kind = Kind {
    name: "systolic",
    summary: "plain 8-bit systolic array: dense, output-, weight- or input-stationary",
    read,
};

/// Width of an accumulator, in bits.
const ACCUMULATOR_BITS: u64 = 32;
/// Width of an operand, in bits.
const OPERAND_BITS: u64 = 8;

/// A plain 8-bit systolic array with its surroundings.
#[derive(Debug)]
pub struct Systolic {
    shape: ArrayShape,
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
    dataflow: Dataflow,
    overlap: Overlap,
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
    Ok(Box::new(Systolic {
        shape,
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
            dataflow: self.dataflow,
            overlap: self.overlap,
            shared: Shared::default(),
        };
        self.around
            .run(running, work, "all tokens at 8 bits".into())
    }
}

impl Accelerator for Systolic {
    fn elements(&self) -> u64 {
        self.shape.elements()
    }

    fn element_bits(&self) -> u64 {
        8
    }

    fn dram(&self) -> &Dram {
        &self.around.dram
    }

    fn sram(&self) -> Option<&Sram> {
        Some(&self.around.sram)
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&Workload::dense(&header.model, input.read(), Bits::Eight))
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        let tokens = tokens_so_far(kept);
        self.work(&Workload::dense_step(&header.model, tokens, Bits::Eight))
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

    /// What the array does that costs energy: an element multiplies, adds, and
    /// clocks accumulator and both operands once per product, and clocks them
    /// for padding too. Output-stationary sums drain down the column, half of it
    /// on average; the other dataflows write and read partial sums for each fold
    /// of the reduction.
    fn count(&self, product: &Product, actions: &mut Actions) {
        let gemm = gemm(product);
        let copies = product.count as u64;
        let macs = product.macs();
        let (_, element_cycles) =
            timing::run(self.shape, self.dataflow, self.overlap, gemm, copies);
        let padding = element_cycles.tail;
        actions.count(Part::Arithmetic, Action::Multiply8, macs);
        actions.count(Part::Arithmetic, Action::Add32, macs);
        let per_product = ACCUMULATOR_BITS + 2 * OPERAND_BITS;
        let mut clocked = (macs + padding) * per_product;

        let (left, right) = (left_bits(product), right_bits(product));
        let sums = copies * gemm.m * gemm.n;
        let ArrayShape { rows, columns, .. } = self.shape;
        let (read, written) = match self.dataflow {
            Dataflow::OutputStationary => {
                clocked += sums * ACCUMULATOR_BITS * (1 + rows.div_ceil(2));
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
        actions.count(Part::Registers, Action::RegisterBit, clocked);
        actions.count(Part::Buffer, Action::SramReadBit, read);
        actions.count(Part::Buffer, Action::SramWriteBit, written);
    }
}
