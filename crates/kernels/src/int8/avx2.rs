//! AVX2: both operands widened to 16 bits and multiplied in pairs.
//!
//! `vpmaddwd` multiplies sixteen 16-bit numbers and adds neighbours into eight
//! 32-bit sums, exactly: twice the products per instruction of f32. The byte
//! form, `vpmaddubsw`, adds neighbours in 16 bits and saturates.
//!
//! A tile of [`MR`] rows by [`NR`] columns keeps its sums in registers. The
//! right operand is packed into panels of [`NR`] columns in which the two steps
//! of a pair lie side by side, as bytes; they are widened as they are loaded.
//! The left operand is widened block by block, row after row.

use std::arch::x86_64::*;

use rayon::prelude::*;

use super::Lhs;

/// Rows of a tile: 6 x 2 sums, two panel registers and one broadcast fill the
/// sixteen registers.
const MR: usize = 6;
/// Columns of a tile: two registers of eight 32-bit sums.
const NR: usize = 16;
/// Rows that are widened at once: their 16-bit codes stay in the second-level
/// cache while all panels pass.
const BLOCK: usize = 16 * MR;
/// Products (m n k) below which another thread would not pay.
const SMALL: usize = 1 << 20;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// A right operand packed for [`Avx2::multiply`].
pub(super) struct Panels {
    /// Panel after panel; in each, step pair after step pair; in each, column
    /// after column, two codes each. Padded with zeros.
    codes: Vec<i8>,
    n: usize,
    k: usize,
}

impl Panels {
    /// Packs the operand whose element (column, step) `at` gives.
    pub(super) fn new(n: usize, k: usize, at: impl Fn(usize, usize) -> i8) -> Panels {
        let pairs = k.div_ceil(2);
        let mut codes = vec![0; n.div_ceil(NR) * pairs * 2 * NR];
        for (index, panel) in codes.chunks_exact_mut((pairs * 2 * NR).max(1)).enumerate() {
            let columns = NR.min(n - index * NR);
            for (pair, codes) in panel.chunks_exact_mut(2 * NR).enumerate() {
                for column in 0..columns {
                    codes[2 * column] = at(index * NR + column, 2 * pair);
                    if 2 * pair + 1 < k {
                        codes[2 * column + 1] = at(index * NR + column, 2 * pair + 1);
                    }
                }
            }
        }
        Panels { codes, n, k }
    }
}

impl Avx2 {
    /// The proof, if the processor has AVX2.
    pub(super) fn new() -> Option<Avx2> {
        is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }

    /// `out` (m, n) = (a - zero point) (m, k) x B^T, exactly.
    pub(super) fn multiply(self, a: Lhs, b: &Panels, out: &mut [i32]) {
        let m = a.codes.len() / b.k;
        // One block per thread where the rows are few; none worth a thread
        // where the whole product is small.
        let share = m
            .div_ceil(rayon::current_num_threads())
            .next_multiple_of(MR);
        let block = if m * b.n * b.k < SMALL {
            m
        } else {
            share.min(BLOCK)
        };
        let multiply = |(out, codes): (&mut [i32], &[u8])| {
            let a = Lhs { codes, ..a };
            // SAFETY: `self` proves that the processor has AVX2.
            unsafe { multiply_block(a, b, out) };
        };
        if block >= m {
            return multiply((out, a.codes));
        }
        out.par_chunks_mut(block * b.n)
            .zip(a.codes.par_chunks(block * b.k))
            .for_each(multiply);
    }
}

/// One block of rows times all panels.
#[target_feature(enable = "avx2")]
fn multiply_block(a: Lhs, b: &Panels, out: &mut [i32]) {
    let pairs = b.k.div_ceil(2);
    let m = a.codes.len() / b.k;
    // Row after row, each padded to whole step pairs, and rows to whole tiles.
    let mut wide = vec![0i16; m.next_multiple_of(MR) * 2 * pairs];
    let zero_point = i16::from(a.zero_point);
    for (wide, row) in wide
        .chunks_exact_mut(2 * pairs)
        .zip(a.codes.chunks_exact(b.k))
    {
        for (wide, &code) in wide.iter_mut().zip(row) {
            *wide = i16::from(code) - zero_point;
        }
    }
    for (index, panel) in b.codes.chunks_exact(pairs * 2 * NR).enumerate() {
        let column = index * NR;
        let columns = NR.min(b.n - column);
        for (group, rows) in wide.chunks_exact(MR * 2 * pairs).enumerate() {
            let first = group * MR;
            let sums = multiply_tile(rows, panel);
            for (r, sums) in sums.iter().enumerate().take(m - first) {
                let start = (first + r) * b.n + column;
                out[start..start + columns].copy_from_slice(&sums[..columns]);
            }
        }
    }
}

/// The sums of one tile: `rows` holds MR rows of codes, `panel` NR columns of
/// them, step pair after step pair.
#[target_feature(enable = "avx2")]
#[inline]
fn multiply_tile(rows: &[i16], panel: &[i8]) -> [[i32; NR]; MR] {
    let pairs = panel.len() / (2 * NR);
    assert_eq!(rows.len(), MR * 2 * pairs);
    let mut sums = [[_mm256_setzero_si256(); 2]; MR];
    for pair in 0..pairs {
        // SAFETY: the panel has 2 NR = 32 bytes per pair; the loads need no
        // alignment.
        let (low, high) = unsafe {
            let bytes = panel.as_ptr().add(pair * 2 * NR);
            (
                _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(bytes.add(NR).cast())),
            )
        };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row r has 2 pairs codes, as asserted; two of 16 bits are
            // the 32 bits that are read.
            let code = unsafe {
                let codes = rows.as_ptr().add((r * pairs + pair) * 2);
                codes.cast::<i32>().read_unaligned()
            };
            let code = _mm256_set1_epi32(code);
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(code, low));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(code, high));
        }
    }
    let mut out = [[0; NR]; MR];
    for (out, sums) in out.iter_mut().zip(&sums) {
        // SAFETY: a row has NR = 16 places for two registers of eight.
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), sums[0]);
            _mm256_storeu_si256(out.as_mut_ptr().add(8).cast(), sums[1]);
        }
    }
    out
}
