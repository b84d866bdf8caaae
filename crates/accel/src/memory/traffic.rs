//! How often operands are read from DRAM, given what the buffer holds.

/// An operand as an output-stationary array takes it: strips of R rows (or C
/// columns), each as long as the reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strips {
    /// Number of strips.
    pub count: u64,
    /// Bytes of a full strip.
    pub strip_bytes: u64,
    /// Bytes of the operand.
    pub bytes: u64,
}

/// How often a product reads its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// Times that the left operand is read.
    pub left: u64,
    /// Times that the right operand is read.
    pub right: u64,
    /// Pieces that the reduction is cut into, so that a piece of the streamed
    /// strip fits; between pieces the buffer holds partial sums.
    pub pieces: u64,
}

/// A streamed strip enters the buffer at least this many pieces fine.
const FINEST_PIECES: u64 = 32;

/// The passes that read least from DRAM.
///
/// Either as many left strips as fit stay in the buffer while the right operand
/// streams past them, or the other way round, or both stream. Where a streamed
/// strip does not fit beside the resident ones the reduction is cut into
/// pieces: `tile_sum_bytes` of partial sums then wait in the buffer for each
/// resident strip. A larger buffer keeps at least as many strips, so it never
/// reads more.
pub fn passes(left: Strips, right: Strips, tile_sum_bytes: u64, buffer_bytes: u64) -> Passes {
    let neither = Passes {
        left: right.count,
        right: left.count,
        pieces: 1,
    };
    let left_stays =
        resident(left, right, tile_sum_bytes, buffer_bytes).map(|(blocks, pieces)| Passes {
            left: 1,
            right: blocks,
            pieces,
        });
    let right_stays =
        resident(right, left, tile_sum_bytes, buffer_bytes).map(|(blocks, pieces)| Passes {
            left: blocks,
            right: 1,
            pieces,
        });
    [left_stays, right_stays, Some(neither)]
        .into_iter()
        .flatten()
        .min_by_key(|passes| {
            (
                passes.left * left.bytes + passes.right * right.bytes,
                passes.pieces,
            )
        })
        .expect("both can always stream")
}

/// Blocks of strips of `stays` that the buffer holds one after the other while
/// `streams` passes, and the pieces of the reduction; `None` if not one strip
/// fits.
fn resident(
    stays: Strips,
    streams: Strips,
    tile_sum_bytes: u64,
    buffer_bytes: u64,
) -> Option<(u64, u64)> {
    let fit = |space: Option<u64>, each: u64| match space {
        Some(space) => (space / each.max(1)).min(stays.count),
        None => 0,
    };
    let whole = fit(
        buffer_bytes.checked_sub(streams.strip_bytes),
        stays.strip_bytes,
    );
    let piece_bytes = streams.strip_bytes.div_ceil(FINEST_PIECES);
    let with_sums = stays.strip_bytes + tile_sum_bytes;
    let cut = fit(buffer_bytes.checked_sub(piece_bytes), with_sums);
    if cut > whole {
        let left_over = buffer_bytes - cut * with_sums;
        let pieces = streams.strip_bytes.div_ceil(left_over).max(1);
        Some((stays.count.div_ceil(cut), pieces))
    } else if whole > 0 {
        Some((stays.count.div_ceil(whole), 1))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strips(count: u64, strip_bytes: u64) -> Strips {
        Strips {
            count,
            strip_bytes,
            bytes: count * strip_bytes,
        }
    }

    #[test]
    fn what_fits_is_read_once() {
        let passes = passes(strips(4, 100), strips(9, 200), 10, 4 * 100 + 200);
        assert_eq!((passes.left, passes.right, passes.pieces), (1, 1, 1));
    }

    #[test]
    fn what_does_not_fit_is_read_again() {
        // Two left strips stay beside a streamed one.
        let passes = passes(strips(4, 100), strips(9, 200), 1000, 400);
        assert_eq!((passes.left, passes.right), (1, 2));
    }

    #[test]
    fn without_a_buffer_both_stream() {
        let passes = passes(strips(4, 100), strips(9, 200), 10, 0);
        assert_eq!((passes.left, passes.right), (9, 4));
    }

    proptest! {
        #[test]
        fn a_larger_buffer_never_reads_more(
            left in (1u64..40, 1u64..5000), right in (1u64..40, 1u64..5000),
            sums in 0u64..3000, small in 0u64..100_000, more in 0u64..100_000,
        ) {
            let (left, right) = (strips(left.0, left.1), strips(right.0, right.1));
            let reads = |buffer| {
                let passes = passes(left, right, sums, buffer);
                passes.left * left.bytes + passes.right * right.bytes
            };
            prop_assert!(reads(small + more) <= reads(small));
            prop_assert!(reads(small) >= left.bytes + right.bytes);
        }
    }
}
