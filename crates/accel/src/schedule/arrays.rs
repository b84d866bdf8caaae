//! What runs blocks.

use super::TileRange;
use crate::report::Breakdown;

/// What one array did in a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneRun {
    /// Which array.
    pub lane: usize,
    /// Cycles for which it could have run and had no operands.
    pub waited: u64,
    /// The cycle in which it began.
    pub begin: u64,
    /// The cycle in which it could begin something else.
    pub free: u64,
    /// The cycle in which the last result left.
    pub done: u64,
    /// What its elements did, but for the wait and for what they waited for one
    /// another.
    pub work: Breakdown,
    /// What they waited for one another, as far as it can be told apart yet: over a
    /// whole run it sums to what they waited.
    pub mismatch: i64,
}

/// Arrays that run blocks, each at its own pace.
pub trait Arrays: std::fmt::Debug {
    /// Number of arrays.
    fn lanes(&self) -> usize;

    /// All arrays are empty again, in cycle 0.
    fn reset(&mut self);

    /// Runs tiles of a product whose operands are there from cycle `ready` on: for
    /// each array that got one what it did.
    fn run(&mut self, product: usize, tiles: TileRange, ready: u64, runs: &mut Vec<LaneRun>);

    /// Holds an array up.
    fn delay(&mut self, lane: usize, cycles: u64);

    /// The cycle in which an array's last result has left, what its elements did
    /// that was not told yet, and what they waited for one another.
    fn end(&self, lane: usize) -> (u64, Breakdown, i64);
}
