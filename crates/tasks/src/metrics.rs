//! The tasks' metrics, all in points (times 100): correlations of scores, and metrics of binary
//! labels.

use crate::{Error, Result};

/// Pearson's correlation of two sequences, -100 to 100.
///
/// # Errors
///
/// [`Error::Lengths`], [`Error::NoItems`], [`Error::NotFinite`], and [`Error::Constant`] when all
/// values of a sequence are equal (also when there is only one): the correlation is undefined then.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<f64> {
    check_scores(x, y)?;
    let (dx, dy) = (scaled_deviations(x)?, scaled_deviations(y)?);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let r = dot(&dx, &dy) / (dot(&dx, &dx) * dot(&dy, &dy)).sqrt();
    Ok(100.0 * r.clamp(-1.0, 1.0))
}

/// Spearman's rank correlation of two sequences, -100 to 100: Pearson's of the [`ranks`].
///
/// # Errors
///
/// Those of [`pearson`].
pub fn spearman(x: &[f64], y: &[f64]) -> Result<f64> {
    check_scores(x, y)?;
    pearson(&ranks(x), &ranks(y))
}

/// The rank of each value, from 1; equal values share the average of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        // The mean of before + 1, ..., before + tied.len().
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        for &i in tied {
            ranks[i] = rank;
        }
        before += tied.len();
    }
    ranks
}

/// How often predictions and true labels met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Predicted 1, truly 1.
    pub true_positives: u64,
    /// Predicted 1, truly 0.
    pub false_positives: u64,
    /// Predicted 0, truly 0.
    pub true_negatives: u64,
    /// Predicted 0, truly 1.
    pub false_negatives: u64,
}

impl Confusion {
    /// Counts a pair of sequences.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`], [`Error::NoItems`].
    pub fn count(predicted: &[bool], truth: &[bool]) -> Result<Confusion> {
        check_lengths("predictions against labels", predicted.len(), truth.len())?;
        let mut confusion = Confusion::default();
        for (&predicted, &truth) in predicted.iter().zip(truth) {
            confusion.add(predicted, truth, 1);
        }
        Ok(confusion)
    }

    /// Adds a pair of labels that occurred `count` times.
    pub fn add(&mut self, predicted: bool, truth: bool, count: u64) {
        *match (predicted, truth) {
            (true, true) => &mut self.true_positives,
            (true, false) => &mut self.false_positives,
            (false, false) => &mut self.true_negatives,
            (false, true) => &mut self.false_negatives,
        } += count;
    }

    /// The share of right predictions, 0 to 100; 0 for no items.
    pub fn accuracy(&self) -> f64 {
        let right = self.true_positives + self.true_negatives;
        let wrong = self.false_positives + self.false_negatives;
        points(right as f64, (right + wrong) as f64)
    }

    /// F1 of class 1, 0 to 100: `2 TP / (2 TP + FP + FN)`. Where nothing is 1, neither predicted
    /// nor true, it is 0 by convention (as in scikit-learn).
    pub fn f1(&self) -> f64 {
        let twice = 2 * self.true_positives;
        let all = twice + self.false_positives + self.false_negatives;
        points(twice as f64, all as f64)
    }

    /// Matthews' correlation coefficient, -100 to 100. Where predictions or labels are all equal,
    /// it is 0 by convention (as in scikit-learn).
    pub fn matthews(&self) -> f64 {
        let [tp, fp, tn, fn_] = [
            self.true_positives,
            self.false_positives,
            self.true_negatives,
            self.false_negatives,
        ]
        .map(|count| count as f64);
        let square = (tp + fp) * (tp + fn_) * (tn + fp) * (tn + fn_);
        points(tp * tn - fp * fn_, square.sqrt())
    }
}

/// `100 * part / whole`, and 0 for a whole of 0.
pub(crate) fn points(part: f64, whole: f64) -> f64 {
    if whole == 0.0 {
        0.0
    } else {
        100.0 * part / whole
    }
}

/// [`Confusion::accuracy`] of two sequences.
///
/// # Errors
///
/// Those of [`Confusion::count`].
pub fn accuracy(predicted: &[bool], truth: &[bool]) -> Result<f64> {
    Ok(Confusion::count(predicted, truth)?.accuracy())
}

/// [`Confusion::f1`] of two sequences.
///
/// # Errors
///
/// Those of [`Confusion::count`].
pub fn f1(predicted: &[bool], truth: &[bool]) -> Result<f64> {
    Ok(Confusion::count(predicted, truth)?.f1())
}

/// [`Confusion::matthews`] of two sequences.
///
/// # Errors
///
/// Those of [`Confusion::count`].
pub fn matthews(predicted: &[bool], truth: &[bool]) -> Result<f64> {
    Ok(Confusion::count(predicted, truth)?.matthews())
}

/// Checks that two sequences pair up and are not empty.
pub(crate) fn check_lengths(what: &'static str, left: usize, right: usize) -> Result<()> {
    if left != right {
        return Err(Error::Lengths { what, left, right });
    }
    if left == 0 {
        return Err(Error::NoItems);
    }
    Ok(())
}

