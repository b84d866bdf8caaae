//! What a candidate probably loses, and which to take.
//!
//! A loss that is measured on a few hundred items is noisy, and the least of
//! many noisy losses is too good to be true. Two things stand against that.
//! First, each measured loss is drawn towards what candidates of the same guide
//! lose: a locally linear fit of loss against the root of the guide (Cleveland's
//! LOESS, JASA 1979), the candidate itself left out, weighs against the
//! measurement by their variances (empirical Bayes; Efron and Morris, JASA
//! 1975). Second, a candidate is within the budget only if the estimate plus a
//! margin of standard errors of the measurement is. The margin also stands for
//! what all candidates share: that the calibration items are a sample.

use crate::{Budget, Evaluated};

/// Evaluations from which on the fit against the guide is used.
const LEAST: usize = 12;

/// An estimate of a candidate's true loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimated loss, in the units of the measured one.
    pub loss: f64,
    /// The loss that it stays below with the margin asked for.
    pub upper: f64,
}

/// The candidate to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Its index among the evaluations.
    pub index: usize,
    /// Its estimated loss.
    pub estimate: Estimate,
}

/// The harm that leads the search: the root of the guide, or the loss if not
/// every evaluation has a guide. The root, because the deviations that several
/// layers cause add up in squares.
pub fn harms(history: &[Evaluated]) -> Vec<f64> {
    let guides: Option<Vec<f64>> = history
        .iter()
        .map(|evaluated| Some(evaluated.evaluation.guide?.max(0.0).sqrt()))
        .collect();
    guides.unwrap_or_else(|| history.iter().map(|e| e.evaluation.loss).collect())
}

/// An estimate for each evaluation; `upper` has `margin` standard errors more
/// than `loss`.
pub fn estimates(history: &[Evaluated], margin: f64) -> Vec<Estimate> {
    let fit = Fit::new(history);
    let variances = variances(history);
    history
        .iter()
        .enumerate()
        .map(|(index, evaluated)| {
            let measured = evaluated.evaluation.loss;
            let variance = variances[index];
            let loss = match &fit {
                Some(fit) if variance > 0.0 => {
                    let (predicted, spread) = fit.at(fit.harms[index], Some(index));
                    (measured * spread + predicted * variance) / (spread + variance)
                }
                _ => measured,
            };
            Estimate {
                loss,
                upper: loss + margin * variance.sqrt(),
            }
        })
        .collect()
}

/// The variances of the measured losses. A few items can agree by chance, and
/// then their own spread is nothing: none is taken to be known better than with
/// half the median standard error.
fn variances(history: &[Evaluated]) -> Vec<f64> {
    let errors = history.iter().map(|e| e.evaluation.standard_error);
    let mut sorted: Vec<f64> = errors.clone().collect();
    sorted.sort_by(f64::total_cmp);
    let least = sorted
        .get(sorted.len() / 2)
        .map_or(0.0, |median| median / 2.0);
    errors.map(|error| error.max(least).powi(2)).collect()
}

/// Of a budget of loss the cheapest candidate whose upper estimate is within it, of
/// equally cheap ones that of the least estimate; of a budget of cost the least
/// harmful candidate within it, of equally harmful ones the cheapest. `None` if none
/// is.
pub fn choose(history: &[Evaluated], budget: Budget, margin: f64) -> Option<Choice> {
    let estimates = estimates(history, margin);
    let budget = match budget {
        Budget::Loss(budget) => budget,
        Budget::Cost(budget) => {
            let index = least_harmful(history, budget)?;
            return Some(Choice {
                index,
                estimate: estimates[index],
            });
        }
    };
    let within = (0..history.len()).filter(|&index| estimates[index].upper <= budget);
    let best = within.min_by(|&a, &b| {
        let cost = |index: usize| history[index].evaluation.cost;
        let (left, right) = (estimates[a].loss, estimates[b].loss);
        cost(a).total_cmp(&cost(b)).then(left.total_cmp(&right))
    });
    best.map(|index| Choice {
        index,
        estimate: estimates[index],
    })
}

