//! The block Hadamard transform.

use crate::Isa;

/// Multiplies each block of `block` values by the orthonormal Hadamard matrix
/// H / sqrt(block) in Sylvester's order. Its own inverse.
///
/// # Panics
/// If `block` is no power of two or does not divide the length.
pub fn hadamard(isa: Isa, values: &mut [f32], block: usize) {
    assert!(block.is_power_of_two());
    assert_eq!(values.len() % block, 0);
    isa.vectorise(
        #[inline(always)]
        || match block {
            // Known lengths, so that the compiler unrolls and vectorises.
            128 => blocks::<128>(values),
            64 => blocks::<64>(values),
            32 => blocks::<32>(values),
            _ => {
                for block in values.chunks_exact_mut(block) {
                    butterflies(block);
                }
            }
        },
    );
}

#[inline(always)]
fn blocks<const N: usize>(values: &mut [f32]) {
    let (blocks, _) = values.as_chunks_mut::<N>();
    for block in blocks {
        let mut copy = *block;
        butterflies(&mut copy);
        *block = copy;
    }
}

#[inline(always)]
fn butterflies(block: &mut [f32]) {
    let mut half = 1;
    while half < block.len() {
        for pair in block.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (block.len() as f32).sqrt();
    for value in block {
        *value *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_matrix_product() {
        for block in [1usize, 2, 8, 32, 64, 128] {
            let values: Vec<f32> = (0..2 * block).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut got = values.clone();
            hadamard(Isa::SCALAR, &mut got, block);
            for (i, &got) in got.iter().enumerate() {
                let start = i / block * block;
                let want: f64 = (0..block)
                    .map(|j| {
                        let sign = if ((i % block) & j).count_ones() % 2 == 0 {
                            1.0
                        } else {
                            -1.0
                        };
                        sign * f64::from(values[start + j])
                    })
                    .sum::<f64>()
                    / (block as f64).sqrt();
                assert!((f64::from(got) - want).abs() < 1e-5);
            }
        }
    }
}
