//! AVX-512 VNNI: `vpdpbusd` multiplies four pairs of bytes, unsigned with signed,
//! and adds them to a 32-bit sum, exactly.
//!
//! A tile of [`MR`] rows by [`NR`] columns keeps its sums in registers. The right
//! operand is packed into panels of [`NR`] columns in which four steps of a column
//! lie side by side; a product with few rows reads each panel once, from its
//! beginning to its end. The zero point of the left operand is taken off by the
//! sums of the columns.

use std::arch::x86_64::*;

use rayon::prelude::*;

use super::Lhs;

/// Rows of a tile: 6 x 4 sums, four panel registers and a broadcast fill 29 of the
/// 32 registers.
const MR: usize = 6;
/// Columns of a register of 32-bit sums.
const LANES: usize = 16;
/// Registers of a tile's row.
const REGISTERS: usize = 4;
/// Columns of a tile.
const NR: usize = REGISTERS * LANES;
/// Steps that are multiplied at once.
const STEPS: usize = 4;
/// Bytes of a panel's group of steps.
const GROUP: usize = NR * STEPS;
/// Products (m n k) below which another thread would not pay.
const SMALL: usize = 1 << 18;

/// Proof that the processor has AVX-512 with VNNI.
#[derive(Clone, Copy)]
pub(super) struct Vnni(());

/// A right operand packed for [`Vnni::multiply`].
pub(super) struct Panels {
    /// Panel after panel; in each, group of steps after group of steps; in each,
    /// column after column, four codes each. Padded with zeros.
    codes: Vec<i8>,
    /// The sum of each column's codes, padded with zeros.
    sums: Vec<i32>,
    n: usize,
    k: usize,
}

impl Panels {
    /// Packs the operand whose element (column, step) stands at
    /// `column * column_stride + step * step_stride`.
    pub(super) fn new(
        b: &[i8],
        n: usize,
        k: usize,
        column_stride: usize,
        step_stride: usize,
    ) -> Panels {
        let groups = k.div_ceil(STEPS);
        let panels = n.div_ceil(NR);
        let mut codes = vec![0; panels * groups * GROUP];
        let mut sums = vec![0; panels * NR];
        for (index, panel) in codes.chunks_exact_mut((groups * GROUP).max(1)).enumerate() {
            let columns = NR.min(n - index * NR);
            let sums = &mut sums[index * NR..][..columns];
            if step_stride == 1 {
                for (column, sum) in sums.iter_mut().enumerate() {
                    let start = (index * NR + column) * column_stride;
                    let steps = &b[start..start + k];
                    *sum = steps.iter().map(|&code| i32::from(code)).sum();
                    for (group, steps) in panel.chunks_exact_mut(GROUP).zip(steps.chunks(STEPS)) {
                        group[column * STEPS..][..steps.len()].copy_from_slice(steps);
                    }
                }
            } else {
                for step in 0..k {
                    let start = step * step_stride + index * NR;
                    let row = &b[start..start + columns];
                    let group = &mut panel[step / STEPS * GROUP + step % STEPS..];
                    for ((place, sum), &code) in group
                        .iter_mut()
                        .step_by(STEPS)
                        .zip(sums.iter_mut())
                        .zip(row)
                    {
                        *place = code;
                        *sum += i32::from(code);
                    }
                }
            }
        }
        Panels { codes, sums, n, k }
    }
}

impl Vnni {
    /// The proof, if the processor has what is needed.
    pub(super) fn new() -> Option<Vnni> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni");
        has.then_some(Vnni(()))
    }

    /// `out` (m, n) = (a - zero point) (m, k) x B^T, exactly.
    pub(super) fn multiply(self, a: Lhs, b: &Panels, out: &mut [i32]) {
        let m = a.codes.len() / b.k;
        let threads = rayon::current_num_threads();
        if m * b.n * b.k < SMALL || threads == 1 {
            return self.multiply_rows(a, b, out);
        }
        if m >= 2 * MR * threads {
            let rows = m.div_ceil(2 * threads).next_multiple_of(MR);
            out.par_chunks_mut(rows * b.n)
                .zip(a.codes.par_chunks(rows * b.k))
                .for_each(|(out, codes)| self.multiply_rows(Lhs { codes, ..a }, b, out));
            return;
        }
        // Few rows: threads share the columns.
        let a = Padded::new(a, b.k);
        let panels = b.n.div_ceil(NR);
        let share = panels.div_ceil(threads);
        let parts: Vec<Vec<i32>> = (0..panels)
            .step_by(share)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|first| {
                let panels = first..panels.min(first + share);
                let width = b.n.min(panels.end * NR) - first * NR;
                let mut part = vec![0; m * width];
                // SAFETY: `self` proves that the processor has AVX-512 VNNI.
                unsafe { multiply_panels(&a, b, panels, width, &mut part) };
                part
            })
            .collect();
        let mut begin = 0;
        for part in parts {
            let width = part.len() / m;
            for (row, part) in out.chunks_exact_mut(b.n).zip(part.chunks_exact(width)) {
                row[begin..begin + width].copy_from_slice(part);
            }
            begin += width;
        }
    }

    fn multiply_rows(self, a: Lhs, b: &Panels, out: &mut [i32]) {
        let a = Padded::new(a, b.k);
        // SAFETY: `self` proves that the processor has AVX-512 VNNI.
        unsafe { multiply_panels(&a, b, 0..b.n.div_ceil(NR), b.n, out) };
    }
}

