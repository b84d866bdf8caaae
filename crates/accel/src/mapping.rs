//! How a product with weights is cut into what the buffer holds at once.
//!
//! The result is cut into groups of rows and groups of columns of tiles, and the
//! arrays run one group of rows with one group of columns at a time. Where the
//! whole reduction of both fits, one side stays in the buffer while the groups of
//! the other stream past it; where it does not, the reduction is cut into pieces
//! and the sums of the tiles wait in the buffer between them. Of all cuts that fit,
//! with room to fetch the next group meanwhile, the mapper takes one that is
//! expected to take least time, and of those within a fiftieth of that the one that
//! spends least on moving operands and sums.

use std::fmt;

use serde::Serialize;

/// Bits of a sum that waits between pieces.
pub(crate) const SUM_BITS: u64 = 32;

/// Bits of the buffer that cost as much energy as one of DRAM, about: HBM2's 3.9 pJ
/// (O'Connor et al., MICRO 2017) over CACTI's for banks of 16 KiB.
const BUFFER_BITS: u64 = 20;

/// The finest pieces that a reduction is cut into.
const MOST_PIECES: u64 = 64;

/// One side of a product: strips, as wide as a tile and as long as the reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strips {
    /// Number of strips.
    pub count: u64,
    /// Bytes of the widest one.
    pub strip_bytes: u64,
    /// Bytes of all.
    pub bytes: u64,
}

/// What a mapping is chosen for.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// The rows: activations.
    pub left: Strips,
    /// The columns: weights.
    pub right: Strips,
    /// Length of the reduction.
    pub steps: u64,
    /// Elements of a tile.
    pub tile_elements: u64,
    /// Arrays that share tiles.
    pub lanes: u64,
    /// Bytes of the buffer that operands and sums may take.
    pub room_bytes: u64,
    /// Cycles that the arrays take if nothing holds them up.
    pub array_cycles: u64,
    /// Bytes that DRAM moves in a cycle.
    pub dram_bytes_per_cycle: f64,
    /// Bytes that move over DRAM whatever the mapping.
    pub other_bytes: u64,
}

/// A side of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Rows: activations.
    Rows,
    /// Columns: weights.
    Columns,
}

/// How a product is cut.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mapping {
    /// Rows of tiles in a group.
    pub row_tiles: u64,
    /// Columns of tiles in a group.
    pub column_tiles: u64,
    /// Pieces of the reduction.
    pub pieces: u64,
    /// The side whose groups stay while those of the other stream past.
    pub stays: Side,
    /// Times that the rows are read from DRAM.
    pub row_passes: u64,
    /// Times that the columns are read from DRAM.
    pub column_passes: u64,
    /// Bytes read and written in DRAM.
    pub dram_bytes: u64,
    /// Bytes of sums that are read and written in the buffer.
    pub sum_bytes: u64,
    /// Cycles that the arrays need.
    pub array_cycles: u64,
    /// Cycles that the mapper expects.
    pub expected_cycles: u64,
}

impl fmt::Display for Mapping {
    /// What it is, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mapping {
            row_tiles,
            column_tiles,
            pieces,
            row_passes,
            column_passes,
            ..
        } = self;
        let stays = match (self.stays, self.pieces) {
            (_, 2..) => "sums stay",
            (Side::Rows, _) => "activations stay",
            (Side::Columns, _) => "weights stay",
        };
        write!(f, "{row_tiles} x {column_tiles} tiles, {stays}")?;
        if *pieces > 1 {
            write!(f, ", reduction in {pieces} pieces")?;
        }
        write!(
            f,
            ": activations read {row_passes} x, weights {column_passes} x; "
        )?;
        let exposed = self.expected_cycles.saturating_sub(self.array_cycles);
        match exposed <= self.expected_cycles / 20 {
            true => write!(f, "DRAM hides behind the arrays"),
            false => write!(
                f,
                "DRAM takes {} of {} cycles more than the arrays",
                exposed, self.expected_cycles
            ),
        }
    }
}

/// Sizes of groups that are tried: multiples of `unit` that double, and all.
fn sizes(count: u64, unit: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(unit), |size| Some(size * 2))
        .take_while(move |&size| size < count)
        .chain([count])
}

impl Problem {
    /// The mapping for it.
    pub fn choose(&self) -> Mapping {
        let mut found: Vec<Mapping> = Vec::new();
        for rows in sizes(self.left.count, 1) {
            for columns in sizes(self.right.count, 1) {
                found.extend(
                    [Side::Rows, Side::Columns]
                        .iter()
                        .filter_map(|&stays| self.whole(rows, columns, stays)),
                );
                found.extend(self.in_pieces(rows, columns));
            }
        }
        let Some(least) = found.iter().map(|mapping| mapping.expected_cycles).min() else {
            // Not even the finest pieces fit: what is there is used as it is.
            return self.mapping(1, 1, MOST_PIECES.min(self.steps.max(1)), Side::Rows, true);
        };
        let quick = found
            .iter()
            .filter(|mapping| mapping.expected_cycles <= least.saturating_add(least / 50));
        *quick
            .min_by_key(|mapping| {
                let moved = BUFFER_BITS * mapping.dram_bytes + mapping.sum_bytes;
                (moved, mapping.expected_cycles, mapping.pieces)
            })
            .expect("the quickest is one of them")
    }

    /// One side stays, and the next group of the other has room beside it; if the
    /// next group of the side that stays has room too, it is not waited for.
    fn whole(&self, rows: u64, columns: u64, stays: Side) -> Option<Mapping> {
        let (held, streamed) = match stays {
            Side::Rows => (
                rows * self.left.strip_bytes,
                columns * self.right.strip_bytes,
            ),
            Side::Columns => (
                columns * self.right.strip_bytes,
                rows * self.left.strip_bytes,
            ),
        };
        let twice = 2 * held + 2 * streamed <= self.room_bytes;
        let once = held + 2 * streamed <= self.room_bytes;
        (once || twice).then(|| self.mapping(rows, columns, 1, stays, twice))
    }

