//! The exact cycles of a product on variable-speed arrays.
//!
//! A product is many tiles, but few kinds of tiles, and an array that runs tiles of
//! the same kind again and again soon is in the same state whenever one ends. So
//! states are numbered, and how a kind of tile leads from one state to another,
//! and in how many cycles, is computed once ([`Wavefront`]) and looked up from then
//! on; for an array whose operands were late, once for each number of cycles that
//! its state can still tell.

use std::hash::Hash;

use dtatrans_precision::workload::gemm::Gemm;
use rustc_hash::FxHashMap;

use crate::array_shape::ArrayShape;
use crate::report::{Breakdown, Cause};
use crate::schedule::LaneRun;
use crate::vssa::wavefront::{Nibbles, Tile, Wavefront};

/// Stages between product and sum of the element that the machines have,
/// `rtl/src/sum_pipelined.sv`.
const SUM_STAGES: i32 = 1;

/// `count` equal products on an array, as nibbles of its operands in the order in
/// which they enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operands {
    /// Equal products: the heads.
    pub count: u64,
    /// Of each row.
    pub rows: Vec<u8>,
    /// Of the other side.
    pub columns: Columns,
}

/// The other side of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Nibbles of each column, and the steps of the reduction.
    Lines(Vec<u8>, u64),
    /// A number of columns, and the nibbles of each step.
    Steps(u64, Vec<u8>),
}

/// What arrays of one size have run.
#[derive(Debug)]
pub struct Timing {
    shape: ArrayShape,
    states: Numbers<Wavefront>,
    /// Rows of a tile, or columns, or steps.
    parts: Numbers<Vec<u8>>,
    /// By the state before, the tile, and by how many cycles its operands are late.
    after: FxHashMap<(u32, Kind, u32), (u32, i64)>,
}

/// The array that has run nothing, or nothing for so long that it is the same.
const FRESH: u32 = 0;

/// A product as tiles.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    rows: Vec<Part>,
    columns: Vec<Part>,
    steps: Steps,
    /// The sum of the steps' nibbles.
    weight: u64,
}

impl Tiles {
    /// Cycles of the slowest products of a tile.
    pub(crate) fn slowest(&self, row: usize, column: usize) -> u64 {
        self.rows[row].most * self.columns[column].most * self.weight
    }

    /// Those of all tiles.
    pub(crate) fn all_slowest(&self) -> u64 {
        let sum = |parts: &[Part]| parts.iter().map(|part| part.most).sum::<u64>();
        sum(&self.rows) * sum(&self.columns) * self.weight
    }
}

/// A kind of tile, by the numbers of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    rows: u32,
    columns: u32,
    steps: Steps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Steps {
    Number(u64),
    Nibbles(u32),
}

/// Lines of a product that share a tile.
#[derive(Clone, Copy, Debug)]
struct Part {
    number: u32,
    lines: u64,
    /// The most nibbles of a line, and the nibbles of all that belong to the product.
    most: u64,
    sum: u64,
}

/// One array while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Position {
    state: u32,
    /// The cycle of the first element's last take.
    base: i64,
    began: bool,
}

impl Position {
    /// The array waits, whatever it does.
    pub(crate) fn delay(&mut self, cycles: u64) {
        self.base += cycles as i64;
    }

    /// The cycle after which its first element takes something else.
    pub(crate) fn free(&self) -> u64 {
        self.base as u64
    }
}

/// One array on its way through many equal tiles.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    position: Position,
    spent: LaneRun,
}

impl Run {
    fn tile(&mut self, timing: &mut Timing, tiles: &Tiles, row: usize, column: usize) {
        timing.tile(&mut self.position, tiles, row, column, 0, &mut self.spent);
    }

    /// Does something so many times; once a state comes back, what lies between is
    /// multiplied.
    fn repeat(&mut self, times: u64, mut once: impl FnMut(&mut Run)) {
        let mut seen: FxHashMap<u32, (u64, Run)> = FxHashMap::default();
        let mut done = 0;
        while done < times {
            if self.position.began
                && let Some((first, earlier)) = seen.insert(self.position.state, (done, *self))
            {
                let period = done - first;
                let more = (times - done) / period;
                self.again(&earlier, more);
                done += more * period;
                seen.clear();
                if done == times {
                    break;
                }
            }
            once(self);
            done += 1;
        }
    }

