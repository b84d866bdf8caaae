//! Does the closed form of tile sequences equal the exact recurrence of the
//! array where it should, and bound it where it may not?

mod recurrence;

use dtatrans_accel::tiles::{ArrayShape, Side, TiledProduct, sequence};
use proptest::prelude::*;

fn closed(rows: usize, columns: usize, tiles: impl IntoIterator<Item = u64>) -> u64 {
    let shape = ArrayShape {
        rows: rows as u64,
        columns: columns as u64,
        arrays: 1,
    };
    sequence(shape, tiles.into_iter().map(|cycles| (cycles, 1))).cycles()
}

/// A tile of equal cost: what each of its steps takes.
fn steps() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(1u64), Just(2), Just(4)], 1..14)
}

/// A tile whose cost is constant along its steps: bits of rows and columns in
/// nibbles, and its length.
fn mixed(rows: usize, columns: usize) -> impl Strategy<Value = (Vec<u64>, Vec<u64>, usize)> {
    (
        prop::collection::vec(1u64..=2, rows),
        prop::collection::vec(1u64..=2, columns),
        1usize..40,
    )
}

fn sizes() -> impl Strategy<Value = (usize, usize)> {
    (1usize..8, 1usize..8)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Tiles longer and shorter than the R + 1 cycles of the drain, costs that
    /// vary along the steps.
    #[test]
    fn equal_cost_tiles_are_exact(
        (rows, columns) in sizes(),
        tiles in prop::collection::vec(steps(), 1..7),
    ) {
        let costs: Vec<u64> = tiles.iter().flatten().copied().collect();
        let lengths: Vec<usize> = tiles.iter().map(Vec::len).collect();
        let exact = recurrence::cycles(rows, columns, &lengths, |_, _, t| costs[t] as i64);
        let closed = closed(rows, columns, tiles.iter().map(|tile| tile.iter().sum()));
        prop_assert_eq!(closed as i64, exact);
    }

    /// The recurrence is monotone in the costs, so lock-step bounds it from
    /// above. From below: follow the slowest element of each tile; at a border
    /// the next one may lie up to R + C - 2 hops upstream and be ahead by D steps
    /// a hop; the last drain starts up to C - 1 columns before the last.
    #[test]
    fn mixed_tiles_are_bounded(
        ((rows, columns), tiles) in sizes().prop_flat_map(|(rows, columns)| {
            (Just((rows, columns)), prop::collection::vec(mixed(rows, columns), 1..6))
        }),
    ) {
        let lengths: Vec<usize> = tiles.iter().map(|tile| tile.2).collect();
        let tile_of: Vec<usize> = lengths
            .iter()
            .enumerate()
            .flat_map(|(tile, &length)| std::iter::repeat_n(tile, length))
            .collect();
        let exact = recurrence::cycles(rows, columns, &lengths, |r, c, t| {
            let (row, column, _) = &tiles[tile_of[t]];
            (row[r] * column[c]) as i64
        });
        let slowest: Vec<u64> = tiles
            .iter()
            .map(|(row, column, _)| row.iter().max().unwrap() * column.iter().max().unwrap())
            .collect();
        let closed = closed(
            rows,
            columns,
            slowest.iter().zip(&lengths).map(|(cost, &length)| cost * length as u64),
        ) as i64;
        prop_assert!(exact <= closed, "{} > {}", exact, closed);
        let ahead = recurrence::DEPTH as u64 * (rows + columns - 2) as u64;
        let borders: u64 = slowest[..slowest.len() - 1].iter().map(|cost| ahead * cost).sum();
        let slack = columns as u64 - 1 + borders;
        prop_assert!(closed - exact <= slack as i64, "{} - {} > {}", closed, exact, slack);
    }

    /// A product as the simulator cuts it: rows of mixed bits, steps of mixed
    /// bits, against the recurrence over the same tiles.
    #[test]
    fn products_follow_the_recurrence(
        row_nibbles in prop::collection::vec(1u64..=2, 1..20),
        step_nibbles in prop::collection::vec(1u64..=2, 1..30),
        n in 1usize..20,
    ) {
        let shape = ArrayShape { rows: 4, columns: 5, arrays: 1 };
        let mut sorted = row_nibbles.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let product = TiledProduct {
            count: 1,
            rows: Side::cut(&sorted, 4),
            columns: Side::uniform(n as u64, 1, 5),
            steps: step_nibbles.iter().sum(),
        };
        let (cycles, breakdown) = product.run(shape);
        prop_assert_eq!(breakdown.total(), cycles * 20);

        let k = step_nibbles.len();
        let row_tiles: Vec<Vec<u64>> = sorted
            .chunks(4)
            .map(|tile| (0..4).map(|r| tile.get(r).copied().unwrap_or(1)).collect())
            .collect();
        // Row tiles outside, so that all tiles of a speed stand together.
        let tiles: Vec<&Vec<u64>> = row_tiles
            .iter()
            .flat_map(|tile| std::iter::repeat_n(tile, n.div_ceil(5)))
            .collect();
        let exact = recurrence::cycles(4, 5, &vec![k; tiles.len()], |r, _, t| {
            (tiles[t / k][r] * step_nibbles[t % k]) as i64
        });
        prop_assert!(exact <= cycles as i64);
        let uniform = row_tiles.iter().all(|tile| tile.iter().all(|&row| row == tile[0]));
        if uniform {
            prop_assert_eq!(exact, cycles as i64);
        }
    }
}

#[test]
fn one_slow_row_drags_a_long_tile_to_its_speed() {
    let exact = recurrence::cycles(4, 4, &[200], |r, _, _| if r == 2 { 2 } else { 1 });
    assert!(exact >= 400);
}

#[test]
fn a_half_speed_array_would_be_noticed() {
    // 16 x 32 at cost 1: 64 steps take 64 cycles, not 128.
    assert_eq!(recurrence::cycles(16, 32, &[64, 64], |_, _, _| 1), 128 + 64);
    assert_eq!(closed(16, 32, [64, 64]), 128 + 64);
}
