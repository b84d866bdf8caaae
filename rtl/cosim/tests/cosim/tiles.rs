//! Do the arrays compute what integers say, and does each sum leave in the cycle
//! that the model says?
//!
//! Random tiles, some shorter than the drain takes, of operands of mixed widths on
//! both sides and along the reduction, one behind the other, with operands that
//! come late on both sides.

use dtatrans_cosim::array::{ARRAYS, Kind, Operand};

use crate::bench::{Bench, Cycles, Side, Work};

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
fn arrivals(random: &mut Random, side: &Side) -> Cycles {
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

/// Steps of the longest reductions that a sum holds (rtl/src/vssa_pkg.sv), and the codes
/// of rows, without a sign where above 127, and of columns.
pub(crate) const LONGEST: [(usize, i16, i16); 5] = [
    (4160, 127, 127),
    (4160, 127, -127),
    (4095, -128, -128),
    (2072, 255, 127),
    (2056, 255, -128),
];

/// A tile of equal products of 8 bits for each of the longest reductions.
fn longest(kind: &Kind) -> Work {
    let side = |lines: usize, of_rows: bool| {
        let tile = |&(steps, row, column): &(usize, i16, i16)| {
            let operand = |step| Operand {
                wide: true,
                code: if of_rows { row } else { column },
                unsigned: of_rows && row > 127,
                last: of_rows && step + 1 == steps,
            };
            vec![(0..steps).map(operand).collect(); lines]
        };
        LONGEST.iter().map(tile).collect()
    };
    Work {
        rows: side(kind.rows, true),
        columns: side(kind.columns, false),
    }
}

/// Operands that are always there.
fn at_once(side: &Side) -> Cycles {
    let of_tile = |tile: &Vec<Vec<Operand>>| tile.iter().map(|line| vec![0; line.len()]).collect();
    side.iter().map(of_tile).collect()
}

/// Runs an array for CYCLES cycles of random work, then the longest reductions. Returns
/// the cycles, or the first difference.
pub(crate) fn judge(kind: &Kind) -> Result<i64, String> {
    let (mut cycles, mut runs) = (0, 0);
    while cycles < CYCLES {
        let mut random = Random(runs);
        let work = work(&mut random, kind, 2000);
        let rows = arrivals(&mut random, &work.rows);
        let columns = arrivals(&mut random, &work.columns);
        cycles += Bench::new(kind, runs).run(&work, &rows, &columns)?.1;
        runs += 1;
    }
    let work = longest(kind);
    let (rows, columns) = (at_once(&work.rows), at_once(&work.columns));
    cycles += Bench::new(kind, runs).run(&work, &rows, &columns)?.1;
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
