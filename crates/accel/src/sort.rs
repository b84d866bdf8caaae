//! The top-k unit that ranks the tokens before a layer.

use serde::Deserialize;

use crate::AccelError;
use crate::area::{Area, Cell};
use crate::energy::{Action, Actions, Part};
use crate::machine::check;

/// The two-level top-k unit of `rtl/src/topk.sv`: it finds the thresholds of both
/// tiers digit by digit, a pass over the scores each, and tells each token's tier
/// and place in one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sorter {
    /// Scores that it reads in a cycle.
    pub lanes: u64,
    /// Width of a score.
    pub score_bits: u64,
    /// Bits of a threshold that a pass finds; they divide those of a score.
    pub digit_bits: u64,
}

impl Sorter {
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::between("sort.lanes", self.lanes, 1, 1 << 8)?;
        check::between("sort.score_bits", self.score_bits, 1, 32)?;
        check::between("sort.digit_bits", self.digit_bits, 1, 8)?;
        match self.score_bits.is_multiple_of(self.digit_bits) {
            true => Ok(()),
            false => Err(check::refuse(
                "sort.score_bits",
                self.score_bits,
                &format!("a multiple of sort.digit_bits, {}", self.digit_bits),
            )),
        }
    }

    fn passes(&self) -> u64 {
        self.score_bits / self.digit_bits
    }

    /// Cycles that ranking `tokens` tokens takes: the co-simulation holds the RTL
    /// against them.
    pub fn cycles(&self, tokens: u64) -> u64 {
        if tokens == 0 {
            return 0;
        }
        let words = tokens.div_ceil(self.lanes);
        self.passes() * (words + 2) + words + 3
    }

    /// What ranking `tokens` tokens does: each pass reads every score, words that the text
    /// does not fill included. Priced by the netlist of 16 lanes, 16 bits and digits of 4.
    pub(crate) fn count(&self, tokens: u64, actions: &mut Actions) {
        let words = tokens.div_ceil(self.lanes);
        let scores = (self.passes() + 1) * words * self.lanes;
        actions.count(Part::Sort, Action::RankScore, scores);
    }

    /// What it adds to a chip: its lanes, as that netlist's.
    pub(crate) fn area(&self, area: &mut Area) {
        area.cells(Part::Sort, Cell::TopkLane, self.lanes as f64);
    }
}
