//! Blocks of machines whose products are known as a whole: equal steps, each with
//! its share of everything.

use super::{Shared, read, write};
use crate::accelerator::{ProductRun, Run};
use crate::energy::Actions;
use crate::memory::Traffic;
use crate::report::Breakdown;
use crate::schedule::{Block, Load, Operand, Ranking, TileRange};

/// A product as a whole.
#[derive(Clone, Debug)]
pub struct Whole {
    /// What is known of it apart from its time.
    pub product: ProductRun,
    /// Steps that it is run in.
    pub steps: u64,
    /// Cycles of the array.
    pub cycles: u64,
    /// What its elements do in them.
    pub element_cycles: Breakdown,
    /// Bytes that it moves.
    pub traffic: Traffic,
    /// Cycles of the vector unit on the results.
    pub vector_cycles: u64,
    /// Whether each step takes its operands from that of the product before, on the
    /// chip.
    pub takes: bool,
}

/// Runs of products one after the other.
#[derive(Debug, Default)]
pub struct Steady {
    arrays: Shared,
    products: Vec<ProductRun>,
    blocks: Vec<Block>,
    rankings: Vec<Option<Ranking>>,
    ranking_actions: Vec<Actions>,
    /// Blocks of the product before.
    before: (usize, usize),
    address: u64,
}

impl Steady {
    /// A layer begins, behind a ranking of so many cycles.
    pub fn layer(&mut self, ranking_cycles: u64, actions: Actions) {
        self.rankings.push((ranking_cycles > 0).then_some(Ranking {
            cycles: ranking_cycles,
            of: self.blocks.len().checked_sub(1),
        }));
        self.ranking_actions.push(actions);
    }

    /// A product, behind those before.
    pub fn add(&mut self, whole: Whole) {
        let id = self.products.len();
        let first = self.blocks.len();
        let last = first.checked_sub(1);
        let steps = whole.steps.max(1);
        let share = |all: u64, step: u64| all * (step + 1) / steps - all * step / steps;
        self.arrays.add(whole.cycles, whole.element_cycles, steps);
        for step in 0..steps {
            let block = self.blocks.len();
            let (bytes, stored) = (
                share(whole.traffic.read_bytes, step),
                share(whole.traffic.write_bytes, step),
            );
            self.blocks.push(Block {
                product: id,
                tiles: TileRange::whole((step, step + 1), (0, 1)),
                loads: vec![Load {
                    operand: Operand::Other,
                    requests: vec![read(self.address, bytes)],
                    // Half of the room: the next step's has the other half.
                    bytes: 1,
                    until: block,
                    // Results of the product before, unless they stay on the chip.
                    written_by: if whole.takes { None } else { last },
                    ranked: self.rankings.len().checked_sub(1),
                }],
                takes: whole.takes.then(|| {
                    let (begin, end) = self.before;
                    begin + ((end - begin) as u64 * (step + 1)).div_ceil(steps) as usize - 1
                }),
                before: 0,
                after: share(whole.vector_cycles, step),
                stores: vec![write(self.address + bytes, stored)],
                operand_bits: [0; 2],
                other_bits: 0,
            });
            self.address += bytes + stored;
        }
        self.before = (first, self.blocks.len());
        self.products.push(ProductRun {
            operand_bytes: [0, 0, whole.traffic.unique_read_bytes],
            ..whole.product
        });
    }

    /// What a machine answers that runs them.
    pub fn run(self, fed: String, runs_encoder: bool) -> Run {
        Run {
            fed,
            products: self.products,
            blocks: self.blocks,
            rankings: self.rankings,
            ranking_actions: self.ranking_actions,
            arrays: Box::new(self.arrays),
            room_bytes: 2,
            runs_encoder,
        }
    }
}
