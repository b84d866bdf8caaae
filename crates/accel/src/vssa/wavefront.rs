//! The exact timing of the variable-speed array: the cycle in which every element
//! takes every operand, and in which every sum leaves.
//!
//! Element (r, c) takes its operands of step t, counted on across tiles, in cycle
//! L(r, c, t), the maximum of
//!
//! * L(r, c, t - 1) + cost(r, c, t - 1): its multiplier is free;
//! * L(r, c - 1, t) + 1 and L(r - 1, c, t) + 1: the operands are there;
//! * L(r, c + 1, t - D) + e and L(r + 1, c, t - D) + e: its neighbours have room,
//!   with hops of depth D = 2 and a "ready" that is registered, e = 1;
//! * where a tile begins, M(r, c, k) - p: the sum of the tile before has moved to
//!   the shadow, or is about to, with p stages between product and sum;
//!
//! and rows and columns are fed through hops of the same kind, from the cycle in
//! which an operand arrives. With S(c, k) the cycle in which column c begins to
//! drain tile k,
//!
//! * M(r, c, k) = max(L(last step of k) + cost + p, S(c, k - 1) + r + 1), and
//! * G(r) = max(M(r, c, k), G(r - 1)) + 1, S(c, k) = G(R - 1): the token that runs
//!   down the column. Row r leaves in cycle S(c, k) + R - 1 - r.
//!
//! In the wave w = r + c + t all of this is independent, and what a step needs of
//! its four neighbours is what they did last: so a wave is one pass over the grid
//! of elements, whose inner loop runs along a row. Where costs are the same at
//! all steps of a tile, the grid soon advances by the same number of cycles in
//! each wave; from then on the rest of the tile is one addition.

/// Depth of a hop: operands that wait in front of an element.
pub const DEPTH: usize = 2;

/// Cycles after which a sender sees that a hop has room again.
pub const READY: i32 = 1;

/// Long ago, and far from overflow.
const NEVER: i32 = i32::MIN / 4;

/// The times of a tile are kept below this, relative to its beginning.
const FAR: i32 = 1 << 29;

/// The cycle that an array counts from which has run for long.
const LONG: i64 = 1 << 40;

/// Nibbles of the operands along one side of a tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Nibbles {
    /// One number a line, the same at all steps.
    Lines(Vec<u8>),
    /// One number a step, the same in all lines.
    Steps(Vec<u8>),
    /// A number for each line and step, line by line.
    Each(Vec<Vec<u8>>),
}

/// A tile of the array: what each product of it costs. An element takes row
/// nibbles x column nibbles cycles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Steps of the reduction, at least one.
    pub steps: usize,
    /// Nibbles of the operands of rows.
    pub rows: Nibbles,
    /// Nibbles of the operands of columns.
    pub columns: Nibbles,
}

/// The cycles in which the operands of a tile arrive at the edges, by line and
/// step. Each line's cycles rise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// Of rows.
    pub rows: Vec<Vec<i64>>,
    /// Of columns.
    pub columns: Vec<Vec<i64>>,
}

/// An array between two tiles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wavefront {
    rows: usize,
    columns: usize,
    sum_stages: i32,
    /// All times below count from here.
    base: i64,
    /// The last take of each element, with the feeders left and above and a
    /// border of [`NEVER`] right and below: (rows + 2) x (columns + 2).
    last: Vec<i32>,
    /// The take before it, and the cost of the last product: rows x columns.
    before: Vec<i32>,
    cost: Vec<i32>,
    /// When each element's last sum moved, and when each column began to drain.
    moved: Vec<i32>,
    drain: Vec<i32>,
}

impl Wavefront {
    /// An array that has not run yet; its first operands may arrive in cycle 0.
    /// `sum_stages` are the stages between product and sum.
    ///
    /// # Panics
    /// If the array has no element.
    pub fn new(rows: usize, columns: usize, sum_stages: i32) -> Wavefront {
        assert!(rows > 0 && columns > 0, "an array without elements");
        let grid = rows * columns;
        Wavefront {
            rows,
            columns,
            sum_stages,
            base: 0,
            last: vec![NEVER; (rows + 2) * (columns + 2)],
            before: vec![NEVER; grid],
            cost: vec![1; grid],
            moved: vec![NEVER; grid],
            drain: vec![NEVER; columns],
        }
    }

    /// Runs a tile whose operands are always there.
    ///
    /// # Panics
    /// If the tile has other numbers of lines than the array, or no steps.
    pub fn run(&mut self, tile: &Tile) {
        self.tile(tile, 0, None);
    }

