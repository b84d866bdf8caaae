//! The exact timing of the variable-speed array, element by element and step by
//! step: dense on purpose, the truth that the closed forms are held against.
//!
//! Element (r, c) takes its operands of step t in cycle L(r, c, t), the maximum
//! of: its last take plus that product's cost; one cycle after its left and its
//! upper neighbour took the step; the cycle in which its right and its lower
//! neighbour took step t - D, plus e, so that there is room; and for the first
//! step of a tile the cycle in which its last sum moved to the shadow register.

/// Depth of a hop's buffer.
pub(crate) const DEPTH: usize = 2;
/// Cycles that "ready" is registered for.
pub(crate) const READY: i64 = 1;

/// Cycles until the last result has left an array of `rows` x `columns`
/// elements that runs tiles of `lengths` steps; `cost(r, c, t)` is the time of a
/// product, t running on across tiles. Operands are always there.
pub(crate) fn cycles(
    rows: usize,
    columns: usize,
    lengths: &[usize],
    cost: impl Fn(usize, usize, usize) -> i64,
) -> i64 {
    const NEVER: i64 = i64::MIN / 4;
    let steps: usize = lengths.iter().sum();
    let mut take = vec![vec![vec![NEVER; steps]; columns]; rows];
    let mut left_feeder = vec![vec![NEVER; steps]; rows];
    let mut top_feeder = vec![vec![NEVER; steps]; columns];
    // When the last sum of an element moved; when a column's drain started.
    let mut moved = vec![vec![NEVER; columns]; rows];
    let mut drain = vec![NEVER; columns];
    let mut last_out = 0;
    let mut begin = 0;
    for &length in lengths {
        let end = begin + length;
        for t in begin..end {
            let before = |feeder: &[i64]| if t > 0 { feeder[t - 1] + 1 } else { 0 };
            for r in 0..rows {
                let room = t.checked_sub(DEPTH).map_or(0, |t| take[r][0][t] + READY);
                left_feeder[r][t] = before(&left_feeder[r]).max(room).max(0);
            }
            for c in 0..columns {
                let room = t.checked_sub(DEPTH).map_or(0, |t| take[0][c][t] + READY);
                top_feeder[c][t] = before(&top_feeder[c]).max(room).max(0);
            }
            for r in 0..rows {
                for c in 0..columns {
                    let left = match c {
                        0 => left_feeder[r][t],
                        _ => take[r][c - 1][t],
                    };
                    let up = match r {
                        0 => top_feeder[c][t],
                        _ => take[r - 1][c][t],
                    };
                    let mut cycle = left.max(up) + 1;
                    if t > 0 {
                        cycle = cycle.max(take[r][c][t - 1] + cost(r, c, t - 1));
                    }
                    if t == begin {
                        cycle = cycle.max(moved[r][c]);
                    }
                    if let Some(t) = t.checked_sub(DEPTH) {
                        if c + 1 < columns {
                            cycle = cycle.max(take[r][c + 1][t] + READY);
                        }
                        if r + 1 < rows {
                            cycle = cycle.max(take[r + 1][c][t] + READY);
                        }
                    }
                    take[r][c][t] = cycle;
                }
            }
        }
        for c in 0..columns {
            let mut chain = NEVER;
            for r in 0..rows {
                let done = take[r][c][end - 1] + cost(r, c, end - 1);
                moved[r][c] = done.max(drain[c] + r as i64 + 1);
                chain = chain.max(moved[r][c]) + 1;
            }
            drain[c] = chain;
            // Row 0 leaves last; a cycle's index is one less than the count.
            last_out = last_out.max(chain + rows as i64);
        }
        begin = end;
    }
    last_out
}
