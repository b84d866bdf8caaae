//! Q x K^T, softmax and P x V of all heads.
//!
//! One strip of queries at a time meets all keys; its scores pass the softmax while
//! the arrays work on the next strip's, and meet the values without leaving the
//! chip. Keys and values of a head stay while its queries pass, if they fit beside
//! the strips of scores; otherwise each strip reads them again, in chunks. If not
//! even the scores fit, they go through DRAM.

use std::collections::VecDeque;

use dtatrans_precision::Bits;
use dtatrans_precision::workload::{Product, VectorWork};

use super::{Builder, Results, bits_of, read, write};
use crate::energy::{Action, Part};
use crate::mapping::SUM_BITS;
use crate::memory::operands::{SCORE_BITS, left_bits, right_bits};
use crate::schedule::{Block, Load, Operand, TileRange};

/// Steps below which a reduction is not shared among arrays.
const SHORTEST_PART: u64 = 64;

/// What the blocks of one layer's attention have in common.
struct Attention<'a> {
    scores: usize,
    contexts: usize,
    score: &'a Product,
    context: &'a Product,
    /// Rows of queries and of probabilities, in the order in which they enter.
    queries: Vec<Bits>,
    probabilities: Vec<Bits>,
    /// Where queries, keys and values of the first head begin.
    operands: [u64; 3],
    /// Bytes of the keys and of the values of a head.
    sides: [u64; 2],
    /// Whether these stay while the queries of a head pass.
    stay: bool,
    /// Chunks in which keys are fetched where they do not.
    chunks: u64,
    /// Chunks in which values are fetched, or in which arrays share the reduction
    /// where one strip has fewer tiles than there are arrays: their sums are added.
    parts: u64,
    /// Whether scores go through DRAM.
    spills: bool,
    spilled: u64,
    from: Option<usize>,
    results_at: u64,
    /// Columns of tiles of both products.
    columns: [u64; 2],
}

impl Builder<'_> {
    pub(super) fn attention(
        &mut self,
        score: &Product,
        context: &Product,
        output: &Product,
        results: &mut Results,
    ) {
        let shape = self.shape;
        let score_cycles = self.arrays.add(score);
        let scores = self.product(score);
        let context_cycles = self.arrays.add(context);
        let contexts = self.product(context);
        let (queries, _) = self.arrays.arrange(&score.rows);
        let (probabilities, _) = self.arrays.arrange(&context.rows);
        let heads = score.count as u64;
        let (keys, dim) = (score.n as u64, score.k as u64);
        let strips = queries.len().div_ceil(shape.rows as usize) as u64;
        let sides = [
            right_bits(score).div_ceil(8),
            right_bits(context).div_ceil(8),
        ];
        let strip = shape.rows.min(score.m() as u64) * keys * SCORE_BITS / 8;
        let query_strip = queries
            .chunks(shape.rows as usize)
            .map(|bits| (bits_of(bits) * dim).div_ceil(8))
            .max()
            .unwrap_or(0);
        // The arrays make the scores of so many strips before they use those of one
        // that all find something to do while scores leave them and pass the softmax.
        let each =
            |cycles: u64, tiles: u64| cycles * shape.arrays / (heads * strips * tiles).max(1);
        let columns = [keys.div_ceil(shape.columns), dim.div_ceil(shape.columns)];
        let one = each(score_cycles, columns[0]) + each(context_cycles, columns[1]);
        let softmax = self.around.vector.cycles(&score.after) / (heads * strips).max(1);
        let latency = one + softmax + 2 * (2 * shape.rows + shape.columns);
        let strip_cycles = (score_cycles + context_cycles) / (heads * strips).max(1);
        let most = self.room_bytes / 2 / strip.max(1);
        let ahead = latency
            .div_ceil(strip_cycles.max(1))
            .clamp(1, most.saturating_sub(1).max(1));
        let held = (ahead + 1) * strip + 2 * query_strip;
        let beside = self.room_bytes.saturating_sub(held);
        let stay = sides[0] + sides[1] <= beside;
        let spills = held > self.room_bytes;
        let room = if spills { self.room_bytes / 2 } else { beside };
        // Chunks of keys are whole columns of tiles; two have room.
        let chunks = match stay {
            true => 1,
            false => (2 * sides[0].max(sides[1]))
                .div_ceil(room.max(1))
                .clamp(1, columns[0]),
        };
        let parts = match strips * heads * columns[1] < shape.arrays {
            true => {
                (shape.arrays / (strips * heads * columns[1])).min(keys.div_ceil(SHORTEST_PART))
            }
            false => 1,
        }
        .max(chunks);
        let operands = [
            self.allocate(heads * left_bits(score)),
            self.allocate(8 * heads * sides[0]),
            self.allocate(8 * heads * sides[1]),
        ];
        let spilled = match spills {
            true => self.allocate(score.m() as u64 * keys * SCORE_BITS),
            false => 0,
        };
        let result_bits = heads * dim * bits_of(&queries);
        let attention = Attention {
            scores,
            contexts,
            score,
            context,
            queries,
            probabilities,
            operands,
            sides,
            stay,
            chunks,
            parts,
            spills,
            spilled,
            from: self.blocks.len().checked_sub(1),
            results_at: self.allocate(result_bits),
            columns,
        };
        let first = self.blocks.len();
        let all = heads * strips;
        let mut waiting = VecDeque::new();
        let mut written_by = vec![0; strips as usize];
        for index in 0..all + ahead {
            if index < all {
                let made = attention.make(self, index / strips, index % strips);
                waiting.push_back(made);
            }
            if let Some(used) = index.checked_sub(ahead)
                && let Some(made) = waiting.pop_front()
            {
                let strip = used % strips;
                written_by[strip as usize] = attention.utilise(self, used / strips, strip, made);
            }
        }
        attention.release(self, first, strips, ahead);
        self.attended = self.blocks.len().checked_sub(1);

        let bits = heads * keys * score.m() as u64 * SCORE_BITS;
        let actions = &mut self.products[scores].actions;
        actions.count(Part::Buffer, Action::SramReadBit, bits);
        actions.count(
            Part::Buffer,
            Action::SramWriteBit,
            bits + heads * left_bits(context),
        );
        let sums = (parts - 1) * heads * score.m() as u64 * dim;
        let actions = &mut self.products[contexts].actions;
        actions.count(Part::Buffer, Action::SramReadBit, 2 * sums * SUM_BITS);
        actions.count(Part::Buffer, Action::SramWriteBit, sums * SUM_BITS);
        actions.count(Part::Vector, Action::Add32, sums);
        actions.count(Part::Buffer, Action::SramWriteBit, result_bits);
        self.products[scores].operand_bytes =
            [heads * left_bits(score).div_ceil(8), heads * sides[0], 0];
        self.products[contexts].operand_bytes = [0, heads * sides[1], 0];

        // Queries that share a key-value head are rows of one product: then the order
        // of the strips is not that of the tokens, and the last block of all writes
        // the last of each.
        let rows = self.arrays.arrange(&output.rows).0;
        if rows.len() != score.m() {
            let last = written_by.iter().copied().max().unwrap_or(0);
            written_by = vec![last; rows.len().div_ceil(shape.rows as usize)];
        }
        let address = match results.rows.is_empty() {
            true => attention.results_at,
            false => results.address,
        };
        *results = Results {
            address,
            rows,
            written_by,
        };
    }
}

