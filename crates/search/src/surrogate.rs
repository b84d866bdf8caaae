//! A cheap model of what a candidate loses and costs, fitted to all evaluations
//! so far.
//!
//! It is linear in features that say what is expected of layers: each gene acts
//! on its own, with a curvature; genes of one group act together; genes of one
//! role in neighbouring groups interact, and all genes of a role do so through
//! their mean; a categorical gene of its own group shifts everything, in
//! proportion to those means too, and one in a group with ordered genes changes
//! what these do, with a curvature of its own. The weights are Bayesian (ridge): their prior width and the noise
//! are those of the least leave-one-out error, and a sample of the weights says
//! what is not known yet (Thompson sampling).

use crate::linear_algebra::Cholesky;
use crate::{Candidate, Gene, GeneKind};
use dtatrans_precision::random::Random;

/// The prior variances that are tried, in units of the target's variance.
const PRIORS: [f64; 5] = [0.01, 0.1, 1.0, 10.0, 100.0];
/// The prior variance of interactions, as a share of that of single genes.
const INTERACTION: f64 = 0.25;

/// Which features a candidate has.
pub struct Features {
    /// The place of each ordered gene and the number of its levels less one;
    /// the role that it belongs to.
    ordered: Vec<(usize, f64, usize)>,
    /// The place of each categorical gene that is alone in its group, and its
    /// levels.
    categorical: Vec<(usize, usize)>,
    /// The place of each other categorical gene, its levels, and the ordered
    /// gene that it changes, as an index into `ordered`: its group's first one.
    local: Vec<(usize, usize, Option<usize>)>,
    /// Pairs of ordered genes that interact, as indices into `ordered`.
    pairs: Vec<(usize, usize)>,
    /// The members of each role with several, as indices into `ordered`.
    roles: Vec<Vec<usize>>,
}

impl Features {
    /// The features of a space's candidates.
    pub fn new(genes: &[Gene]) -> Features {
        let mut names: Vec<&str> = Vec::new();
        let (mut ordered, mut categorical) = (Vec::new(), Vec::new());
        for (place, gene) in genes.iter().enumerate() {
            match gene.kind {
                GeneKind::Ordered => {
                    let known = names.iter().position(|name| *name == gene.role);
                    let role = known.unwrap_or_else(|| {
                        names.push(&gene.role);
                        names.len() - 1
                    });
                    ordered.push((place, (gene.levels.len().max(2) - 1) as f64, role));
                }
                GeneKind::Categorical => {
                    let mut of_group = genes.iter().filter(|other| other.group == gene.group);
                    if of_group.nth(1).is_none() {
                        categorical.push((place, gene.levels.len()));
                    }
                }
            }
        }
        let local = (0..genes.len())
            .filter(|&place| genes[place].kind == GeneKind::Categorical)
            .filter(|&place| categorical.iter().all(|&(other, _)| other != place))
            .map(|place| {
                let changed = ordered
                    .iter()
                    .position(|&(other, ..)| genes[other].group == genes[place].group);
                (place, genes[place].levels.len(), changed)
            })
            .collect();
        let mut pairs = Vec::new();
        for (a, &(place_a, _, role_a)) in ordered.iter().enumerate() {
            for (b, &(place_b, _, role_b)) in ordered.iter().enumerate().skip(a + 1) {
                let (group_a, group_b) = (genes[place_a].group, genes[place_b].group);
                let neighbours = role_a == role_b && group_a.abs_diff(group_b) == 1;
                if group_a == group_b || neighbours {
                    pairs.push((a, b));
                }
            }
        }
        let roles = (0..names.len())
            .map(|role| {
                (0..ordered.len())
                    .filter(|&i| ordered[i].2 == role)
                    .collect()
            })
            .filter(|members: &Vec<usize>| members.len() > 1)
            .collect();
        Features {
            ordered,
            categorical,
            local,
            pairs,
            roles,
        }
    }

