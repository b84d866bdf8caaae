//! A linear probe: L2-regularised logistic regression on a model's features.
//!
//! Features are standardised by the training set (mean 0, variance 1), so that one penalty suits
//! features of any scale; a feature that is constant in training is ignored. With `z_i` the
//! standardised features of example `i` and `s_i` = +1 or -1 its label, training minimises
//!
//! ```text
//! J(w, b) = 1/n * sum_i ln(1 + exp(-s_i (w . z_i + b))) + l2/2 * |w|^2
//! ```
//!
//! by Newton's method in f64 (iteratively reweighted least squares; Hastie, Tibshirani and
//! Friedman, *The Elements of Statistical Learning*, section 4.4.1) with a backtracking line search.
//! J is strictly convex, so there is one optimum, and it is reached without a learning rate, a seed
//! or threads: the same data give the same probe.

use crate::metrics::check_lengths;
use crate::{Error, Result};

/// Training ends when no component of the gradient of J is larger.
const GRADIENT_TOLERANCE: f64 = 1e-9;
/// Newton's method takes about ten steps; a hundred means that it fails.
const MAX_ITERATIONS: usize = 100;
/// A step halved so often is too small to matter.
const MAX_HALVINGS: i32 = 40;

/// Feature vectors, one row per example.
#[derive(Debug, Clone, Copy)]
pub struct Features<'a> {
    /// n x d, row-major.
    values: &'a [f32],
    /// d.
    dimension: usize,
}

impl<'a> Features<'a> {
    /// Views `values` as rows of `dimension` features.
    ///
    /// # Errors
    ///
    /// [`Error::FeatureShape`] when they are no whole rows, [`Error::NotFinite`] (with the row) for
    /// NaN and infinities.
    pub fn new(values: &'a [f32], dimension: usize) -> Result<Features<'a>> {
        if dimension == 0 || !values.len().is_multiple_of(dimension) {
            return Err(Error::FeatureShape {
                values: values.len(),
                dimension,
            });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(Error::NotFinite {
                item: at / dimension,
            }),
            None => Ok(Features { values, dimension }),
        }
    }

    /// The number of rows.
    pub fn examples(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// The number of features in a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    fn rows(self) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks_exact(self.dimension)
    }
}

/// How to train a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeOptions {
    /// The penalty `l2` in J. scikit-learn's `C` on standardised features is `1 / (n * l2)`.
    pub l2: f64,
}

impl Default for ProbeOptions {
    /// 0.3: the best of 0.01 to 3 by five-fold cross-validation on the training part of the movie
    /// reviews, embedded by MiniLM at f32.
    fn default() -> Self {
        ProbeOptions { l2: 0.3 }
    }
}

/// A trained probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// One per feature as it comes (the standardisation is folded in).
    weights: Vec<f64>,
    intercept: f64,
}

impl Probe {
    /// Trains to convergence.
    ///
    /// # Errors
    ///
    /// [`Error::NoItems`], [`Error::Lengths`], [`Error::OneClass`], [`Error::Penalty`], and
    /// [`Error::NotConverged`] when the arithmetic cannot reach the optimum (an extreme penalty).
    pub fn train(features: Features<'_>, labels: &[bool], options: &ProbeOptions) -> Result<Probe> {
        check_lengths("examples against labels", features.examples(), labels.len())?;
        if labels.iter().all(|label| *label == labels[0]) {
            return Err(Error::OneClass);
        }
        let l2 = options.l2;
        if !(l2 > 0.0 && l2.is_finite()) {
            return Err(Error::Penalty { l2 });
        }
        let scaler = Scaler::of(features);
        let problem = Problem {
            z: scaler.standardise(features),
            columns: features.dimension + 1,
            labels,
            l2,
        };
        Ok(scaler.fold_into(&problem.minimise()?))
    }

    /// The weight of each feature.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The constant term.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The probability of label 1 for each example.
    ///
    /// # Errors
    ///
    /// [`Error::Dimension`].
    pub fn probabilities(&self, features: Features<'_>) -> Result<Vec<f64>> {
        Ok(self.logits(features)?.map(sigmoid).collect())
    }

    /// The more probable label for each example; 0 where both are equally probable.
    ///
    /// # Errors
    ///
    /// [`Error::Dimension`].
    pub fn labels(&self, features: Features<'_>) -> Result<Vec<bool>> {
        Ok(self.logits(features)?.map(|logit| logit > 0.0).collect())
    }

    fn logits(&self, features: Features<'_>) -> Result<impl Iterator<Item = f64>> {
        if features.dimension != self.weights.len() {
            return Err(Error::Dimension {
                expected: self.weights.len(),
                found: features.dimension,
            });
        }
        Ok(features.rows().map(|row| {
            let products = row
                .iter()
                .zip(&self.weights)
                .map(|(&x, w)| f64::from(x) * w);
            products.sum::<f64>() + self.intercept
        }))
    }
}

