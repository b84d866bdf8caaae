//! From a workload to the blocks of a schedule, for arrays that work tile by tile.
//!
//! Results lie in DRAM between products. Hidden states keep 16 bits a channel, one
//! token's row after the other in the order of the text; what follows within a
//! layer lies in the order in which it enters the arrays. So grouping costs its
//! gathers and scatters where a layer begins and where a product adds to the
//! residual stream. `ends` has what stands before and behind the layers.

mod attention;
mod ends;
mod linear;
pub mod steady;

use dtatrans_precision::Bits;
use dtatrans_precision::workload::{LayerWork, Operation, Product, VectorWork, Workload};

use crate::accelerator::{ProductRun, Run};
use crate::area::Area;
use crate::array_shape::ArrayShape;
use crate::energy::Actions;
use crate::memory::{Dram, Request, Sram};
use crate::node::Technology;
use crate::report::Breakdown;
use crate::schedule::{Arrays, Block, LaneRun, Ranking, TileRange};
use crate::sort::Sorter;
use crate::vector::{self, VectorUnit};

/// Bits of a position in the text, in the table that says which row comes next.
const INDEX_BITS: u64 = 16;

/// What stands around arrays that work tile by tile.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) sram: Sram,
    pub(crate) dram: Dram,
    pub(crate) clock_ghz: f64,
    pub(crate) vector: VectorUnit,
    pub(crate) sort: Option<Sorter>,
    /// Whether rows enter in another order than that of the text.
    pub(crate) reorders: bool,
}

/// Arrays that work tile by tile, as far as blocks depend on them.
pub(crate) trait TiledArrays: Arrays {
    /// Their size.
    fn shape(&self) -> ArrayShape;

    /// Takes a product on: the cycles that it needs if nothing holds it up.
    fn add(&mut self, product: &Product) -> u64;

    /// Element-cycles that a product needs.
    fn element_cycles(&self, product: &Product) -> u64;

    /// Takes on what is no product, and has no tiles.
    fn add_none(&mut self);

    /// The bits of rows in the order in which they enter, and the place in the text
    /// of each.
    fn arrange(&self, lines: &[Bits]) -> (Vec<Bits>, Vec<usize>);

    /// What the arrays do with a product that costs energy.
    fn count(&self, product: &Product, actions: &mut Actions);
}

impl Surroundings {
    /// What they add to a chip.
    pub(crate) fn area(&self, area: &mut Area, technology: &Technology) {
        area.sram(&self.sram, technology);
        self.vector.area(area);
        if let Some(sorter) = &self.sort {
            sorter.area(area);
        }
    }

    /// Bytes of the buffer that hold operands: all but the table of a reordering.
    pub(crate) fn room_bytes(&self, tokens: usize) -> u64 {
        let table = match self.reorders {
            true => tokens as u64 * INDEX_BITS / 8,
            false => 0,
        };
        self.sram.bytes().saturating_sub(table)
    }

    /// The run of a workload.
    pub(crate) fn run<A: TiledArrays + 'static>(
        &self,
        mut arrays: A,
        work: &Workload,
        fed: String,
    ) -> Run {
        let mut builder = Builder::new(self, &mut arrays, work.tokens);
        if let Some(ends) = &work.ends {
            builder.embedding(&ends.embedding);
        }
        for layer in &work.layers {
            builder.layer(layer);
        }
        if let Some(ends) = &work.ends {
            builder.behind(ends);
        }
        let Builder {
            products,
            blocks,
            rankings,
            ranking_actions,
            ..
        } = builder;
        Run {
            fed,
            products,
            blocks,
            rankings,
            ranking_actions,
            arrays: Box::new(arrays),
            room_bytes: self.room_bytes(work.tokens),
            runs_encoder: true,
        }
    }
}

/// Blocks while they are made.
struct Builder<'a> {
    around: &'a Surroundings,
    arrays: &'a mut dyn TiledArrays,
    shape: ArrayShape,
    room_bytes: u64,
    products: Vec<ProductRun>,
    blocks: Vec<Block>,
    rankings: Vec<Option<Ranking>>,
    ranking_actions: Vec<Actions>,
    /// The next free address in DRAM.
    end_of_dram: u64,
    hidden: u64,
    /// The results that the next product takes.
    last: Results,
    /// The block that added the last change to the residual stream.
    residual: Option<usize>,
    /// The last block of the attention.
    attended: Option<usize>,
}

/// Results of a product in DRAM.
#[derive(Clone, Debug, Default)]
struct Results {
    address: u64,
    /// Bits of the rows, in their order.
    rows: Vec<Bits>,
    /// By strip of rows the block that stores the last of it.
    written_by: Vec<usize>,
}

impl Results {
    /// The block that stores the last of these strips of rows; of other rows than
    /// these, the last of all.
    fn writer(&self, rows: &[Bits], strips: (u64, u64)) -> Option<usize> {
        match self.rows == rows {
            true => self.written_by[strips.0 as usize..strips.1 as usize]
                .iter()
                .copied()
                .max(),
            false => self.written_by.iter().copied().max(),
        }
    }
}