/// The candidate of the least harm within a cost.
fn least_harmful(history: &[Evaluated], cost: f64) -> Option<usize> {
    let harms = harms(history);
    let own = |index: usize| (harms[index], history[index].evaluation.cost);
    let within = (0..history.len()).filter(|&index| own(index).1 <= cost);
    within.min_by(|&a, &b| own(a).partial_cmp(&own(b)).expect("finite"))
}

/// The largest harm at which the upper estimate is within the budget, or the least
/// one within a budget of cost; `None` if there is none.
pub(crate) fn harm_within(history: &[Evaluated], budget: Budget, margin: f64) -> Option<f64> {
    let budget = match budget {
        Budget::Loss(budget) => budget,
        Budget::Cost(budget) => {
            return least_harmful(history, budget).map(|index| harms(history)[index]);
        }
    };
    let fit = Fit::new(history);
    let (harms, variances) = (harms(history), variances(history));
    let upper = |index: usize| {
        let loss = match &fit {
            Some(fit) => fit.at(fit.harms[index], None).0,
            None => history[index].evaluation.loss,
        };
        loss + margin * variances[index].sqrt()
    };
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by(|&a, &b| harms[a].total_cmp(&harms[b]));
    let uppers: Vec<f64> = order.iter().map(|&index| upper(index)).collect();
    let last = uppers.iter().rposition(|&upper| upper <= budget)?;
    let harm = harms[order[last]];
    Some(match order.get(last + 1) {
        // On the line to the next one, which is above the budget.
        Some(&next) => {
            let share = (budget - uppers[last]) / (uppers[last + 1] - uppers[last]);
            harm + share * (harms[next] - harm)
        }
        None => harm,
    })
}

/// Losses against harms.
struct Fit {
    harms: Vec<f64>,
    losses: Vec<f64>,
    variances: Vec<f64>,
    neighbours: usize,
}

impl Fit {
    /// `None` without guides, or with few evaluations.
    fn new(history: &[Evaluated]) -> Option<Fit> {
        let guided = history.iter().all(|e| e.evaluation.guide.is_some());
        (guided && history.len() >= LEAST).then(|| Fit {
            harms: harms(history),
            losses: history.iter().map(|e| e.evaluation.loss).collect(),
            variances: variances(history),
            neighbours: (history.len() / 3).max(LEAST - 2),
        })
    }

    /// The loss expected at a harm, and the variance of true losses around it,
    /// from the nearest evaluations but `without`.
    fn at(&self, harm: f64, without: Option<usize>) -> (f64, f64) {
        let mut near: Vec<(f64, usize)> = (0..self.harms.len())
            .filter(|&index| Some(index) != without)
            .map(|index| ((self.harms[index] - harm).abs(), index))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        near.truncate(self.neighbours);
        let reach = near.last().map_or(0.0, |&(distance, _)| distance) * 1.0001;
        let weight = |distance: f64| match reach {
            0.0 => 1.0,
            reach => (1.0 - (distance / reach).powi(3)).powi(3),
        };
        let mut sums = [0.0; 5];
        for &(distance, index) in &near {
            let (w, x, y) = (
                weight(distance),
                self.harms[index] - harm,
                self.losses[index],
            );
            for (sum, term) in sums.iter_mut().zip([1.0, x, x * x, y, x * y]) {
                *sum += w * term;
            }
        }
        let [w, x, xx, y, xy] = sums;
        // The slope is damped, so that a clump of equal harms gives their mean.
        let spread = xx - x * x / w;
        let slope = (xy - x * y / w) / (spread + 1e-3 * xx + f64::MIN_POSITIVE);
        let level = (y - slope * x) / w;
        let (mut square, mut noise, mut ww) = (0.0, 0.0, 0.0);
        for &(distance, index) in &near {
            let weight = weight(distance);
            let line = level + slope * (self.harms[index] - harm);
            square += weight * (self.losses[index] - line).powi(2);
            noise += weight * self.variances[index];
            ww += weight * weight;
        }
        let effective = w * w / ww;
        let total = square / w * effective / (effective - 2.0).max(1.0);
        // What noise does not explain, and what the fit itself may err by.
        let between = (total - noise / w).max(0.05 * total);
        (level, between + total / effective)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Candidate, Evaluation};
    use dtatrans_precision::random::Random;

