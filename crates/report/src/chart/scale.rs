//! A linear scale with round ticks.

/// A range of values, drawn over the width of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    /// Values that are labelled, in order.
    pub(crate) ticks: Vec<f64>,
    /// Decimals that tell the ticks apart.
    pub(crate) digits: usize,
}

/// Ticks that a chart aims at.
const TICKS: f64 = 5.0;

/// Beyond this, differences of values are not numbers any more.
const LIMIT: f64 = 1e300;

impl Scale {
    /// A scale that holds the values and 0; what is not finite does not count.
    pub(crate) fn around_zero(values: impl IntoIterator<Item = f64>) -> Scale {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value.max(-LIMIT));
            high = high.max(value.min(LIMIT));
        }
        if high - low < 1e-9 {
            (low, high) = (-1.0, 1.0);
        }
        let step = round_step((high - low) / TICKS);
        let first = (low / step).floor();
        let last = (high / step).ceil();
        Scale {
            low: first * step,
            high: last * step,
            ticks: (0..=(last - first) as usize)
                .map(|index| (first + index as f64) * step)
                .collect(),
            digits: (-step.log10().floor()).clamp(0.0, 9.0) as usize,
        }
    }

    /// Where a value stands, as a share of the width.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// The next of 1, 2, 5, 10, ... that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= step)
        .unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_values() {
        let scale = Scale::around_zero([-1.9, 0.6]);
        assert_eq!(scale.ticks, [-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(scale.digits, 1);
        assert_eq!(scale.share(-2.0), 0.0);
        assert_eq!(scale.share(1.0), 1.0);
        assert!((scale.share(0.0) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn degenerate_values_give_a_finite_scale() {
        for values in [
            vec![],
            vec![0.0],
            vec![f64::NAN, f64::INFINITY],
            vec![f64::MAX, f64::MIN],
            vec![1e-12],
        ] {
            let scale = Scale::around_zero(values);
            assert!(scale.ticks.len() <= 12, "{scale:?}");
            assert!(scale.ticks.iter().all(|tick| tick.is_finite()));
            for value in [0.0, 1.0, f64::MAX, f64::NAN] {
                assert!((0.0..=1.0).contains(&scale.share(value)));
            }
        }
    }
}
