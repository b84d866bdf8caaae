//! What SpAtten prunes besides tokens: heads, which leave for good, and values, which
//! each query passes over on its own (Wang et al., HPCA 2021, sections III-B and III-C).

use crate::PlanError;
use crate::ratio::thousandths;

/// The shares of a layer's heads and values that are kept, in whole thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruning {
    heads: u16,
    values: u16,
}

impl Pruning {
    /// All heads, all values.
    pub const NONE: Pruning = Pruning {
        heads: 1000,
        values: 1000,
    };

    /// From the shares that a plan file gives.
    ///
    /// # Errors
    /// [`PlanError::Share`] for one that is no whole thousandth between 0 and 1,
    /// [`PlanError::Value`] for 0.
    pub fn from_shares(heads: f64, values: f64) -> Result<Pruning, PlanError> {
        let share = |field, value| match thousandths(field, value)? {
            0 => Err(PlanError::Value {
                field,
                value: "0".into(),
                allowed: "above 0 and at most 1".into(),
            }),
            share => Ok(share),
        };
        Ok(Pruning {
            heads: share("heads", heads)?,
            values: share("values", values)?,
        })
    }

    /// Share of the heads, above 0 and at most 1.
    pub fn head_share(self) -> f64 {
        f64::from(self.heads) / 1000.0
    }

    /// Share of the values, above 0 and at most 1.
    pub fn value_share(self) -> f64 {
        f64::from(self.values) / 1000.0
    }

    /// How many of so many heads are kept: the nearest number, at least one.
    pub fn heads(self, all: usize) -> usize {
        ((all * usize::from(self.heads) + 500) / 1000).max(1)
    }

    /// How many of so many keys a query adds up the values of: rounded up.
    pub fn values(self, keys: usize) -> usize {
        (keys * usize::from(self.values)).div_ceil(1000)
    }
}

/// Heads on their way through the layers: those with the largest outputs so far stay,
/// and one that is gone stays gone.
#[derive(Clone, Debug)]
pub struct HeadCascade {
    /// Mean magnitudes of the outputs, summed over the layers so far.
    magnitudes: Vec<f64>,
    /// Those that stay, in rising order.
    left: Vec<usize>,
}

impl HeadCascade {
    /// All of so many heads.
    pub fn new(heads: usize) -> HeadCascade {
        HeadCascade {
            magnitudes: vec![0.0; heads],
            left: (0..heads).collect(),
        }
    }

    /// Lets all but so many leave, the earlier of two alike staying; gives those that
    /// stay, in rising order.
    pub fn keep(&mut self, count: usize) -> &[usize] {
        if count < self.left.len() {
            let sums = &self.magnitudes;
            self.left
                .sort_by(|&a, &b| sums[b].total_cmp(&sums[a]).then(a.cmp(&b)));
            self.left.truncate(count);
            self.left.sort_unstable();
        }
        &self.left
    }

    /// Those that stay, in rising order.
    pub fn left(&self) -> &[usize] {
        &self.left
    }

    /// Adds the mean magnitude of each head's output at a layer, by head.
    pub fn add(&mut self, magnitudes: impl IntoIterator<Item = f32>) {
        for (sum, magnitude) in self.magnitudes.iter_mut().zip(magnitudes) {
            *sum += f64::from(magnitude);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_count_heads_to_the_nearest_and_values_upwards() {
        let pruning = Pruning::from_shares(0.9, 0.3).unwrap();
        assert_eq!([12, 6, 4, 1].map(|all| pruning.heads(all)), [11, 5, 4, 1]);
        assert_eq!([1, 10, 11].map(|keys| pruning.values(keys)), [1, 3, 4]);
        assert_eq!(Pruning::from_shares(1.0, 1.0), Ok(Pruning::NONE));
        let least = Pruning::from_shares(0.001, 0.001).unwrap();
        assert_eq!((least.heads(12), least.values(384)), (1, 1));
    }

    #[test]
    fn shares_that_keep_nothing_are_refused() {
        for (heads, values, name) in [
            (0.0, 1.0, "heads"),
            (1.0, 0.0, "values"),
            (1.1, 1.0, "heads"),
            (1.0, 0.12345, "values"),
            (f64::NAN, 1.0, "heads"),
        ] {
            let error = Pruning::from_shares(heads, values).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn the_largest_sum_stays_and_what_is_gone_stays_gone() {
        let mut heads = HeadCascade::new(3);
        assert_eq!(heads.keep(3), [0, 1, 2]);
        heads.add([0.3, 0.1, 0.2]);
        assert_eq!(heads.keep(2), [0, 2]);
        // Head 1 left with the smallest sum before it could grow.
        heads.add([0.1, 0.9, 0.4]);
        assert_eq!(heads.keep(1), [2]);
        assert_eq!(heads.keep(3), [2]);
    }

    #[test]
    fn of_two_alike_the_earlier_stays() {
        let mut heads = HeadCascade::new(3);
        heads.add([0.5, 0.5, 0.5]);
        assert_eq!(heads.keep(2), [0, 1]);
    }
}
