//! What each gene saves, by what it was seen to harm.
//!
//! Where dozens of genes spend one budget, a fitted model needs hundreds of
//! evaluations to divide it well. The opening already tells how much harm each
//! gene does on its own, and to keep of each in proportion to a power of that is
//! a good beginning, which a few evaluations of different powers make better.

use crate::search::State;
use crate::{Budget, Candidate, Evaluated, GeneKind};

/// Powers of the harm that are tried: the less, the more alike genes are.
const POWERS: [f64; 4] = [0.5, 0.3, 0.7, 0.4];

/// The least harm of a gene, as a share of the most harmful one's: what is
/// measured on few items can be nothing, or less, by chance.
const LEAST: f64 = 0.01;

/// The share of the budget that is aimed at, since costs are only estimated.
const AIM: f64 = 0.985;

/// Halvings of the interval in which the common factor lies.
const HALVINGS: usize = 60;

/// What a gene does on its own.
struct Effect {
    place: usize,
    /// The position at which it was tried.
    position: f64,
    harm: f64,
    /// What the candidate with this change alone costs.
    cost: f64,
}

/// The candidates in their order; none without a budget of cost. They depend on the
/// opening's evaluations and their own.
pub(super) fn candidates(state: &State, opening: usize) -> Vec<Candidate> {
    let Budget::Cost(budget) = state.options.budget else {
        return Vec::new();
    };
    let Some(base) = state
        .history
        .iter()
        .find(|e| e.candidate == state.anchors[0])
    else {
        return Vec::new();
    };
    let opening = &state.history[..opening.min(state.history.len())];
    let effects = effects(state, base, opening);
    let most = effects.iter().map(|effect| effect.harm);
    let most = most.fold(0.0, f64::max);
    if most <= 0.0 {
        return Vec::new();
    }
    let whole = cost_of_nothing(state, opening, &effects);
    let with_power = |power: f64, aim: f64| {
        let kept = |effect: &Effect, factor: f64| {
            (factor * (effect.harm / most).max(LEAST).powf(power)).min(1.0)
        };
        // The saved cost grows with the position about linearly.
        let cost = |factor: f64| {
            let saved = effects.iter().map(|effect| {
                (whole - effect.cost) * (1.0 - kept(effect, factor)) / effect.position
            });
            whole - saved.sum::<f64>()
        };
        let (mut low, mut high) = (0.0, LEAST.powf(-power));
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            match cost(middle) > aim {
                true => high = middle,
                false => low = middle,
            }
        }
        let mut candidate = base.candidate.clone();
        for effect in &effects {
            let position = 1.0 - kept(effect, low);
            candidate.0[effect.place] = state.genes[effect.place].nearest(position);
        }
        (state.canonical)(candidate)
    };
    let aim = AIM * budget;
    let first = POWERS.map(|power| with_power(power, aim)).to_vec();
    // Once more, by what these turned out to cost.
    let again: Option<Vec<Candidate>> = POWERS
        .iter()
        .zip(&first)
        .map(|(&power, candidate)| {
            let found = state.history.iter().find(|e| e.candidate == *candidate)?;
            Some(with_power(power, aim * aim / found.evaluation.cost))
        })
        .collect();
    first
        .into_iter()
        .chain(again.into_iter().flatten())
        .collect()
}

/// What it costs to save nothing, such that the genes' savings together give what the
/// last anchor costs. The base may cost less: where nothing at all is saved, some work
/// for it, such as noting what each token receives, falls away.
fn cost_of_nothing(state: &State, opening: &[Evaluated], effects: &[Effect]) -> f64 {
    let last = state.anchors.last();
    let base = opening[0].evaluation.cost;
    let Some(last) = opening.iter().find(|e| Some(&e.candidate) == last) else {
        return base;
    };
    let share = |effect: &Effect| {
        let position = state.genes[effect.place].position(last.candidate.0[effect.place]);
        position / effect.position
    };
    let shares: f64 = effects.iter().map(share).sum();
    let costs = effects.iter().map(|effect| effect.cost * share(effect));
    match shares > 1.0 {
        true => (costs.sum::<f64>() - last.evaluation.cost) / (shares - 1.0),
        false => base,
    }
}

/// Of each ordered gene the evaluation in which it alone differs from the base, the
/// farthest from it if there are several.
fn effects(state: &State, base: &Evaluated, opening: &[Evaluated]) -> Vec<Effect> {
    let harm = |e: &Evaluated| e.evaluation.guide.unwrap_or(e.evaluation.loss);
    let mut effects: Vec<Effect> = Vec::new();
    for evaluated in opening {
        let levels = evaluated.candidate.0.iter().zip(&base.candidate.0);
        let mut changed = levels.enumerate().filter(|(_, (own, base))| own != base);
        let (Some((place, (&level, _))), None) = (changed.next(), changed.next()) else {
            continue;
        };
        if state.genes[place].kind != GeneKind::Ordered {
            continue;
        }
        let effect = Effect {
            place,
            position: state.genes[place].position(level),
            harm: harm(evaluated) - harm(base),
            cost: evaluated.evaluation.cost,
        };
        match effects.iter_mut().find(|known| known.place == place) {
            Some(known) if known.position < effect.position => *known = effect,
            Some(_) => {}
            None => effects.push(effect),
        }
    }
    effects
}
