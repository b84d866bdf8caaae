//! What a head multiplied, for a trace.

use std::ops::Range;

use dtatrans_precision::trace::OperandRows;
use dtatrans_precision::{Bits, Tier};

/// A query head of a layer, both counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttentionHead {
    /// The layer.
    pub layer: usize,
    /// The head.
    pub head: usize,
}

/// The heads whose operands a trace holds; `None` where no trace is kept.
pub(crate) type Traced<'a> = Option<&'a [AttentionHead]>;

/// Where one sequence's rows stand in a batch.
pub(super) struct Places<'a> {
    /// Its tokens.
    pub(super) tokens: Range<usize>,
    /// Those that attend, and its average if that does.
    pub(super) queries: &'a [usize],
    /// Those that are attended to, and its average if that is.
    pub(super) keys: &'a [usize],
}

impl Places<'_> {
    /// Rows of the tokens that attend.
    pub(super) fn queries<C: Copy>(
        &self,
        bits: &[Bits],
        codes: &[C],
        scales: &[f32],
    ) -> OperandRows<C> {
        self.rows(self.queries, bits, codes, scales)
    }

    /// Rows of the tokens that are attended to.
    pub(super) fn keys<C: Copy>(
        &self,
        bits: &[Bits],
        codes: &[C],
        scales: &[f32],
    ) -> OperandRows<C> {
        self.rows(self.keys, bits, codes, scales)
    }

    fn rows<C: Copy>(
        &self,
        places: &[usize],
        bits: &[Bits],
        codes: &[C],
        scales: &[f32],
    ) -> OperandRows<C> {
        let mut by_token = vec![Tier::Zero; self.tokens.len()];
        for (place, bits) in places.iter().zip(bits) {
            let bits = match bits {
                Bits::Four => Tier::Four,
                Bits::Eight => Tier::Eight,
                Bits::Sixteen => unreachable!("codes of attention have 8 bits at most"),
            };
            match self.tokens.contains(place) {
                true => by_token[place - self.tokens.start] = bits,
                false => by_token.push(bits),
            }
        }
        OperandRows {
            bits: by_token,
            scales: scales.to_vec(),
            codes: matrix(codes, places.len()),
        }
    }
}

/// So many rows of equal length.
pub(super) fn matrix<T: Copy>(values: &[T], rows: usize) -> Vec<Vec<T>> {
    let width = values.len() / rows.max(1);
    values.chunks(width.max(1)).map(<[T]>::to_vec).collect()
}
