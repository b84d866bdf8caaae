//! The best candidate by predictions: least in one quantity while another stays
//! within a limit.

use std::collections::{BTreeMap, HashSet};

use crate::search::State;
use crate::{Candidate, GeneKind};

/// Halvings of the price that trades the two quantities.
const PRICES: usize = 14;
/// Steps of the local search.
const STEPS: usize = 12;
/// Steps of it where the predictions hold near the start only.
const STEPS_NEARBY: usize = 4;
/// By how many levels of a gene with many a neighbour may differ.
const REACH: [u16; 4] = [1, 2, 5, 10];
/// Levels of a gene that are tried from everywhere.
const LEVELS: usize = 21;

/// What is to be least, and what has a limit.
pub(super) struct Goal {
    /// The index, 0 or 1, of the quantity to be least; the other is limited.
    pub(super) least: usize,
    /// The limit of the other.
    pub(super) limit: f64,
}

impl Goal {
    /// How bad two predicted quantities are: first what they exceed the limit
    /// by, then the quantity itself.
    fn badness(&self, predicted: [f64; 2]) -> (f64, f64) {
        let excess = (predicted[1 - self.least] - self.limit).max(0.0);
        (excess, predicted[self.least])
    }
}

/// The best candidate that was not evaluated yet; with `nearby` among those that differ
/// from a start in a few genes.
///
/// From each start, the sum of the quantity and a price times the limited one
/// is made least group by group, which is exact where groups do not interact;
/// the price is halved until the limit just holds. Then a local search trades
/// one gene's levels for another's. Of what it looked at last the best new
/// candidate is taken; `None` if it saw none.
pub(super) fn best(
    state: &State,
    goal: &Goal,
    starts: &[Candidate],
    nearby: bool,
    mut predict: impl FnMut(&Candidate) -> [f64; 2],
) -> Option<Candidate> {
    let groups = groups(state);
    let mut found: Option<(Candidate, (f64, f64))> = None;
    for start in starts {
        let candidate = match nearby {
            true => start.clone(),
            false => priced(state, &groups, goal, start, &mut predict),
        };
        let badness = goal.badness(predict(&candidate));
        if found.as_ref().is_none_or(|(_, least)| badness < *least) {
            found = Some((candidate, badness));
        }
    }
    let (mut centre, mut least) = found?;
    let mut best_new: Option<(Candidate, (f64, f64))> = None;
    for _ in 0..if nearby { STEPS_NEARBY } else { STEPS } {
        let mut next = None;
        for candidate in neighbours(state, &centre) {
            let badness = goal.badness(predict(&candidate));
            if badness < least {
                least = badness;
                next = Some(candidate.clone());
            }
            let better = best_new.as_ref().is_none_or(|(_, best)| badness < *best);
            if better && state.is_new(&candidate) {
                best_new = Some((candidate, badness));
            }
        }
        match next {
            Some(next) => centre = next,
            None => break,
        }
    }
    if state.is_new(&centre) {
        return Some(centre);
    }
    best_new.map(|(candidate, _)| candidate)
}

/// The least priced sum with the price at which the limit just holds.
fn priced(
    state: &State,
    groups: &[Vec<usize>],
    goal: &Goal,
    start: &Candidate,
    predict: &mut impl FnMut(&Candidate) -> [f64; 2],
) -> Candidate {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    let mut best = start.clone();
    let mut least = goal.badness(predict(start));
    // The share of the limited quantity in the sum: at 0 it is not looked at.
    for _ in 0..PRICES {
        let share = (low + high) / 2.0;
        let candidate = descend(state, groups, &best, &mut |candidate| {
            let predicted = predict(candidate);
            (1.0 - share) * predicted[goal.least] + share * predicted[1 - goal.least]
        });
        let badness = goal.badness(predict(&candidate));
        if badness < least {
            least = badness;
            best = candidate;
        }
        if badness.0 > 0.0 {
            low = share;
        } else {
            high = share;
        }
    }
    best
}

/// Sets one group after the other to its best levels until nothing improves.
fn descend(
    state: &State,
    groups: &[Vec<usize>],
    start: &Candidate,
    value: &mut impl FnMut(&Candidate) -> f64,
) -> Candidate {
    let mut best = start.clone();
    let mut least = value(&best);
    loop {
        let before = least;
        for group in groups {
            for candidate in settings(state, &best, group) {
                let value = value(&candidate);
                if value < least {
                    least = value;
                    best = candidate;
                }
            }
        }
        if least >= before {
            return best;
        }
    }
}

/// The genes of each group.
fn groups(state: &State) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, gene) in state.genes.iter().enumerate() {
        groups.entry(gene.group).or_default().push(place);
    }
    groups.into_values().collect()
}

/// The candidate with each combination of levels of a group's genes.
fn settings(state: &State, candidate: &Candidate, group: &[usize]) -> Vec<Candidate> {
    let mut all = vec![candidate.clone()];
    for &place in group {
        let levels = levels(state, candidate, place);
        all = all
            .iter()
            .flat_map(|candidate| {
                levels.iter().map(|&level| {
                    let mut candidate = candidate.clone();
                    candidate.0[place] = level;
                    candidate
                })
            })
            .collect();
    }
    unique(state, all)
}

/// All levels of a gene, or of one with many an even choice and those near the
/// candidate's.
fn levels(state: &State, candidate: &Candidate, place: usize) -> Vec<u16> {
    let count = state.genes[place].levels.len();
    if count <= LEVELS {
        return (0..count as u16).collect();
    }
    let current = usize::from(candidate.0[place]);
    let even = (0..=10).map(|step| step * (count - 1) / 10);
    let near = current.saturating_sub(2)..=(current + 2).min(count - 1);
    let mut levels: Vec<u16> = even.chain(near).map(|level| level as u16).collect();
    levels.sort_unstable();
    levels.dedup();
    levels
}

/// The candidates with one gene changed a little, and with two.
pub(super) fn neighbours(state: &State, candidate: &Candidate) -> Vec<Candidate> {
    let mut changes: Vec<(usize, u16)> = Vec::new();
    for (place, gene) in state.genes.iter().enumerate() {
        let (current, count) = (candidate.0[place], gene.levels.len() as u16);
        let reach = if usize::from(count) > LEVELS {
            REACH.len()
        } else {
            2
        };
        let near = |level: u16| REACH[..reach].contains(&level.abs_diff(current));
        changes.extend(
            (0..count)
                .filter(|&level| level != current)
                .filter(|&level| gene.kind == GeneKind::Categorical || near(level))
                .map(|level| (place, level)),
        );
    }
    let mut all = Vec::with_capacity(changes.len() * (changes.len() + 1) / 2);
    for (index, &(place, level)) in changes.iter().enumerate() {
        let mut one = candidate.clone();
        one.0[place] = level;
        for &(place, level) in &changes[..index] {
            let mut two = one.clone();
            two.0[place] = level;
            all.push(two);
        }
        all.push(one);
    }
    // Few of them are the same: not worth finding out which.
    all.into_iter()
        .map(|candidate| (state.canonical)(candidate))
        .collect()
}

fn unique(state: &State, candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut seen = HashSet::new();
    candidates
        .into_iter()
        .map(|candidate| (state.canonical)(candidate))
        .filter(|candidate| seen.insert(candidate.clone()))
        .collect()
}
