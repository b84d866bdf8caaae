//! The top-k unit that ranks the tokens before a layer.

use serde::Deserialize;

use crate::AccelError;
use crate::energy::{Action, Actions, Part};
use crate::machine::check;

/// A two-level top-k unit: it finds the thresholds of both tiers by radix
/// selection and emits the tokens grouped by tier.
///
/// Our decision until it exists in RTL: a pass over n scores takes
/// ceil(n / per_cycle) + latency cycles, as a pass of SpAtten's engine does
/// (HPCA 2021, section IV-B: ceil(n/16) + 3); 16-bit scores need four passes of
/// 4 bits each, which serve both thresholds, and one pass emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sorter {
    /// Scores compared per cycle.
    pub per_cycle: u64,
    /// Passes over the scores.
    pub passes: u64,
    /// Latency of one pass, in cycles.
    pub latency_cycles: u64,
}

impl Sorter {
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::between("sort.per_cycle", self.per_cycle, 1, 1 << 12)?;
        check::between("sort.passes", self.passes, 1, 1 << 8)?;
        check::between("sort.latency_cycles", self.latency_cycles, 0, 1 << 12)
    }

    /// Cycles that ranking `tokens` tokens takes.
    pub fn cycles(&self, tokens: u64) -> u64 {
        if tokens == 0 {
            return 0;
        }
        self.passes * (tokens.div_ceil(self.per_cycle) + self.latency_cycles)
    }

    /// What ranking `tokens` tokens does: in each pass every score is read into
    /// a register and compared.
    pub(crate) fn count(&self, tokens: u64, actions: &mut Actions) {
        let scores = self.passes * tokens;
        actions.count(Part::Sort, Action::Compare32, scores);
        actions.count(Part::Sort, Action::RegisterBit, 32 * scores);
    }
}
