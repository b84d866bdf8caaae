//! Do the arrays compute what integers say, and does each sum leave in the cycle
//! that the model says?
//!
//! Random tiles, some shorter than the drain takes, of operands of mixed widths on
//! both sides and along the reduction, one behind the other, with operands that
//! come late on both sides.

use dtatrans_accel::vssa::wavefront::{Arrivals, Nibbles, Tile, Wavefront};
use dtatrans_cosim::array::{ARRAYS, Kind, Operand};

/// Cycles that each kind of array runs at least; all kinds together a million.
const CYCLES: i64 = 170_000;

/// A generator of numbers (Steele et al., 2014, SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Operands of one side, by tile, line and step.
type Side = Vec<Vec<Vec<Operand>>>;

struct Work {
    rows: Side,
    columns: Side,
}

/// How widths go in a tile.
#[derive(Clone, Copy)]
enum Widths {
    All(bool),
    ByLine,
    ByStep,
    Each,
}

fn widths(random: &mut Random) -> Widths {
    match random.below(5) {
        0 => Widths::All(false),
        1 => Widths::All(true),
        2 => Widths::ByLine,
        3 => Widths::ByStep,
        _ => Widths::Each,
    }
}

fn side(random: &mut Random, lines: usize, steps: usize, of_rows: bool) -> Vec<Vec<Operand>> {
    let widths = widths(random);
    let unsigned = of_rows && random.chance(30);
    let extreme = random.chance(10);
    let by_line: Vec<bool> = (0..lines).map(|_| random.chance(50)).collect();
    let by_step: Vec<bool> = (0..steps).map(|_| random.chance(50)).collect();
    let mut operand = |line: usize, step: usize| {
        let wide = match widths {
            Widths::All(wide) => wide,
            Widths::ByLine => by_line[line],
            Widths::ByStep => by_step[step],
            Widths::Each => random.chance(50),
        };
        let values = if wide { 256 } else { 16 };
        let value = match extreme {
            true => random.below(2) * (values - 1),
            false => random.below(values),
        };
        let least = if unsigned { 0 } else { values as i16 / 2 };
        Operand {
            wide,
            code: value as i16 - least,
            unsigned,
            last: of_rows && step + 1 == steps,
        }
    };
    (0..lines)
        .map(|line| (0..steps).map(|step| operand(line, step)).collect())
        .collect()
}

/// Tiles of a number of steps in all, or a little more.
fn work(random: &mut Random, kind: &Kind, least_steps: usize) -> Work {
    let mut work = Work {
        rows: Vec::new(),
        columns: Vec::new(),
    };
    let mut total = 0;
    while total < least_steps {
        let most = [3, 3 + 2 * kind.rows as u64, 70][random.below(3) as usize];
        let steps = 1 + random.below(most) as usize;
        work.rows.push(side(random, kind.rows, steps, true));
        work.columns.push(side(random, kind.columns, steps, false));
        total += steps;
    }
    work
}

/// The cycles in which a line's operands arrive: always there, late at times, or
/// with gaps everywhere.
fn arrivals(random: &mut Random, side: &Side) -> Vec<Vec<Vec<i64>>> {
    let lines = side[0].len();
    let percent = [0, 5, 60][random.below(3) as usize];
    let mut at = vec![0; lines];
    let mut of_tile = |tile: &Vec<Vec<Operand>>| {
        let of_line = |(line, operands): (usize, &Vec<Operand>)| {
            let mut of_step = |_: &Operand| {
                if random.chance(percent) {
                    at[line] += random.below(12) as i64;
                }
                at[line]
            };
            operands.iter().map(&mut of_step).collect()
        };
        tile.iter().enumerate().map(of_line).collect()
    };
    side.iter().map(&mut of_tile).collect()
}

fn nibbles(tile: &[Vec<Operand>]) -> Nibbles {
    let line = |line: &Vec<Operand>| line.iter().map(|operand| operand.nibbles()).collect();
    Nibbles::Each(tile.iter().map(line).collect())
}

/// A sum as it leaves: cycle, row, column, tile, value.
type Sum = (i64, usize, usize, usize, i32);

