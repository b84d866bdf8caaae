//! Which rows of a batch take part in a product: sequences, their tiers, and
//! gathered rows.

use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::compensation::Compensation;
use dtatrans_precision::importance::LayerGain;
use dtatrans_precision::{Bits, HeadCascade, Plan, Tier};

use super::prepare::Codes;
use super::{Record, Structure};
use crate::Encoding;
use crate::layers::rotary::Turns;

/// One sequence of a batch on its way through the layers.
pub(super) struct Sequence<'a> {
    /// Its first row in the batch.
    pub(super) start: usize,
    /// The row that may stand for the average of its 0-bit tokens.
    pub(super) average: usize,
    protected: &'a [bool],
    pub(super) scores: Vec<f32>,
    gone: Vec<bool>,
    /// The heads that share keys and values, and have not left.
    pub(super) heads: HeadCascade,
    /// Where positions turn queries and keys: one row per token.
    pub(super) turns: Option<Turns>,
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

impl<'a> Sequence<'a> {
    /// A sequence whose first row in the batch is `start`, with the row
    /// `average` set aside, and the scores that its tokens begin with.
    pub(super) fn new(
        input: &'a Encoding,
        start: usize,
        average: usize,
        scores: Vec<f32>,
        structure: &Structure,
    ) -> Sequence<'a> {
        let rotary = structure.rotary.as_ref();
        let turns = rotary.map(|r| Turns::new(r, structure.head_dim, 0..input.len()));
        Sequence {
            turns,
            start,
            average,
            protected: &input.protected,
            scores,
            gone: vec![false; input.len()],
            heads: HeadCascade::new(structure.key_value_heads),
            record: Record {
                tiers: Vec::new(),
                read_out: vec![true; input.len()],
                trace: Vec::new(),
                reading: None,
            },
        }
    }

    /// The tiers of the next layer.
    pub(super) fn choose_tiers(&mut self, plan: &Plan, layer: usize) {
        let tiers = assign(
            &self.scores,
            Rule {
                ratio: plan.layers()[layer],
                protected: self.protected,
                protected_bits: plan.protected_bits,
                gone: &self.gone,
                round_to: plan.round_to,
            },
        );
        if !plan.compensation_at(layer).may_return() {
            for (gone, tier) in self.gone.iter_mut().zip(&tiers) {
                *gone |= !tier.is_computed();
            }
        }
        self.record.tiers.push(tiers);
    }

    /// Each token that has not left for good, with its tier at this layer.
    fn present(&self) -> impl Iterator<Item = (usize, Tier)> {
        let tiers = self.record.tiers.last().map_or(&[][..], Vec::as_slice);
        let tokens = tiers.iter().copied().enumerate();
        tokens.filter(|&(token, _)| !self.gone[token])
    }

    /// The tokens at 0 bits that have not left for good.
    pub(super) fn left_out(&self) -> impl Iterator<Item = usize> {
        let zero = self.present().filter(|(_, tier)| !tier.is_computed());
        zero.map(|(token, _)| token)
    }

    /// Takes what its keys received at this layer, each summed over so many heads
    /// and queries, into the scores.
    pub(super) fn add_gain(
        &mut self,
        plan: &Plan,
        places: &[usize],
        received: &[f32],
        summed: &[usize],
    ) {
        // The average's row, which comes last, is no token.
        let last = self.start + self.scores.len();
        let tokens = places.iter().filter(|&&place| place < last);
        let keys: Vec<usize> = tokens.map(|place| place - self.start).collect();
        plan.importance.add_layer(
            &mut self.scores,
            &LayerGain {
                received: &received[..keys.len()],
                keys: &keys,
                summed: &summed[..keys.len()],
                tiers: self.record.tiers.last().map_or(&[], Vec::as_slice),
            },
        );
    }

    /// Notes what the read-out may use after the last layer: the tokens whose
    /// state that layer computed or estimated.
    pub(super) fn note_read_out(&mut self, estimated: bool) {
        let mut flags = vec![false; self.scores.len()];
        for (token, tier) in self.present() {
            flags[token] = tier.is_computed() || estimated;
        }
        self.record.read_out = flags;
    }
}