/// Rows of codes, each of whole groups of steps.
struct Padded<'a> {
    codes: std::borrow::Cow<'a, [u8]>,
    groups: usize,
    zero_point: i32,
}

impl<'a> Padded<'a> {
    fn new(a: Lhs<'a>, k: usize) -> Padded<'a> {
        let groups = k.div_ceil(STEPS);
        let codes = match k.is_multiple_of(STEPS) {
            true => a.codes.into(),
            false => {
                let mut padded = vec![0; a.codes.len() / k * groups * STEPS];
                let rows = a.codes.chunks_exact(k);
                for (padded, row) in padded.chunks_exact_mut(groups * STEPS).zip(rows) {
                    padded[..k].copy_from_slice(row);
                }
                padded.into()
            }
        };
        Padded {
            codes,
            groups,
            zero_point: i32::from(a.zero_point),
        }
    }
}

/// All rows times some panels, into `out` of `width` columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn multiply_panels(
    a: &Padded,
    b: &Panels,
    panels: std::ops::Range<usize>,
    width: usize,
    out: &mut [i32],
) {
    let row = a.groups * STEPS;
    let m = out.len() / width;
    for (place, panel) in panels.enumerate() {
        let codes = &b.codes[panel * a.groups * GROUP..(panel + 1) * a.groups * GROUP];
        let sums = &b.sums[panel * NR..(panel + 1) * NR];
        let begin = place * NR;
        let columns = NR.min(width - begin);
        let mut first = 0;
        while first < m {
            // As even as may be: 8 rows are 4 and 4.
            let rest = m - first;
            let count = rest.div_ceil(rest.div_ceil(MR));
            let rows = &a.codes[first * row..(first + count) * row];
            let out = &mut out[first * width + begin..];
            match count {
                1 => tile::<1>(rows, codes, sums, a.zero_point, columns, width, out),
                2 => tile::<2>(rows, codes, sums, a.zero_point, columns, width, out),
                3 => tile::<3>(rows, codes, sums, a.zero_point, columns, width, out),
                4 => tile::<4>(rows, codes, sums, a.zero_point, columns, width, out),
                5 => tile::<5>(rows, codes, sums, a.zero_point, columns, width, out),
                _ => tile::<MR>(rows, codes, sums, a.zero_point, columns, width, out),
            }
            first += count;
        }
    }
}

/// The first `columns` sums of a tile of M rows, into rows of `width`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
fn tile<const M: usize>(
    rows: &[u8],
    panel: &[i8],
    column_sums: &[i32],
    zero_point: i32,
    columns: usize,
    width: usize,
    out: &mut [i32],
) {
    let groups = panel.len() / GROUP;
    assert_eq!(rows.len(), M * groups * STEPS);
    assert_eq!(column_sums.len(), NR);
    assert!(columns <= NR && out.len() >= (M - 1) * width + columns);
    let mut sums = [[_mm512_setzero_si512(); REGISTERS]; M];
    for group in 0..groups {
        // SAFETY: a group has REGISTERS times 64 bytes; loads need no alignment.
        let loaded: [__m512i; REGISTERS] = std::array::from_fn(|register| unsafe {
            let bytes = panel.as_ptr().add(group * GROUP + register * 64);
            _mm512_loadu_si512(bytes.cast())
        });
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: row r has groups x STEPS codes, as asserted; four of them are
            // the 32 bits that are read.
            let codes = unsafe {
                let codes = rows.as_ptr().add((r * groups + group) * STEPS);
                codes.cast::<i32>().read_unaligned()
            };
            let codes = _mm512_set1_epi32(codes);
            for (sum, loaded) in sums.iter_mut().zip(loaded) {
                *sum = _mm512_dpbusd_epi32(*sum, codes, loaded);
            }
        }
    }
    let zero_point = _mm512_set1_epi32(zero_point);
    for (r, sums) in sums.into_iter().enumerate() {
        for (register, sum) in sums.into_iter().enumerate() {
            let begin = register * LANES;
            if begin >= columns {
                break;
            }
            let count = LANES.min(columns - begin);
            let mask = (u16::MAX) >> (LANES - count);
            // SAFETY: NR column sums were asserted; the mask lets only `count` sums
            // through, which lie within `out` as asserted.
            unsafe {
                let offset = _mm512_loadu_si512(column_sums.as_ptr().add(begin).cast());
                let offset = _mm512_mullo_epi32(offset, zero_point);
                let sum = _mm512_sub_epi32(sum, offset);
                let place = out.as_mut_ptr().add(r * width + begin);
                _mm512_mask_storeu_epi32(place.cast(), mask, sum);
            }
        }
    }
}