/// Checks what a correlation needs.
pub(crate) fn check_scores(x: &[f64], y: &[f64]) -> Result<()> {
    check_lengths("scores to correlate", x.len(), y.len())?;
    let finite = |(x, y): (&f64, &f64)| x.is_finite() && y.is_finite();
    match x.iter().zip(y).position(|pair| !finite(pair)) {
        Some(item) => Err(Error::NotFinite { item }),
        None => Ok(()),
    }
}

/// Deviations from the mean, scaled so that squares neither overflow nor vanish.
fn scaled_deviations(values: &[f64]) -> Result<Vec<f64>> {
    // Compared exactly: the mean of equal values may differ from them by a rounding error.
    if values.iter().all(|v| *v == values[0]) {
        return Err(Error::Constant {
            items: values.len(),
        });
    }
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let mean = values.iter().map(|v| v / largest).sum::<f64>() / values.len() as f64;
    let mut deviations: Vec<f64> = values.iter().map(|v| v / largest - mean).collect();
    let largest = deviations.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    deviations.iter_mut().for_each(|d| *d /= largest);
    Ok(deviations)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-9, "{got} is not {wanted}");
    }

    #[test]
    fn correlations_worked_by_hand() {
        // Deviations -1, 0, 1 and -4/3, -1/3, 5/3: 3 / sqrt(2 * 14/3).
        let (x, y) = ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]);
        close(
            pearson(&x, &y).unwrap(),
            100.0 * 3.0 / (28.0_f64 / 3.0).sqrt(),
        );
        close(spearman(&x, &y).unwrap(), 100.0);
        close(spearman(&x, &[5.0, 4.0, -3.0]).unwrap(), -100.0);
        // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
        let ties = spearman(&[0.0, 7.0, 7.0, 9.0], &[1.0, 2.0, 3.0, 4.0]);
        close(ties.unwrap(), 100.0 * (4.5_f64 / 5.0).sqrt());
    }

    #[test]
    fn ties_share_their_average_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 3.0, 2.0]), [4.0, 1.0, 4.0, 4.0, 2.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }

    #[test]
    fn label_metrics_worked_by_hand() {
        // TP 6, FN 2, FP 1, TN 3.
        let confusion = Confusion {
            true_positives: 6,
            false_negatives: 2,
            false_positives: 1,
            true_negatives: 3,
        };
        close(confusion.accuracy(), 75.0);
        close(confusion.f1(), 100.0 * 12.0 / 15.0);
        close(confusion.matthews(), 100.0 * 16.0 / 1120.0_f64.sqrt());
        let (predicted, truth) = ([true, false, true], [true, true, false]);
        close(accuracy(&predicted, &truth).unwrap(), 100.0 / 3.0);
        close(f1(&predicted, &truth).unwrap(), 50.0);
        close(matthews(&predicted, &truth).unwrap(), -50.0);
    }

    #[test]
    fn degenerate_inputs_are_defined() {
        let constant = [0.1, 0.1, 0.1];
        let varied = [1.0, 2.0, 3.0];
        for metric in [pearson, spearman] {
            for (x, y) in [(&constant, &varied), (&varied, &constant)] {
                assert!(matches!(metric(x, y), Err(Error::Constant { items: 3 })));
            }
            assert!(matches!(
                metric(&[1.0], &[1.0]),
                Err(Error::Constant { items: 1 })
            ));
            assert!(matches!(metric(&[], &[]), Err(Error::NoItems)));
            assert!(matches!(
                metric(&varied, &varied[1..]),
                Err(Error::Lengths { .. })
            ));
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let outcome = metric(&varied, &[1.0, bad, 2.0]);
                assert!(matches!(outcome, Err(Error::NotFinite { item: 1 })));
            }
        }
        assert!(matches!(accuracy(&[], &[]), Err(Error::NoItems)));
        assert!(matches!(f1(&[true], &[]), Err(Error::Lengths { .. })));
        // By convention 0.
        assert_eq!(matthews(&[true, true], &[true, false]).unwrap(), 0.0);
        assert_eq!(f1(&[false, false], &[false, false]).unwrap(), 0.0);
        assert_eq!(Confusion::default().accuracy(), 0.0);
    }

    #[test]
    fn extreme_magnitudes_do_not_overflow() {
        for scale in [1e300, 1e-300] {
            let x = [scale, -scale, 0.5 * scale];
            close(pearson(&x, &x).unwrap(), 100.0);
        }
    }

    proptest! {
        #[test]
        fn spearman_ignores_monotone_changes(
            pairs in prop::collection::vec((-5_i8..5, -5_i8..5), 2..40)
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) =
                pairs.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).unzip();
            let bent: Vec<f64> = x.iter().map(|x| x.exp()).collect();
            match (spearman(&x, &y), spearman(&bent, &y)) {
                (Ok(a), Ok(b)) => {
                    prop_assert_eq!(a, b);
                    prop_assert!((-100.0..=100.0).contains(&a));
                    prop_assert!((a - spearman(&y, &x).unwrap()).abs() < 1e-9);
                }
                (Err(Error::Constant { .. }), Err(Error::Constant { .. })) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
