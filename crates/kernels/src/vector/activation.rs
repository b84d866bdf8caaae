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

/// Replaces each x by x (1 + tanh(sqrt(2/π) (x + 0.044715 x³))) / 2, GELU's
/// approximation (Hendrycks and Gimpel, 2016; `gelu_new` in GPT-2's config).
pub fn gelu_tanh(isa: Isa, values: &mut [f32]) {
    const FACTOR: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
    isa.vectorise(
        #[inline(always)]
        || {
            for value in values {
                let x = *value;
                *value = 0.5 * x * (1.0 + tanh(FACTOR * (x + 0.044_715 * (x * x * x))));
            }
        },
    );
}

/// Replaces each x by x / (1 + exp(-x)) (Elfwing et al., 2018; `silu` in Llama's
/// config).
pub fn silu(isa: Isa, values: &mut [f32]) {
    isa.vectorise(
        #[inline(always)]
        || {
            for value in values {
                let power = exp_nonpositive(-value.abs());
                let numerator = if *value < 0.0 { power } else { 1.0 };
                *value *= numerator / (1.0 + power);
            }
        },
    );
}

/// The hyperbolic tangent, within 2e-7.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let power = exp_nonpositive(-2.0 * x.abs());
    ((1.0 - power) / (1.0 + power)).copysign(x)
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

    /// That a function is its definition from -4 to 4, and 0 and x far off.
    fn check(function: impl Fn(&mut [f32]), definition: impl Fn(f64) -> f64) {
        for i in -400..=400 {
            let x = i as f32 / 100.0;
            let mut value = [x];
            function(&mut value);
            let want = definition(f64::from(x));
            assert!(
                (f64::from(value[0]) - want).abs() < 1e-6,
                "{x}: {value:?} {want}"
            );
        }
        let mut far = [-100.0, 100.0];
        function(&mut far);
        assert_eq!(far, [0.0, 100.0]);
    }

    #[test]
    fn gelu_is_close_to_its_definition() {
        check(
            |values| gelu(Isa::SCALAR, values),
            |x| x * 0.5 * (1.0 + erf_series(x / std::f64::consts::SQRT_2)),
        );
    }

    #[test]
    fn gelu_tanh_is_close_to_its_definition() {
        let factor = (2.0 / std::f64::consts::PI).sqrt();
        check(
            |values| gelu_tanh(Isa::SCALAR, values),
            |x| 0.5 * x * (1.0 + (factor * (x + 0.044715 * x * x * x)).tanh()),
        );
    }

    #[test]
    fn silu_is_close_to_its_definition() {
        check(
            |values| silu(Isa::SCALAR, values),
            |x| x / (1.0 + (-x).exp()),
        );
    }
}