    /// What was done since `earlier`, so many times more.
    fn again(&mut self, earlier: &Run, times: u64) {
        let passed = self.position.base - earlier.position.base;
        self.position.base += times as i64 * passed;
        let mismatch = self.spent.mismatch - earlier.spent.mismatch;
        self.spent.mismatch += times as i64 * mismatch;
        for cause in Cause::ALL {
            let before = earlier.spent.work.of(cause);
            let field = self.spent.work.field(cause);
            *field += times * (*field - before);
        }
    }
}

impl Timing {
    /// Arrays of this size, which have run nothing.
    pub fn new(shape: ArrayShape) -> Timing {
        let mut states = Numbers::default();
        states.number(&Wavefront::new(
            shape.rows as usize,
            shape.columns as usize,
            SUM_STAGES,
        ));
        Timing {
            shape,
            states,
            parts: Numbers::default(),
            after: FxHashMap::default(),
        }
    }

    /// Cycles of a product on the arrays, and what their elements do in them.
    ///
    /// Column tiles of all copies are dealt to the arrays one at a time; each array
    /// runs its own with all row tiles, and those that are done wait for the last.
    pub fn run(&mut self, product: &Operands) -> (u64, Breakdown) {
        let tiles = self.cut(product);
        let mut positions = vec![Position::default(); self.shape.arrays as usize];
        let mut breakdown = Breakdown::default();
        let mut slack = 0;
        let dealt = (0..product.count).flat_map(|_| 0..tiles.columns.len());
        for (index, column) in dealt.enumerate() {
            let position = &mut positions[index % self.shape.arrays as usize];
            for row in 0..tiles.rows.len() {
                let mut run = LaneRun::default();
                self.tile(position, &tiles, row, column, 0, &mut run);
                breakdown.add(&run.work);
                slack += run.mismatch;
            }
        }
        let ends: Vec<u64> = positions
            .iter()
            .map(|position| self.end(position))
            .collect();
        let cycles = ends.iter().copied().max().unwrap_or(0);
        for (position, end) in positions.iter().zip(ends) {
            let (edges, rest) = self.edges(position);
            breakdown.add(&edges);
            slack += rest;
            breakdown.tail += (cycles - end) * self.shape.rows * self.shape.columns;
        }
        breakdown.settle(slack);
        (cycles, breakdown)
    }

    /// Cycles of equal products whose operands have the same width everywhere, of any
    /// size, and what the elements do in them: what repeats until a state comes back is
    /// multiplied.
    ///
    /// Whole column tiles of all copies are dealt to the arrays one at a time, then
    /// those that are not full; each array runs its own with all row tiles.
    pub fn run_uniform(&mut self, gemm: &Gemm, [left, right]: [u8; 2]) -> (u64, Breakdown) {
        let ArrayShape {
            rows,
            columns,
            arrays,
        } = self.shape;
        let rows_of = |lines: u64| (lines / rows, lines % rows);
        let ((full_rows, last_row), (full_columns, last_column)) =
            (rows_of(gemm.m), (gemm.n / columns, gemm.n % columns));
        // The kinds of tiles: whole ones, and those at the ends.
        let sizes = |whole: u64, rest: u64| [whole, rest.max(1)];
        let mut part = |lines: u64, nibbles: u8, size: u64| {
            self.parts_of(&vec![nibbles; lines as usize], size)[0]
        };
        let tiles = Tiles {
            rows: sizes(rows, last_row)
                .map(|lines| part(lines, left, rows))
                .to_vec(),
            columns: sizes(columns, last_column)
                .map(|lines| part(lines, right, columns))
                .to_vec(),
            steps: Steps::Number(gemm.k),
            weight: gemm.k,
        };
        let dealt = |strips: u64, array: u64| strips / arrays + u64::from(array < strips % arrays);
        let mut breakdown = Breakdown::default();
        let mut slack = 0;
        let mut ends = Vec::new();
        for array in 0..arrays {
            let mut run = Run::default();
            let whole = gemm.batch * full_columns;
            let rest = if last_column > 0 { gemm.batch } else { 0 };
            for (column, strips) in [(0, whole), (1, rest)] {
                run.repeat(dealt(strips, array), |run| {
                    run.repeat(full_rows, |run| run.tile(self, &tiles, 0, column));
                    run.repeat(u64::from(last_row > 0), |run| {
                        run.tile(self, &tiles, 1, column)
                    });
                });
            }
            let (edges, rest) = self.edges(&run.position);
            breakdown.add(&run.spent.work);
            breakdown.add(&edges);
            slack += run.spent.mismatch + rest;
            ends.push(self.end(&run.position));
        }
        let cycles = ends.iter().copied().max().unwrap_or(0);
        let idle: u64 = ends.iter().map(|end| cycles - end).sum();
        breakdown.tail += idle * rows * columns;
        breakdown.settle(slack);
        (cycles, breakdown)
    }

