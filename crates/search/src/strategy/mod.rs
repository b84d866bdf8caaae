//! What to evaluate next: the joint search, and the baselines that it is
//! compared with.

mod joint;
mod opening;
mod optimum;
mod proportional;
mod random;
mod schedule;

use serde::{Deserialize, Serialize};

use crate::Candidate;
use crate::search::State;

/// What to evaluate next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Sensitivities of single genes, then a search over all of them that a
    /// fitted model leads.
    Joint,
    /// The same levels in all layers that have a choice, swept.
    Uniform,
    /// Shares of 0-bit tokens that grow linearly over the layers, as SpAtten's
    /// schedule has them, swept by their start and their end.
    Linear,
    /// Levels drawn at random.
    Random,
}

impl Strategy {
    /// Every strategy, the joint search first.
    pub const ALL: [Strategy; 4] = [
        Strategy::Joint,
        Strategy::Uniform,
        Strategy::Linear,
        Strategy::Random,
    ];

    /// Its name in journals and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Joint => "joint",
            Strategy::Uniform => "uniform",
            Strategy::Linear => "linear",
            Strategy::Random => "random",
        }
    }

    pub(crate) fn next(self, state: &State) -> Option<Candidate> {
        match self {
            Strategy::Joint => joint::next(state),
            Strategy::Uniform => schedule::uniform(state),
            Strategy::Linear => schedule::linear(state),
            Strategy::Random => random::next(state),
        }
    }
}
