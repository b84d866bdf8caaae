//! How figures are written: thousands apart, a real minus, units at hand, and a
//! dash for what is not a number.

/// What stands where there is no figure.
pub(crate) const NONE: &str = "–";

/// Between a figure and its unit: no line breaks there.
pub(crate) const SPACE: char = '\u{a0}';

/// From here on figures are written with an exponent.
const LARGE: f64 = 1e12;

/// A figure with `digits` decimals.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return NONE.into();
    }
    let magnitude = value.abs();
    if magnitude >= LARGE {
        return format!("{}{magnitude:.2e}", sign(value < 0.0));
    }
    let written = format!("{magnitude:.digits$}");
    let is_zero = written.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let (whole, fraction) = match written.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (written.as_str(), None),
    };
    let mut text = sign(value < 0.0 && !is_zero).to_owned();
    text.push_str(&grouped(whole));
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A difference: [`fixed`], with a plus before what is above 0.
pub(crate) fn signed(value: f64, digits: usize) -> String {
    let text = fixed(value, digits);
    let is_positive = value > 0.0 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if is_positive {
        format!("+{text}")
    } else {
        text
    }
}

/// A whole number.
pub(crate) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A count and what is counted: `1 layer`, `6 layers`.
pub(crate) fn counted(value: usize, singular: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", count(value as u64))
}

/// A share of 1 in per cent, with its sign.
pub(crate) fn percent(share: f64, digits: usize) -> String {
    with_unit(&fixed(100.0 * share, digits), "%")
}

/// A ratio, with about three digits: `0.015×`, `3.62×`, `16.0×`, `250×`.
pub(crate) fn times(ratio: f64) -> String {
    let is_small = ratio > 0.0 && ratio < 0.0995;
    let text = fixed(ratio, three_digits(ratio) + usize::from(is_small));
    if text == NONE {
        text
    } else {
        format!("{text}×")
    }
}

/// A written figure and its unit; no unit behind a dash.
pub(crate) fn with_unit(figure: &str, unit: &str) -> String {
    if figure == NONE {
        figure.into()
    } else {
        format!("{figure}{SPACE}{unit}")
    }
}

/// Decimals that give a column with this largest value about three digits.
pub(crate) fn three_digits(largest: f64) -> usize {
    match largest.abs() {
        magnitude if magnitude >= 99.95 => 0,
        magnitude if magnitude >= 9.995 => 1,
        _ => 2,
    }
}

/// A unit that fits the values of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unit {
    /// Its symbol.
    pub(crate) symbol: &'static str,
    /// What a value is divided by.
    divisor: f64,
    /// Decimals.
    digits: usize,
}

impl Unit {
    /// For cycles.
    pub(crate) const CYCLES: Unit = Unit {
        symbol: "cycles",
        divisor: 1.0,
        digits: 0,
    };

    /// For times given in microseconds.
    pub(crate) fn of_time_us(values: impl IntoIterator<Item = f64>) -> Unit {
        Unit::fitting(values, ["µs", "ms", "s"])
    }

    /// For energies given in microjoules.
    pub(crate) fn of_energy_uj(values: impl IntoIterator<Item = f64>) -> Unit {
        Unit::fitting(values, ["µJ", "mJ", "J"])
    }

    /// The largest unit that leaves the largest value at least 1.
    fn fitting(values: impl IntoIterator<Item = f64>, symbols: [&'static str; 3]) -> Unit {
        let largest = values
            .into_iter()
            .filter(|value| value.is_finite())
            .fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let (symbol, divisor) = match largest {
            value if value >= 1e6 => (symbols[2], 1e6),
            value if value >= 1e3 => (symbols[1], 1e3),
            _ => (symbols[0], 1.0),
        };
        // One more than the largest value needs: small values stand beside it.
        let digits = three_digits(largest / divisor) + 1;
        Unit {
            symbol,
            divisor,
            digits,
        }
    }

    /// A value in this unit, as a number.
    pub(crate) fn value(self, value: f64) -> f64 {
        value / self.divisor
    }

    /// A value in this unit, without the symbol.
    pub(crate) fn figure(self, value: f64) -> String {
        fixed(value / self.divisor, self.digits)
    }

    /// A value in this unit, with the symbol.
    pub(crate) fn figure_with_symbol(self, value: f64) -> String {
        with_unit(&self.figure(value), self.symbol)
    }
}

/// A minus, or nothing.
fn sign(is_negative: bool) -> &'static str {
    if is_negative { "−" } else { "" }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(fixed(-1_234_567.891, 2), "−1,234,567.89");
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(signed(0.001, 2), "0.00");
        assert_eq!(signed(0.0, 2), "0.00");
        assert_eq!(signed(0.42, 2), "+0.42");
        assert_eq!(signed(-0.42, 2), "−0.42");
    }

    #[test]
    fn what_is_no_number_is_a_dash_without_unit() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(fixed(value, 2), "–");
            assert_eq!(percent(value, 1), "–");
            assert_eq!(times(value), "–");
            assert_eq!(Unit::of_energy_uj([value]).figure_with_symbol(value), "–");
        }
    }

    #[test]
    fn the_largest_figures_stay_short() {
        assert_eq!(fixed(f64::MAX, 3), "1.80e308");
        assert_eq!(fixed(f64::MIN, 3), "−1.80e308");
    }

    #[test]
    fn ratios_have_three_digits() {
        assert_eq!(times(0.0149), "0.015×");
        assert_eq!(times(3.6249), "3.62×");
        assert_eq!(times(16.04), "16.0×");
        assert_eq!(times(9.999), "10.0×");
        assert_eq!(times(250.4), "250×");
    }

    #[test]
    fn a_column_shares_its_unit() {
        let unit = Unit::of_energy_uj([12.5, 4_300.0]);
        assert_eq!(unit.figure_with_symbol(4_300.0), "4.300\u{a0}mJ");
        assert_eq!(unit.figure(12.5), "0.013");
        assert_eq!(Unit::of_time_us([]).symbol, "µs");
        assert_eq!(
            Unit::of_time_us([2e6]).figure_with_symbol(2e6),
            "2.000\u{a0}s"
        );
    }
}
