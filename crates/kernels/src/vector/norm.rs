//! Normalisations.

use super::sum;
use crate::Isa;

/// Normalises each row of `width` values to mean 0 and variance 1, then
/// multiplies by `gain` and adds `bias` (Ba et al., 2016).
///
/// # Panics
/// If `gain` or `bias` is not `width` long, or the rows do not come out even.
pub fn layer_norm(isa: Isa, rows: &mut [f32], gain: &[f32], bias: &[f32], epsilon: f32) {
    let width = gain.len();
    assert_eq!(bias.len(), width);
    assert_eq!(rows.len() % width, 0);
    isa.vectorise(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(width) {
                let mean = sum(row) / width as f32;
                for value in row.iter_mut() {
                    *value -= mean;
                }
                let squares = super::reduce(row, 0.0, |sum, x| sum + x * x, |a, b| a + b);
                let scale = 1.0 / (squares / width as f32 + epsilon).sqrt();
                for ((value, &gain), &bias) in row.iter_mut().zip(gain).zip(bias) {
                    *value = *value * scale * gain + bias;
                }
            }
        },
    );
}

/// Divides each row of `gain`'s length by the root of its mean square, and
/// multiplies by `gain` (Zhang and Sennrich, NeurIPS 2019).
///
/// # Panics
/// If the rows do not come out even.
pub fn rms_norm(isa: Isa, rows: &mut [f32], gain: &[f32], epsilon: f32) {
    let width = gain.len();
    assert_eq!(rows.len() % width, 0);
    isa.vectorise(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(width) {
                let squares = super::reduce(row, 0.0, |sum, x| sum + x * x, |a, b| a + b);
                let scale = 1.0 / (squares / width as f32 + epsilon).sqrt();
                for (value, &gain) in row.iter_mut().zip(gain) {
                    *value = *value * scale * gain;
                }
            }
        },
    );
}

/// Divides a vector by its Euclidean length, or by 1e-12 if it is shorter.
pub fn l2_normalize(isa: Isa, values: &mut [f32]) {
    isa.vectorise(
        #[inline(always)]
        || {
            let squares = super::reduce(values, 0.0, |sum, x| sum + x * x, |a, b| a + b);
            let scale = 1.0 / squares.sqrt().max(1e-12);
            for value in values.iter_mut() {
                *value *= scale;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rms_norm_is_close_to_its_definition() {
        let rows: Vec<f32> = (0..6 * 19).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let gain: Vec<f32> = (0..19).map(|i| 0.5 + i as f32 / 10.0).collect();
        let mut got = rows.clone();
        rms_norm(Isa::SCALAR, &mut got, &gain, 1e-5);
        for (row, got) in rows.chunks_exact(19).zip(got.chunks_exact(19)) {
            let square: f64 = row.iter().map(|&x| f64::from(x).powi(2)).sum();
            let scale = (square / 19.0 + 1e-5).sqrt().recip();
            for ((x, gain), got) in row.iter().zip(&gain).zip(got) {
                let want = f64::from(*x) * scale * f64::from(*gain);
                assert!((want - f64::from(*got)).abs() < 1e-5);
            }
        }
    }
}
