//! From floats to integer codes and back.

use super::{LANES, join_lanes, larger, reduce};
use crate::Isa;

/// Adding and subtracting this rounds a float of magnitude up to 2^22 to the
/// nearest integer, halves to even, on every processor.
const ROUND: f32 = 12_582_912.0;

/// The code that stands for 0 in [`quantize_offset`].
pub const ZERO_POINT: u8 = 128;

/// The shares of the largest magnitude that a [`Symmetric::clipped`] quantizer
/// tries. Our choice; few, since each is paid for on every element.
const CLIPPINGS: [f32; 4] = [1.0, 0.88, 0.76, 0.64];

/// A quantizer whose codes lie in [-limit, limit].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symmetric {
    limit: i32,
    clipped: bool,
}

impl Symmetric {
    /// Scales that a clipped quantizer tries on every row.
    pub const CLIPPING_TRIALS: usize = CLIPPINGS.len();

    /// The largest magnitude becomes the largest code.
    ///
    /// # Panics
    /// If `limit` is not 1 to 127.
    pub fn new(limit: i32) -> Symmetric {
        assert!((1..=127).contains(&limit));
        Symmetric {
            limit,
            clipped: false,
        }
    }

    /// Of a few shares of the largest magnitude the one with the least squared
    /// error becomes the largest code; what is larger is cut to it.
    ///
    /// # Panics
    /// If `limit` is not 1 to 127.
    pub fn clipped(limit: i32) -> Symmetric {
        Symmetric {
            clipped: true,
            ..Symmetric::new(limit)
        }
    }

    /// The magnitude that becomes the largest code.
    #[inline(always)]
    fn range(self, row: &[f32]) -> f32 {
        let largest = reduce(row, 0.0, |max, x| larger(max, x.abs()), larger);
        if !self.clipped {
            return largest;
        }
        let limit = self.limit as f32;
        // Errors in units of each trial's own step, all trials in one pass.
        let inverses = CLIPPINGS.map(|share| inverse_scale(largest * share, limit));
        let mut errors = [[0.0; LANES]; CLIPPINGS.len()];
        let mut add = |values: &[f32]| {
            for (errors, inverse) in errors.iter_mut().zip(inverses) {
                for (error, value) in errors.iter_mut().zip(values) {
                    let steps = value * inverse;
                    let rest = steps - ((cut(steps, limit) + ROUND) - ROUND);
                    *error += rest * rest;
                }
            }
        };
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            add(chunk);
        }
        add(rest);
        let mut best = (f32::INFINITY, largest);
        for (errors, share) in errors.into_iter().zip(CLIPPINGS) {
            let error = join_lanes(errors, |a, b| a + b) * (share * share);
            if error < best.0 {
                best = (error, largest * share);
            }
        }
        best.1
    }
}

/// Quantizes a row: codes and the scale that turns them back. Halves round to
/// even. A row of zeros gets the scale 0.
///
/// # Panics
/// If the slices differ in length.
pub fn quantize_symmetric(isa: Isa, row: &[f32], by: Symmetric, codes: &mut [i8]) -> f32 {
    quantize(isa, row, by, codes, |integer| integer as i8)
}

/// As [`quantize_symmetric`], with [`ZERO_POINT`] added to each code: the form
/// of a left operand.
///
/// # Panics
/// As [`quantize_symmetric`].
pub fn quantize_offset(isa: Isa, row: &[f32], by: Symmetric, codes: &mut [u8]) -> f32 {
    quantize(isa, row, by, codes, |integer| integer as u8 ^ ZERO_POINT)
}

#[inline(always)]
fn quantize<C>(
    isa: Isa,
    row: &[f32],
    by: Symmetric,
    codes: &mut [C],
    code: impl Fn(u32) -> C,
) -> f32 {
    assert_eq!(row.len(), codes.len());
    isa.vectorise(
        #[inline(always)]
        || {
            let limit = by.limit as f32;
            let range = by.range(row);
            let inverse = inverse_scale(range, limit);
            for (place, &value) in codes.iter_mut().zip(row) {
                let rounded = cut(value * inverse, limit) + ROUND;
                // The integer stands in the low bits of the float.
                *place = code(rounded.to_bits().wrapping_sub(ROUND.to_bits()));
            }
            range / limit
        },
    )
}

