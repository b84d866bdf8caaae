//! The variable-speed array event by event: queues, multipliers, sums, tokens and
//! shadows, cycle after cycle. Slow on purpose, and written without the recurrence
//! that it is held against.

use std::collections::VecDeque;

use dtatrans_accel::vssa::wavefront::{Arrivals, Nibbles, Tile};

/// An element.
#[derive(Clone, Default)]
struct Element {
    /// Steps whose operands wait in its hops.
    row_hop: VecDeque<usize>,
    column_hop: VecDeque<usize>,
    next_step: usize,
    /// The first cycle in which its multiplier is free.
    free: i64,
    /// Tiles whose sum is there from a cycle on, and has not moved.
    sums: VecDeque<(usize, i64)>,
    /// The row and tile that its shadow holds.
    shadow: Option<(usize, usize)>,
    /// The tiles that it, and those of the rows above too, have moved.
    moved: usize,
    token: usize,
}

/// The hops and the stages of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    pub(crate) depth: usize,
    /// Whether a sender sees a pop only one cycle later.
    pub(crate) registered: bool,
    pub(crate) sum_stages: i64,
}

/// The cycles in which sums leave, by tile, row and column.
pub(crate) fn run(
    rows: usize,
    columns: usize,
    design: Design,
    tiles: &[Tile],
    arrivals: &[Arrivals],
) -> Vec<Vec<Vec<i64>>> {
    let ends: Vec<usize> = tiles
        .iter()
        .scan(0, |end, tile| {
            *end += tile.steps;
            Some(*end)
        })
        .collect();
    let steps = *ends.last().unwrap();
    let tile_of = |step: usize| ends.iter().position(|&end| step < end).unwrap();
    let within = |step: usize| {
        let tile = tile_of(step);
        (tile, step - (ends[tile] - tiles[tile].steps))
    };
    let cost = |row: usize, column: usize, step: usize| {
        let (tile, step) = within(step);
        let of = |nibbles: &Nibbles, line: usize| match nibbles {
            Nibbles::Lines(lines) => lines[line],
            Nibbles::Steps(steps) => steps[step],
            Nibbles::Each(each) => each[line][step],
        };
        i64::from(of(&tiles[tile].rows, row) * of(&tiles[tile].columns, column))
    };
    let mut grid = vec![vec![Element::default(); columns]; rows];
    let mut fed_rows = vec![0; rows];
    let mut fed_columns = vec![0; columns];
    // The tile that a column drains, and how many rows of it have left.
    let mut drains: Vec<Option<(usize, usize)>> = vec![None; columns];
    let mut drained = vec![0; columns];
    let mut out = vec![vec![vec![-1; columns]; rows]; tiles.len()];
    let mut cycle = 0;
    while drained.iter().any(|&tiles_out| tiles_out < tiles.len()) {
        for element in grid.iter_mut().flatten() {
            if element.shadow.is_none()
                && element
                    .sums
                    .front()
                    .is_some_and(|&(_, there)| cycle >= there)
            {
                let (tile, _) = element.sums.pop_front().unwrap();
                element.shadow = Some((usize::MAX, tile));
                element.moved += 1;
            }
        }
        // Tokens as they will stand at the next cycle.
        let tokens: Vec<Vec<usize>> = (0..rows)
            .map(|row| {
                let above = |column: usize| match row {
                    0 => usize::MAX,
                    _ => grid[row - 1][column].token,
                };
                (0..columns)
                    .map(|c| grid[row][c].moved.min(above(c)))
                    .collect()
            })
            .collect();

        let occupied: Vec<Vec<(usize, usize)>> = grid
            .iter()
            .map(|line| {
                line.iter()
                    .map(|e| (e.row_hop.len(), e.column_hop.len()))
                    .collect()
            })
            .collect();
        let mut popped = vec![vec![false; columns]; rows];
        let room = |popped: &[Vec<bool>], row: usize, column: usize, of_row: bool| {
            let (in_row, in_column) = occupied[row][column];
            let waiting = if of_row { in_row } else { in_column };
            let sees_pop = !design.registered && popped[row][column];
            waiting - usize::from(sees_pop) < design.depth
        };
        let mut pushes = Vec::new();
        for row in (0..rows).rev() {
            for column in (0..columns).rev() {
                let element = &grid[row][column];
                let step = element.next_step;
                if step == steps
                    || element.row_hop.is_empty()
                    || element.column_hop.is_empty()
                    || cycle < element.free
                {
                    continue;
                }
                // The sum of the tile before is in the way until it moves, less the
                // stage that a product has yet to pass.
                let clear = match element.sums.len() {
                    0 => true,
                    1 => {
                        let shifts = match drains[column] {
                            Some((_, shifted)) => Some(shifted),
                            None => (grid[rows - 1][column].token > drained[column]).then_some(0),
                        };
                        let free = element.shadow.is_none() || shifts == Some(row);
                        design.sum_stages == 1 && element.sums[0].1 <= cycle + 1 && free
                    }
                    _ => false,
                };
                if !clear {
                    continue;
                }
                if column + 1 < columns && !room(&popped, row, column + 1, true) {
                    continue;
                }
                if row + 1 < rows && !room(&popped, row + 1, column, false) {
                    continue;
                }
                popped[row][column] = true;
                let (tile, _) = within(step);
                let element = &mut grid[row][column];
                element.next_step += 1;
                element.free = cycle + cost(row, column, step);
                if step + 1 == ends[tile] {
                    element
                        .sums
                        .push_back((tile, element.free + design.sum_stages));
                }
                pushes.push((row, column, step));
            }
        }
        let edge_rows: Vec<bool> = (0..rows).map(|row| room(&popped, row, 0, true)).collect();
        let edge_columns: Vec<bool> = (0..columns).map(|c| room(&popped, 0, c, false)).collect();
        for (row, column, step) in pushes {
            grid[row][column].row_hop.pop_front();
            grid[row][column].column_hop.pop_front();
            if column + 1 < columns {
                grid[row][column + 1].row_hop.push_back(step);
            }
            if row + 1 < rows {
                grid[row + 1][column].column_hop.push_back(step);
            }
        }
        for row in 0..rows {
            if fed_rows[row] < steps && edge_rows[row] {
                let (tile, step) = within(fed_rows[row]);
                if arrivals[tile].rows[row][step] <= cycle {
                    grid[row][0].row_hop.push_back(fed_rows[row]);
                    fed_rows[row] += 1;
                }
            }
        }
        for column in 0..columns {
            if fed_columns[column] < steps && edge_columns[column] {
                let (tile, step) = within(fed_columns[column]);
                if arrivals[tile].columns[column][step] <= cycle {
                    grid[0][column].column_hop.push_back(fed_columns[column]);
                    fed_columns[column] += 1;
                }
            }
        }

        for column in 0..columns {
            if drains[column].is_none() && grid[rows - 1][column].token > drained[column] {
                for (row, line) in grid.iter_mut().enumerate() {
                    line[column].shadow.as_mut().unwrap().0 = row;
                }
                drains[column] = Some((drained[column], 0));
            }
            if let Some((tile, shifted)) = drains[column] {
                let (row, held) = grid[rows - 1][column].shadow.unwrap();
                assert_eq!((row, held), (rows - 1 - shifted, tile));
                out[tile][row][column] = cycle;
                for row in (shifted..rows).rev() {
                    grid[row][column].shadow = match row > shifted {
                        true => grid[row - 1][column].shadow,
                        false => None,
                    };
                }
                drains[column] = match shifted + 1 < rows {
                    true => Some((tile, shifted + 1)),
                    false => {
                        drained[column] += 1;
                        None
                    }
                };
            }
        }
        for (line, tokens) in grid.iter_mut().zip(tokens) {
            for (element, token) in line.iter_mut().zip(tokens) {
                element.token = token;
            }
        }
        cycle += 1;
        assert!(cycle < 1 << 20, "the array hangs");
    }
    out
}
