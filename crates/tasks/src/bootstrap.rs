//! Is a difference between two systems more than chance? A paired bootstrap answers: both systems
//! are measured on the same items, drawn again and again with repetition (Efron and Tibshirani,
//! *An Introduction to the Bootstrap*, 1993, section 13.3: the percentile interval).

use dtatrans_precision::random::Random;
use rayon::prelude::*;
use serde::Serialize;

use crate::counted::CountedMetric;
use crate::{Error, Result};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BootstrapOptions {
    /// Resamples to draw.
    pub resamples: usize,
    /// The share of resampled differences that the interval covers, between 0 and 1.
    pub level: f64,
    /// Decides all draws.
    pub seed: u64,
}

impl Default for BootstrapOptions {
    /// 10,000 resamples, a 95 % interval, seed 0.
    fn default() -> Self {
        BootstrapOptions {
            resamples: 10_000,
            level: 0.95,
            seed: 0,
        }
    }
}

/// A difference of two systems, and how far chance may have moved it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Interval {
    /// The difference on the items themselves, in points.
    pub difference: f64,
    /// The interval's lower end, in points.
    pub low: f64,
    /// The interval's upper end, in points.
    pub high: f64,
    /// The interval's level.
    pub level: f64,
    /// Resamples drawn.
    pub resamples: usize,
    /// Resamples left out, because a metric is undefined on them.
    pub undefined: usize,
    /// Whether the interval excludes 0: the items resolve the difference.
    pub resolved: bool,
}

/// The standard error of a normal difference whose interval of 95 % has these ends.
pub fn standard_error(low: f64, high: f64) -> f64 {
    /// The 97.5 % quantile of the standard normal distribution.
    const NORMAL_975: f64 = 1.959_964;
    (high - low) / (2.0 * NORMAL_975)
}

/// The interval of `system - baseline`, both measured on the same items.
///
/// # Errors
///
/// [`Error::Lengths`] when the systems have different numbers of items; [`Error::NoItems`];
/// [`Error::BootstrapOptions`]; [`Error::Undefined`].
pub fn compare(
    system: &(impl CountedMetric + ?Sized),
    baseline: &(impl CountedMetric + ?Sized),
    options: &BootstrapOptions,
) -> Result<Interval> {
    if system.items() != baseline.items() {
        return Err(Error::Lengths {
            what: "items of two systems",
            left: system.items(),
            right: baseline.items(),
        });
    }
    let difference = |counts: &[u32]| Some(system.points(counts)? - baseline.points(counts)?);
    interval(system.items(), difference, options)
}

/// The interval of any statistic of a multiset of items. `statistic` is given how often each item
/// occurs, and returns nothing where it is undefined.
///
/// The draws of each resample depend on the seed and the resample's number alone, so the result is
/// the same for any number of threads.
///
/// # Errors
///
/// [`Error::NoItems`]; [`Error::BootstrapOptions`]; [`Error::Undefined`] when the statistic is
/// undefined on the items themselves or on more than half of the resamples.
pub fn interval(
    items: usize,
    statistic: impl Fn(&[u32]) -> Option<f64> + Sync,
    options: &BootstrapOptions,
) -> Result<Interval> {
    let &BootstrapOptions {
        resamples,
        level,
        seed,
    } = options;
    if items == 0 {
        return Err(Error::NoItems);
    }
    if resamples == 0 {
        return Err(Error::BootstrapOptions {
            reason: "at least one resample is needed",
        });
    }
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::BootstrapOptions {
            reason: "the level must lie between 0 and 1",
        });
    }
    let difference = statistic(&vec![1; items]).ok_or(Error::Undefined)?;
    let resampled: Vec<Option<f64>> = (0..resamples as u64)
        .into_par_iter()
        .map_init(
            || vec![0_u32; items],
            |counts, number| {
                counts.fill(0);
                let mut draws = Random::of_stream(seed, number);
                for _ in 0..items {
                    counts[draws.below(items)] += 1;
                }
                statistic(counts)
            },
        )
        .collect();
    let mut defined: Vec<f64> = resampled.into_iter().flatten().collect();
    let undefined = resamples - defined.len();
    if undefined > resamples / 2 {
        return Err(Error::Undefined);
    }
    defined.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (quantile(&defined, tail), quantile(&defined, 1.0 - tail));
    Ok(Interval {
        difference,
        low,
        high,
        level,
        resamples,
        undefined,
        resolved: low > 0.0 || high < 0.0,
    })
}