/// The rows of one layer, by the part that they take in it.
pub(super) struct LayerRows {
    /// Whose state is quantized for the layer.
    pub(super) inputs: Rows,
    /// Who attends.
    pub(super) queries: Rows,
    /// Who is attended to.
    pub(super) keys: Rows,
    /// Who passes the feed-forward network.
    pub(super) computed: Rows,
    /// Tokens at 0 bits that have not left for good.
    pub(super) left_out: Rows,
}

impl LayerRows {
    pub(super) fn new(sequences: &[Sequence], compensation: &dyn Compensation) -> LayerRows {
        use dtatrans_precision::compensation::Change;
        let offered = compensation.key_value_bits();
        let change = compensation.change();
        let fused = change == Change::Fused;
        let own = Tier::operand;
        let key = |tier: Tier| tier.operand().or(offered);
        let any = |tier: Tier| tier.operand().or(Some(Bits::Four));
        LayerRows {
            inputs: match change {
                Change::LowRank => Rows::new(sequences, any, false),
                _ => Rows::new(sequences, key, fused),
            },
            queries: match compensation.attends() {
                true => Rows::new(sequences, key, fused),
                false => Rows::new(sequences, own, fused),
            },
            keys: Rows::new(sequences, key, fused && offered.is_none()),
            computed: Rows::new(sequences, own, fused),
            left_out: Rows::new(
                sequences,
                |tier| (!tier.is_computed()).then_some(Bits::Four),
                false,
            ),
        }
    }
}

impl Rows {
    /// The tokens for which `bits` gives some, by the tiers chosen last; with
    /// `averages` the 8-bit rows of sequences that leave some out follow theirs.
    fn new(sequences: &[Sequence], bits: impl Fn(Tier) -> Option<Bits>, averages: bool) -> Rows {
        let mut rows = Rows {
            places: Vec::new(),
            bits: Vec::new(),
            counts: Vec::new(),
        };
        for sequence in sequences {
            let before = rows.places.len();
            for (token, tier) in sequence.present() {
                if let Some(bits) = bits(tier) {
                    rows.places.push(sequence.start + token);
                    rows.bits.push(bits);
                }
            }
            if averages && sequence.left_out().next().is_some() {
                rows.places.push(sequence.average);
                rows.bits.push(Bits::Eight);
            }
            rows.counts.push(rows.places.len() - before);
        }
        rows
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Where each sequence's rows begin, and where the last one's end.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for count in &self.counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        starts
    }

    /// For each of the rows `to`, which are some of these: its index here.
    ///
    /// Sequence by sequence the rows of both stand in the same order.
    pub(super) fn find<'b>(&'b self, to: &'b Rows) -> impl Iterator<Item = usize> + 'b {
        let mut wanted = to.places.iter().peekable();
        let places = self.places.iter().enumerate();
        places.filter_map(move |(index, place)| wanted.next_if_eq(&place).map(|_| index))
    }
}

/// The rows of a batch's states at the given places.
pub(super) fn gather(states: &[f32], rows: &Rows, width: usize) -> Vec<f32> {
    let mut gathered = Vec::with_capacity(rows.len() * width);
    for &place in &rows.places {
        gathered.extend_from_slice(&states[place * width..(place + 1) * width]);
    }
    gathered
}

/// Of the values of rows `from` those of the rows `to`, which are some of them.
pub(super) fn select(values: &[f32], from: &Rows, to: &Rows) -> Vec<f32> {
    let width = values.len() / from.len().max(1);
    let mut selected = Vec::with_capacity(to.len() * width);
    for row in from.find(to) {
        selected.extend_from_slice(&values[row * width..(row + 1) * width]);
    }
    selected
}

/// Of quantized rows `from` the rows `to`, which are some of them.
pub(super) fn select_codes(codes: &Codes, from: &Rows, to: &Rows) -> Codes {
    let rows = from.len().max(1);
    let (width, groups) = (codes.codes.len() / rows, codes.scales.len() / rows);
    let mut selected = Codes {
        codes: Vec::with_capacity(to.len() * width),
        scales: Vec::with_capacity(to.len() * groups),
    };
    for row in from.find(to) {
        let codes_of = &codes.codes[row * width..(row + 1) * width];
        selected.codes.extend_from_slice(codes_of);
        let scales_of = &codes.scales[row * groups..(row + 1) * groups];
        selected.scales.extend_from_slice(scales_of);
    }
    selected
}
