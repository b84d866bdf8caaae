//! Products cut into the tiles of an output-stationary array, in closed form.
//!
//! A tile is R rows by C columns of the result. Its elements work in lock-step:
//! each of its steps takes as long as its slowest product, `row factor x column
//! factor x step factor` for the highest factors that meet in it. So rows (and
//! columns) of tiles are told apart only by their highest factor, and a product
//! is a few classes of equal tiles, however many tiles it has.

use crate::AccelError;
use crate::machine::check;
use crate::report::Breakdown;

/// The most elements that a machine has: far above any, far below what could
/// overflow a count of element-cycles.
const MOST_ELEMENTS: u64 = 1 << 15;

/// An output-stationary array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayShape {
    /// Rows of elements.
    pub rows: u64,
    /// Columns of elements.
    pub columns: u64,
    /// Equal arrays side by side.
    pub arrays: u64,
}

impl ArrayShape {
    /// That the sizes in `[array]` can be.
    ///
    /// # Errors
    /// [`AccelError::Value`] naming the key.
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::between("array.rows", self.rows, 1, 256)?;
        check::between("array.columns", self.columns, 1, 256)?;
        check::between("array.arrays", self.arrays, 1, 256)?;
        let key = "array.rows x columns x arrays";
        check::between(key, self.elements(), 1, MOST_ELEMENTS)
    }

    /// Elements of all arrays.
    pub fn elements(&self) -> u64 {
        self.rows * self.columns * self.arrays
    }
}

/// Tiles along one side of a product with the same highest factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The highest factor of a line: cycles that it adds to a product.
    pub factor: u64,
    /// Number of tiles.
    pub tiles: u64,
    /// Rows (or columns) of the product in them.
    pub lines: u64,
    /// Sum of the factors of these lines.
    pub factors: u64,
}

/// One side of a product, cut into tiles: its classes, slowest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    classes: Vec<Class>,
}

impl Side {
    /// Cuts lines, given by their factors in the order in which they enter,
    /// into tiles of `size` lines. Padding of the last tile has factor 1.
    pub fn cut(factors: &[u64], size: u64) -> Side {
        let mut side = Side::default();
        for tile in factors.chunks(size as usize) {
            let factor = tile.iter().copied().max().unwrap_or(1);
            side.add(Class {
                factor,
                tiles: 1,
                lines: tile.len() as u64,
                factors: tile.iter().sum(),
            });
        }
        side
    }

    /// Cuts `lines` lines of the same factor.
    pub fn uniform(lines: u64, factor: u64, size: u64) -> Side {
        let mut side = Side::default();
        if lines > 0 {
            side.add(Class {
                factor,
                tiles: lines.div_ceil(size),
                lines,
                factors: lines * factor,
            });
        }
        side
    }

    fn add(&mut self, class: Class) {
        match self
            .classes
            .iter_mut()
            .find(|known| known.factor == class.factor)
        {
            Some(known) => {
                known.tiles += class.tiles;
                known.lines += class.lines;
                known.factors += class.factors;
            }
            None => {
                self.classes.push(class);
                self.classes.sort_by_key(|class| u64::MAX - class.factor);
            }
        }
    }

    /// The classes, slowest first.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Number of tiles.
    pub fn tiles(&self) -> u64 {
        self.classes.iter().map(|class| class.tiles).sum()
    }

    /// Number of lines.
    pub fn lines(&self) -> u64 {
        self.classes.iter().map(|class| class.lines).sum()
    }

    /// Sum of the factors of all lines.
    pub fn factors(&self) -> u64 {
        self.classes.iter().map(|class| class.factors).sum()
    }
}

/// Cycles of a sequence of tiles that follow one another without a gap, given
/// as runs of equal tiles `(cycles of one, number)`.
///
/// A tile of an array of R rows takes at least R + 1 cycles, because the
/// results of the tile before it drain that long; only the first drains after
/// nothing. The first product of element (r, c) starts at cycle 1 + r + c, the
/// done-chain of the last column ends R + C cycles after the last tile's
/// products, and the last results leave R cycles later: 2 R + C cycles of edges.
/// This equals the recurrence of the handshaked array exactly where all
/// elements of a tile cost the same in each step, costs of steps may differ;
/// where they do not, it is an upper bound (the recurrence is monotone in the
/// costs), and at most C - 1 cycles too high, plus 2 (R + C - 2) steps for each
/// border between tiles: so far can the elements upstream run ahead.
pub fn sequence(shape: ArrayShape, runs: impl IntoIterator<Item = (u64, u64)>) -> Sequence {
    let mut sequence = Sequence::default();
    for (cycles, tiles) in runs {
        if tiles == 0 {
            continue;
        }
        let first = u64::from(sequence.edges == 0);
        let short = (shape.rows + 1).saturating_sub(cycles);
        sequence.products += cycles * tiles;
        sequence.drain += short * (tiles - first);
        sequence.edges = 2 * shape.rows + shape.columns;
    }
    sequence
}