/// Mean and inverse standard deviation of each feature.
struct Scaler {
    mean: Vec<f64>,
    /// 0 for a constant feature.
    scale: Vec<f64>,
}

impl Scaler {
    fn of(features: Features<'_>) -> Scaler {
        let n = features.examples() as f64;
        let mut mean = vec![0.0; features.dimension];
        for row in features.rows() {
            for (mean, &x) in mean.iter_mut().zip(row) {
                *mean += f64::from(x) / n;
            }
        }
        let mut variance = vec![0.0; features.dimension];
        // Compared exactly: the mean of equal values may differ from them by a rounding error.
        let mut constant = vec![true; features.dimension];
        for row in features.rows() {
            for (j, &x) in row.iter().enumerate() {
                variance[j] += (f64::from(x) - mean[j]).powi(2) / n;
                constant[j] &= x == features.values[j];
            }
        }
        let scale = variance
            .into_iter()
            .zip(constant)
            .map(|(variance, constant)| {
                if constant {
                    0.0
                } else {
                    variance.sqrt().recip()
                }
            })
            .collect();
        Scaler { mean, scale }
    }

    /// n x (d + 1), row-major: the standardised features, then a 1 for the intercept.
    fn standardise(&self, features: Features<'_>) -> Vec<f64> {
        let mut z = Vec::with_capacity(features.examples() * (features.dimension + 1));
        for row in features.rows() {
            for (j, &x) in row.iter().enumerate() {
                z.push((f64::from(x) - self.mean[j]) * self.scale[j]);
            }
            z.push(1.0);
        }
        z
    }

    /// The probe on features as they come, from parameters on standardised ones.
    fn fold_into(&self, parameters: &[f64]) -> Probe {
        let d = self.mean.len();
        let weights: Vec<f64> = parameters[..d]
            .iter()
            .zip(&self.scale)
            .map(|(w, scale)| w * scale)
            .collect();
        let shift: f64 = weights.iter().zip(&self.mean).map(|(w, m)| w * m).sum();
        Probe {
            intercept: parameters[d] - shift,
            weights,
        }
    }
}

/// A point of the search.
struct Point {
    /// w, then b.
    parameters: Vec<f64>,
    /// w . z_i + b of each example.
    logits: Vec<f64>,
    /// J.
    value: f64,
}

/// The function J of the module's documentation; its parameters are w, then b.
struct Problem<'a> {
    /// n x `columns`, row-major; the last column is 1.
    z: Vec<f64>,
    /// d + 1.
    columns: usize,
    labels: &'a [bool],
    l2: f64,
}

