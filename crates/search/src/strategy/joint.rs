//! The joint search: all layers' ratios together.
//!
//! 1. The [opening](super::opening): anchors, and each gene on its own. From
//!    it a first model is fitted, in which layers add up.
//! 2. Of a budget of cost, [shares](super::proportional) that grow with what the
//!    opening showed each gene to harm.
//! 3. From then on, before each evaluation, the model is fitted to all
//!    evaluations so far ([`crate::surrogate`]), and the candidate that it says
//!    is best is evaluated: half of the time the cheapest one within the
//!    accuracy budget, a quarter of the time the least harmful one at a cost
//!    along the front around the budget, and a quarter of the time a child of the
//!    front (two of its members crossed, or one changed at random) that adds most
//!    to the hypervolume there. The model is a sample of what the evaluations allow,
//!    every other time the most probable one, so that what is not known yet is
//!    tried.

use crate::estimate::{harm_within, harms};
use crate::front::{hypervolume, pareto};
use crate::search::State;
use crate::surrogate::{Features, Linear, Predictor};
use crate::{Budget, Candidate, GeneKind};
use dtatrans_precision::random::Random;

use super::optimum::{self, Goal};
use super::{opening, proportional, random};

/// Children of the front among which the best is taken.
const CHILDREN: usize = 64;

/// The harms around the budget's in which the front is worth knowing, as shares
/// of it. A harm is a root: half of it is a quarter of the deviation.
const NEAR: (f64, f64) = (0.5, 2.0);

/// The golden ratio's fraction: multiples of it, modulo 1, spread evenly.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

pub(super) fn next(state: &State) -> Option<Candidate> {
    let opening = opening::candidates(state);
    let number = state.history.len();
    if let Some(candidate) = opening.iter().find(|candidate| state.is_new(candidate)) {
        return Some(candidate.clone());
    }
    let proportional = proportional::candidates(state, opening.len());
    if let Some(candidate) = proportional.into_iter().find(|c| state.is_new(c)) {
        return Some(candidate);
    }
    let mut random = Random::of_stream(state.options.seed, number as u64);
    let models = Models::fit(state);
    let turn = number - opening.len().min(number);
    let proposed = match turn % 4 {
        0 | 2 => within_budget(state, &models, turn, &mut random),
        1 => along_the_front(state, &models, turn, &mut random),
        _ => child(state, &models, &mut random),
    };
    proposed
        .or_else(|| child(state, &models, &mut random))
        .or_else(|| random::next(state))
}

/// What is known after the evaluations so far.
struct Models {
    features: Features,
    harm: Linear,
    cost: Linear,
    harms: Vec<f64>,
    /// The indices of the front of (harm, cost), cheapest first.
    front: Vec<usize>,
    /// The largest harm within a budget of loss, or the least within one of cost;
    /// `None` where no candidate is.
    limit: Option<f64>,
}

impl Models {
    fn fit(state: &State) -> Models {
        let history = state.history;
        let candidates: Vec<&Candidate> = history.iter().map(|e| &e.candidate).collect();
        let costs: Vec<f64> = history.iter().map(|e| e.evaluation.cost).collect();
        let harms = harms(history);
        let options = state.options;
        let limit = harm_within(history, options.budget, options.margin);
        // What is far more harmful than the budget allows need not be known as
        // exactly.
        let scale = limit.unwrap_or_else(|| median(&harms)).abs().max(1e-12);
        let importance: Vec<f64> = harms
            .iter()
            .map(|harm| 1.0 / (1.0 + (harm / (2.0 * scale)).powi(2)))
            .collect();
        let features = Features::new(state.genes);
        let points: Vec<(f64, f64)> = harms.iter().copied().zip(costs.iter().copied()).collect();
        Models {
            harm: Linear::fit(&features, &candidates, &harms, &importance),
            cost: Linear::fit(&features, &candidates, &costs, &vec![1.0; costs.len()]),
            features,
            front: pareto(&points),
            harms,
            limit,
        }
    }

    /// The harms between which the front is worth knowing: around the budget,
    /// where there is one; everywhere else.
    fn harms_of_interest(&self) -> (f64, f64) {
        let front = self.front.iter().map(|&index| self.harms[index]);
        let (least, most) = front
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), harm| {
                (least.min(harm), most.max(harm))
            });
        match self.limit {
            Some(limit) => (
                (limit * NEAR.0).clamp(least, most),
                (limit * NEAR.1).clamp(least, most),
            ),
            None => (least, most),
        }
    }

    /// The costs of the front's members at those harms.
    fn costs_of_interest(&self, state: &State) -> Option<(f64, f64)> {
        let (least, most) = self.harms_of_interest();
        let cost = |index: &usize| state.history[*index].evaluation.cost;
        // Along the front, cheapest first, harm falls.
        let low = self.front.iter().find(|&&index| self.harms[index] <= most);
        let high = self.front.iter().find(|&&index| self.harms[index] <= least);
        Some((low.map(cost)?, high.map(cost)?))
    }

    /// The most probable model of the harm, or a sample of what is possible.
    fn harm(&self, sampled: bool, random: &mut Random) -> Linear {
        match sampled {
            true => self.harm.sample(random),
            false => self.harm.clone(),
        }
    }
}