impl Attention<'_> {
    fn rows_of(&self, builder: &Builder<'_>, strip: u64) -> (usize, usize) {
        let size = builder.shape.rows as usize;
        let first = strip as usize * size;
        (first, (first + size).min(self.queries.len()))
    }

    /// The scores of a strip of queries of a head; the last block that makes some.
    fn make(&self, builder: &mut Builder<'_>, head: u64, strip: u64) -> usize {
        let shape = builder.shape;
        let (begin, end) = self.rows_of(builder, strip);
        let dim = self.score.k as u64;
        let bits = bits_of(&self.queries[begin..end]) * dim;
        let offset = (head * left_bits(self.score) + bits_of(&self.queries[..begin]) * dim) / 8;
        let keys = self.score.n as u64;
        let rows = (end - begin) as u64;
        let own = builder.blocks.len();
        for chunk in 0..self.chunks {
            let block = builder.blocks.len();
            let mut loads = Vec::new();
            if chunk == 0 {
                let scores = if self.spills {
                    0
                } else {
                    rows * keys * SCORE_BITS / 8
                };
                loads.push(Load {
                    bytes: scores,
                    until: own,
                    ..Load::default()
                });
                loads.push(Load {
                    operand: Operand::Left,
                    requests: vec![read(self.operands[0] + offset, bits.div_ceil(8))],
                    bytes: bits.div_ceil(8),
                    until: own + self.chunks as usize - 1,
                    written_by: self.from,
                    ranked: None,
                });
            }
            let columns = chunk_of(self.columns[0], chunk, self.chunks);
            if !self.stay || strip == 0 {
                let bytes = self.sides[0] * columns.1 / self.columns[0]
                    - self.sides[0] * columns.0 / self.columns[0];
                let at = self.operands[1]
                    + head * self.sides[0]
                    + self.sides[0] * columns.0 / self.columns[0];
                loads.push(Load {
                    operand: Operand::Right,
                    requests: vec![read(at, bytes)],
                    bytes,
                    until: block,
                    written_by: self.from,
                    ranked: None,
                });
            }
            let tiles = TileRange::whole((strip, strip + 1), columns);
            let scores = rows
                * (columns.1 * shape.columns)
                    .min(keys)
                    .saturating_sub(columns.0 * shape.columns);
            let right = self.sides[0] * (columns.1 - columns.0) / self.columns[0];
            let all = self.score.count as u64 * self.queries.len() as u64 * keys;
            let done = ((head * self.queries.len() as u64 + begin as u64) * keys)
                + rows * (columns.0 * shape.columns).min(keys);
            let mut stores = Vec::new();
            if self.spills {
                let at = self.spilled
                    + (begin as u64 * keys + rows * columns.0 * shape.columns) * SCORE_BITS / 8;
                stores.push(write(at, scores * SCORE_BITS / 8));
            }
            builder.blocks.push(Block {
                product: self.scores,
                tiles,
                operand_bits: [bits * (columns.1 - columns.0), 8 * right],
                other_bits: moved(&loads, &stores) + 2 * scores * SCORE_BITS,
                loads,
                takes: None,
                before: 0,
                after: builder.share(&self.score.after, (done, done + scores), all),
                stores,
            });
        }
        builder.blocks.len() - 1
    }

    /// Says until when scores, keys and values are needed, now that the blocks are
    /// there.
    fn release(&self, builder: &mut Builder<'_>, first: usize, strips: u64, ahead: u64) {
        let all = self.score.count as u64 * strips;
        // Where the blocks of the strips begin, by turn: scores, then contexts.
        let mut made = Vec::new();
        let mut used = Vec::new();
        let mut block = first;
        for index in 0..all + ahead {
            if index < all {
                made.push(block);
                block += self.chunks as usize;
            }
            if index >= ahead {
                used.push(block);
                block += self.parts as usize;
            }
        }
        let last_part = self.parts as usize - 1;
        for index in 0..all as usize {
            builder.blocks[made[index]].loads[0].until = used[index] + last_part;
            if self.stay && (index as u64).is_multiple_of(strips) {
                let end = index + strips as usize - 1;
                builder.blocks[made[index]].loads[2].until = made[end];
                for part in 0..=last_part {
                    builder.blocks[used[index] + part].loads[0].until = used[end] + part;
                }
            }
        }
    }

    /// P x V of a strip whose scores `made` made last; the block that ends it.
    fn utilise(&self, builder: &mut Builder<'_>, head: u64, strip: u64, made: usize) -> usize {
        let (begin, end) = self.rows_of(builder, strip);
        let (keys, dim) = (self.score.n as u64, self.context.n as u64);
        let rows = (end - begin) as u64;
        let bits = bits_of(&self.probabilities[begin..end]);
        for part in 0..self.parts {
            let block = builder.blocks.len();
            let steps = chunk_of(keys, part, self.parts);
            let mut loads = Vec::new();
            let share = |step: u64| self.sides[1] * step / keys.max(1);
            let bytes = share(steps.1) - share(steps.0);
            if !self.stay || strip == 0 {
                loads.push(Load {
                    operand: Operand::Right,
                    requests: vec![read(
                        self.operands[2] + head * self.sides[1] + share(steps.0),
                        bytes,
                    )],
                    bytes,
                    until: block,
                    written_by: self.from,
                    ranked: None,
                });
            }
            if self.spills {
                let scores = rows * (steps.1 - steps.0) * SCORE_BITS / 8;
                loads.push(Load {
                    operand: Operand::Other,
                    requests: vec![read(
                        self.spilled + begin as u64 * keys * SCORE_BITS / 8,
                        scores,
                    )],
                    bytes: scores,
                    until: block,
                    written_by: Some(made),
                    ranked: None,
                });
            }
            let ends = part + 1 == self.parts;
            let mut stores = Vec::new();
            let mut after = 0;
            if ends {
                let all = self.score.count as u64 * self.queries.len() as u64;
                let done = head * self.queries.len() as u64 + begin as u64;
                after = builder.share(&self.context.after, (done, done + rows), all)
                    + builder.around.vector.cycles(&VectorWork {
                        multiply_additions: (self.parts - 1) * rows * dim,
                        ..VectorWork::default()
                    });
                let bits = bits_of(&self.queries[begin..end]) * dim;
                let before =
                    head * bits_of(&self.queries) * dim + bits_of(&self.queries[..begin]) * dim;
                stores.push(write(self.results_at + before / 8, bits.div_ceil(8)));
            }
            let columns = (0, self.columns[1]);
            builder.blocks.push(Block {
                product: self.contexts,
                tiles: TileRange {
                    piece: (part as u32, self.parts as u32),
                    ..TileRange::whole((strip, strip + 1), columns)
                },
                operand_bits: [bits * (steps.1 - steps.0) * columns.1, 8 * bytes],
                other_bits: moved(&loads, &stores)
                    + bits * (steps.1 - steps.0)
                    + if self.parts > 1 {
                        2 * rows * dim * SUM_BITS
                    } else {
                        0
                    },
                loads,
                takes: Some(made),
                before: 0,
                after,
                stores,
            });
        }
        builder.blocks.len() - 1
    }
}

/// One of `chunks` about equal parts.
fn chunk_of(all: u64, chunk: u64, chunks: u64) -> (u64, u64) {
    (all * chunk / chunks, all * (chunk + 1) / chunks)
}

/// Bits that loads and stores move.
fn moved(loads: &[Load], stores: &[crate::memory::Request]) -> u64 {
    let requests = loads.iter().flat_map(|load| &load.requests).chain(stores);
    requests.map(|request| 8 * request.bytes).sum()
}