impl Problem<'_> {
    fn minimise(&self) -> Result<Vec<f64>> {
        let mut at = self.point(vec![0.0; self.columns]);
        let mut iterations = 0;
        loop {
            let gradient = self.gradient(&at);
            let largest = gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
            if largest <= GRADIENT_TOLERANCE {
                return Ok(at.parameters);
            }
            let mut step = gradient.clone();
            let next = if iterations < MAX_ITERATIONS
                && solve_cholesky(&mut self.hessian(&at), &mut step)
            {
                self.search_line(&at, &gradient, &step)
            } else {
                None
            };
            at = next.ok_or(Error::NotConverged {
                iterations,
                gradient: largest,
            })?;
            iterations += 1;
        }
    }

    /// The first of `at - step`, `at - step/2`, ... that lowers J enough (Armijo's rule); none if no
    /// such point is found.
    fn search_line(&self, at: &Point, gradient: &[f64], step: &[f64]) -> Option<Point> {
        let slope: f64 = gradient.iter().zip(step).map(|(g, s)| g * s).sum();
        // Near the optimum J no longer changes in f64 while the gradient still shrinks, hence the
        // allowance of a few rounding errors.
        let allowance = 4.0 * f64::EPSILON * at.value.abs();
        (0..MAX_HALVINGS).find_map(|halvings| {
            let length = 0.5_f64.powi(halvings);
            let parameters = at.parameters.iter().zip(step);
            let moved = self.point(parameters.map(|(p, s)| p - length * s).collect());
            (moved.value <= at.value - 1e-4 * length * slope + allowance).then_some(moved)
        })
    }

    fn point(&self, parameters: Vec<f64>) -> Point {
        let dot = |row: &[f64]| row.iter().zip(&parameters).map(|(z, p)| z * p).sum();
        let logits: Vec<f64> = self.rows().map(dot).collect();
        let value = self.value(&parameters, &logits);
        Point {
            parameters,
            logits,
            value,
        }
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.z.chunks_exact(self.columns)
    }

    /// J.
    fn value(&self, parameters: &[f64], logits: &[f64]) -> f64 {
        let losses = logits.iter().zip(self.labels).map(|(&logit, &label)| {
            let margin = if label { logit } else { -logit };
            // ln(1 + exp(-margin)) without overflow.
            (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
        });
        let squares: f64 = parameters[..self.columns - 1].iter().map(|w| w * w).sum();
        losses.sum::<f64>() / logits.len() as f64 + self.l2 / 2.0 * squares
    }

    fn gradient(&self, at: &Point) -> Vec<f64> {
        let n = at.logits.len() as f64;
        let mut gradient: Vec<f64> = at.parameters.iter().map(|p| self.l2 * p).collect();
        gradient[self.columns - 1] = 0.0;
        for ((row, &logit), &label) in self.rows().zip(&at.logits).zip(self.labels) {
            let residual = (sigmoid(logit) - f64::from(u8::from(label))) / n;
            for (g, z) in gradient.iter_mut().zip(row) {
                *g += residual * z;
            }
        }
        gradient
    }

    /// `columns` x `columns`, row-major; only the upper triangle is filled.
    fn hessian(&self, at: &Point) -> Vec<f64> {
        /// Rows taken together, so that the triangle is read and written a quarter as often.
        const ROWS: usize = 4;
        let n = at.logits.len() as f64;
        let columns = self.columns;
        let mut hessian = vec![0.0; columns * columns];
        for (rows, logits) in self.z.chunks(ROWS * columns).zip(at.logits.chunks(ROWS)) {
            let mut row = [&rows[..columns]; ROWS];
            // Missing rows of the last block weigh nothing.
            let mut weight = [0.0; ROWS];
            for (r, (z, &logit)) in rows.chunks_exact(columns).zip(logits).enumerate() {
                let p = sigmoid(logit);
                row[r] = z;
                weight[r] = p * (1.0 - p) / n;
            }
            for j in 0..columns {
                let [a0, a1, a2, a3] = std::array::from_fn(|r| weight[r] * row[r][j]);
                let [z0, z1, z2, z3] = row.map(|z| &z[j..]);
                let target = &mut hessian[j * columns + j..(j + 1) * columns];
                for (k, h) in target.iter_mut().enumerate() {
                    *h += a0 * z0[k] + a1 * z1[k] + a2 * z2[k] + a3 * z3[k];
                }
            }
        }
        for j in 0..columns - 1 {
            hessian[j * columns + j] += self.l2;
        }
        hessian
    }
}

