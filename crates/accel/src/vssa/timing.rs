//! The exact cycles of a product on variable-speed arrays.
//!
//! A product is many tiles, but few kinds of tiles, and an array that runs tiles of
//! the same kind again and again soon is in the same state whenever one ends. So
//! states are numbered, and how a kind of tile leads from one state to another,
//! and in how many cycles, is computed once ([`Wavefront`]) and looked up from then
//! on.

use std::collections::HashMap;
use std::hash::Hash;

use crate::array_shape::ArrayShape;
use crate::report::Breakdown;
use crate::vssa::wavefront::{Nibbles, Tile, Wavefront};

/// Stages between product and sum of the element that the machines have,
/// `rtl/src/sum_gated.sv`.
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
    after: HashMap<(u32, Kind), (u32, i64)>,
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
struct Position {
    state: u32,
    base: i64,
    tiles: u64,
    active: u64,
    tail: u64,
    drain: u64,
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
            after: HashMap::new(),
        }
    }

    /// Cycles of a product on the arrays, and what their elements do in them.
    ///
    /// Column tiles of all copies are dealt to the arrays one at a time; each array
    /// runs its own with all row tiles, and those that are done wait for the last.
    pub fn run(&mut self, product: &Operands) -> (u64, Breakdown) {
        let ArrayShape {
            rows,
            columns,
            arrays,
        } = self.shape;
        let row_parts = self.cut(&product.rows, rows);
        let (column_parts, steps, weight) = match &product.columns {
            Columns::Lines(lines, steps) => {
                (self.cut(lines, columns), Steps::Number(*steps), *steps)
            }
            Columns::Steps(lines, nibbles) => {
                let weight = nibbles.iter().map(|&n| u64::from(n)).sum();
                let number = self.parts.number(nibbles);
                let lines = vec![1; *lines as usize];
                (self.cut(&lines, columns), Steps::Nibbles(number), weight)
            }
        };
        let mut positions = vec![Position::default(); arrays as usize];
        let dealt = (0..product.count).flat_map(|_| &column_parts);
        for (index, column) in dealt.enumerate() {
            let position = &mut positions[index % arrays as usize];
            for row in &row_parts {
                self.tile(position, row, column, steps, weight);
            }
        }
        self.end(&positions)
    }

    fn cut(&mut self, lines: &[u8], size: u64) -> Vec<Part> {
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

    /// `weight` is the sum of the steps' nibbles.
    fn tile(
        &mut self,
        position: &mut Position,
        row: &Part,
        column: &Part,
        steps: Steps,
        weight: u64,
    ) {
        let kind = Kind {
            rows: row.number,
            columns: column.number,
            steps,
        };
        let key = (position.state, kind);
        let (state, advance) = match self.after.get(&key) {
            Some(&known) => known,
            None => {
                let found = self.walk(position.state, kind);
                self.after.insert(key, found);
                found
            }
        };
        position.state = state;
        position.base += advance;
        position.tiles += 1;
        position.active += row.sum * column.sum * weight;
        // The results of the tile before leave in R + 1 cycles at the least.
        let slowest = row.most * column.most * weight;
        let drain = (self.shape.rows + 1)
            .min(advance as u64)
            .saturating_sub(slowest);
        let elements = self.shape.rows * self.shape.columns;
        position.drain += drain * elements;
        position.tail += (advance as u64 - drain) * (elements - row.lines * column.lines);
    }

    fn walk(&mut self, state: u32, kind: Kind) -> (u32, i64) {
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
        array.run(&tile);
        let advance = array.settle() - before;
        (self.states.number(&array), advance)
    }

    /// The cycles of the slowest array.
    fn end(&self, positions: &[Position]) -> (u64, Breakdown) {
        let ends: Vec<u64> = positions
            .iter()
            .map(|position| self.cycles(position))
            .collect();
        let cycles = ends.iter().copied().max().unwrap_or(0);
        let elements = self.shape.rows * self.shape.columns;
        let mut breakdown = Breakdown::default();
        for (position, end) in positions.iter().zip(ends) {
            let edges = match position.tiles {
                0 => 0,
                _ => self.states.of(position.state).edges() as u64,
            };
            let fill_drain = edges + position.drain;
            let idle = end * elements - position.active;
            let fill_drain = fill_drain.min(idle);
            let rest = idle - fill_drain;
            let tail = position.tail.min(rest);
            breakdown.active += position.active;
            breakdown.fill_drain += fill_drain;
            breakdown.tail += tail + (cycles - end) * elements;
            breakdown.speed_mismatch += rest - tail;
        }
        (cycles, breakdown)
    }

    fn cycles(&self, position: &Position) -> u64 {
        if position.tiles == 0 {
            return 0;
        }
        let array = self.states.of(position.state);
        (position.base + array.cycles() - array.base()) as u64
    }
}

/// Things by number.
#[derive(Debug)]
struct Numbers<T> {
    numbers: HashMap<T, u32>,
    things: Vec<T>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers {
            numbers: HashMap::new(),
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