    /// Runs a tile whose operands are all there from a cycle on.
    pub(super) fn run_from(&mut self, tile: &Tile, cycle: i64) {
        self.tile(tile, cycle, None);
    }

    /// Runs a tile whose operands arrive when `arrivals` says.
    ///
    /// # Panics
    /// As [`run`](Wavefront::run).
    pub fn run_arriving(&mut self, tile: &Tile, arrivals: &Arrivals) {
        self.tile(tile, 0, Some(arrivals));
    }

    /// Forgets when the array began, which an array that has run a tile does not
    /// depend on any more: two arrays are equal then if what they run next takes
    /// them equally long. Returns the cycle of the first element's last take, in
    /// the count that it leaves.
    pub(super) fn settle(&mut self) -> i64 {
        let stride = self.columns + 2;
        self.shift(-i64::from(self.last[stride + 1]), true);
        self.last[..stride].fill(NEVER);
        for row in 1..=self.rows {
            self.last[row * stride] = NEVER;
        }
        std::mem::replace(&mut self.base, LONG)
    }

    /// The cycle that an array's own times count from.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// The cycles, over all elements, after their last product, in an array that ran
    /// and is at its end.
    pub(super) fn drain_cycles(&self) -> i64 {
        let stride = self.columns + 2;
        let end = self.cycles() - self.base;
        let mut cycles = 0;
        for row in 0..self.rows {
            for column in 0..self.columns {
                let last = self.last[(row + 1) * stride + column + 1];
                let done = last + self.cost[row * self.columns + column];
                cycles += end - i64::from(done);
            }
        }
        cycles
    }

    /// The cycle in which a column began to drain the last tile: its row r left
    /// R - 1 - r cycles later.
    pub fn drained(&self, column: usize) -> i64 {
        self.base + i64::from(self.drain[column])
    }

    /// The number of cycles until the last sum has left.
    pub fn cycles(&self) -> i64 {
        let last = self.drain.iter().copied().max().unwrap_or(0);
        self.base + i64::from(last) + self.rows as i64
    }
}

impl Wavefront {
    fn tile(&mut self, tile: &Tile, from: i64, arrivals: Option<&Arrivals>) {
        let steps = tile.steps;
        assert!(steps > 0, "a tile without steps");
        self.rebase();
        let costs = Costs {
            rows: Factors::new(&tile.rows, self.rows, steps, false),
            columns: Factors::new(&tile.columns, self.columns, steps, true),
        };
        let steady = costs.are_steady() && arrivals.is_none();
        let begun = self.rows + self.columns - 1;
        self.feed_from(from);
        let mut buffers = Buffers {
            own: vec![0; self.columns + 2],
            above: vec![0; self.columns + 2],
        };
        let waves = steps + begun - 1;
        let mut wave = 0;
        while wave < waves {
            if let Some(arrivals) = arrivals {
                self.feed(arrivals, wave, steps);
            }
            let advance = self.wave(wave, steps, &costs, &mut buffers);
            wave += 1;
            // The last step of element (0, 0) is in wave `steps` - 1.
            if steady
                && wave > begun
                && wave + 1 < steps
                && let Some(advance) = advance
            {
                let skipped = steps - 1 - wave;
                self.shift(-i64::from(advance) * skipped as i64, false);
                wave += skipped;
            }
        }
        self.end();
    }

    /// Operands are there from a cycle on.
    fn feed_from(&mut self, cycle: i64) {
        let start = i32::try_from(cycle - self.base).unwrap_or(NEVER).max(NEVER);
        let stride = self.columns + 2;
        self.last[..stride].fill(start);
        for row in 1..=self.rows {
            self.last[row * stride] = start;
        }
    }

    /// Operands arrive. The hops at the edges delay none: an element takes one
    /// step a cycle at most, and by the time that it takes step t - 1 there has
    /// been room for step t.
    fn feed(&mut self, arrivals: &Arrivals, wave: usize, steps: usize) {
        let stride = self.columns + 2;
        let relative =
            |cycle: i64| (cycle - self.base).clamp(i64::from(NEVER), i64::from(FAR)) as i32;
        for (row, cycles) in arrivals.rows.iter().enumerate() {
            if let Some(step) = wave.checked_sub(row).filter(|&step| step < steps) {
                self.last[(row + 1) * stride] = relative(cycles[step]);
            }
        }
        for (column, cycles) in arrivals.columns.iter().enumerate() {
            if let Some(step) = wave.checked_sub(column).filter(|&step| step < steps) {
                self.last[column + 1] = relative(cycles[step]);
            }
        }
    }

