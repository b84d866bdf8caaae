//! Scales with round ticks, linear and logarithmic.

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

/// A range of whole powers of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LogScale {
    /// Exponents of its ends.
    low: i32,
    high: i32,
}

impl LogScale {
    /// A scale that holds the values, a power at least; what is not positive and finite
    /// does not count.
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> LogScale {
        let exponents = values
            .into_iter()
            .filter(|value| value.is_finite() && *value > 0.0)
            .map(f64::log10);
        let (low, high) = exponents.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), own| {
            (low.min(own), high.max(own))
        });
        if low > high {
            return LogScale { low: 0, high: 1 };
        }
        let low = low.floor() as i32;
        LogScale {
            low,
            high: (high.ceil() as i32).max(low + 1),
        }
    }

    /// The value at its lower end.
    pub(crate) fn least(&self) -> f64 {
        10_f64.powi(self.low)
    }

    /// Where a positive value stands, as a share of the range: below 0 or above 1 if it
    /// is outside.
    pub(crate) fn share(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low)
    }

    /// The powers that are labelled, in order.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = f64> {
        let step = (self.high - self.low).div_euclid(TICKS as i32 + 1) + 1;
        (self.low..=self.high)
            .step_by(step as usize)
            .map(|exponent| 10_f64.powi(exponent))
            .filter(|tick| tick.is_finite() && *tick > 0.0)
    }
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
    fn powers_hold_the_values() {
        let scale = LogScale::new([30.0, 4_000.0, f64::NAN, 0.0, -1.0, f64::INFINITY]);
        assert_eq!(scale.ticks().collect::<Vec<_>>(), [10.0, 100.0, 1e3, 1e4]);
        assert_eq!(scale.least(), 10.0);
        assert_eq!(scale.share(10.0), 0.0);
        assert!((scale.share(1e3) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(LogScale::new([100.0]).share(100.0), 0.0);
        assert!(scale.share(1.0) < 0.0);
        for values in [vec![], vec![f64::MAX, f64::MIN_POSITIVE], vec![f64::MAX]] {
            let scale = LogScale::new(values);
            assert!((1..=8).contains(&scale.ticks().count()), "{scale:?}");
        }
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
