//! The RTL of an array beside its model, tile by tile.

use dtatrans_accel::vssa::wavefront::{Arrivals, Nibbles, Tile, Wavefront};
use dtatrans_cosim::array::{Array, Kind, Operand};

/// Operands of one side, by tile, line and step.
pub(crate) type Side = Vec<Vec<Vec<Operand>>>;

/// Sums by tile, row and column.
pub(crate) type Values = Vec<Vec<Vec<i32>>>;

/// The cycles in which they arrive. Each line's rise.
pub(crate) type Cycles = Vec<Vec<Vec<i64>>>;

/// Tiles, one behind the other.
pub(crate) struct Work {
    pub(crate) rows: Side,
    pub(crate) columns: Side,
}

/// An array and its model, which have run the same.
pub(crate) struct Bench<'a> {
    kind: &'a Kind,
    seed: u64,
    array: Array,
    model: Wavefront,
    /// The next cycle.
    pub(crate) cycle: i64,
}

/// A sum as it leaves: cycle, row, column, tile, value.
type Sum = (i64, usize, usize, usize, i32);

impl<'a> Bench<'a> {
    pub(crate) fn new(kind: &'a Kind, seed: u64) -> Bench<'a> {
        Bench {
            kind,
            seed,
            array: kind.build(seed as i32),
            model: Wavefront::new(kind.rows, kind.columns, kind.sum_stages()),
            cycle: 0,
        }
    }

    /// Runs the RTL until all sums have left, a few cycles more, and compares each:
    /// the value with the integers', the cycle with the model's. Returns the sums by
    /// tile, row and column, and the cycle in which the last one left, or the first
    /// difference.
    pub(crate) fn run(
        &mut self,
        work: &Work,
        rows: &Cycles,
        columns: &Cycles,
    ) -> Result<(Values, i64), String> {
        let kind = self.kind;
        let expected = self.expected(work, rows, columns);
        let rows = feed(&work.rows, rows, kind.rows);
        let columns = feed(&work.columns, columns, kind.columns);
        let offer = |line: &[(i64, Operand)], next: usize, cycle: i64| {
            line.get(next)
                .filter(|&&(arrives, _)| arrives <= cycle)
                .map(|&(_, operand)| operand)
        };
        let mut next_row = vec![0; kind.rows];
        let mut next_column = vec![0; kind.columns];
        let mut left = vec![0; kind.columns];
        let last = expected
            .iter()
            .filter_map(|sums| sums.last())
            .map(|sum| sum.0)
            .max()
            .unwrap();
        let mut values = vec![vec![vec![0; kind.columns]; kind.rows]; work.rows.len()];
        for cycle in self.cycle..=last + 3 {
            let of_rows: Vec<_> = (0..kind.rows)
                .map(|r| offer(&rows[r], next_row[r], cycle))
                .collect();
            let of_columns: Vec<_> = (0..kind.columns)
                .map(|c| offer(&columns[c], next_column[c], cycle))
                .collect();
            let edges = self.array.cycle(&of_rows, &of_columns);
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
                            "seed {}: cycle, row, column, tile and value of a sum: {sum:?}, not {due:?}",
                            self.seed
                        ));
                    }
                    left[column] += 1;
                    values[tile][row][column] = value;
                }
            }
        }
        let all: Vec<usize> = expected.iter().map(Vec::len).collect();
        if left != all {
            return Err(format!(
                "seed {}: {left:?} sums left the columns, not {all:?}",
                self.seed
            ));
        }
        self.cycle = last + 4;
        Ok((values, last))
    }

    /// What the model and the integers say, in the order of columns and cycles.
    fn expected(&mut self, work: &Work, rows: &Cycles, columns: &Cycles) -> Vec<Vec<Sum>> {
        let kind = self.kind;
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
            self.model.run_arriving(&shape, &arrivals);
            for (column, sums) in sums.iter_mut().enumerate() {
                for row in (0..kind.rows).rev() {
                    let products = a[row].iter().zip(&b[column]);
                    let value = products
                        .map(|(a, b)| i32::from(a.code) * i32::from(b.code))
                        .sum();
                    let cycle = self.model.drained(column) + (kind.rows - 1 - row) as i64;
                    sums.push((cycle, row, column, tile, value));
                }
            }
        }
        sums
    }
}

fn nibbles(tile: &[Vec<Operand>]) -> Nibbles {
    let line = |line: &Vec<Operand>| line.iter().map(|operand| operand.nibbles()).collect();
    Nibbles::Each(tile.iter().map(line).collect())
}

/// What arrives at each line, and when.
fn feed(side: &Side, cycles: &Cycles, lines: usize) -> Vec<Vec<(i64, Operand)>> {
    let of_line = |line: usize| {
        let tiles = side.iter().zip(cycles);
        tiles
            .flat_map(|(operands, cycles)| {
                let cycles = cycles[line].iter().copied();
                cycles.zip(operands[line].iter().copied())
            })
            .collect()
    };
    (0..lines).map(of_line).collect()
}