    /// Kinds of tiles, each in each state, that have been run, and the elements of the
    /// states.
    pub(crate) fn known(&self) -> usize {
        let elements = self.shape.rows * self.shape.columns;
        self.after.len() + self.states.things.len() * elements as usize / 4
    }

    /// A product as tiles of these arrays.
    pub(crate) fn cut(&mut self, product: &Operands) -> Tiles {
        let ArrayShape { rows, columns, .. } = self.shape;
        let row_parts = self.parts_of(&product.rows, rows);
        let (column_parts, steps, weight) = match &product.columns {
            Columns::Lines(lines, steps) => {
                (self.parts_of(lines, columns), Steps::Number(*steps), *steps)
            }
            Columns::Steps(lines, nibbles) => {
                let weight = nibbles.iter().map(|&n| u64::from(n)).sum();
                let number = self.parts.number(nibbles);
                let lines = vec![1; *lines as usize];
                (
                    self.parts_of(&lines, columns),
                    Steps::Nibbles(number),
                    weight,
                )
            }
        };
        Tiles {
            rows: row_parts,
            columns: column_parts,
            steps,
            weight,
        }
    }

    /// The same tiles with their reductions cut into pieces of about equal length.
    pub(crate) fn pieces(&mut self, whole: &Tiles, pieces: usize) -> Vec<Tiles> {
        let cut = |all: usize, piece: usize| all * piece / pieces;
        let mut all = Vec::with_capacity(pieces);
        for piece in 0..pieces {
            let (steps, weight) = match whole.steps {
                Steps::Number(steps) => {
                    let steps = steps as usize;
                    let steps = (cut(steps, piece + 1) - cut(steps, piece)) as u64;
                    (Steps::Number(steps), steps)
                }
                Steps::Nibbles(number) => {
                    let nibbles = self.parts.of(number);
                    let range = cut(nibbles.len(), piece)..cut(nibbles.len(), piece + 1);
                    let nibbles = nibbles[range].to_vec();
                    let weight = nibbles.iter().map(|&n| u64::from(n)).sum();
                    (Steps::Nibbles(self.parts.number(&nibbles)), weight)
                }
            };
            all.push(Tiles {
                steps,
                weight,
                ..whole.clone()
            });
        }
        all
    }

    fn parts_of(&mut self, lines: &[u8], size: u64) -> Vec<Part> {
        let chunks = lines.chunks(size as usize);
        chunks
            .map(|chunk| Part {
                number: self.parts.number(&chunk.to_vec()),
                lines: chunk.len() as u64,
                most: chunk.iter().map(|&n| u64::from(n)).max().unwrap_or(1),
                sum: chunk.iter().map(|&n| u64::from(n)).sum(),
            })
            .collect()
    }

    /// Runs a tile whose operands are there from cycle `ready` on, and adds to `run`
    /// what that took.
    pub(crate) fn tile(
        &mut self,
        position: &mut Position,
        tiles: &Tiles,
        row: usize,
        column: usize,
        ready: u64,
        run: &mut LaneRun,
    ) {
        let (row, column, weight) = (&tiles.rows[row], &tiles.columns[column], tiles.weight);
        let kind = Kind {
            rows: row.number,
            columns: column.number,
            steps: tiles.steps,
        };
        let elements = self.shape.rows * self.shape.columns;
        if !position.began {
            position.began = true;
            let (rows, columns) = (self.shape.rows, self.shape.columns);
            let skew = rows * (rows - 1) / 2 * columns + columns * (columns - 1) / 2 * rows;
            run.work.fill += elements + skew;
            run.mismatch -= (elements + skew) as i64;
        }
        let (mut state, mut advance) = self.next(position.state, kind, 0);
        let late = ready as i64 - position.base;
        let mut waited = 0;
        if late > 0 {
            let (other, later) = match late > self.memory() {
                true => {
                    let (state, advance) = self.next(FRESH, kind, 0);
                    (state, late + advance)
                }
                false => self.next(position.state, kind, late as u32),
            };
            waited = later - advance;
            (state, advance) = (other, later);
        }
        position.state = state;
        position.base += advance;
        let took = (advance - waited) as u64;
        run.waited += waited as u64;
        let active = row.sum * column.sum * weight;
        // The results of the tile before leave in R + 1 cycles at the least.
        let slowest = row.most * column.most * weight;
        let drain = (self.shape.rows + 1).min(took).saturating_sub(slowest);
        let tail = (took - drain) * (elements - row.lines * column.lines);
        run.work.active += active;
        run.work.drain += drain * elements;
        run.work.tail += tail;
        run.mismatch += (took * elements) as i64 - (active + drain * elements + tail) as i64;
    }