impl<'a> Builder<'a> {
    fn new(
        around: &'a Surroundings,
        arrays: &'a mut dyn TiledArrays,
        tokens: usize,
    ) -> Builder<'a> {
        let shape = arrays.shape();
        Builder {
            around,
            arrays,
            shape,
            room_bytes: around.room_bytes(tokens),
            products: Vec::new(),
            blocks: Vec::new(),
            rankings: Vec::new(),
            ranking_actions: Vec::new(),
            end_of_dram: 0,
            hidden: 0,
            last: Results::default(),
            residual: None,
            attended: None,
        }
    }

    fn layer(&mut self, layer: &LayerWork) {
        let index = self.rankings.len();
        let mut actions = Actions::default();
        let ranking = self
            .around
            .sort
            .filter(|_| layer.ranked_tokens > 0)
            .map(|sorter| {
                sorter.count(layer.ranked_tokens, &mut actions);
                Ranking {
                    cycles: sorter.cycles(layer.ranked_tokens),
                    of: self.attended,
                }
            });
        if ranking.is_some() && self.around.reorders {
            // The table is written once, and read for each gather and scatter.
            use crate::energy::{Action, Part};
            let table = INDEX_BITS * layer.ranked_tokens;
            actions.count(Part::Buffer, Action::SramWriteBit, table);
            actions.count(Part::Buffer, Action::SramReadBit, 4 * table);
        }
        self.rankings.push(ranking);
        self.ranking_actions.push(actions);

        let of = |operation| {
            let products = layer.products.iter();
            products.filter(move |product| product.operation == operation)
        };
        let before = |operation| {
            of(operation)
                .next()
                .map_or(VectorWork::default(), |product| product.before)
        };
        let mut contexts = of(Operation::Context);
        let mut results = Results::default();
        for product in &layer.products {
            match product.operation {
                Operation::Score => {
                    let output = of(Operation::Output).next();
                    if let (Some(context), Some(output)) = (contexts.next(), output) {
                        self.attention(product, context, output, &mut results);
                    }
                }
                Operation::Context => {}
                Operation::Query => {
                    self.inputs(product, index);
                    self.linear(product, VectorWork::default());
                }
                // What the next product's rows need is done before they are stored.
                Operation::Output => {
                    self.last = std::mem::take(&mut results);
                    self.linear(product, before(Operation::Up));
                }
                Operation::Up => self.linear(product, before(Operation::Down)),
                _ => self.linear(product, VectorWork::default()),
            }
        }
    }

    /// Room for so many bits in DRAM.
    fn allocate(&mut self, bits: u64) -> u64 {
        let address = self.end_of_dram;
        // Regions begin where DRAM bursts do.
        self.end_of_dram += bits.div_ceil(8).next_multiple_of(64);
        address
    }

    fn product(&mut self, product: &Product) -> usize {
        let mut actions = Actions::default();
        self.arrays.count(product, &mut actions);
        vector::count(&product.vector(), &mut actions);
        self.products.push(ProductRun {
            layer: product.layer,
            operation: product.operation,
            copies: product.count as u64,
            m: product.m() as u64,
            n: product.n as u64,
            k: product.k as u64,
            macs: product.macs(),
            element_cycles: self.arrays.element_cycles(product),
            actions,
            operand_bytes: [0; 3],
            mapping: None,
        });
        self.products.len() - 1
    }

    /// Cycles of the vector unit for a share of some work: from `done` of `all`
    /// units of it to `until`.
    fn share(&self, work: &VectorWork, (done, until): (u64, u64), all: u64) -> u64 {
        let cycles = self.around.vector.cycles(work);
        let upto =
            |units: u64| (u128::from(cycles) * u128::from(units) / u128::from(all.max(1))) as u64;
        upto(until) - upto(done)
    }
}

fn read(address: u64, bytes: u64) -> Request {
    Request {
        address,
        bytes,
        write: false,
    }
}

fn write(address: u64, bytes: u64) -> Request {
    Request {
        address,
        bytes,
        write: true,
    }
}

/// Bits of rows.
fn bits_of(rows: &[Bits]) -> u64 {
    rows.iter().map(|bits| u64::from(bits.bits())).sum()
}

/// Arrays whose products take a known number of cycles each, which their blocks
/// share by their tiles.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    products: Vec<Known>,
    free: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    cycles: u64,
    element_cycles: Breakdown,
    tiles: u64,
    run: u64,
}

impl Shared {
    /// Takes a product of so many tiles on.
    pub(crate) fn add(&mut self, cycles: u64, element_cycles: Breakdown, tiles: u64) {
        self.products.push(Known {
            cycles,
            element_cycles,
            tiles,
            run: 0,
        });
    }
}

impl Arrays for Shared {
    fn lanes(&self) -> usize {
        1
    }

    fn reset(&mut self) {
        self.free = 0;
        for product in &mut self.products {
            product.run = 0;
        }
    }

    fn run(&mut self, product: usize, tiles: TileRange, ready: u64, runs: &mut Vec<LaneRun>) {
        if tiles.count() == 0 {
            return;
        }
        let known = &mut self.products[product];
        // Pieces of the reduction are parts of a tile.
        let all_tiles = known.tiles * u64::from(tiles.piece.1);
        let (done, until) = (known.run, known.run + tiles.count());
        known.run = until;
        let share = |all: u64| {
            let upto = |tiles: u64| u128::from(all) * u128::from(tiles) / u128::from(all_tiles);
            (upto(until) - upto(done)) as u64
        };
        let mut work = Breakdown::default();
        for cause in crate::report::Cause::ALL {
            *work.field(cause) = share(known.element_cycles.of(cause));
        }
        let begin = self.free.max(ready);
        let waited = begin - self.free;
        self.free = begin + share(known.cycles);
        runs.push(LaneRun {
            lane: 0,
            waited,
            begin,
            free: self.free,
            done: self.free,
            work,
            mismatch: 0,
        });
    }

    fn delay(&mut self, _lane: usize, cycles: u64) {
        self.free += cycles;
    }

    fn end(&self, _lane: usize) -> (u64, Breakdown, i64) {
        (self.free, Breakdown::default(), 0)
    }
}