    /// One wave of a tile: element (r, c) takes step `wave` - r - c, where it has
    /// one. Returns by how much all elements advanced, if all did so by the same.
    fn wave(
        &mut self,
        wave: usize,
        steps: usize,
        costs: &Costs,
        buffers: &mut Buffers,
    ) -> Option<i32> {
        let stride = self.columns + 2;
        let top = (wave + 1).saturating_sub(self.columns + steps - 1);
        let bottom = wave.min(self.rows - 1);
        let Buffers { own, above } = buffers;
        above.copy_from_slice(&self.last[top * stride..][..stride]);
        let (mut least, mut most) = (i32::MAX, i32::MIN);
        for row in top..=bottom {
            let first = wave - row;
            let begin = (first + 1).saturating_sub(steps);
            let end = (first + 1).min(self.columns);
            let (upper, lower) = self.last.split_at_mut((row + 2) * stride);
            let line = &mut upper[(row + 1) * stride..];
            own.copy_from_slice(line);

            // Column c stands at c + 1, behind the feeder.
            if first < self.columns {
                let (element, c) = (row * self.columns + first, first + 1);
                let right = match first + 1 < self.columns {
                    true => self.before[element + 1],
                    false => NEVER,
                };
                let down = match row + 1 < self.rows {
                    true => self.before[element + self.columns],
                    false => NEVER,
                };
                line[c] = (own[c] + self.cost[element])
                    .max(own[c - 1].max(above[c]) + 1)
                    .max(right.max(down) + READY)
                    .max(self.moved[element] - self.sum_stages);
            }
            let later = begin..end.min(first);
            if !later.is_empty() {
                let (start, number) = (later.start, later.len());
                let inputs = Neighbours {
                    own: &own[start..start + number + 2],
                    above: &above[start + 1..][..number],
                    below: &lower[start + 1..][..number],
                };
                let range = costs.advance(
                    row,
                    first - 1,
                    start,
                    inputs,
                    &mut line[start + 1..][..number],
                );
                least = least.min(range.0);
                most = most.max(range.1);
            }
            if begin < end && first + 1 - begin == steps {
                let element = row * self.columns + begin;
                self.before[element] = own[begin + 1];
                self.cost[element] = costs.of(row, begin, steps - 1);
            }
            std::mem::swap(own, above);
        }
        (least == most).then_some(least)
    }

    /// The sums of the tile move to the shadows, and the columns drain.
    fn end(&mut self) {
        let stride = self.columns + 2;
        for column in 0..self.columns {
            let mut token = NEVER;
            for row in 0..self.rows {
                let element = row * self.columns + column;
                let done = self.last[(row + 1) * stride + column + 1] + self.cost[element];
                let moved = (done + self.sum_stages).max(self.drain[column] + row as i32 + 1);
                self.moved[element] = moved;
                token = token.max(moved) + 1;
            }
            self.drain[column] = token;
        }
    }

    /// Counts from a cycle near the last takes, so that no time overflows.
    fn rebase(&mut self) {
        let first = self.last[self.columns + 3];
        if first > 0 {
            self.shift(-i64::from(first), true);
        }
    }

    /// Counts all times from `-by` cycles later; of an array in the middle of a
    /// tile its elements' takes stay, because they have advanced as much.
    fn shift(&mut self, by: i64, takes: bool) {
        self.base -= by;
        let shift = |times: &mut [i32]| {
            for time in times {
                *time = (i64::from(*time) + by).max(i64::from(NEVER)) as i32;
            }
        };
        shift(&mut self.drain);
        shift(&mut self.moved);
        shift(&mut self.before);
        if takes {
            shift(&mut self.last);
        }
    }
}

/// The rows that a wave works on, as they were before it.
struct Buffers {
    own: Vec<i32>,
    above: Vec<i32>,
}

/// What elements of a row see of their neighbours: `own` begins one element to
/// the left and ends one to the right.
struct Neighbours<'a> {
    own: &'a [i32],
    above: &'a [i32],
    below: &'a [i32],
}

/// One side's share in what products cost, so laid out that the elements of a row
/// in one wave find theirs side by side.
enum Factors {
    Lines(Vec<i32>),
    /// The last step first: column c of a wave is one step behind column c - 1.
    Steps(Vec<i32>),
    /// Rows: each as `Steps`.
    Rows(Vec<Vec<i32>>),
    /// Columns: wave by wave.
    Waves(Vec<Vec<i32>>),
}