/// What the model and the integers say, in the order of columns and cycles.
fn expected(
    kind: &Kind,
    work: &Work,
    rows: &[Vec<Vec<i64>>],
    columns: &[Vec<Vec<i64>>],
) -> Vec<Vec<Sum>> {
    let mut array = Wavefront::new(kind.rows, kind.columns, kind.sum_stages());
    let mut sums = vec![Vec::new(); kind.columns];
    for tile in 0..work.rows.len() {
        let (a, b) = (&work.rows[tile], &work.columns[tile]);
        let shape = Tile {
            steps: a[0].len(),
            rows: nibbles(a),
            columns: nibbles(b),
        };
        let arrivals = Arrivals {
            rows: rows[tile].clone(),
            columns: columns[tile].clone(),
        };
        array.run_arriving(&shape, &arrivals);
        for (column, sums) in sums.iter_mut().enumerate() {
            for row in (0..kind.rows).rev() {
                let products = a[row].iter().zip(&b[column]);
                let value = products
                    .map(|(a, b)| i32::from(a.code) * i32::from(b.code))
                    .sum();
                let cycle = array.drained(column) + (kind.rows - 1 - row) as i64;
                sums.push((cycle, row, column, tile, value));
            }
        }
    }
    sums
}

/// Runs an array until all sums have left, and compares each. Returns the cycles, or
/// the first difference.
fn compare(kind: &Kind, work: &Work, seed: u64, random: &mut Random) -> Result<i64, String> {
    let rows = arrivals(random, &work.rows);
    let columns = arrivals(random, &work.columns);
    let expected = expected(kind, work, &rows, &columns);
    let flat = |side: &Side, cycles: &[Vec<Vec<i64>>], line: usize| -> Vec<(i64, Operand)> {
        let tiles = side.iter().zip(cycles);
        tiles
            .flat_map(|(operands, cycles)| {
                cycles[line]
                    .iter()
                    .copied()
                    .zip(operands[line].iter().copied())
            })
            .collect()
    };
    let rows: Vec<_> = (0..kind.rows)
        .map(|line| flat(&work.rows, &rows, line))
        .collect();
    let columns: Vec<_> = (0..kind.columns)
        .map(|line| flat(&work.columns, &columns, line))
        .collect();
    let offer = |line: &[(i64, Operand)], next: usize, cycle: i64| {
        line.get(next)
            .filter(|&&(arrives, _)| arrives <= cycle)
            .map(|&(_, operand)| operand)
    };

    let mut array = kind.build(seed as i32);
    let mut next_row = vec![0; kind.rows];
    let mut next_column = vec![0; kind.columns];
    let mut left = vec![0; kind.columns];
    let last = expected
        .iter()
        .filter_map(|sums| sums.last())
        .map(|sum| sum.0)
        .max()
        .unwrap();
    for cycle in 0..=last + 3 {
        let of_rows: Vec<_> = (0..kind.rows)
            .map(|r| offer(&rows[r], next_row[r], cycle))
            .collect();
        let of_columns: Vec<_> = (0..kind.columns)
            .map(|c| offer(&columns[c], next_column[c], cycle))
            .collect();
        let edges = array.cycle(&of_rows, &of_columns);
        for (next, &taken) in next_row.iter_mut().zip(&edges.rows) {
            *next += usize::from(taken);
        }
        for (next, &taken) in next_column.iter_mut().zip(&edges.columns) {
            *next += usize::from(taken);
        }
        for (column, sum) in edges.sums.iter().enumerate() {
            if let Some(value) = *sum {
                let due = expected[column].get(left[column]).copied();
                let (_, row, _, tile, _) = due.unwrap_or_default();
                let sum = Some((cycle, row, column, tile, value));
                if sum != due {
                    return Err(format!(
                        "seed {seed}: cycle, row, column, tile and value of a sum: {sum:?}, not {due:?}"
                    ));
                }
                left[column] += 1;
            }
        }
    }
    let all: Vec<usize> = expected.iter().map(Vec::len).collect();
    if left != all {
        return Err(format!(
            "seed {seed}: {left:?} sums left the columns, not {all:?}"
        ));
    }
    Ok(last)
}

/// Runs an array for CYCLES cycles of random work. Returns the cycles, or the first
/// difference.
pub(crate) fn judge(kind: &Kind) -> Result<i64, String> {
    let (mut cycles, mut runs) = (0, 0);
    while cycles < CYCLES {
        let mut random = Random(runs);
        let work = work(&mut random, kind, 2000);
        cycles += compare(kind, &work, runs, &mut random)?;
        runs += 1;
    }
    Ok(cycles)
}

#[test]
fn every_sum_is_right_and_leaves_when_the_model_says() {
    let mut total = 0;
    for kind in ARRAYS {
        total += judge(kind).unwrap_or_else(|difference| panic!("{kind:?}: {difference}"));
    }
    println!("{total} cycles of arrays");
    assert!(total >= 1_000_000);
}
