//! Softmax.

use super::exp::exp_nonpositive;
use super::{larger, reduce, sum};
use crate::Isa;

/// Replaces a row of scores by exp(scale x score) over the row's sum of them.
/// `scale` must not be negative.
pub fn softmax(isa: Isa, row: &mut [f32], scale: f32) {
    isa.vectorise(
        #[inline(always)]
        || {
            let highest = reduce(row, f32::NEG_INFINITY, larger, larger);
            for score in row.iter_mut() {
                *score = exp_nonpositive((*score - highest) * scale);
            }
            let factor = 1.0 / sum(row);
            for value in row.iter_mut() {
                *value *= factor;
            }
        },
    );
}
