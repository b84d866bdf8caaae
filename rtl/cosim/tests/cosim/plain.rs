//! Does the plain array compute what integers say, and does each sum leave in the
//! cycle that skew and drain say?

use dtatrans_accel::array_shape::ArrayShape;
use dtatrans_accel::systolic::{Dataflow, Gemm, Overlap, cycles as cycles_of};
use dtatrans_cosim::plain::{ARRAYS, Kind, Step};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

use crate::tiles::LONGEST;

/// Random sequences of tiles that each size runs.
const CASES: u32 = 60;

/// A tile's codes by step, and whether its rows' are without a sign.
type Tile = (Vec<(Vec<u8>, Vec<u8>)>, bool);

fn tiles(rows: usize, columns: usize) -> impl Strategy<Value = Vec<Tile>> {
    let code = || prop_oneof![any::<u8>(), Just(0x80u8), Just(0xff)];
    let codes = move |lines| prop::collection::vec(code(), lines);
    let steps = prop::collection::vec((codes(rows), codes(columns)), rows + 1..rows + 40);
    prop::collection::vec((steps, any::<bool>()), 1..5)
}

/// A step enters each cycle, or after a pause. Element (r, c) multiplies a step
/// r + c cycles after it has entered; the token runs down the column behind the
/// last of the tile, one row a cycle, and row r leaves R - 1 - r cycles after it
/// has come out.
fn compare(kind: &Kind, tiles: &[Tile], pauses: &[usize]) -> TestCaseResult {
    let mut array = kind.build(7);
    let mut pauses = pauses.iter().cycle();
    let mut expected = vec![Vec::new(); kind.columns];
    let mut steps = Vec::new();
    for (tile, unsigned) in tiles {
        for (place, (rows, columns)) in tile.iter().enumerate() {
            steps.extend(std::iter::repeat_n(None, pauses.next().unwrap() / 2));
            steps.push(Some(Step {
                rows: rows.clone(),
                columns: columns.clone(),
                unsigned: *unsigned,
                last: place + 1 == tile.len(),
            }));
        }
        for (column, sums) in expected.iter_mut().enumerate() {
            for row in (0..kind.rows).rev() {
                let product = |(a, b): &(Vec<u8>, Vec<u8>)| {
                    let a = match unsigned {
                        true => i32::from(a[row]),
                        false => i32::from(a[row] as i8),
                    };
                    a * i32::from(b[column] as i8)
                };
                let sum: i32 = tile.iter().map(product).sum();
                let entered = steps.len() - 1;
                let token = entered + kind.rows + column + 1;
                sums.push((token + kind.rows - 1 - row, sum));
            }
        }
    }
    let mut left = vec![Vec::new(); kind.columns];
    for cycle in 0..steps.len() + 3 * (kind.rows + kind.columns) {
        let step = steps.get(cycle).and_then(Option::as_ref);
        for (column, sum) in array.cycle(step).into_iter().enumerate() {
            left[column].extend(sum.map(|sum| (cycle, sum)));
        }
    }
    prop_assert_eq!(left, expected);
    Ok(())
}

/// The longest reductions that a sum holds, a tile each.
fn longest(kind: &Kind) -> Vec<Tile> {
    let tile = |&(steps, row, column): &(usize, i16, i16)| {
        let step = (vec![row as u8; kind.rows], vec![column as u8; kind.columns]);
        (vec![step; steps], row > 127)
    };
    LONGEST.iter().map(tile).collect()
}

/// Runs CASES sequences of tiles and the longest reductions, or returns the first
/// difference.
pub(crate) fn judge(kind: &Kind, runner: &mut TestRunner) -> Result<(), String> {
    let pauses = prop::collection::vec(0usize..3, 200);
    runner
        .run(
            &(tiles(kind.rows, kind.columns), pauses),
            |(tiles, pauses)| compare(kind, &tiles, &pauses),
        )
        .map_err(|error| error.to_string())?;
    compare(kind, &longest(kind), &[0]).map_err(|error| error.to_string())
}

pub(crate) fn configuration() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn sums_and_cycles() {
    for kind in ARRAYS {
        judge(kind, &mut TestRunner::new(configuration()))
            .unwrap_or_else(|difference| panic!("{kind:?}: {difference}"));
    }
}

/// A product of several tiles, without a pause, takes the cycles of the simulator's
/// overlapped array.
#[test]
fn a_product_takes_as_long_as_in_the_simulator() {
    for kind in ARRAYS {
        for (tiles, k) in [(1, 1), (1, 40), (3, kind.rows + 1), (4, 50)] {
            let mut array = kind.build(1);
            let steps = (0..tiles * k).map(|step| Step {
                rows: vec![3; kind.rows],
                columns: vec![5; kind.columns],
                unsigned: false,
                last: step % k == k - 1,
            });
            let mut steps = steps.collect::<Vec<_>>().into_iter();
            let (mut cycles, mut left) = (0, 0);
            while left < tiles * kind.rows * kind.columns {
                let sums = array.cycle(steps.next().as_ref());
                left += sums.iter().flatten().count();
                assert!(sums.iter().flatten().all(|&sum| sum == 15 * k as i32));
                cycles += 1;
            }
            let shape = ArrayShape {
                rows: kind.rows as u64,
                columns: kind.columns as u64,
                arrays: 1,
            };
            let gemm = Gemm {
                m: kind.rows as u64,
                n: (tiles * kind.columns) as u64,
                k: k as u64,
            };
            let overlapped = Overlap::Overlapped;
            let model = cycles_of(shape, Dataflow::OutputStationary, overlapped, gemm);
            assert_eq!(cycles, model, "{kind:?}, {tiles} tiles of {k} steps");
        }
    }
}
