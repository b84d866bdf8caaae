//! Activation functions.

use super::exp::exp_nonpositive;
use crate::Isa;

/// Replaces each x by x Φ(x), the Gaussian error linear unit with the exact
/// error function (Hendrycks and Gimpel, 2016; `gelu` in BERT's config).
pub fn gelu(isa: Isa, values: &mut [f32]) {
    isa.vectorise(
        #[inline(always)]
        || {
            for value in values {
                *value = *value * 0.5 * (1.0 + erf(*value * std::f32::consts::FRAC_1_SQRT_2));
            }
        },
    );
}

/// The error function, within 2e-7: Abramowitz and Stegun, formula 7.1.26.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let magnitude = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * magnitude);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152;
    p = p * t + 1.421_413_8;
    p = p * t - 0.284_496_72;
    p = p * t + 0.254_829_6;
    let y = 1.0 - p * t * exp_nonpositive(-magnitude * magnitude);
    y.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its Taylor series in f64.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for k in 1..200 {
            term *= -x * x / f64::from(k);
            sum += term / f64::from(2 * k + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn gelu_is_close_to_its_definition() {
        for i in -400..=400 {
            let x = i as f32 / 100.0;
            let mut value = [x];
            gelu(Isa::SCALAR, &mut value);
            let wide = f64::from(x);
            let want = wide * 0.5 * (1.0 + erf_series(wide / std::f64::consts::SQRT_2));
            assert!(
                (f64::from(value[0]) - want).abs() < 1e-6,
                "{x}: {value:?} {want}"
            );
        }
        let mut far = [-30.0, 30.0];
        gelu(Isa::SCALAR, &mut far);
        assert_eq!(far, [0.0, 30.0]);
    }
}
