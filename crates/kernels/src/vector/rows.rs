//! One vector of codes against many rows of codes: the attention of one query
//! over a cache. All sums are exact.
//!
//! Rows of 4-bit codes are packed: byte i of a row of d codes holds code i in its
//! low half and code i + d/2 in its high half, each plus 8.

#[cfg(target_arch = "x86_64")]
mod vnni;

use crate::Isa;

/// The nibble that stands for 0.
const NIBBLE_ZERO: u8 = 8;

/// `out[j]` = the sum over c of query\[c\] rows\[j\]\[c\].
///
/// # Panics
/// If `rows` is not as long as `out` rows of the query's length.
pub fn dots(isa: Isa, query: &[i8], rows: &[i8], out: &mut [i32]) {
    assert_eq!(rows.len(), out.len() * query.len());
    #[cfg(target_arch = "x86_64")]
    if isa.has_vnni() && vnni::takes(query.len()) {
        // SAFETY: the processor has it.
        return unsafe { vnni::dots::<false>(query, as_bytes(rows), out) };
    }
    isa.vectorise(
        #[inline(always)]
        || {
            for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len())) {
                *out = dot(query, row);
            }
        },
    );
}

/// As [`dots`] with rows of packed 4-bit codes.
///
/// # Panics
/// If the query's length is odd, or `rows` is not as long as `out` rows of half
/// of it.
pub fn dots_packed(isa: Isa, query: &[i8], rows: &[u8], out: &mut [i32]) {
    let half = query.len() / 2;
    assert_eq!(query.len(), 2 * half);
    assert_eq!(rows.len(), out.len() * half);
    #[cfg(target_arch = "x86_64")]
    if isa.has_vnni() && vnni::takes(query.len()) {
        // SAFETY: the processor has it.
        return unsafe { vnni::dots::<true>(query, rows, out) };
    }
    isa.vectorise(
        #[inline(always)]
        || {
            let (low, high) = query.split_at(half);
            // The nibbles' offset is the same in every row.
            let offset: i32 = query.iter().map(|&q| i32::from(q)).sum();
            let offset = offset * i32::from(NIBBLE_ZERO);
            for (out, row) in out.iter_mut().zip(rows.chunks_exact(half)) {
                let mut sum = 0;
                for ((&byte, &low), &high) in row.iter().zip(low).zip(high) {
                    sum += i32::from(byte & 15) * i32::from(low);
                    sum += i32::from(byte >> 4) * i32::from(high);
                }
                *out = sum - offset;
            }
        },
    );
}

/// Adds to `out[c]` the sum over j of weights\[j\] rows\[j\]\[c\].
///
/// # Panics
/// If `rows` is not as long as `weights` rows of the length of `out`.
pub fn mix(isa: Isa, weights: &[u8], rows: &[i8], out: &mut [i32]) {
    assert_eq!(rows.len(), weights.len() * out.len());
    #[cfg(target_arch = "x86_64")]
    if isa.has_vnni() && vnni::takes(out.len()) {
        // SAFETY: the processor has it.
        return unsafe { vnni::mix::<false>(weights, as_bytes(rows), out) };
    }
    isa.vectorise(
        #[inline(always)]
        || {
            for (&weight, row) in weights.iter().zip(rows.chunks_exact(out.len())) {
                for (out, &code) in out.iter_mut().zip(row) {
                    *out += i32::from(weight) * i32::from(code);
                }
            }
        },
    );
}

/// As [`mix`] with rows of packed 4-bit codes.
///
/// # Panics
/// If the length of `out` is odd, or `rows` is not as long as `weights` rows of
/// half of it.
pub fn mix_packed(isa: Isa, weights: &[u8], rows: &[u8], out: &mut [i32]) {
    let half = out.len() / 2;
    assert_eq!(out.len(), 2 * half);
    assert_eq!(rows.len(), weights.len() * half);
    #[cfg(target_arch = "x86_64")]
    if isa.has_vnni() && vnni::takes(out.len()) {
        // SAFETY: the processor has it.
        return unsafe { vnni::mix::<true>(weights, rows, out) };
    }
    isa.vectorise(
        #[inline(always)]
        || {
            let (low, high) = out.split_at_mut(half);
            let mut offset = 0;
            for (&weight, row) in weights.iter().zip(rows.chunks_exact(half)) {
                let weight = i32::from(weight);
                offset += weight * i32::from(NIBBLE_ZERO);
                for ((low, high), &byte) in low.iter_mut().zip(high.iter_mut()).zip(row) {
                    *low += weight * i32::from(byte & 15);
                    *high += weight * i32::from(byte >> 4);
                }
            }
            for out in low.iter_mut().chain(high) {
                *out -= offset;
            }
        },
    );
}