    /// Writes a candidate's features into `out`, the constant first.
    fn write(&self, candidate: &Candidate, out: &mut Vec<f64>) {
        out.clear();
        out.push(1.0);
        for &(place, most, _) in &self.ordered {
            out.push(f64::from(candidate.0[place]) / most);
        }
        for index in 0..self.ordered.len() {
            out.push(out[1 + index] * out[1 + index]);
        }
        for &(place, levels) in &self.categorical {
            for level in 1..levels {
                out.push(f64::from(u8::from(
                    usize::from(candidate.0[place]) == level,
                )));
            }
        }
        for &(place, levels, changed) in &self.local {
            for level in 1..levels {
                let chosen = f64::from(u8::from(usize::from(candidate.0[place]) == level));
                match changed {
                    Some(a) => {
                        let x = out[1 + a];
                        out.extend([chosen * x, chosen * x * x]);
                    }
                    None => out.push(chosen),
                }
            }
        }
        for &(a, b) in &self.pairs {
            out.push(out[1 + a] * out[1 + b]);
        }
        let means = out.len();
        for members in &self.roles {
            let sum: f64 = members.iter().map(|&member| out[1 + member]).sum();
            out.push(sum / members.len() as f64);
        }
        // A mean alone is the sum of its genes' own features; its square and
        // its products are not.
        let roles = self.roles.len();
        for a in 0..roles {
            for b in 0..a {
                out.push(out[means + a] * out[means + b]);
            }
        }
        let first = 1 + 2 * self.ordered.len();
        let levels: usize = self.categorical.iter().map(|&(_, levels)| levels - 1).sum();
        for level in 0..levels {
            for a in 0..roles {
                out.push(out[first + level] * out[means + a]);
            }
        }
        for a in 0..roles {
            out[means + a] *= out[means + a];
        }
    }

    /// How many features there are.
    pub(crate) fn count(&self) -> usize {
        let roles = self.roles.len();
        let levels: usize = self.categorical.iter().map(|&(_, levels)| levels - 1).sum();
        self.single() + self.pairs.len() + roles * (roles + 1) / 2 + levels * roles
    }

    /// How many features are of one gene alone, the constant included.
    fn single(&self) -> usize {
        let levels: usize = self.categorical.iter().map(|&(_, levels)| levels - 1).sum();
        let local = self
            .local
            .iter()
            .map(|&(_, levels, changed)| match changed {
                Some(_) => 2 * (levels - 1),
                None => levels - 1,
            });
        1 + 2 * self.ordered.len() + levels + local.sum::<usize>()
    }
}

/// A quantity as a linear function of the features.
#[derive(Clone)]
pub struct Linear {
    weights: Vec<f64>,
    /// The standard deviation of a weight's sample: rows of the factor of the
    /// posterior precision.
    factor: std::rc::Rc<Cholesky>,
    /// What a leave-one-out prediction errs by, as a root mean square.
    error: f64,
}

impl Linear {
    /// Fits weights to targets. `importance` says how much each of the
    /// observations counts.
    ///
    /// # Panics
    /// If the numbers of candidates, targets and importances differ, or there
    /// are none.
    pub fn fit(
        features: &Features,
        candidates: &[&Candidate],
        targets: &[f64],
        importance: &[f64],
    ) -> Linear {
        assert!(candidates.len() == targets.len() && targets.len() == importance.len());
        let mut row = Vec::new();
        let rows: Vec<Vec<f64>> = candidates
            .iter()
            .map(|candidate| {
                features.write(candidate, &mut row);
                row.clone()
            })
            .collect();
        let p = rows[0].len();
        let mut gram = vec![0.0; p * p];
        let mut moment = vec![0.0; p];
        for ((row, &target), &weight) in rows.iter().zip(targets).zip(importance) {
            for i in 0..p {
                let scaled = weight * row[i];
                moment[i] += scaled * target;
                for j in 0..=i {
                    gram[i * p + j] += scaled * row[j];
                }
            }
        }
        let single = features.single();
        let mut best: Option<(f64, Cholesky, Vec<f64>)> = None;
        for prior in PRIORS {
            let mut a = gram.clone();
            for i in 0..p {
                a[i * p + i] += match i {
                    0 => 1e-9,
                    i if i < single => 0.01 / prior,
                    _ => 0.01 / (prior * INTERACTION),
                };
            }
            let Some(factor) = Cholesky::new(a, p) else {
                continue;
            };
            let weights = factor.solve(&moment);
            // Leaving one out changes its residual by the leverage (PRESS).
            let mut error = 0.0;
            for ((row, &target), &weight) in rows.iter().zip(targets).zip(importance) {
                let half = factor.forward(row);
                let leverage = weight * half.iter().map(|x| x * x).sum::<f64>();
                let residual = (target - dot(row, &weights)) / (1.0 - leverage).max(1e-6);
                error += weight * residual * residual;
            }
            let error = (error / importance.iter().sum::<f64>()).sqrt();
            if best.as_ref().is_none_or(|(least, ..)| error < *least) {
                best = Some((error, factor, weights));
            }
        }
        let (error, factor, weights) = best.expect("a ridge is positive definite");
        Linear {
            weights,
            factor: std::rc::Rc::new(factor),
            error,
        }
    }