    /// Candidates whose true loss is a function of the guide, measured with
    /// noise; cost falls with the loss.
    fn noisy(seed: u64, count: usize, error: f64) -> (Vec<Evaluated>, Vec<f64>) {
        let mut random = Random::of_stream(seed, 0);
        let mut truths = Vec::new();
        let history = (0..count)
            .map(|index| {
                let guide = random.unit() * 0.04;
                let truth = 100.0 * guide + 0.1 * random.normal();
                truths.push(truth);
                Evaluated {
                    candidate: Candidate(vec![index as u16]),
                    evaluation: Evaluation {
                        loss: truth + error * random.normal(),
                        standard_error: error,
                        guide: Some(guide),
                        cost: 1.0 - 10.0 * guide,
                        ..Evaluation::default()
                    },
                }
            })
            .collect();
        (history, truths)
    }

    #[test]
    fn estimates_are_nearer_to_the_truth_than_measurements() {
        let (mut measured, mut estimated) = (0.0, 0.0);
        for seed in 0..10 {
            let (history, truths) = noisy(seed, 60, 0.5);
            for ((evaluated, estimate), truth) in
                history.iter().zip(estimates(&history, 1.0)).zip(truths)
            {
                measured += (evaluated.evaluation.loss - truth).powi(2);
                estimated += (estimate.loss - truth).powi(2);
                assert_eq!(estimate.upper, estimate.loss + 0.5);
            }
        }
        assert!(estimated < 0.25 * measured, "{estimated} of {measured}");
    }

    /// The winner's curse: taking the cheapest candidate whose measured loss is
    /// within the budget breaks it, the choice does not.
    #[test]
    fn the_choice_keeps_the_budget() {
        let (mut naive, mut chosen) = (0.0, 0.0);
        for seed in 0..40 {
            let (history, truths) = noisy(seed, 80, 0.5);
            let mut bare = history.clone();
            for evaluated in &mut bare {
                evaluated.evaluation.guide = None;
            }
            naive += truths[choose(&bare, Budget::Loss(1.0), 0.0).unwrap().index] / 40.0;
            chosen += truths[choose(&history, Budget::Loss(1.0), 0.5).unwrap().index] / 40.0;
        }
        assert!(naive > 1.5, "{naive}");
        assert!(chosen < 1.0, "{chosen}");
        assert!(chosen > 0.5, "too careful: {chosen}");
    }

    #[test]
    fn the_harm_within_a_budget_is_found() {
        let (history, _) = noisy(1, 100, 0.2);
        let harm = harm_within(&history, Budget::Loss(2.0), 0.0).unwrap();
        assert!((harm * harm * 100.0 - 2.0).abs() < 0.4, "{harm}");
        assert!(harm_within(&history, Budget::Loss(-9.0), 0.0).is_none());
        assert!(choose(&history, Budget::Loss(-9.0), 0.0).is_none());
        let cheap = choose(&history, Budget::Cost(0.8), 0.0).unwrap();
        let harms = harms(&history);
        let within = (0..100).filter(|&index| history[index].evaluation.cost <= 0.8);
        assert!(
            within
                .into_iter()
                .all(|index| harms[index] >= harms[cheap.index])
        );
        assert!(choose(&[], Budget::Loss(1.0), 0.0).is_none());
    }
}
