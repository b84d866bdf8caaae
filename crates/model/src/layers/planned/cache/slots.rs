//! The tokens of one tier: codes and scales of their keys and values, and what is
//! noted of each.

use dtatrans_kernels::vector::{self, Symmetric};
use dtatrans_precision::Bits;
use dtatrans_precision::cache::{CachePlan, Widths};
use half::f16;

use super::Arithmetic;
use super::rows::{self, Rows};

/// The tokens of one tier, in slots.
#[derive(Clone)]
pub(super) struct Slots {
    widths: Widths,
    /// One per head.
    pub(super) heads: Vec<KeysValues>,
    pub(super) positions: Vec<u32>,
    /// Where nothing ranks by it: none.
    pub(super) received: Option<Vec<f32>>,
}

#[derive(Clone)]
pub(super) struct KeysValues {
    pub(super) keys: Rows,
    pub(super) values: Rows,
    /// What keys were taken as differences from, if they were.
    pub(super) centre: Option<Vec<f32>>,
}

impl Slots {
    pub(super) fn new(widths: Widths, heads: usize, dim: usize, plan: &CachePlan) -> Slots {
        let head = KeysValues {
            keys: Rows::new(widths.key, dim),
            values: Rows::new(widths.value, dim),
            centre: None,
        };
        Slots {
            widths,
            heads: vec![head; heads],
            positions: Vec::new(),
            received: plan.keeps_received().then(Vec::new),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }

    /// Bytes that so many slots take, as they are allocated, with a centre for each
    /// head where keys are to be differences from one.
    pub(super) fn bytes_of(&self, slots: usize, centred: bool) -> usize {
        let head = |head: &KeysValues| {
            let centre = if centred {
                head.keys.dim() * size_of::<f32>()
            } else {
                0
            };
            head.keys.bytes_of(slots) + head.values.bytes_of(slots) + centre
        };
        let rows: usize = self.heads.iter().map(head).sum();
        let noted = size_of::<u32>() + self.received.as_ref().map_or(0, |_| size_of::<f32>());
        rows + rows::allocated(slots) * noted
    }

    pub(super) fn reserve(&mut self, slots: usize) {
        for head in &mut self.heads {
            head.keys.reserve(slots);
            head.values.reserve(slots);
        }
        let room = self.heads[0].keys.room();
        self.positions.reserve_exact(room);
        if let Some(received) = &mut self.received {
            received.reserve_exact(room);
        }
    }

    /// Takes in a token: its key and value at each head.
    pub(super) fn push<'a>(
        &mut self,
        rows: impl Iterator<Item = [Row<'a>; 2]>,
        position: usize,
        received: f32,
        by: &Arithmetic,
    ) {
        self.reserve(1);
        for (own, rows) in self.heads.iter_mut().zip(rows) {
            own.push(rows, self.widths, by);
        }
        self.positions.push(position as u32);
        if let Some(all) = &mut self.received {
            all.push(received);
        }
    }

    /// Takes over a slot of the tier above.
    pub(super) fn take_down(&mut self, above: &mut Slots, slot: usize, by: &Arithmetic) {
        let heads: Vec<[Vec<i8>; 2]> = above.heads.iter().map(|head| head.codes(slot)).collect();
        let rows = heads.iter().zip(&above.heads).map(|([key, value], head)| {
            [
                head.keys.row(key, slot, above.widths.key),
                head.values.row(value, slot, above.widths.value),
            ]
        });
        let received = above
            .received
            .as_ref()
            .map_or(0.0, |received| received[slot]);
        self.push(rows, above.positions[slot] as usize, received, by);
        above.remove(slot);
    }

    /// Keeps keys as differences from the mean of those above, while there are none
    /// here.
    pub(super) fn centre_on(&mut self, above: &Slots) {
        for (own, head) in self.heads.iter_mut().zip(&above.heads) {
            let keys: Vec<Vec<i8>> = (0..above.len()).map(|slot| head.keys.codes(slot)).collect();
            let rows = keys.iter().enumerate();
            let rows = rows.map(|(slot, codes)| head.keys.row(codes, slot, above.widths.key));
            own.centre = Some(mean(rows));
        }
    }

    /// Gives back memory where much more is held than needed.
    pub(super) fn shrink(&mut self) {
        for head in &mut self.heads {
            head.keys.shrink();
            head.values.shrink();
        }
        let slots = self.len() + self.heads[0].keys.room();
        self.positions.shrink_to(slots);
        if let Some(received) = &mut self.received {
            received.shrink_to(slots);
        }
    }

    pub(super) fn remove(&mut self, slot: usize) {
        for head in &mut self.heads {
            head.keys.swap_remove(slot);
            head.values.swap_remove(slot);
        }
        self.positions.swap_remove(slot);
        if let Some(received) = &mut self.received {
            received.swap_remove(slot);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let rows = self.heads.iter();
        let rows: usize = rows.map(KeysValues::bytes).sum();
        let received = self.received.as_ref().map_or(0, Vec::capacity);
        rows + self.positions.capacity() * size_of::<u32>() + received * size_of::<f32>()
    }
}

/// A row of codes of so many bits.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) codes: &'a [i8],
    pub(super) scale: f32,
    pub(super) bits: Bits,
}

impl<'a> Row<'a> {
    /// A row of a matrix with a scale per row.
    pub(super) fn of(codes: &'a [i8], scales: &[f32], row: usize, bits: Bits) -> Row<'a> {
        let dim = codes.len() / scales.len();
        Row {
            codes: &codes[row * dim..(row + 1) * dim],
            scale: scales[row],
            bits,
        }
    }

    fn floats(self) -> impl Iterator<Item = f32> + 'a {
        self.codes
            .iter()
            .map(move |&code| f32::from(code) * self.scale)
    }

