//! Schedules over the layers with few parameters, swept: the baselines that the
//! field uses.

use crate::search::State;
use crate::{Candidate, Gene, GeneKind};

/// Where the linear schedule starts, as shares of the layers that have a
/// choice: at once, as SpAtten does (HPCA 2021, section V: nothing in the first
/// 15 % of the layers), and in the second half.
const STARTS: [f64; 3] = [0.0, 0.15, 0.5];

/// The next candidate of the sweep in which all genes of one role have the same
/// level. The first of the [`roles`] is swept fastest.
pub(super) fn uniform(state: &State) -> Option<Candidate> {
    let roles = roles(state.genes);
    let sizes: Vec<usize> = roles.iter().map(|role| levels(state.genes, role)).collect();
    combinations(&sizes)
        .map(|levels| {
            let mut candidate = Candidate(vec![0; state.genes.len()]);
            for (members, level) in roles.iter().zip(levels) {
                for &place in members {
                    candidate.0[place] = level as u16;
                }
            }
            (state.canonical)(candidate)
        })
        .find(|candidate| state.is_new(candidate))
}

/// The next candidate of the sweep in which the role with most genes grows
/// linearly from a start to an end; all other roles are as in [`uniform`]. The
/// end is swept fastest, then the start.
pub(super) fn linear(state: &State) -> Option<Candidate> {
    let roles = roles(state.genes);
    let (first, others) = roles.split_first()?;
    let ends = levels(state.genes, first);
    let sizes: Vec<usize> = [ends, STARTS.len()]
        .into_iter()
        .chain(others.iter().map(|role| levels(state.genes, role)))
        .collect();
    combinations(&sizes)
        .map(|levels| {
            let mut candidate = Candidate(vec![0; state.genes.len()]);
            let end = state.genes[first[0]].position(levels[0] as u16);
            let start = (STARTS[levels[1]] * first.len() as f64).round() as usize;
            let steps = (first.len() - start) as f64;
            for (layer, &place) in first.iter().enumerate().skip(start) {
                let position = end * (layer - start + 1) as f64 / steps;
                candidate.0[place] = state.genes[place].nearest(position);
            }
            for (members, &level) in others.iter().zip(&levels[2..]) {
                for &place in members {
                    candidate.0[place] = level as u16;
                }
            }
            (state.canonical)(candidate)
        })
        .find(|candidate| state.is_new(candidate))
}

/// The genes of each role: first the ordered role with most of them, then
/// categorical ones with several, then other ordered ones, and then single
/// categorical ones.
fn roles(genes: &[Gene]) -> Vec<Vec<usize>> {
    let mut roles: Vec<Vec<usize>> = Vec::new();
    for (place, gene) in genes.iter().enumerate() {
        match roles
            .iter_mut()
            .find(|role| genes[role[0]].role == gene.role)
        {
            Some(role) => role.push(place),
            None => roles.push(vec![place]),
        }
    }
    let categorical = |role: &[usize]| genes[role[0]].kind == GeneKind::Categorical;
    roles.sort_by_key(|role| (categorical(role), usize::MAX - role.len()));
    let ordered = roles.iter().filter(|role| !categorical(role)).count();
    let several = |role: &&Vec<usize>| categorical(role) && role.len() > 1;
    let several = roles.iter().filter(several).count();
    if ordered > 1 {
        roles[1..ordered + several].rotate_left(ordered - 1);
    }
    roles
}

/// The levels that all genes of a role have.
fn levels(genes: &[Gene], role: &[usize]) -> usize {
    let levels = role.iter().map(|&place| genes[place].levels.len());
    levels.min().unwrap_or(0)
}

/// All ways to choose an index below each of the sizes, the first fastest.
fn combinations(sizes: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let sizes = sizes.to_vec();
    let mut next = Some(vec![0; sizes.len()]);
    std::iter::from_fn(move || {
        let current = next.clone()?;
        let mut following = current.clone();
        let place = (0..sizes.len()).find(|&place| following[place] + 1 < sizes[place]);
        next = place.map(|place| {
            following[..place].fill(0);
            following[place] += 1;
            following
        });
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_all_there_in_order() {
        let all: Vec<Vec<usize>> = combinations(&[2, 1, 3]).collect();
        let want = [
            [0, 0, 0],
            [1, 0, 0],
            [0, 0, 1],
            [1, 0, 1],
            [0, 0, 2],
            [1, 0, 2],
        ];
        assert_eq!(all, want);
    }
}