    /// Cycles for which an array remembers what it ran: no element lags behind the
    /// first by more than two products for each hop, and results leave in 2 R + 2.
    fn memory(&self) -> i64 {
        let ArrayShape { rows, columns, .. } = self.shape;
        (8 * (rows + columns) + 2 * rows + 16) as i64
    }

    fn next(&mut self, state: u32, kind: Kind, late: u32) -> (u32, i64) {
        let key = (state, kind, late);
        match self.after.get(&key) {
            Some(&known) => known,
            None => {
                let found = self.walk(state, kind, late);
                self.after.insert(key, found);
                found
            }
        }
    }

    fn walk(&mut self, state: u32, kind: Kind, late: u32) -> (u32, i64) {
        let mut array = self.states.of(state).clone();
        // Zeros of 4 bits fill the array.
        let filled = |lines: &Vec<u8>, size: u64| {
            let mut lines = lines.clone();
            lines.resize(size as usize, 1);
            lines
        };
        let rows = Nibbles::Lines(filled(self.parts.of(kind.rows), self.shape.rows));
        let lines = self.parts.of(kind.columns);
        let tile = match kind.steps {
            Steps::Number(steps) => Tile {
                steps: steps as usize,
                rows,
                columns: Nibbles::Lines(filled(lines, self.shape.columns)),
            },
            Steps::Nibbles(number) => {
                let steps = self.parts.of(number);
                let columns = match lines.len() == self.shape.columns as usize {
                    true => Nibbles::Steps(steps.clone()),
                    false => {
                        let mut each = vec![steps.clone(); lines.len()];
                        each.resize(self.shape.columns as usize, vec![1; steps.len()]);
                        Nibbles::Each(each)
                    }
                };
                Tile {
                    steps: steps.len(),
                    rows,
                    columns,
                }
            }
        };
        let before = array.base();
        array.run_from(&tile, before + i64::from(late));
        let advance = array.settle() - before;
        (self.states.number(&array), advance)
    }

    /// The cycle in which an array's last result has left.
    pub(crate) fn end(&self, position: &Position) -> u64 {
        if !position.began {
            return 0;
        }
        let array = self.states.of(position.state);
        (position.base + array.cycles() - array.base()) as u64
    }

    /// What is left to say of an array at its end: the drain of its last tile, and
    /// what its elements waited for one another.
    pub(crate) fn edges(&self, position: &Position) -> (Breakdown, i64) {
        if !position.began {
            return Default::default();
        }
        let array = self.states.of(position.state);
        let drain = array.drain_cycles() as u64;
        let elements = self.shape.rows * self.shape.columns;
        let behind = (array.cycles() - array.base()) as u64 * elements;
        let breakdown = Breakdown {
            drain,
            ..Breakdown::default()
        };
        (breakdown, behind as i64 - drain as i64)
    }
}

/// Things by number.
#[derive(Debug)]
struct Numbers<T> {
    numbers: FxHashMap<T, u32>,
    things: Vec<T>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers {
            numbers: FxHashMap::default(),
            things: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Numbers<T> {
    fn number(&mut self, thing: &T) -> u32 {
        if let Some(&number) = self.numbers.get(thing) {
            return number;
        }
        let number = self.things.len() as u32;
        self.numbers.insert(thing.clone(), number);
        self.things.push(thing.clone());
        number
    }

    fn of(&self, number: u32) -> &T {
        &self.things[number as usize]
    }
}