    /// Adds the row, or its difference from a centre, to rows of a width.
    fn add_to(self, rows: &mut Rows, width: Bits, centre: Option<&[f32]>, by: &Arithmetic) {
        if centre.is_none() && (self.bits, width) != (Bits::Eight, Bits::Four) {
            return rows.push(self.codes, stored(self.scale));
        }
        let mut values: Vec<f32> = self.floats().collect();
        for (value, centre) in values.iter_mut().zip(centre.unwrap_or(&[])) {
            *value -= centre;
        }
        let quantizer = match width {
            Bits::Four => by.four,
            _ => Symmetric::new(width.code_limit()),
        };
        let mut codes = vec![0; values.len()];
        let scale = vector::quantize_symmetric(by.isa, &values, quantizer, &mut codes);
        rows.push(&codes, stored(scale));
    }
}

impl KeysValues {
    fn push(&mut self, [key, value]: [Row; 2], widths: Widths, by: &Arithmetic) {
        key.add_to(&mut self.keys, widths.key, self.centre.as_deref(), by);
        value.add_to(&mut self.values, widths.value, None, by);
    }

    /// The codes of a slot's key and value.
    fn codes(&self, slot: usize) -> [Vec<i8>; 2] {
        [self.keys.codes(slot), self.values.codes(slot)]
    }

    /// Bytes, as allocated.
    fn bytes(&self) -> usize {
        let centre = self.centre.as_ref().map_or(0, Vec::capacity);
        self.keys.bytes() + self.values.bytes() + centre * size_of::<f32>()
    }
}

/// The mean of rows.
pub(super) fn mean<'a>(rows: impl Iterator<Item = Row<'a>>) -> Vec<f32> {
    let (mut sum, mut count) = (Vec::new(), 0);
    for row in rows {
        sum.resize(row.codes.len(), 0.0);
        for (sum, value) in sum.iter_mut().zip(row.floats()) {
            *sum += value;
        }
        count += 1;
    }
    for sum in &mut sum {
        *sum /= count as f32;
    }
    sum
}

/// A scale as the cache stores it.
pub(in crate::layers::planned) fn stored(scale: f32) -> f16 {
    f16::from_f32(scale.min(f16::MAX.to_f32()))
}
