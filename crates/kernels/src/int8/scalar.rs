//! The reference: three loops.

use super::Lhs;

/// `out` (m, n) = (a - zero point) (m, k) x `b`^T, `b` of shape (n, k).
pub(super) fn multiply(a: Lhs, b: &[i8], n: usize, k: usize, out: &mut [i32]) {
    let zero_point = i32::from(a.zero_point);
    for (row, out) in a.codes.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        for (column, out) in b.chunks_exact(k).zip(out) {
            *out = row
                .iter()
                .zip(column)
                .map(|(&a, &b)| (i32::from(a) - zero_point) * i32::from(b))
                .sum();
        }
    }
}
