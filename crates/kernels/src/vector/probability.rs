//! What happens to a row of attention probabilities before it meets the values.

use super::{larger, reduce};
use crate::Isa;

/// Adds each probability to what its key has received, and multiplies it by the
/// key's value scale. Gives the largest probability.
///
/// # Panics
/// If `received` or `scales` are shorter than the row.
pub fn receive(isa: Isa, row: &mut [f32], received: &mut [f32], scales: &[f32]) -> f32 {
    let received = &mut received[..row.len()];
    let scales = &scales[..row.len()];
    isa.vectorise(
        #[inline(always)]
        || {
            let largest = reduce(row, 0.0, larger, larger);
            for ((probability, received), scale) in row.iter_mut().zip(received).zip(scales) {
                *received += *probability;
                *probability *= scale;
            }
            largest
        },
    )
}

/// Adds `weight` times each value to a sum.
///
/// # Panics
/// If `sums` is shorter than `values`.
pub fn add_scaled(isa: Isa, sums: &mut [f32], weight: f32, values: &[f32]) {
    let sums = &mut sums[..values.len()];
    isa.vectorise(
        #[inline(always)]
        || {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += weight * value;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_received_alike_everywhere() {
        for isa in Isa::available() {
            for n in [0, 1, 7, 16, 33] {
                let row: Vec<f32> = (0..n).map(|i| ((i * 37) % 11) as f32 / 11.0).collect();
                let scales: Vec<f32> = (0..n + 2).map(|i| 1.0 + i as f32).collect();
                let (mut scaled, mut received) = (row.clone(), vec![0.5; n + 1]);
                let largest = receive(isa, &mut scaled, &mut received, &scales);
                assert_eq!(largest, row.iter().copied().fold(0.0, f32::max));
                let mut sums = vec![2.0; n + 1];
                add_scaled(isa, &mut sums, 0.25, &row);
                for i in 0..n {
                    assert_eq!(received[i], 0.5 + row[i]);
                    assert_eq!(scaled[i], row[i] * scales[i]);
                    assert_eq!(sums[i], 2.0 + 0.25 * row[i]);
                }
                assert_eq!((received[n], sums[n]), (0.5, 2.0));
            }
        }
    }
}