impl Factors {
    fn new(nibbles: &Nibbles, lines: usize, steps: usize, columns: bool) -> Factors {
        let reversed = |line: &[u8]| {
            assert_eq!(line.len(), steps, "nibbles for each step of a tile");
            line.iter().rev().map(|&n| i32::from(n)).collect()
        };
        match nibbles {
            Nibbles::Lines(line) => {
                assert_eq!(line.len(), lines, "nibbles for each line of the array");
                Factors::Lines(line.iter().map(|&n| i32::from(n)).collect())
            }
            Nibbles::Steps(line) => Factors::Steps(reversed(line)),
            Nibbles::Each(each) => {
                assert_eq!(each.len(), lines, "nibbles for each line of the array");
                if !columns {
                    return Factors::Rows(each.iter().map(|line| reversed(line)).collect());
                }
                let at = |wave: usize, column: usize| {
                    let step = wave.checked_sub(column);
                    step.and_then(|step| each[column].get(step))
                        .map_or(1, |&n| i32::from(n))
                };
                let wave = |wave| (0..lines).map(|column| at(wave, column)).collect();
                Factors::Waves((0..steps + lines).map(wave).collect())
            }
        }
    }

    /// Of one line at one step.
    fn of(&self, line: usize, step: usize) -> i32 {
        match self {
            Factors::Lines(lines) => lines[line],
            Factors::Steps(steps) => steps[steps.len() - 1 - step],
            Factors::Rows(rows) => rows[line][rows[line].len() - 1 - step],
            Factors::Waves(waves) => waves[step + line][line],
        }
    }
}

struct Costs {
    rows: Factors,
    columns: Factors,
}

impl Costs {
    fn are_steady(&self) -> bool {
        matches!(
            (&self.rows, &self.columns),
            (Factors::Lines(_), Factors::Lines(_))
        )
    }

    fn of(&self, row: usize, column: usize, step: usize) -> i32 {
        self.rows.of(row, step) * self.columns.of(column, step)
    }

    /// The takes of elements of a row from column `start` on, each of which began
    /// its last product in step `step` - column. Returns the least and the most
    /// by which they advance.
    fn advance(
        &self,
        row: usize,
        step: usize,
        start: usize,
        seen: Neighbours<'_>,
        takes: &mut [i32],
    ) -> (i32, i32) {
        let number = takes.len();
        // Column c of the wave is at place c + steps - 1 - step of a reversed line.
        let reversed = |line: &[i32]| {
            let place = start + line.len() - 1 - step;
            place..place + number
        };
        let columns = match &self.columns {
            Factors::Lines(lines) => &lines[start..start + number],
            Factors::Steps(line) => &line[reversed(line)],
            Factors::Rows(_) => unreachable!("columns are laid out by wave"),
            Factors::Waves(waves) => &waves[step][start..start + number],
        };
        match &self.rows {
            Factors::Lines(lines) => {
                let row = lines[row];
                advance(seen, columns.iter().map(|column| row * column), takes)
            }
            Factors::Steps(line) => by_step(&line[reversed(line)], columns, seen, takes),
            Factors::Rows(rows) => {
                let line = &rows[row];
                by_step(&line[reversed(line)], columns, seen, takes)
            }
            Factors::Waves(_) => unreachable!("rows are laid out by line"),
        }
    }
}

fn by_step(rows: &[i32], columns: &[i32], seen: Neighbours<'_>, takes: &mut [i32]) -> (i32, i32) {
    let costs = rows.iter().zip(columns).map(|(row, column)| row * column);
    advance(seen, costs, takes)
}

fn advance(
    seen: Neighbours<'_>,
    costs: impl Iterator<Item = i32>,
    takes: &mut [i32],
) -> (i32, i32) {
    let number = takes.len();
    let (left, own, right) = (
        &seen.own[..number],
        &seen.own[1..][..number],
        &seen.own[2..][..number],
    );
    let (above, below) = (&seen.above[..number], &seen.below[..number]);
    let (mut least, mut most) = (i32::MAX, i32::MIN);
    for (c, (take, cost)) in takes.iter_mut().zip(costs).enumerate() {
        let operands = left[c].max(above[c]) + 1;
        let room = right[c].max(below[c]) + READY;
        *take = (own[c] + cost).max(operands).max(room);
        least = least.min(*take - own[c]);
        most = most.max(*take - own[c]);
    }
    (least, most)
}