/// A number that is not NaN, cut to [-limit, limit].
#[inline(always)]
fn cut(x: f32, limit: f32) -> f32 {
    let above = if x < -limit { -limit } else { x };
    if above > limit { limit } else { above }
}

/// Quantizes a row of non-negative values: codes in [0, limit] and their scale,
/// max x / limit. Halves round to even.
///
/// # Panics
/// If the slices differ in length or `limit` is not 1 to 255.
pub fn quantize_unsigned(isa: Isa, row: &[f32], limit: u32, codes: &mut [u8]) -> f32 {
    assert_eq!(row.len(), codes.len());
    assert!((1..=255).contains(&limit));
    isa.vectorise(
        #[inline(always)]
        || {
            let largest = reduce(row, 0.0, larger, larger);
            let inverse = inverse_scale(largest, limit as f32);
            for (code, &value) in codes.iter_mut().zip(row) {
                let rounded = value * inverse + ROUND;
                *code = rounded.to_bits().wrapping_sub(ROUND.to_bits()) as u8;
            }
            largest / limit as f32
        },
    )
}

/// limit / largest, or 0 where that is no finite number.
#[inline(always)]
fn inverse_scale(largest: f32, limit: f32) -> f32 {
    let inverse = limit / largest;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// Turns a row of integer sums into floats:
/// out\[j\] = sums\[j\] x (row_scale x column_scales\[j\]) + bias\[j\].
///
/// # Panics
/// If the slices differ in length.
pub fn dequantize(
    isa: Isa,
    sums: &[i32],
    row_scale: f32,
    column_scales: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    assert_eq!(sums.len(), out.len());
    assert_eq!(sums.len(), column_scales.len());
    assert_eq!(sums.len(), bias.len());
    isa.vectorise(
        #[inline(always)]
        || {
            for (((out, &sum), &scale), &bias) in
                out.iter_mut().zip(sums).zip(column_scales).zip(bias)
            {
                *out = sum as f32 * (row_scale * scale) + bias;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_half_to_even() {
        let mut codes = [0; 6];
        let scale = quantize_symmetric(
            Isa::SCALAR,
            &[127.0, 0.5, 1.5, -0.5, -2.5, -127.0],
            Symmetric::new(127),
            &mut codes,
        );
        assert_eq!((scale, codes), (1.0, [127, 0, 2, 0, -2, -127]));
    }

    #[test]
    fn zeros_and_tiny_rows_give_zero_codes() {
        for value in [0.0, f32::from_bits(1)] {
            let mut codes = [1; 3];
            let scale =
                quantize_symmetric(Isa::SCALAR, &[value; 3], Symmetric::clipped(7), &mut codes);
            assert!(scale.is_finite());
            assert_eq!(codes, [0; 3]);
            let mut codes = [1; 3];
            quantize_unsigned(Isa::SCALAR, &[value; 3], 255, &mut codes);
            assert_eq!(codes, [0; 3]);
        }
    }

    /// A row with one outlier: cutting it costs less than coarse steps for all.
    #[test]
    fn clipping_lowers_the_squared_error() {
        let mut row: Vec<f32> = (0..128).map(|i| (i as f32 * 0.37).sin()).collect();
        row[5] = 1.5;
        let error = |by: Symmetric| -> f32 {
            let mut codes = [0; 128];
            let scale = quantize_symmetric(Isa::SCALAR, &row, by, &mut codes);
            let errors = row
                .iter()
                .zip(codes)
                .map(|(x, code)| x - f32::from(code) * scale);
            errors.map(|error| error * error).sum()
        };
        assert!(error(Symmetric::clipped(7)) < 0.8 * error(Symmetric::new(7)));
    }
}
