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
