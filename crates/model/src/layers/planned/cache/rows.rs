//! Rows of codes of one width, each with its scale.

use dtatrans_kernels::{Isa, vector};
use dtatrans_precision::Bits;
use half::f16;

use super::slots::Row;

/// Slots that are made at once.
const STEP: usize = 8;

/// Rows of `dim` codes.
#[derive(Clone)]
pub(super) struct Rows {
    codes: Codes,
    scales: Vec<f16>,
    dim: usize,
}

#[derive(Clone)]
enum Codes {
    Eight(Vec<i8>),
    /// Two codes a byte.
    Four(Vec<u8>),
}

/// Slots that are made for so many rows.
pub(super) fn allocated(rows: usize) -> usize {
    rows.next_multiple_of(STEP)
}

impl Rows {
    pub(super) fn new(bits: Bits, dim: usize) -> Rows {
        Rows {
            codes: match bits {
                Bits::Four => Codes::Four(Vec::new()),
                _ => Codes::Eight(Vec::new()),
            },
            scales: Vec::new(),
            dim,
        }
    }

    /// Codes of a row.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// A slot as a row, its codes unpacked before.
    pub(super) fn row<'a>(&self, codes: &'a [i8], slot: usize, bits: Bits) -> Row<'a> {
        Row {
            codes,
            scale: self.scales[slot].to_f32(),
            bits,
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.scales.len()
    }

    /// Bytes of codes and scales, as allocated.
    pub(super) fn bytes(&self) -> usize {
        let codes = match &self.codes {
            Codes::Eight(codes) => codes.capacity(),
            Codes::Four(codes) => codes.capacity(),
        };
        codes + self.scales.capacity() * size_of::<f16>()
    }

    /// Bytes that so many rows take, as they are allocated.
    pub(super) fn bytes_of(&self, rows: usize) -> usize {
        let codes = match &self.codes {
            Codes::Eight(_) => self.dim,
            Codes::Four(_) => self.dim / 2,
        };
        allocated(rows) * (codes + size_of::<f16>())
    }

    /// Adds a row of codes that fit the width.
    pub(super) fn push(&mut self, codes: &[i8], scale: f16) {
        self.reserve(1);
        match &mut self.codes {
            Codes::Eight(all) => all.extend_from_slice(codes),
            Codes::Four(all) => {
                let start = all.len();
                all.resize(start + self.dim / 2, 0);
                vector::pack_nibbles(codes, &mut all[start..]);
            }
        }
        self.scales.push(scale);
    }

    /// Makes room for as many rows more, in whole steps.
    pub(super) fn reserve(&mut self, rows: usize) {
        let wanted = allocated(self.len() + rows);
        if wanted <= self.scales.capacity() {
            return;
        }
        let more = wanted - self.len();
        match &mut self.codes {
            Codes::Eight(codes) => codes.reserve_exact(more * self.dim),
            Codes::Four(codes) => codes.reserve_exact(more * self.dim / 2),
        }
        self.scales.reserve_exact(more);
    }

    /// Rows that can come without an allocation.
    pub(super) fn room(&self) -> usize {
        self.scales.capacity() - self.len()
    }

    /// Gives back memory where much more is held than needed.
    pub(super) fn shrink(&mut self) {
        let needed = allocated(self.len() + 1);
        if self.scales.capacity() < needed + 2 * STEP {
            return;
        }
        match &mut self.codes {
            Codes::Eight(codes) => codes.shrink_to(needed * self.dim),
            Codes::Four(codes) => codes.shrink_to(needed * self.dim / 2),
        }
        self.scales.shrink_to(needed);
    }

    /// Takes a row out; the last one takes its place.
    pub(super) fn swap_remove(&mut self, row: usize) {
        fn close<C: Copy>(codes: &mut Vec<C>, row: usize, width: usize) {
            let last = codes.len() - width;
            codes.copy_within(last.., row * width);
            codes.truncate(last);
        }
        match &mut self.codes {
            Codes::Eight(codes) => close(codes, row, self.dim),
            Codes::Four(codes) => close(codes, row, self.dim / 2),
        }
        self.scales.swap_remove(row);
    }

    /// The codes of a row.
    pub(super) fn codes(&self, row: usize) -> Vec<i8> {
        match &self.codes {
            Codes::Eight(codes) => codes[row * self.dim..(row + 1) * self.dim].to_vec(),
            Codes::Four(codes) => {
                let half = self.dim / 2;
                vector::unpack_nibbles(&codes[row * half..(row + 1) * half]).collect()
            }
        }
    }

    /// The scale of each row.
    pub(super) fn scales(&self) -> &[f16] {
        &self.scales
    }

    /// The product of each row with a query's codes.
    pub(super) fn dots(&self, isa: Isa, query: &[i8], out: &mut [i32]) {
        match &self.codes {
            Codes::Eight(codes) => vector::dots(isa, query, codes, out),
            Codes::Four(codes) => vector::dots_packed(isa, query, codes, out),
        }
    }

    /// Adds the rows, each times its weight.
    pub(super) fn mix(&self, isa: Isa, weights: &[u8], out: &mut [i32]) {
        match &self.codes {
            Codes::Eight(codes) => vector::mix(isa, weights, codes, out),
            Codes::Four(codes) => vector::mix_packed(isa, weights, codes, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again() {
        for bits in [Bits::Eight, Bits::Four] {
            let mut rows = Rows::new(bits, 4);
            for row in 0..5i8 {
                rows.push(&[row, -row, 1, 2], f16::from_f32(f32::from(row)));
            }
            let bytes = rows.bytes();
            assert_eq!(bytes, rows.bytes_of(5));
            rows.swap_remove(1);
            assert_eq!(rows.codes(1), [4, -4, 1, 2]);
            assert_eq!(rows.scales()[1], f16::from_f32(4.0));
            assert_eq!(rows.len(), 4);
            for _ in 0..1000 {
                rows.push(&[7, 0, 0, 0], f16::ONE);
                rows.swap_remove(0);
            }
            assert_eq!(rows.bytes(), bytes);
            rows.reserve(100);
            assert!(rows.bytes() > 10 * bytes);
            rows.shrink();
            assert_eq!(rows.bytes(), bytes);
            assert_eq!(rows.codes(0), [7, 0, 0, 0]);
        }
    }
}
