//! Rows of codes with AVX-512 VNNI, 64 codes a register. `vpdpbusd` takes unsigned
//! bytes on one side: rows of 8-bit codes are made so by adding 128, which the sum of
//! the query takes off again; nibbles and weights are so already.

use std::arch::x86_64::*;

use super::NIBBLE_ZERO;

/// Codes of a register.
const WIDTH: usize = 64;
/// Rows that are taken together.
const ROWS: usize = 4;
/// Sums of a register.
const LANES: usize = 16;

/// Whether rows of this many codes fill registers.
pub(super) fn takes(dim: usize) -> bool {
    dim > 0 && dim.is_multiple_of(WIDTH)
}

/// Bytes of a register's codes.
const fn bytes_of(packed: bool) -> usize {
    if packed { WIDTH / 2 } else { WIDTH }
}

/// The codes of 64 bytes, or of 32 packed ones, in which they are plus 8: low halves
/// before high ones.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load<const PACKED: bool>(bytes: &[u8]) -> __m512i {
    assert!(bytes.len() == bytes_of(PACKED));
    let from = bytes.as_ptr();
    if PACKED {
        // SAFETY: 32 bytes are there, as asserted; loads need no alignment.
        let both = _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(from.cast()) });
        let shifts = _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0);
        _mm512_and_si512(_mm512_srlv_epi64(both, shifts), _mm512_set1_epi8(15))
    } else {
        // SAFETY: 64 bytes are there, as asserted.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }
}

/// Where in a row of `dim` codes a register's bytes begin, and where its codes belong:
/// two runs of half a register.
fn places<const PACKED: bool>(dim: usize, register: usize) -> (usize, [usize; 2]) {
    let half = WIDTH / 2;
    match PACKED {
        true => (
            register * half,
            [register * half, dim / 2 + register * half],
        ),
        false => (
            register * WIDTH,
            [register * WIDTH, register * WIDTH + half],
        ),
    }
}

/// The sum over c of query\[c\] row\[c\] for each row, of whole registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn dots<const PACKED: bool>(query: &[i8], rows: &[u8], out: &mut [i32]) {
    let dim = query.len();
    let registers = dim / WIDTH;
    let width = registers * bytes_of(PACKED);
    assert!(takes(dim) && rows.len() == out.len() * width);
    let offset: i32 = query.iter().map(|&code| i32::from(code)).sum();
    let offset = offset * if PACKED { i32::from(NIBBLE_ZERO) } else { 128 };
    let queries: Vec<[i8; WIDTH]> = (0..registers)
        .map(|register| {
            let mut codes = [0; WIDTH];
            let (_, parts) = places::<PACKED>(dim, register);
            for (codes, start) in codes.chunks_exact_mut(WIDTH / 2).zip(parts) {
                codes.copy_from_slice(&query[start..start + WIDTH / 2]);
            }
            codes
        })
        .collect();
    let sums = |row: &[u8]| {
        let mut sums = _mm512_setzero_si512();
        for (query, bytes) in queries.iter().zip(row.chunks_exact(bytes_of(PACKED))) {
            let mut codes = load::<PACKED>(bytes);
            if !PACKED {
                codes = _mm512_xor_si512(codes, _mm512_set1_epi8(-128));
            }
            // SAFETY: a query has 64 bytes.
            let query = unsafe { _mm512_loadu_si512(query.as_ptr().cast()) };
            sums = _mm512_dpbusd_epi32(sums, codes, query);
        }
        sums
    };
    let mut outs = out.chunks_exact_mut(ROWS);
    let mut fours = rows.chunks_exact(ROWS * width);
    for (out, rows) in (&mut outs).zip(&mut fours) {
        let [a, b, c, d]: [__m512i; ROWS] =
            std::array::from_fn(|row| sums(&rows[row * width..(row + 1) * width]));
        // Lane by lane the sums of a, b, c and d come to stand side by side.
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let high = _mm512_extracti64x4_epi64::<1>(all);
        let all = _mm256_add_epi32(_mm512_castsi512_si256(all), high);
        let high = _mm256_extracti128_si256::<1>(all);
        let all = _mm_add_epi32(_mm256_castsi256_si128(all), high);
        let all = _mm_sub_epi32(all, _mm_set1_epi32(offset));
        // SAFETY: four sums have room.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), all) };
    }
    let rest = fours.remainder().chunks_exact(width);
    for (out, row) in outs.into_remainder().iter_mut().zip(rest) {
        *out = _mm512_reduce_add_epi32(sums(row)) - offset;
    }
}

/// Adds to `out[c]` the sum over j of weights\[j\] rows\[j\]\[c\], rows of whole
/// registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn mix<const PACKED: bool>(weights: &[u8], rows: &[u8], out: &mut [i32]) {
    let dim = out.len();
    let width = dim / WIDTH * bytes_of(PACKED);
    assert!(takes(dim) && rows.len() == weights.len() * width);
    let sum: i32 = weights.iter().map(|&weight| i32::from(weight)).sum();
    let offset = if PACKED {
        sum * i32::from(NIBBLE_ZERO)
    } else {
        0
    };
    for register in 0..dim / WIDTH {
        let (start, parts) = places::<PACKED>(dim, register);
        let mut sums = [_mm512_setzero_si512(); ROWS];
        let fours = weights.chunks(ROWS).zip(rows.chunks(ROWS * width));
        for (weights, rows) in fours {
            let mut own = [0; ROWS];
            own[..weights.len()].copy_from_slice(weights);
            let [a, b, c, d]: [__m512i; ROWS] = std::array::from_fn(|row| {
                if row >= weights.len() {
                    return _mm512_setzero_si512();
                }
                load::<PACKED>(&rows[row * width + start..][..bytes_of(PACKED)])
            });
            // The codes of a channel come to stand side by side, four channels a lane.
            let (ab_low, ab_high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
            let channels = [
                _mm512_unpacklo_epi16(ab_low, cd_low),
                _mm512_unpackhi_epi16(ab_low, cd_low),
                _mm512_unpacklo_epi16(ab_high, cd_high),
                _mm512_unpackhi_epi16(ab_high, cd_high),
            ];
            let own = _mm512_set1_epi32(i32::from_ne_bytes(own));
            for (sums, channels) in sums.iter_mut().zip(channels) {
                *sums = _mm512_dpbusd_epi32(*sums, own, channels);
            }
        }
        for (quarter, sums) in sums.into_iter().enumerate() {
            let mut channels = [0; LANES];
            // SAFETY: 16 sums have room.
            unsafe { _mm512_storeu_si512(channels.as_mut_ptr().cast(), sums) };
            // Of each lane's 16 channels these are four.
            for (lane, channels) in channels.chunks_exact(4).enumerate() {
                let channel = lane * 16 + quarter * 4;
                let place = parts[channel / (WIDTH / 2)] + channel % (WIDTH / 2);
                for (out, sum) in out[place..place + 4].iter_mut().zip(channels) {
                    *out += sum - offset;
                }
            }
        }
    }
}