/// Solves `a x = b` for a symmetric positive definite `a`, of which the upper triangle is given
/// (row-major) and overwritten by its factor R with `R^T R = a`; `b` becomes x. False when `a` is
/// not positive definite in f64.
fn solve_cholesky(a: &mut [f64], b: &mut [f64]) -> bool {
    let m = b.len();
    for i in 0..m {
        let (done, rest) = a.split_at_mut((i + 1) * m);
        let row = &mut done[i * m + i..];
        if !(row[0] > 0.0 && row[0].is_finite()) {
            return false;
        }
        let scale = row[0].sqrt().recip();
        row.iter_mut().for_each(|r| *r *= scale);
        for j in i + 1..m {
            let factor = row[j - i];
            let target = &mut rest[(j - i - 1) * m + j..(j - i) * m];
            for (t, r) in target.iter_mut().zip(&row[j - i..]) {
                *t -= factor * r;
            }
        }
    }
    // R^T y = b, then R x = y.
    for i in 0..m {
        b[i] /= a[i * m + i];
        let y = b[i];
        for j in i + 1..m {
            b[j] -= a[i * m + j] * y;
        }
    }
    for i in (0..m).rev() {
        let known: f64 = (i + 1..m).map(|j| a[i * m + j] * b[j]).sum();
        b[i] = (b[i] - known) / a[i * m + i];
    }
    true
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic features with a signal in the first column, and labels.
    fn made_up(n: usize, d: usize) -> (Vec<f32>, Vec<bool>) {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let values: Vec<f32> = (0..n * d).map(|_| next() * 0.1).collect();
        let labels = values
            .chunks(d)
            .map(|row| row[0] + 0.05 * next() > 0.0)
            .collect();
        (values, labels)
    }

    /// The gradient of J at a probe, written down anew: with respect to the standardised weights
    /// and the intercept.
    fn gradient(values: &[f32], d: usize, labels: &[bool], l2: f64, probe: &Probe) -> Vec<f64> {
        let n = labels.len() as f64;
        let column = |j: usize| values.iter().skip(j).step_by(d).map(|&x| f64::from(x));
        let p = probe
            .probabilities(Features::new(values, d).unwrap())
            .unwrap();
        let residuals: Vec<f64> = p
            .iter()
            .zip(labels)
            .map(|(p, &label)| p - if label { 1.0 } else { 0.0 })
            .collect();
        let mut gradient = vec![residuals.iter().sum::<f64>() / n];
        for j in 0..d {
            let mean = column(j).sum::<f64>() / n;
            let deviation = (column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
            let data: f64 = column(j)
                .zip(&residuals)
                .map(|(x, r)| r * (x - mean) / deviation)
                .sum();
            gradient.push(data / n + l2 * probe.weights()[j] * deviation);
        }
        gradient
    }

    /// Two examples at z = -1 and 1: J is ln(1 + exp(-w)) + l2/2 w^2, so that w = 1 is optimal for
    /// l2 = 1 / (1 + e). Features 3 and 7 have mean 5 and deviation 2.
    #[test]
    fn a_case_solved_by_hand() {
        let l2 = 1.0 / (1.0 + 1.0_f64.exp());
        let features = Features::new(&[3.0, 7.0], 1).unwrap();
        let probe = Probe::train(features, &[false, true], &ProbeOptions { l2 }).unwrap();
        assert!((probe.weights()[0] - 0.5).abs() < 1e-8, "{probe:?}");
        assert!((probe.intercept() - -2.5).abs() < 1e-8, "{probe:?}");
        let p = probe.probabilities(features).unwrap();
        assert!(
            (p[1] - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-8,
            "{p:?}"
        );
        assert!((p[0] + p[1] - 1.0).abs() < 1e-12);
        assert_eq!(probe.labels(features).unwrap(), [false, true]);
    }

    #[test]
    fn the_gradient_vanishes_at_the_optimum() {
        // More examples than features and fewer; rows that fill blocks of four and do not.
        for (n, d, l2) in [(400, 20, 0.1), (37, 60, 0.1), (123, 8, 1e-6), (50, 3, 1e4)] {
            let (values, labels) = made_up(n, d);
            let features = Features::new(&values, d).unwrap();
            let probe = Probe::train(features, &labels, &ProbeOptions { l2 }).unwrap();
            for g in gradient(&values, d, &labels, l2, &probe) {
                assert!(g.abs() < 1e-8, "{n} x {d}, l2 {l2}: {g:e}");
            }
        }
    }

    /// The size of the demo, and well separated data with hardly any penalty: far from Newton's
    /// quadratic region.
    #[test]
    fn separable_data_converge() {
        let (values, _) = made_up(1_000, 384);
        let labels: Vec<bool> = values.chunks(384).map(|row| row[0] > 0.0).collect();
        let features = Features::new(&values, 384).unwrap();
        let probe = Probe::train(features, &labels, &ProbeOptions { l2: 1e-6 }).unwrap();
        assert_eq!(probe.labels(features).unwrap(), labels);
    }

    #[test]
    fn scale_and_constant_features_do_not_matter() {
        let (values, labels) = made_up(200, 3);
        let options = ProbeOptions::default();
        let plain = Features::new(&values, 3).unwrap();
        let expected = Probe::train(plain, &labels, &options)
            .unwrap()
            .probabilities(plain)
            .unwrap();
        // Scaled by powers of two, so that nothing is rounded; 0.1 has no exact mean.
        let changed: Vec<f32> = values
            .chunks(3)
            .flat_map(|row| [row[0] * 1024.0, 0.1, row[1] / 64.0, row[2]])
            .collect();
        let changed = Features::new(&changed, 4).unwrap();
        let probe = Probe::train(changed, &labels, &options).unwrap();
        assert_eq!(probe.weights()[1], 0.0);
        for (a, b) in probe.probabilities(changed).unwrap().iter().zip(expected) {
            assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_trained_is_named() {
        let options = ProbeOptions::default();
        let features = Features::new(&[1.0, 2.0], 1).unwrap();
        let train = |labels: &[bool], l2| Probe::train(features, labels, &ProbeOptions { l2 });
        assert!(matches!(train(&[true, true], 0.1), Err(Error::OneClass)));
        assert!(matches!(train(&[true], 0.1), Err(Error::Lengths { .. })));
        for l2 in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                train(&[true, false], l2),
                Err(Error::Penalty { .. })
            ));
        }
        let none = Features::new(&[], 4).unwrap();
        assert!(matches!(
            Probe::train(none, &[], &options),
            Err(Error::NoItems)
        ));
        for (values, dimension) in [(&[1.0, 2.0, 3.0][..], 2), (&[1.0], 0)] {
            let outcome = Features::new(values, dimension);
            assert!(matches!(outcome, Err(Error::FeatureShape { .. })));
        }
        let outcome = Features::new(&[1.0, 2.0, f32::NAN, 4.0], 2);
        assert!(matches!(outcome, Err(Error::NotFinite { item: 1 })));
        let probe = train(&[true, false], 0.1).unwrap();
        let wide = Features::new(&[1.0, 2.0], 2).unwrap();
        assert!(matches!(
            probe.labels(wide),
            Err(Error::Dimension {
                expected: 1,
                found: 2
            })
        ));
    }
}