/// The cycles of a sequence of tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Cycles of the tiles' products.
    pub products: u64,
    /// Cycles by which tiles are too short for the drain before them.
    pub drain: u64,
    /// Cycles before the first product and after the last.
    pub edges: u64,
}

impl Sequence {
    /// All cycles.
    pub fn cycles(&self) -> u64 {
        self.products + self.drain + self.edges
    }
}

/// `count` equal products on an array: rows, columns, and the sum of the factors
/// of the steps of the reduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TiledProduct {
    /// Equal products: the heads.
    pub count: u64,
    /// Rows of the result.
    pub rows: Side,
    /// Columns of the result.
    pub columns: Side,
    /// Sum of the factors along the reduction; its length where all are 1.
    pub steps: u64,
}

impl TiledProduct {
    /// Cycles on an array, and what its elements do in them.
    ///
    /// Column tiles of all copies are dealt to the arrays, slowest first, one
    /// at a time; each array runs its own with all row tiles. The array that
    /// begins has the most, and the others wait for it. Of tiles too short for
    /// the drain the slowest counts as the first, whatever the order.
    pub fn run(&self, shape: ArrayShape) -> (u64, Breakdown) {
        let per_array = shape.rows * shape.columns;
        let mut breakdown = Breakdown::default();
        let mut runs = Vec::new();
        let mut all_products = 0;
        let (mut dealt, mut given) = (0, 0);
        for column in self.columns.classes() {
            dealt += column.tiles * self.count;
            let share = dealt.div_ceil(shape.arrays) - given;
            given += share;
            for row in self.rows.classes() {
                let cycles = row.factor * column.factor * self.steps;
                let tiles = row.tiles * column.tiles * self.count;
                let products = row.lines * column.lines * self.count;
                let own = row.factors * column.factors * self.count * self.steps;
                breakdown.active += own;
                breakdown.speed_mismatch += cycles * products - own;
                breakdown.tail += cycles * (tiles * per_array - products);
                all_products += cycles * tiles;
                runs.push((cycles, row.tiles * share));
            }
        }
        let sequence = sequence(shape, runs);
        breakdown.tail += (shape.arrays * sequence.products - all_products) * per_array;
        breakdown.fill_drain += (sequence.drain + sequence.edges) * shape.elements();
        (sequence.cycles(), breakdown)
    }

    /// Products with zeros that pad partial tiles, for `k` steps.
    pub fn padding_products(&self, shape: ArrayShape, k: u64) -> u64 {
        let padded = self.rows.tiles() * shape.rows * self.columns.tiles() * shape.columns;
        (padded - self.rows.lines() * self.columns.lines()) * k * self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ArrayShape = ArrayShape {
        rows: 4,
        columns: 8,
        arrays: 1,
    };

    #[test]
    fn a_slow_line_drags_its_tile_only() {
        let side = Side::cut(&[1, 1, 2, 1, 1, 1], 4);
        let expected = [
            Class {
                factor: 2,
                tiles: 1,
                lines: 4,
                factors: 5,
            },
            Class {
                factor: 1,
                tiles: 1,
                lines: 2,
                factors: 2,
            },
        ];
        assert_eq!(side.classes(), expected);
    }

    #[test]
    fn every_element_cycle_is_attributed() {
        for arrays in [1, 3, 8] {
            let shape = ArrayShape { arrays, ..SHAPE };
            for steps in [1, 5, 64] {
                let product = TiledProduct {
                    count: 3,
                    rows: Side::cut(&[2, 1, 1, 1, 1, 2, 1, 1, 1], 4),
                    columns: Side::cut(&[1; 11], 8),
                    steps,
                };
                let (cycles, breakdown) = product.run(shape);
                assert_eq!(breakdown.total(), cycles * shape.elements());
                assert_eq!(breakdown.active, 3 * 11 * 11 * steps);
            }
        }
    }

    #[test]
    fn arrays_get_the_slow_tiles_first_and_one_at_a_time() {
        // Two slow columns of tiles and three fast ones.
        let product = TiledProduct {
            count: 1,
            rows: Side::uniform(4, 1, 4),
            columns: Side::cut(&[[2; 16].as_slice(), &[1; 24]].concat(), 8),
            steps: 100,
        };
        let products = |arrays| {
            let shape = ArrayShape { arrays, ..SHAPE };
            product.run(shape).0 - 2 * 4 - 8
        };
        assert_eq!(products(1), 2 * 200 + 3 * 100);
        assert_eq!(products(2), 200 + 2 * 100);
        assert_eq!(products(3), 200 + 100);
        assert_eq!(products(5), 200);
    }

    #[test]
    fn short_tiles_wait_for_the_drain_except_the_first() {
        let time = sequence(SHAPE, [(2, 3)]);
        assert_eq!(time.products, 6);
        assert_eq!(time.drain, 2 * 3);
        assert_eq!(time.edges, 16);
    }
}