    /// Another function that the evaluations allow as well: the weights plus a
    /// sample of what is not known of them.
    pub(crate) fn sample(&self, random: &mut Random) -> Linear {
        let normal: Vec<f64> = self.weights.iter().map(|_| random.normal()).collect();
        let shift = self.factor.backward(&normal);
        Linear {
            weights: self
                .weights
                .iter()
                .zip(shift)
                .map(|(weight, shift)| weight + self.error * shift)
                .collect(),
            factor: self.factor.clone(),
            error: self.error,
        }
    }

    /// What a prediction is expected to err by: the root mean square of the
    /// leave-one-out errors.
    pub fn error(&self) -> f64 {
        self.error
    }
}

/// Linear functions of one candidate, its features computed once.
pub struct Predictor<'a, const N: usize> {
    features: &'a Features,
    functions: [&'a Linear; N],
    row: Vec<f64>,
}

impl<'a, const N: usize> Predictor<'a, N> {
    /// Predicts these functions.
    pub fn new(features: &'a Features, functions: [&'a Linear; N]) -> Predictor<'a, N> {
        Predictor {
            features,
            functions,
            row: Vec::new(),
        }
    }

    /// The functions' values at a candidate.
    pub fn at(&mut self, candidate: &Candidate) -> [f64; N] {
        self.features.write(candidate, &mut self.row);
        self.functions.map(|linear| dot(&self.row, &linear.weights))
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PlanSpace, Space, Variation};
    use dtatrans_precision::Plan;

    /// A function within the features, with noise: predicted well from fewer
    /// candidates than there are features, and a sample is near the truth where
    /// there is data.
    #[test]
    fn a_function_of_the_features_is_learned() {
        let keys = [Variation::of_key("compensation").unwrap()];
        let space = PlanSpace::new(&Plan::dense_four(6), 0.1, &keys).unwrap();
        let features = Features::new(space.genes());
        let mut random = Random::of_stream(5, 5);
        let mut draw = || {
            let levels = space.genes().iter();
            Candidate(
                levels
                    .map(|g| random.below(g.levels.len()) as u16)
                    .collect(),
            )
        };
        let truth = |c: &Candidate| {
            let x = |place: usize| space.genes()[place].position(c.0[place]);
            let zeros: f64 = (0..5).map(|l| (l + 1) as f64 * x(1 + 2 * l).powi(2)).sum();
            zeros + 2.0 * x(1) * x(3) - x(2) + f64::from(u8::from(c.0[11] == 1)) * x(9)
        };
        let learn: Vec<Candidate> = (0..60).map(|_| draw()).collect();
        let test: Vec<Candidate> = (0..200).map(|_| draw()).collect();
        let mut noise = Random::of_stream(5, 6);
        let targets: Vec<f64> = learn
            .iter()
            .map(|c| truth(c) + 0.05 * noise.normal())
            .collect();
        let learn: Vec<&Candidate> = learn.iter().collect();
        let linear = Linear::fit(&features, &learn, &targets, &[1.0; 60]);
        let sample = linear.sample(&mut noise);
        let mut predictor = Predictor::new(&features, [&linear, &sample]);
        let (mut error, mut sampled, mut spread) = (0.0, 0.0, 0.0);
        let mean = test.iter().map(&truth).sum::<f64>() / 200.0;
        for candidate in &test {
            let [predicted, other] = predictor.at(candidate);
            error += (predicted - truth(candidate)).powi(2);
            sampled += (other - truth(candidate)).powi(2);
            spread += (truth(candidate) - mean).powi(2);
        }
        assert!(error < 0.04 * spread, "{error} of {spread}");
        assert!(sampled < 0.2 * spread, "{sampled} of {spread}");
        assert!(sampled > error);
    }
}
