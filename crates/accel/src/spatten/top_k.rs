//! SpAtten's top-k engine.

use serde::Deserialize;

use crate::AccelError;
use crate::machine::check;

/// A quick-select engine: each pass compares the candidates that are left with
/// a random pivot, in ceil(n / per_cycle) + latency cycles (Wang et al., HPCA
/// 2021, section IV-B; the release's `TopKLatencyModel.scala` has 16 a cycle and
/// 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopK {
    /// Candidates compared per cycle.
    pub per_cycle: u64,
    /// Latency of one pass, in cycles.
    pub latency_cycles: u64,
}

impl TopK {
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::between("top_k.per_cycle", self.per_cycle, 1, 1 << 12)?;
        check::between("top_k.latency_cycles", self.latency_cycles, 0, 1 << 12)
    }

    /// Expected number of comparisons to find the `k` best of `n`, one with each
    /// candidate in each pass.
    ///
    /// Knuth, *Mathematical analysis of algorithms*, IFIP 1971, with H the
    /// harmonic numbers: 2 ((n + 1) H_n - (n + 3 - k) H_(n+1-k) - (k + 2) H_k +
    /// n + 3) without the pivot itself, and one more a pass with it.
    pub fn comparisons(n: u64, k: u64) -> f64 {
        if k == 0 || k >= n {
            return 0.0;
        }
        let (all, kept, rest) = (n as f64, k as f64, (n + 1 - k) as f64);
        let others = 2.0
            * ((all + 1.0) * harmonic(all)
                - (rest + 2.0) * harmonic(rest)
                - (kept + 2.0) * harmonic(kept)
                + all
                + 3.0);
        others + passes(n, k)
    }

    /// Expected cycles to find the `k` best of `n`: the comparisons, and for each
    /// pass the latency and half a cycle lost to rounding where several are
    /// compared at once.
    /// Nothing is to be found if all are kept.
    pub fn cycles(&self, n: u64, k: u64) -> u64 {
        if k == 0 || k >= n {
            return 0;
        }
        let passes = passes(n, k);
        let rounding = 0.5 * (1.0 - 1.0 / self.per_cycle as f64);
        let compare = TopK::comparisons(n, k) / self.per_cycle as f64;
        (compare + passes * (self.latency_cycles as f64 + rounding)).round() as u64
    }
}

/// Expected number of passes to find the `k` best of `n`: H_k + H_(n+1-k) - 1.
fn passes(n: u64, k: u64) -> f64 {
    harmonic(k as f64) + harmonic((n + 1 - k) as f64) - 1.0
}

/// 1 + 1/2 + ... + 1/n, by its asymptotic series.
fn harmonic(n: f64) -> f64 {
    const EULER_MASCHERONI: f64 = 0.577_215_664_901_532_9;
    n.ln() + EULER_MASCHERONI + 1.0 / (2.0 * n) - 1.0 / (12.0 * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published rule, ceil(n / P) + 3 a pass, was drawn 400 times for each row:
    /// a mean is known to sd / 20.
    #[test]
    fn equals_the_published_rule_within_the_error_of_its_sample() {
        let rows = include_str!("../../tests/data/spatten_top_k.csv")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(1);
        let (mut checked, mut chi_square) = (0, 0.0);
        for row in rows {
            let fields: Vec<&str> = row.split(',').collect();
            let number = |index: usize| fields[index].parse::<f64>().unwrap();
            let engine = TopK {
                per_cycle: number(2) as u64,
                latency_cycles: 3,
            };
            let cycles = engine.cycles(number(0) as u64, number(1) as u64) as f64;
            let (mean, sd) = (number(3), number(4));
            let errors = (cycles - mean) / (sd / 20.0);
            // One of 14 rows beyond this has a chance of 1 %.
            assert!(
                errors.abs() < 3.4,
                "{row}: {cycles}, {errors:.2} errors away"
            );
            chi_square += errors * errors;
            checked += 1;
        }
        assert_eq!(checked, 14);
        // The value that 1 % of samples of 14 exceed.
        assert!(chi_square < 29.1, "{chi_square}");
    }

    /// The mean of the rule over all pivots, by recursion over what is left.
    #[test]
    fn is_the_mean_of_the_rule_over_all_pivots() {
        for per_cycle in [1, 8, 16] {
            let engine = TopK {
                per_cycle,
                latency_cycles: 3,
            };
            let most = 160_usize;
            // mean[n][k]: the k-th of n, k from 1.
            let mut mean = vec![vec![0.0; most + 1]; most + 1];
            for n in 1..=most {
                for k in 1..=n {
                    let below: f64 = (1..k).map(|pivot| mean[n - pivot][k - pivot]).sum();
                    let above: f64 = (k + 1..=n).map(|pivot| mean[pivot - 1][k]).sum();
                    let pass = (n as u64).div_ceil(per_cycle) as f64 + 3.0;
                    mean[n][k] = pass + (below + above) / n as f64;
                }
            }
            for (n, k) in [(40, 20), (64, 8), (100, 50), (160, 16), (160, 150)] {
                let (exact, ours) = (mean[n][k], engine.cycles(n as u64, k as u64) as f64);
                // Half a cycle a pass is lost to rounding where n is large.
                let most = 0.5 + if per_cycle == 1 { 0.0 } else { 0.02 * exact };
                assert!(
                    (ours - exact).abs() <= most,
                    "{n} {k} {per_cycle}: {ours} {exact}"
                );
            }
        }
    }

    #[test]
    fn keeping_all_takes_no_time() {
        let engine = TopK {
            per_cycle: 16,
            latency_cycles: 3,
        };
        assert_eq!(engine.cycles(25, 25), 0);
        assert!(engine.cycles(25, 24) > 0);
    }
}
