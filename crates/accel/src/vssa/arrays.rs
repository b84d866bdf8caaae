//! The arrays while they run: which takes which tile, and how long each takes.

use std::sync::{Arc, Mutex, PoisonError};

use dtatrans_precision::Bits;
use dtatrans_precision::workload::Product;

use super::timing::{Position, Tiles, Timing};
use super::{Order, operands};
use crate::array_shape::ArrayShape;
use crate::blocks::TiledArrays;
use crate::energy::Actions;
use crate::report::Breakdown;
use crate::schedule::{Arrays, LaneRun, TileRange};

/// Arrays that run the tiles of products. Each tile goes to the array that was dealt
/// least work so far, so that who runs what does not depend on when operands come.
#[derive(Debug)]
pub(super) struct Lanes {
    shape: ArrayShape,
    order: Order,
    timing: Timing,
    shelf: Shelf,
    products: Vec<Vec<Tiles>>,
    positions: Vec<Position>,
    /// Cycles of the slowest products of the tiles that each was dealt.
    dealt: Vec<u64>,
}

/// Where what is known of tiles waits for the next run.
pub(super) type Shelf = Arc<Mutex<Option<Timing>>>;

/// Kinds of tiles in states beyond which what is known is forgotten: some 100 MB.
const MOST_KNOWN: usize = 1 << 20;

impl Lanes {
    pub(super) fn new(shape: ArrayShape, order: Order, shelf: &Shelf) -> Lanes {
        let known = shelf.lock().unwrap_or_else(PoisonError::into_inner).take();
        Lanes {
            shape,
            order,
            timing: known.unwrap_or_else(|| Timing::new(shape)),
            shelf: Arc::clone(shelf),
            products: Vec::new(),
            positions: Vec::new(),
            dealt: Vec::new(),
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        if self.timing.known() < MOST_KNOWN {
            let timing = std::mem::replace(&mut self.timing, Timing::new(self.shape));
            *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Some(timing);
        }
    }
}

impl Arrays for Lanes {
    fn lanes(&self) -> usize {
        self.shape.arrays as usize
    }

    fn reset(&mut self) {
        self.positions = vec![Position::default(); self.lanes()];
        self.dealt = vec![0; self.lanes()];
    }

    fn run(&mut self, product: usize, tiles: TileRange, ready: u64, runs: &mut Vec<LaneRun>) {
        if tiles.count() == 0 {
            return;
        }
        let pieces = &mut self.products[product];
        let (piece, of) = (tiles.piece.0 as usize, tiles.piece.1 as usize);
        if pieces.len() < of {
            let whole = pieces[0].clone();
            *pieces = self.timing.pieces(&whole, of);
        }
        let own = &pieces[piece];
        let mut of_lane: Vec<Option<usize>> = vec![None; self.positions.len()];
        for column in tiles.columns.0..tiles.columns.1 {
            for row in tiles.rows.0..tiles.rows.1 {
                let (row, column) = (row as usize, column as usize);
                let least = self
                    .dealt
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, dealt)| **dealt);
                let lane = least.map_or(0, |(lane, _)| lane);
                self.dealt[lane] += own.slowest(row, column);
                let position = &mut self.positions[lane];
                let at = *of_lane[lane].get_or_insert_with(|| {
                    runs.push(LaneRun {
                        lane,
                        begin: position.free().max(ready),
                        ..LaneRun::default()
                    });
                    runs.len() - 1
                });
                self.timing
                    .tile(position, own, row, column, ready, &mut runs[at]);
            }
        }
        for run in runs {
            let position = &self.positions[run.lane];
            run.free = position.free().max(run.begin);
            run.done = self.timing.end(position);
        }
    }

    fn delay(&mut self, lane: usize, cycles: u64) {
        self.positions[lane].delay(cycles);
    }

    fn end(&self, lane: usize) -> (u64, Breakdown, i64) {
        let position = &self.positions[lane];
        let (work, mismatch) = self.timing.edges(position);
        (self.timing.end(position), work, mismatch)
    }
}

impl TiledArrays for Lanes {
    fn shape(&self) -> ArrayShape {
        self.shape
    }

    fn add(&mut self, product: &Product) -> u64 {
        let tiles = self.timing.cut(&operands(product, self.order));
        let cycles = tiles.all_slowest() / self.shape.arrays;
        self.products.push(vec![tiles]);
        cycles
    }

    fn element_cycles(&self, product: &Product) -> u64 {
        product.element_cycles()
    }

    fn add_none(&mut self) {
        self.products.push(Vec::new());
    }

    fn arrange(&self, lines: &[Bits]) -> (Vec<Bits>, Vec<usize>) {
        self.order.arrange(lines)
    }

    fn count(&self, product: &Product, actions: &mut Actions) {
        super::count(self.shape, product, actions);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::timing::{Columns, Operands};
    use super::*;

    /// The cycle in which the last result of all tiles has left so many arrays.
    fn cycles(arrays: u64, products: &[Operands]) -> u64 {
        let shape = ArrayShape {
            rows: 4,
            columns: 4,
            arrays,
        };
        let mut lanes = Lanes::new(shape, Order::Grouped, &Shelf::default());
        lanes.products = (products.iter())
            .map(|product| vec![lanes.timing.cut(product)])
            .collect();
        lanes.reset();
        let tiles = |length: usize| (0, length.div_ceil(4) as u64);
        for (index, product) in products.iter().enumerate() {
            let columns = match &product.columns {
                Columns::Lines(lines, _) => lines.len(),
                Columns::Steps(lines, _) => *lines as usize,
            };
            let tiles = TileRange::whole(tiles(product.rows.len()), tiles(columns));
            lanes.run(index, tiles, 0, &mut Vec::new());
        }
        (0..lanes.lanes())
            .map(|lane| lanes.end(lane).0)
            .max()
            .unwrap_or(0)
    }

    fn product(nibbles: impl Strategy<Value = u8> + Clone) -> impl Strategy<Value = Operands> {
        let lines = |lines| prop::collection::vec(nibbles.clone(), 1..lines);
        (lines(40), lines(40), 8u64..60).prop_map(|(rows, columns, steps)| Operands {
            count: 1,
            rows,
            columns: Columns::Lines(columns, steps),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Tiles of one width take what they are dealt by.
        #[test]
        fn more_arrays_never_cost_cycles(
            products in prop::collection::vec(product(Just(2u8)), 1..4),
            arrays in 1u64..6,
            more in 1u64..4,
        ) {
            let (few, many) = (cycles(arrays, &products), cycles(arrays + more, &products));
            prop_assert!(many <= few, "{many} with {more} more, {few} with {arrays}");
        }

        /// Mixed ones can take less than their slowest products, so that others than
        /// before go to an array: in one of 3,000 cases it is late by up to 3 %.
        #[test]
        fn more_arrays_hardly_ever_cost_cycles_of_mixed_tiles(
            products in prop::collection::vec(product(1u8..=2), 1..4),
            arrays in 1u64..6,
            more in 1u64..4,
        ) {
            let (few, many) = (cycles(arrays, &products), cycles(arrays + more, &products));
            prop_assert!(many <= few + few / 10, "{many} with {more} more, {few} with {arrays}");
        }
    }
}
