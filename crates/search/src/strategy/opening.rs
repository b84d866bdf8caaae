//! The first evaluations of the joint search: the anchors, and one gene changed
//! at a time.

use crate::search::State;
use crate::{Candidate, GeneKind};

/// The share of all evaluations that sensitivities may take, if the coarsest
/// design does not already take more.
const SHARE: f64 = 0.35;

/// The candidates in their order, each once.
pub(super) fn candidates(state: &State) -> Vec<Candidate> {
    let most = (SHARE * state.options.evaluations as f64) as usize;
    let mut opening = Vec::new();
    for design in state.probes {
        opening = with_design(state, design);
        if opening.len() <= most {
            break;
        }
    }
    opening
}

fn with_design(state: &State, design: &[f64]) -> Vec<Candidate> {
    let mut opening: Vec<Candidate> = Vec::new();
    let mut add = |candidate: Candidate| {
        let candidate = (state.canonical)(candidate);
        if !opening.contains(&candidate) {
            opening.push(candidate);
        }
    };
    state.anchors.iter().cloned().for_each(&mut add);
    let (Some(base), Some(middle)) = (state.anchors.first(), state.anchors.last()) else {
        return opening;
    };
    for (place, gene) in state.genes.iter().enumerate() {
        let changed = |from: &Candidate, level: u16| {
            let mut candidate = from.clone();
            candidate.0[place] = level;
            candidate
        };
        let last = gene.levels.len() as u16 - 1;
        match gene.kind {
            GeneKind::Ordered if last <= 2 => {
                (0..=last).for_each(|level| add(changed(base, level)));
            }
            GeneKind::Ordered => {
                for &position in design {
                    add(changed(base, gene.nearest(position)));
                }
            }
            GeneKind::Categorical => {
                let mut from = middle.clone();
                let mut group =
                    (0..state.genes.len()).filter(|&other| state.genes[other].group == gene.group);
                if let (Some(first), Some(_)) = (group.next(), group.next()) {
                    from = base.clone();
                    from.0[first] = state.genes[first].levels.len() as u16 - 1;
                }
                (0..=last).for_each(|level| add(changed(&from, level)));
            }
        }
    }
    opening
}
