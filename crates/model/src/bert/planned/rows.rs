//! Which rows of a batch take part in a product: sequences, their tiers, and
//! gathered rows.

use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::importance::CumulativeAttention;
use dtatrans_precision::{Bits, Plan, Tier};

use super::Record;
use crate::Encoding;

/// One sequence of a batch on its way through the layers.
pub(super) struct Sequence<'a> {
    /// Its first row in the batch.
    pub(super) start: usize,
    protected: &'a [bool],
    pub(super) importance: CumulativeAttention,
    gone: Vec<bool>,
    pub(super) record: Record,
}

/// Rows of a batch that take part in a product, in order of arrival.
pub(super) struct Rows {
    /// Their places in the batch.
    pub(super) places: Vec<usize>,
    pub(super) bits: Vec<Bits>,
    /// How many belong to each sequence.
    counts: Vec<usize>,
}

/// Quantized rows: codes with zero point `ZERO_POINT`, one scale a row.
pub(super) struct Codes {
    pub(super) codes: Vec<u8>,
    pub(super) scales: Vec<f32>,
}

impl<'a> Sequence<'a> {
    /// A sequence whose first row in the batch is `start`.
    pub(super) fn new(input: &'a Encoding, start: usize) -> Sequence<'a> {
        Sequence {
            start,
            protected: &input.protected,
            importance: CumulativeAttention::new(input.len()),
            gone: vec![false; input.len()],
            record: Record {
                tiers: Vec::new(),
                trace: Vec::new(),
            },
        }
    }

    /// The tiers of the next layer.
    pub(super) fn choose_tiers(&mut self, plan: &Plan, layer: usize) {
        let tiers = assign(
            self.importance.scores(),
            Rule {
                ratio: plan.layers()[layer],
                protected: self.protected,
                protected_bits: plan.protected_bits,
                gone: &self.gone,
                round_to: plan.round_to,
            },
        );
        if !plan.compensation.may_return() {
            for (gone, tier) in self.gone.iter_mut().zip(&tiers) {
                *gone |= !tier.is_computed();
            }
        }
        self.record.tiers.push(tiers);
    }
}

impl Rows {
    /// The tokens for which `bits` gives some, by the tiers chosen last.
    pub(super) fn new(sequences: &[Sequence], bits: impl Fn(Tier) -> Option<Bits>) -> Rows {
        let mut rows = Rows {
            places: Vec::new(),
            bits: Vec::new(),
            counts: Vec::new(),
        };
        for sequence in sequences {
            let before = rows.places.len();
            let tiers = sequence.record.tiers.last().map_or(&[][..], Vec::as_slice);
            for (token, &tier) in tiers.iter().enumerate() {
                if let Some(bits) = bits(tier) {
                    rows.places.push(sequence.start + token);
                    rows.bits.push(bits);
                }
            }
            rows.counts.push(rows.places.len() - before);
        }
        rows
    }

    /// Where each sequence's rows begin, and where the last one's end.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for count in &self.counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        starts
    }
}

/// The rows of a batch's states at the given places.
pub(super) fn gather(states: &[f32], rows: &Rows, width: usize) -> Vec<f32> {
    let mut gathered = Vec::with_capacity(rows.places.len() * width);
    for &place in &rows.places {
        gathered.extend_from_slice(&states[place * width..(place + 1) * width]);
    }
    gathered
}

/// Of quantized rows `from` the rows `to`, which are some of them.
pub(super) fn select(codes: &Codes, from: &Rows, to: &Rows) -> Codes {
    let width = codes.codes.len() / from.places.len();
    let mut selected = Codes {
        codes: Vec::with_capacity(to.places.len() * width),
        scales: Vec::with_capacity(to.places.len()),
    };
    let mut wanted = to.places.iter().peekable();
    for (row, place) in from.places.iter().enumerate() {
        if wanted.next_if_eq(&place).is_some() {
            selected
                .codes
                .extend_from_slice(&codes.codes[row * width..(row + 1) * width]);
            selected.scales.push(codes.scales[row]);
        }
    }
    selected
}
