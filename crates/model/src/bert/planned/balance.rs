//! Balance: factors by which the channels of a matrix input are scaled before
//! they are rotated and quantized.
//!
//! A rotated row has one error for all of its channels. With factors f before
//! the rotation and 1/f in the weights, the squared error of the product is the
//! rows' mean square after scaling, sum f\[c\]^2 x\[c\]^2, times that of the
//! weights, sum w\[c\]^2 / f\[c\]^2; the product is least at
//! f\[c\] = (w\[c\]^2 / x\[c\]^2)^(1/4). SmoothQuant (Xiao et al., ICML 2023) scales
//! channels by their largest magnitudes instead. The mean squares of the
//! activations follow from the weights alone: a layer norm makes channels of
//! mean `bias` and variance `gain`^2, and what a linear layer and GELU make of
//! those is close to GELU of a normal variable.

use super::super::weights::Norm;
use crate::linear::Linear;

/// Factors within this ratio of the mean keep the codes' ranges sane.
const WIDEST: f32 = 16.0;

/// Mean squares of the channels that a layer norm gives.
pub(super) fn of_norm(norm: &Norm) -> Vec<f32> {
    let square = |(gain, bias): (&f32, &f32)| gain * gain + bias * bias;
    norm.gain.iter().zip(&norm.bias).map(square).collect()
}

/// Mean squares of the channels after a layer norm, a linear layer and GELU.
pub(super) fn of_gelu(norm: &Norm, linear: &Linear) -> Vec<f32> {
    linear
        .weight
        .chunks_exact(linear.k)
        .zip(&linear.bias)
        .map(|(row, bias)| {
            let mean: f32 = row.iter().zip(&norm.bias).map(|(w, b)| w * b).sum();
            let variance: f32 = row.iter().zip(&norm.gain).map(|(w, g)| w * w * g * g).sum();
            mean_square_of_gelu(mean + bias, variance.sqrt())
        })
        .collect()
}

/// E\[GELU(x)^2\] of a normal variable, by the midpoint rule on +-4 deviations.
fn mean_square_of_gelu(mean: f32, deviation: f32) -> f32 {
    const POINTS: usize = 64;
    let mut values: Vec<f32> = Vec::with_capacity(POINTS);
    let mut weights: Vec<f32> = Vec::with_capacity(POINTS);
    for point in 0..POINTS {
        let z = 8.0 * (point as f32 + 0.5) / POINTS as f32 - 4.0;
        values.push(mean + deviation * z);
        weights.push((-0.5 * z * z).exp());
    }
    dtatrans_kernels::vector::gelu(dtatrans_kernels::Isa::SCALAR, &mut values);
    let sum: f32 = values.iter().zip(&weights).map(|(x, w)| x * x * w).sum();
    sum / weights.iter().sum::<f32>()
}

/// The factors of inputs with these mean squares that meet these weights.
pub(super) fn factors(mean_squares: &[f32], linears: &[&Linear]) -> Vec<f32> {
    let mut weights = vec![0.0f32; mean_squares.len()];
    for linear in linears {
        for row in linear.weight.chunks_exact(linear.k) {
            for (sum, w) in weights.iter_mut().zip(row) {
                *sum += w * w;
            }
        }
    }
    let mut factors: Vec<f32> = weights
        .iter()
        .zip(mean_squares)
        .map(|(w, x)| (w / x).powf(0.25))
        .collect();
    // Channels without weights or activations say nothing.
    let finite = |x: &f32| x.is_finite() && *x > 0.0;
    let known: Vec<f32> = factors.iter().copied().filter(finite).collect();
    let mean = known.iter().sum::<f32>() / known.len().max(1) as f32;
    for factor in &mut factors {
        *factor = match finite(factor) && mean > 0.0 {
            true => (*factor / mean).clamp(1.0 / WIDEST, WIDEST),
            false => 1.0,
        };
    }
    factors
}