/// The quantile of sorted values, interpolated between neighbours (type 7 of Hyndman and Fan, 1996).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counted::{CountedLabels, CountedSpearman, LabelMetric};

    #[test]
    fn quantiles_interpolate() {
        let sorted = [1.0, 2.0, 4.0];
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.75), 3.0);
        assert_eq!(quantile(&sorted, 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }

    /// 2,000 items; the baseline errs on those divisible by 5, the system on `system_errs`.
    fn accuracies(system_errs: impl Fn(usize) -> bool) -> (CountedLabels, CountedLabels) {
        let truth: Vec<bool> = (0..2_000).map(|i| i % 2 == 0).collect();
        let metric = |errs: &dyn Fn(usize) -> bool| {
            let predicted: Vec<bool> = (0..2_000).map(|i| truth[i] ^ errs(i)).collect();
            CountedLabels::new(LabelMetric::Accuracy, &predicted, &truth).unwrap()
        };
        (metric(&system_errs), metric(&|i| i % 5 == 0))
    }

    /// The difference of paired accuracies is a mean of values -1, 0, 1: for 2,000 items the
    /// percentile interval must be close to mean +- 1.96 standard errors.
    #[test]
    fn the_interval_matches_the_normal_one() {
        // The system errs where i % 4 == 0: differs from the baseline on 3/20 + 4/20 of the items.
        let (system, baseline) = accuracies(|i| i % 4 == 0);
        let got = compare(&system, &baseline, &BootstrapOptions::default()).unwrap();
        assert!((got.difference - -5.0).abs() < 1e-9);
        let variance: f64 = 7.0 / 20.0 - 0.05 * 0.05;
        let margin = 100.0 * 1.959_964 * (variance / 2_000.0).sqrt();
        assert!((got.low - (-5.0 - margin)).abs() < 0.1, "{got:?}");
        assert!((got.high - (-5.0 + margin)).abs() < 0.1, "{got:?}");
        assert!(got.resolved);
        assert_eq!((got.resamples, got.undefined), (10_000, 0));
    }

    #[test]
    fn a_difference_within_chance_is_not_resolved() {
        // As many errors, on other items.
        let (system, baseline) = accuracies(|i| i % 5 == 1);
        let got = compare(&system, &baseline, &BootstrapOptions::default()).unwrap();
        assert_eq!(got.difference, 0.0);
        assert!(!got.resolved && got.low < 0.0 && got.high > 0.0);
        // The same errors: no difference in any resample, and so nothing to resolve.
        let (same, baseline) = accuracies(|i| i % 5 == 0);
        let got = compare(&same, &baseline, &BootstrapOptions::default()).unwrap();
        assert_eq!((got.low, got.high, got.resolved), (0.0, 0.0, false));
    }

    #[test]
    fn threads_do_not_change_the_result_but_the_seed_does() {
        let (system, baseline) = accuracies(|i| i % 4 == 0);
        let with = |threads: usize, seed: u64| {
            let options = BootstrapOptions {
                resamples: 500,
                seed,
                ..BootstrapOptions::default()
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build()
                .unwrap()
                .install(|| compare(&system, &baseline, &options).unwrap())
        };
        assert_eq!(with(1, 1), with(3, 1));
        assert_ne!(with(1, 1), with(1, 2));
    }

    #[test]
    fn resamples_without_a_value_are_counted() {
        // Three items: a resample of one item thrice has no correlation (3 of 27 resamples).
        let truth = [1.0, 2.0, 3.0];
        let system = CountedSpearman::new(&truth, &truth).unwrap();
        let baseline = CountedSpearman::new(&[2.0, 1.0, 3.0], &truth).unwrap();
        let got = compare(&system, &baseline, &BootstrapOptions::default()).unwrap();
        let share = got.undefined as f64 / got.resamples as f64;
        assert!((share - 3.0 / 27.0).abs() < 0.02, "{share}");
    }

    #[test]
    fn what_cannot_be_computed_is_named() {
        let options = BootstrapOptions::default();
        let one = |_: &[u32]| Some(1.0);
        assert!(matches!(interval(0, one, &options), Err(Error::NoItems)));
        assert!(matches!(
            interval(3, |_| None, &options),
            Err(Error::Undefined)
        ));
        let on_the_items_only = |c: &[u32]| c.iter().all(|&c| c == 1).then_some(1.0);
        let outcome = interval(9, on_the_items_only, &options);
        assert!(matches!(outcome, Err(Error::Undefined)));
        for options in [
            BootstrapOptions {
                resamples: 0,
                ..options
            },
            BootstrapOptions {
                level: 0.0,
                ..options
            },
            BootstrapOptions {
                level: 1.0,
                ..options
            },
            BootstrapOptions {
                level: f64::NAN,
                ..options
            },
        ] {
            let outcome = interval(3, one, &options);
            assert!(matches!(outcome, Err(Error::BootstrapOptions { .. })));
        }
        let (system, _) = accuracies(|_| false);
        let other = CountedLabels::new(LabelMetric::Accuracy, &[true], &[true]).unwrap();
        let outcome = compare(&system, &other, &options);
        assert!(matches!(
            outcome,
            Err(Error::Lengths {
                left: 2_000,
                right: 1,
                ..
            })
        ));
    }
}