/// Packs a row of codes between -8 and 7.
///
/// # Panics
/// If the row's length is odd, or `packed` is not half as long.
pub fn pack_nibbles(codes: &[i8], packed: &mut [u8]) {
    let (low, high) = codes.split_at(codes.len() / 2);
    assert_eq!(low.len(), high.len());
    assert_eq!(low.len(), packed.len());
    let nibble = |code: i8| code.wrapping_add(NIBBLE_ZERO as i8) as u8 & 15;
    for ((packed, &low), &high) in packed.iter_mut().zip(low).zip(high) {
        *packed = nibble(low) | nibble(high) << 4;
    }
}

/// The codes of a packed row.
pub fn unpack_nibbles(packed: &[u8]) -> impl Iterator<Item = i8> + '_ {
    let code = |nibble: u8| nibble as i8 - NIBBLE_ZERO as i8;
    let low = packed.iter().map(move |byte| code(byte & 15));
    low.chain(packed.iter().map(move |byte| code(byte >> 4)))
}

#[cfg(target_arch = "x86_64")]
fn as_bytes(codes: &[i8]) -> &[u8] {
    // SAFETY: a byte is a byte, signed or not.
    unsafe { std::slice::from_raw_parts(codes.as_ptr().cast(), codes.len()) }
}

#[inline(always)]
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(count: usize, limit: i32, salt: i32) -> Vec<i8> {
        let code = |i: i32| ((i * 7919 + salt * 104_729) % (2 * limit + 1)).abs() - limit;
        (0..count as i32).map(|i| code(i) as i8).collect()
    }

    #[test]
    fn packed_codes_come_back() {
        let row = codes(64, 7, 1);
        let mut packed = vec![0; 32];
        pack_nibbles(&row, &mut packed);
        assert_eq!(unpack_nibbles(&packed).collect::<Vec<_>>(), row);
    }

    #[test]
    fn every_instruction_set_multiplies_alike_and_packed_as_unpacked() {
        for isa in Isa::available() {
            for (n, dim) in [
                (0, 8),
                (0, 64),
                (1, 2),
                (3, 64),
                (17, 80),
                (5, 34),
                (9, 64),
                (14, 192),
            ] {
                let query = codes(dim, 127, 2);
                let mut rows = codes(n * dim, 7, 3);
                rows.iter_mut().step_by(5).for_each(|code| *code = -8);
                let weights: Vec<u8> = (0..n).map(|j| (j * 91 % 256) as u8).collect();
                let mut packed = vec![0; n * dim / 2];
                for (row, packed) in rows.chunks(dim).zip(packed.chunks_mut(dim / 2)) {
                    pack_nibbles(row, packed);
                }
                let dots_of = |rows: &[i8]| -> Vec<i32> {
                    rows.chunks(dim).map(|row| dot(&query, row)).collect()
                };
                let mix_of = |rows: &[i8]| -> Vec<i32> {
                    let sum = |c: usize| {
                        let terms = weights.iter().zip(rows.chunks(dim));
                        terms
                            .map(|(&w, row)| i32::from(w) * i32::from(row[c]))
                            .sum()
                    };
                    (0..dim).map(sum).collect()
                };
                let (want_dots, want_mix) = (dots_of(&rows), mix_of(&rows));
                let (mut plain, mut narrow) = (vec![1; n], vec![1; n]);
                dots(isa, &query, &rows, &mut plain);
                dots_packed(isa, &query, &packed, &mut narrow);
                assert_eq!(
                    (&plain, &narrow),
                    (&want_dots, &want_dots),
                    "{isa:?} {n} {dim}"
                );
                let (mut plain, mut narrow) = (vec![0; dim], vec![0; dim]);
                mix(isa, &weights, &rows, &mut plain);
                mix_packed(isa, &weights, &packed, &mut narrow);
                assert_eq!(
                    (&plain, &narrow),
                    (&want_mix, &want_mix),
                    "{isa:?} {n} {dim}"
                );
                let mut wide = codes(n * dim, 127, 5);
                wide.iter_mut().step_by(3).for_each(|code| *code = -127);
                let (mut sums, mut mixed) = (vec![0; n], vec![0; dim]);
                dots(isa, &query, &wide, &mut sums);
                mix(isa, &weights, &wide, &mut mixed);
                assert_eq!((sums, mixed), (dots_of(&wide), mix_of(&wide)));
            }
        }
    }
}
