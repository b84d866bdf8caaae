//! A logarithmic axis with round ticks.

/// A range of values above 0, drawn over the length of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// Values that are labelled, in order.
    pub(super) ticks: Vec<f64>,
}

/// What stands free at either end, as a factor.
const MARGIN: f64 = 1.08;

/// Ticks that an axis has at least, as far as the finest choice gives them.
const LEAST_TICKS: usize = 4;

/// First digits that ticks can have, from coarse to fine.
const CHOICES: [&[f64]; 5] = [
    &[1.0],
    &[1.0, 2.0, 5.0],
    &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
    &[
        1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0,
    ],
    &[
        1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.5, 4.0, 4.5, 5.0,
        5.5, 6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5,
    ],
];

impl Axis {
    /// An axis that holds the values, which are above 0 and finite.
    pub(super) fn around(values: impl IntoIterator<Item = f64>) -> Axis {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        let (low, high) = (low / MARGIN, high * MARGIN);
        let mut ticks = Vec::new();
        for digits in CHOICES {
            ticks = round(digits, low, high);
            if ticks.len() >= LEAST_TICKS {
                break;
            }
        }
        Axis { low, high, ticks }
    }

    /// Where a value stands, as a share of the length.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        share.clamp(0.0, 1.0)
    }
}

/// The values with these first digits in a range.
fn round(digits: &[f64], low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    powers
        .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        let axis = Axis::around([3.0, 40_000.0]);
        assert_eq!(axis.ticks, [10.0, 100.0, 1000.0, 10_000.0]);
        let axis = Axis::around([20.0, 100.0]);
        assert_eq!(axis.ticks, [20.0, 30.0, 40.0, 50.0, 70.0, 100.0]);
        assert!(Axis::around([1.02, 1.31]).ticks.len() >= LEAST_TICKS);
        for values in [vec![], vec![7.0], vec![1e-9, 1e12]] {
            let axis = Axis::around(values);
            assert!(axis.ticks.is_sorted() && !axis.ticks.is_empty(), "{axis:?}");
        }
    }

    #[test]
    fn equal_factors_are_equal_lengths() {
        let axis = Axis::around([1.0, 100.0]);
        let first = axis.share(10.0) - axis.share(1.0);
        let second = axis.share(100.0) - axis.share(10.0);
        assert!((first - second).abs() < 1e-12 && first > 0.4);
    }
}
