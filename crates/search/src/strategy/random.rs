//! Random search.

use crate::Candidate;
use crate::search::State;
use dtatrans_precision::random::Random;

/// Draws before the space is taken to be exhausted.
const TRIALS: usize = 10_000;

/// A candidate that was not evaluated, each level drawn evenly.
pub(super) fn next(state: &State) -> Option<Candidate> {
    let mut random = Random::of_stream(state.options.seed, state.history.len() as u64);
    (0..TRIALS)
        .map(|_| {
            let levels = state.genes.iter();
            let levels = levels.map(|gene| random.below(gene.levels.len()) as u16);
            (state.canonical)(Candidate(levels.collect()))
        })
        .find(|candidate| state.is_new(candidate))
}
