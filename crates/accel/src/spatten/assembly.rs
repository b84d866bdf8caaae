//! From layers to the blocks of a schedule.
//!
//! A block is a step of a head: some of its queries. The head's keys are there before
//! its first step, its values before its second, and its results leave behind its
//! last one. How far fetches run ahead is what the request FIFO and the SRAMs hold.

use super::layer::LayerRun;
use crate::accelerator::{ProductRun, Run};
use crate::blocks::Shared;
use crate::energy::Actions;
use crate::memory::Request;
use crate::schedule::{Block, Load, Operand, Ranking, TileRange};

/// Queries in flight: depth of the request FIFO (`SpAttenController.scala`).
pub(super) const IN_FLIGHT: u64 = 16;
/// Regions in DRAM begin where bursts do.
const BURST_BYTES: u64 = 64;

/// Layers, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    /// Whether no layer needs results of the one before.
    streams: bool,
    arrays: Shared,
    products: Vec<ProductRun>,
    blocks: Vec<Block>,
    rankings: Vec<Option<Ranking>>,
    ranking_actions: Vec<Actions>,
    end_of_dram: u64,
}

impl Assembly {
    /// Layers that begin without waiting for the one before.
    pub(super) fn streaming() -> Assembly {
        Assembly {
            streams: true,
            ..Assembly::default()
        }
    }

    fn allocate(&mut self, bytes: u64) -> u64 {
        let address = self.end_of_dram;
        self.end_of_dram += bytes.next_multiple_of(BURST_BYTES);
        address
    }

    /// A layer behind a ranking of so many cycles, if it is ranked.
    pub(super) fn add(&mut self, layer: LayerRun, ranking_cycles: u64, actions: Actions) {
        let last = self.blocks.len().checked_sub(1);
        self.rankings.push((ranking_cycles > 0).then_some(Ranking {
            cycles: ranking_cycles,
            of: last,
        }));
        self.ranking_actions.push(actions);
        let steps: u64 = layer.heads.iter().map(|head| head.steps).sum();
        self.arrays.add(layer.cycles, layer.element_cycles, steps);
        let product = self.products.len();
        let share = |all: u64, step: u64, of: u64| all * (step + 1) / of - all * step / of;
        let mut done = 0;
        for head in &layer.heads {
            let keys = self.allocate(head.key_bytes);
            let values = self.allocate(head.value_bytes);
            let queries = self.allocate(head.query_bytes);
            let results = self.allocate(head.result_bytes);
            for step in 0..head.steps {
                let block = self.blocks.len();
                let mut requests = Vec::new();
                let mut ask = |address, bytes, write| {
                    if bytes > 0 {
                        requests.push(Request {
                            address,
                            bytes,
                            write,
                        });
                    }
                };
                let before = head.query_bytes * step / head.steps;
                let own = share(head.query_bytes, step, head.steps);
                ask(queries + before, own, false);
                if step == 0 {
                    ask(keys, head.key_bytes, false);
                }
                if step == 1 || head.steps == 1 {
                    ask(values, head.value_bytes, false);
                }
                let stores = match step + 1 == head.steps {
                    true => vec![Request {
                        address: results,
                        bytes: head.result_bytes,
                        write: true,
                    }],
                    false => Vec::new(),
                };
                self.blocks.push(Block {
                    product,
                    tiles: TileRange::whole((done, done + 1), (0, 1)),
                    loads: vec![Load {
                        operand: Operand::Other,
                        requests,
                        bytes: head.in_flight,
                        until: block,
                        written_by: last.filter(|_| !self.streams),
                        ranked: self.rankings.len().checked_sub(1),
                    }],
                    takes: None,
                    before: 0,
                    after: share(layer.vector_cycles, done, steps),
                    stores,
                    operand_bits: [0; 2],
                    other_bits: 0,
                });
                done += 1;
            }
        }
        self.products.push(layer.product);
    }

    /// What the machine answers.
    pub(super) fn run(self, fed: &str) -> Run {
        Run {
            fed: fed.to_owned(),
            products: self.products,
            blocks: self.blocks,
            rankings: self.rankings,
            ranking_actions: self.ranking_actions,
            arrays: Box::new(self.arrays),
            room_bytes: IN_FLIGHT,
            runs_encoder: false,
        }
    }
}