    /// The sums of a group wait while the next piece of both sides is fetched.
    fn in_pieces(&self, rows: u64, columns: u64) -> Option<Mapping> {
        let sums = rows * columns * self.tile_elements * SUM_BITS / 8;
        let operands = rows * self.left.strip_bytes + columns * self.right.strip_bytes;
        let left_over = self.room_bytes.checked_sub(sums)?;
        let pieces = (2 * operands).div_ceil(left_over.max(1)).max(2);
        let fits = pieces <= MOST_PIECES && pieces <= self.steps;
        fits.then(|| self.mapping(rows, columns, pieces, Side::Rows, true))
    }

    /// Strips that have room beside others.
    fn beside(&self, held_bytes: u64, strips: Strips) -> u64 {
        let room = self.room_bytes.saturating_sub(held_bytes);
        (room / strips.strip_bytes.max(1)).clamp(1, strips.count.max(1))
    }

    fn mapping(&self, rows: u64, columns: u64, pieces: u64, stays: Side, twice: bool) -> Mapping {
        let row_groups = self.left.count.div_ceil(rows);
        let column_groups = self.right.count.div_ceil(columns);
        let (row_passes, column_passes) = match (pieces, stays) {
            (2.., _) => (column_groups, row_groups),
            // A side that fits whole is read once.
            (_, Side::Rows) => (1, if column_groups == 1 { 1 } else { row_groups }),
            (_, Side::Columns) => (if row_groups == 1 { 1 } else { column_groups }, 1),
        };
        let bytes =
            row_passes * self.left.bytes + column_passes * self.right.bytes + self.other_bytes;
        let cycles_of = |bytes: u64| (bytes as f64 / self.dram_bytes_per_cycle) as u64;
        let (left, right) = (
            rows * self.left.strip_bytes,
            columns * self.right.strip_bytes,
        );
        let (held, groups) = match stays {
            Side::Rows => (left, row_groups),
            Side::Columns => (right, column_groups),
        };
        let waited = if twice || pieces > 1 {
            0
        } else {
            cycles_of(held).saturating_mul(groups - 1)
        };
        // Arrays find work where the buffer has tiles for all of them.
        let tiles = rows * columns;
        let idle = match (pieces, stays) {
            (1, Side::Rows) => self.lanes as f64 / (rows * self.beside(left, self.right)) as f64,
            (1, Side::Columns) => {
                self.lanes as f64 / (columns * self.beside(right, self.left)) as f64
            }
            _ => (tiles.div_ceil(self.lanes) * self.lanes) as f64 / tiles as f64,
        };
        let array_cycles = (self.array_cycles as f64 * idle.max(1.0)) as u64;
        let first = cycles_of((left + right) / pieces);
        // The arrays run the last block when everything has come.
        let all_tiles = self.left.count * self.right.count;
        let tile_cycles = self.array_cycles.saturating_mul(self.lanes) / all_tiles.max(1) / pieces;
        let last = tile_cycles.saturating_mul(tiles.div_ceil(self.lanes));
        let sums = all_tiles * self.tile_elements * SUM_BITS / 8;
        Mapping {
            row_tiles: rows,
            column_tiles: columns,
            pieces,
            stays,
            row_passes,
            column_passes,
            dram_bytes: bytes,
            sum_bytes: 2 * (pieces - 1) * sums,
            array_cycles: self.array_cycles,
            expected_cycles: array_cycles
                .max(cycles_of(bytes).saturating_add(last))
                .saturating_add(waited)
                .saturating_add(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(left: (u64, u64), right: (u64, u64), room_bytes: u64) -> Problem {
        let strips = |(count, strip_bytes): (u64, u64)| Strips {
            count,
            strip_bytes,
            bytes: count * strip_bytes,
        };
        Problem {
            left: strips(left),
            right: strips(right),
            steps: 768,
            tile_elements: 128,
            lanes: 4,
            room_bytes,
            array_cycles: left.0 * right.0 * 400,
            dram_bytes_per_cycle: 64.0,
            other_bytes: 0,
        }
    }

    #[test]
    fn what_fits_is_read_once() {
        let mapping = problem((4, 1000), (9, 2000), 100_000).choose();
        assert_eq!((mapping.row_passes, mapping.column_passes), (1, 1));
        assert_eq!(mapping.pieces, 1);
    }

    #[test]
    fn what_does_not_fit_is_cut_along_the_reduction() {
        let mapping = problem((48, 12_000), (48, 50_000), 131_072).choose();
        assert!(
            mapping.pieces > 1 || mapping.column_tiles == 1,
            "{mapping:?}"
        );
        assert!(mapping.dram_bytes >= 48 * 62_000);
    }

    proptest! {
        #[test]
        fn a_larger_buffer_is_never_expected_to_take_longer(
            left in (1u64..40, 1u64..5000), right in (1u64..40, 1u64..5000),
            small in 20_000u64..200_000, more in 0u64..100_000,
        ) {
            let expected = |room| problem(left, right, room).choose();
            let (small, large) = (expected(small), expected(small + more));
            prop_assert!(large.expected_cycles <= small.expected_cycles + small.expected_cycles / 50 + 1);
            for mapping in [small, large] {
                prop_assert!(mapping.dram_bytes >= left.0 * left.1 + right.0 * right.1);
                prop_assert!(mapping.row_passes <= right.0 && mapping.column_passes <= left.0);
            }
        }
    }
}
