//! Balance: factors by which the channels of a matrix input are scaled before
//! they are rotated and quantized.
//!
//! A rotated row has one error for all of its channels. With factors f before
//! the rotation and 1/f in the weights, the squared error of the product is the
//! rows' mean square after scaling, sum f\[c\]^2 x\[c\]^2, times that of the
//! weights, sum w\[c\]^2 / f\[c\]^2; the product is least at
//! f\[c\] = (w\[c\]^2 / x\[c\]^2)^(1/4). SmoothQuant (Xiao et al., ICML 2023) scales
//! channels by their largest magnitudes instead. The mean squares of the
//! activations follow from the weights alone: a norm makes channels of mean
//! `bias` and variance `gain`^2, and what a linear layer and an activation make of
//! those is close to that activation of a normal variable.

use dtatrans_kernels::Isa;

use super::{Linear, Norm};
use crate::layers::Activation;

/// Factors within this ratio of the mean keep the codes' ranges sane.
const WIDEST: f32 = 16.0;

/// Mean squares of the channels that a norm gives.
pub(super) fn of_norm(norm: &Norm) -> Vec<f32> {
    let (deviations, means) = norm.deviations_and_means();
    match means {
        None => deviations.iter().map(|gain| gain * gain).collect(),
        Some(means) => {
            let square = |(gain, bias): (&f32, &f32)| gain * gain + bias * bias;
            deviations.iter().zip(means).map(square).collect()
        }
    }
}

/// Mean squares of the channels after a norm, a linear layer and an activation,
/// whose input a gated network has in front of the factor that it multiplies.
pub(super) fn of_activation(norm: &Norm, activation: Activation, up: &[&Linear]) -> Vec<f32> {
    let activated = of_linear(norm, up[0]);
    let squares = activated.map(|(mean, deviation)| mean_square(activation, mean, deviation));
    match up.get(1) {
        None => squares.collect(),
        Some(factor) => {
            let factors = of_linear(norm, factor).map(|(mean, d)| mean * mean + d * d);
            squares.zip(factors).map(|(a, b)| a * b).collect()
        }
    }
}

/// Mean and standard deviation of each channel after a norm and a linear layer.
fn of_linear(norm: &Norm, linear: &Linear) -> impl Iterator<Item = (f32, f32)> {
    let (deviations, means) = norm.deviations_and_means();
    let rows = linear.weight.chunks_exact(linear.k).zip(&linear.bias);
    rows.map(move |(row, bias)| {
        let mean: f32 = match means {
            None => 0.0,
            Some(means) => row.iter().zip(means).map(|(w, b)| w * b).sum(),
        };
        let variance: f32 = row.iter().zip(deviations).map(|(w, g)| w * w * g * g).sum();
        (mean + bias, variance.sqrt())
    })
}

/// E\[f(x)^2\] of a normal variable x, by the midpoint rule on +-4 deviations.
fn mean_square(activation: Activation, mean: f32, deviation: f32) -> f32 {
    const POINTS: usize = 64;
    let mut values: Vec<f32> = Vec::with_capacity(POINTS);
    let mut weights: Vec<f32> = Vec::with_capacity(POINTS);
    for point in 0..POINTS {
        let z = 8.0 * (point as f32 + 0.5) / POINTS as f32 - 4.0;
        values.push(mean + deviation * z);
        weights.push((-0.5 * z * z).exp());
    }
    activation.apply(Isa::SCALAR, &mut values);
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