/// The best candidate within the budget, by the model: the cheapest within a loss,
/// or the least harmful within a cost.
fn within_budget(
    state: &State,
    models: &Models,
    turn: usize,
    random: &mut Random,
) -> Option<Candidate> {
    let harm = models.harm(turn % 4 == 2, random);
    let goal = match state.options.budget {
        // A little on both sides of the limit, which is only estimated.
        Budget::Loss(_) => Goal {
            least: 1,
            limit: models.limit? * (0.95 + 0.08 * random.unit()),
        },
        // The model of the cost may err a little.
        Budget::Cost(budget) => Goal {
            least: 0,
            limit: budget * (0.98 + 0.03 * random.unit()),
        },
    };
    propose(state, models, &harm, &goal, random)
}

/// The least harmful candidate at a cost between the front's ends, by the
/// model.
fn along_the_front(
    state: &State,
    models: &Models,
    turn: usize,
    random: &mut Random,
) -> Option<Candidate> {
    let harm = models.harm(turn % 8 == 5, random);
    let (low, high) = models.costs_of_interest(state)?;
    let place = (turn as f64 * GOLDEN).fract();
    let goal = Goal {
        least: 0,
        limit: low + place * (high - low),
    };
    propose(state, models, &harm, &goal, random)
}

fn propose(
    state: &State,
    models: &Models,
    harm: &Linear,
    goal: &Goal,
    random: &mut Random,
) -> Option<Candidate> {
    let mut predictor = Predictor::new(&models.features, [harm, &models.cost]);
    let measured = |index: &usize| {
        let quantities = [models.harms[*index], state.history[*index].evaluation.cost];
        let excess = (quantities[1 - goal.least] - goal.limit).max(0.0);
        (excess, quantities[goal.least])
    };
    let best = models
        .front
        .iter()
        .min_by(|a, b| measured(a).partial_cmp(&measured(b)).expect("finite"))?;
    let other = models.front[random.below(models.front.len())];
    // A model of more weights than there are evaluations says little of what is far
    // from them: where there is a good beginning, it only makes that better.
    let begun = matches!(state.options.budget, Budget::Cost(_));
    let nearby = begun && models.features.count() > state.history.len();
    let others = if nearby { 1 } else { 2 };
    let starts: Vec<Candidate> = [*best, other][..others]
        .iter()
        .map(|&index| state.history[index].candidate.clone())
        .collect();
    optimum::best(state, goal, &starts, nearby, |candidate| {
        predictor.at(candidate)
    })
}

/// Of several children of the front the one that, by a sampled model, adds most
/// to the hypervolume.
fn child(state: &State, models: &Models, random: &mut Random) -> Option<Candidate> {
    let harm = models.harm.sample(random);
    let mut predictor = Predictor::new(&models.features, [&harm, &models.cost]);
    let mut points: Vec<(f64, f64)> = models
        .front
        .iter()
        .map(|&index| (models.harms[index], state.history[index].evaluation.cost))
        .collect();
    let (least, most) = models.harms_of_interest();
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let reference = (most, 1.01 * highest);
    for point in &mut points {
        point.0 = point.0.max(least);
    }
    let mut best: Option<(f64, Candidate)> = None;
    for _ in 0..CHILDREN {
        let candidate = breed(state, models, random);
        if !state.is_new(&candidate) {
            continue;
        }
        let [harm, cost] = predictor.at(&candidate);
        points.push((harm.max(least), cost));
        let area = hypervolume(&points, reference);
        points.pop();
        if best.as_ref().is_none_or(|(most, _)| area > *most) {
            best = Some((area, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Two neighbours on the front crossed, or one of its members changed in one to
/// three genes.
fn breed(state: &State, models: &Models, random: &mut Random) -> Candidate {
    let at = random.below(models.front.len());
    let parent = &state.history[models.front[at]].candidate;
    let mut child = parent.clone();
    if random.below(3) == 0 {
        let near = (at + 1 + random.below(3)).min(models.front.len() - 1);
        let other = &state.history[models.front[near]].candidate;
        // Genes of a group stay together.
        let mut group = usize::MAX;
        let mut take = false;
        for (gene, (level, &theirs)) in state.genes.iter().zip(child.0.iter_mut().zip(&other.0)) {
            if gene.group != group {
                group = gene.group;
                take = random.below(2) == 0;
            }
            if take {
                *level = theirs;
            }
        }
    } else {
        for _ in 0..1 + random.below(3) {
            let place = random.below(state.genes.len());
            let gene = &state.genes[place];
            let count = gene.levels.len() as u16;
            let level = &mut child.0[place];
            *level = match gene.kind {
                GeneKind::Categorical => random.below(usize::from(count)) as u16,
                GeneKind::Ordered => {
                    let step = 1 + random.below(usize::from(count / 4).max(1)) as u16;
                    match random.below(2) {
                        0 => level.saturating_sub(step),
                        _ => (*level + step).min(count - 1),
                    }
                }
            };
        }
    }
    (state.canonical)(child)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
