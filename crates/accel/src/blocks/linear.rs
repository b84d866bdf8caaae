//! Products with weights.

use dtatrans_precision::Bits;
use dtatrans_precision::workload::{Operation, Product, RightBits, VectorWork};

use super::{Builder, Results, bits_of, read, write};
use crate::energy::{Action, Part};
use crate::mapping::{Mapping, Problem, SUM_BITS, Side, Strips};
use crate::memory::Request;
use crate::memory::operands::{HIDDEN_BITS, writes_hidden};
use crate::schedule::{Block, Load, Operand, TileRange};

/// Rows of hidden states that are made ready at once, in tiles.
const INPUT_TILES: usize = 4;

impl Builder<'_> {
    /// The rows that a layer begins with: gathered from the residual stream in the
    /// order in which they will enter, quantized, and kept.
    pub(super) fn inputs(&mut self, product: &Product, layer: usize) {
        let arranged = self.arrays.arrange(&product.rows);
        self.gathered(product, arranged, Some(layer));
    }

    /// Rows of the residual stream, of these bits and from these places, as the left
    /// operand of a product.
    pub(super) fn gathered(
        &mut self,
        product: &Product,
        (rows, places): (Vec<Bits>, Vec<usize>),
        ranked: Option<usize>,
    ) {
        let id = self.products.len();
        let row_bytes = product.k as u64 * HIDDEN_BITS / 8;
        let hidden = self.residual_stream(product.m(), row_bytes);
        let address = self.allocate(bits_of(&rows) * product.k as u64);
        let mut results = Results {
            address,
            ..Results::default()
        };
        let chunk = INPUT_TILES * self.shape.rows as usize;
        let all = rows.len() as u64;
        let mut at = address;
        let mut done = 0;
        for (bits, places) in rows.chunks(chunk).zip(places.chunks(chunk)) {
            let block = self.blocks.len();
            let until = done + bits.len() as u64;
            let codes = (bits_of(bits) * product.k as u64).div_ceil(8);
            self.blocks.push(Block {
                product: id,
                tiles: TileRange::whole((0, 0), (0, 0)),
                loads: vec![Load {
                    operand: Operand::Other,
                    requests: gather(hidden, row_bytes, (0, row_bytes), places, false),
                    bytes: bits.len() as u64 * row_bytes,
                    until: block,
                    written_by: self.residual,
                    ranked,
                }],
                takes: None,
                before: self.share(&product.before, (done, until), all),
                after: 0,
                stores: vec![write(at, codes)],
                operand_bits: [0; 2],
                other_bits: 0,
            });
            let strips = bits.len().div_ceil(self.shape.rows as usize);
            results
                .written_by
                .extend(std::iter::repeat_n(block, strips));
            at += codes;
            done = until;
        }
        results.rows = rows;
        self.last = results;
    }

    /// The address of the residual stream, which is as long as what first asks.
    pub(super) fn residual_stream(&mut self, rows: usize, row_bytes: u64) -> u64 {
        if self.hidden == 0 {
            self.hidden = self.allocate(8 * row_bytes * rows as u64) + 1;
        }
        self.hidden - 1
    }

    /// A product with weights. `next` is the work that its results need to be the
    /// rows of the next one.
    pub(super) fn linear(&mut self, product: &Product, next: VectorWork) {
        let (rows, places) = self.arrays.arrange(&product.rows);
        let array_cycles = self.arrays.add(product);
        let id = self.product(product);
        let shape = self.shape;
        let (n, k) = (product.n as u64, product.k as u64);
        let weight_bits = match &product.right {
            RightBits::Uniform(bits) => u64::from(bits.bits()),
            _ => unreachable!("weights have the same bits everywhere"),
        };
        let strips: Vec<&[Bits]> = rows.chunks(shape.rows as usize).collect();
        let strip_bytes = |bits: &[Bits]| (bits_of(bits) * k).div_ceil(8);
        let kept = match product.operation {
            // Nothing follows that they would be quantized for.
            Operation::Head => vec![Bits::Sixteen; rows.len()],
            _ => rows.clone(),
        };
        let result_bits = match writes_hidden(product.operation) {
            // The residual stream is read, added to and written, and the rows of the
            // next product are kept beside it.
            true => product.m() as u64 * n * 2 * HIDDEN_BITS + bits_of(&kept) * n,
            false => bits_of(&kept) * n,
        };
        let right = Strips {
            count: n.div_ceil(shape.columns),
            strip_bytes: (shape.columns.min(n) * k * weight_bits).div_ceil(8),
            bytes: (n * k * weight_bits).div_ceil(8),
        };
        let left = Strips {
            count: strips.len() as u64,
            strip_bytes: strips
                .iter()
                .map(|bits| strip_bytes(bits))
                .max()
                .unwrap_or(0),
            bytes: strips.iter().map(|bits| strip_bytes(bits)).sum(),
        };
        let mapping = Problem {
            left,
            right,
            steps: k,
            tile_elements: shape.rows * shape.columns,
            lanes: shape.arrays,
            room_bytes: self.room_bytes,
            array_cycles,
            dram_bytes_per_cycle: self.around.dram.peak_gbps() / self.around.clock_ghz,
            other_bytes: result_bits.div_ceil(8),
        }
        .choose();
        let weights = self.allocate(right.bytes * 8);
        let address = self.allocate(bits_of(&kept) * n);
        let mut offsets = vec![0];
        for bits in &strips {
            offsets.push(offsets[offsets.len() - 1] + strip_bytes(bits));
        }
        let mut linear = Linear {
            product: id,
            n,
            k,
            rows: &rows,
            places: &places,
            offsets,
            from: self.last.clone(),
            weights,
            weight_bits,
            results: Results {
                address,
                rows: kept,
                written_by: vec![0; strips.len()],
            },
            hidden: writes_hidden(product.operation).then(|| self.hidden.saturating_sub(1)),
            residual: self.residual,
            mapping,
            after: {
                let mut work = product.after;
                work.add(&next);
                work
            },
            done: 0,
            sums_bits: 0,
        };
        linear.blocks(self);
        let Linear {
            results,
            sums_bits,
            hidden,
            ..
        } = linear;
        let last = self.blocks.len() - 1;
        if hidden.is_some() {
            self.residual = Some(last);
        }
        // Queries, keys and values have the same rows.
        if product.operation != Operation::Query {
            self.last = results;
        }
        let run = &mut self.products[id];
        run.mapping = Some(mapping.to_string());
        let residual = match hidden {
            Some(_) => product.m() as u64 * n * HIDDEN_BITS / 8,
            None => 0,
        };
        let [own_left, own_right, other] = &mut run.operand_bytes;
        (*own_left, *own_right) = (left.bytes, right.bytes);
        *other += residual;
        run.actions
            .count(Part::Buffer, Action::SramReadBit, sums_bits);
        run.actions
            .count(Part::Buffer, Action::SramWriteBit, sums_bits);
    }
}

/// Requests for parts of rows, `bytes` of `row_bytes` from `offset` on; neighbours in
/// memory are asked for together.
pub(super) fn gather(
    address: u64,
    row_bytes: u64,
    (offset, bytes): (u64, u64),
    places: &[usize],
    write: bool,
) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::with_capacity(places.len());
    for &place in places {
        let address = address + place as u64 * row_bytes + offset;
        match requests.last_mut() {
            Some(last) if last.address + last.bytes == address => last.bytes += bytes,
            _ => requests.push(Request {
                address,
                bytes,
                write,
            }),
        }
    }
    requests
}

/// A product while its blocks are made.
struct Linear<'a> {
    product: usize,
    n: u64,
    k: u64,
    rows: &'a [Bits],
    places: &'a [usize],
    /// Where each strip of rows begins among the left operand's bytes, and its end.
    offsets: Vec<u64>,
    from: Results,
    weights: u64,
    weight_bits: u64,
    results: Results,
    hidden: Option<u64>,
    residual: Option<usize>,
    mapping: Mapping,
    after: VectorWork,
    /// Results that blocks so far made.
    done: u64,
    sums_bits: u64,
}

impl Linear<'_> {
    fn blocks(&mut self, builder: &mut Builder<'_>) {
        let Mapping {
            row_tiles,
            column_tiles,
            pieces,
            stays,
            ..
        } = self.mapping;
        let shape = builder.shape;
        let groups = |count: u64, size: u64| -> Vec<(u64, u64)> {
            (0..count)
                .step_by(size.max(1) as usize)
                .map(|first| (first, (first + size).min(count)))
                .collect()
        };
        let row_groups = groups(self.offsets.len() as u64 - 1, row_tiles);
        let column_groups = groups(self.n.div_ceil(shape.columns), column_tiles);
        let first = builder.blocks.len();
        let last = first + row_groups.len() * column_groups.len() * pieces as usize - 1;
        let by_rows = stays == Side::Rows;
        let (outer, inner) = match by_rows {
            true => (&row_groups, &column_groups),
            false => (&column_groups, &row_groups),
        };
        for (o, &outer_group) in outer.iter().enumerate() {
            for (i, &inner_group) in inner.iter().enumerate() {
                let (rows, columns) = match by_rows {
                    true => (outer_group, inner_group),
                    false => (inner_group, outer_group),
                };
                for piece in 0..pieces {
                    let block = builder.blocks.len();
                    let mut loads = Vec::new();
                    if pieces > 1 {
                        if piece == 0 {
                            loads.push(self.sums(
                                builder,
                                rows,
                                columns,
                                block + pieces as usize - 1,
                            ));
                        }
                        loads.push(self.load_rows(rows, (piece, pieces), block));
                        loads.push(self.load_columns(builder, columns, (piece, pieces), block));
                    } else {
                        let of_side = |this: &Self, outer: bool, until| match outer == by_rows {
                            true => this.load_rows(rows, (0, 1), until),
                            false => this.load_columns(builder, columns, (0, 1), until),
                        };
                        if i == 0 {
                            loads.push(of_side(self, true, block + inner.len() - 1));
                        }
                        if inner.len() > 1 {
                            loads.push(of_side(self, false, block));
                        } else if o == 0 {
                            loads.push(of_side(self, false, last));
                        }
                    }
                    self.block(builder, rows, columns, loads, (piece, pieces));
                }
                let block = builder.blocks.len() - 1;
                for strip in rows.0..rows.1 {
                    let writer = &mut self.results.written_by[strip as usize];
                    *writer = block.max(*writer);
                }
            }
        }
        debug_assert_eq!(builder.blocks.len() - 1, last);
    }

    fn block(
        &mut self,
        builder: &mut Builder<'_>,
        rows: (u64, u64),
        columns: (u64, u64),
        mut loads: Vec<Load>,
        (piece, pieces): (u64, u64),
    ) {
        let shape = builder.shape;
        let block = builder.blocks.len();
        let first_row = rows.0 * shape.rows;
        let last_row = (rows.1 * shape.rows).min(self.rows.len() as u64);
        let first = columns.0 * shape.columns;
        let wide = (columns.1 * shape.columns).min(self.n) - first;
        let results = (last_row - first_row) * wide;
        let mut stores = Vec::new();
        let mut after = 0;
        if piece + 1 == pieces {
            let mut at = self.results.address;
            let kept = &self.results.rows;
            let chosen = &kept[first_row as usize..last_row as usize];
            // Strip by strip, each group of columns after the other.
            let before: u64 =
                bits_of(&kept[..first_row as usize]) * self.n + bits_of(chosen) * first;
            at += before / 8;
            stores.push(write(at, (bits_of(chosen) * wide).div_ceil(8)));
            if let Some(hidden) = self.hidden {
                let (row_bytes, part) = (
                    self.n * HIDDEN_BITS / 8,
                    (first * HIDDEN_BITS / 8, wide * HIDDEN_BITS / 8),
                );
                let places = &self.places[first_row as usize..last_row as usize];
                loads.push(Load {
                    operand: Operand::Other,
                    requests: gather(hidden, row_bytes, part, places, false),
                    bytes: results * HIDDEN_BITS / 8,
                    until: block,
                    written_by: self.residual,
                    ranked: None,
                });
                stores.extend(gather(hidden, row_bytes, part, places, true));
            }
            let all = self.rows.len() as u64 * self.n;
            after = builder.share(&self.after, (self.done, self.done + results), all);
            self.done += results;
        }
        let left: u64 = self.offsets[rows.1 as usize] - self.offsets[rows.0 as usize];
        let right = wide * self.k * self.weight_bits / 8;
        let operand_bits = [
            8 * left * (columns.1 - columns.0) / pieces,
            8 * right * (rows.1 - rows.0) / pieces,
        ];
        let sums = if pieces > 1 {
            2 * results * SUM_BITS
        } else {
            0
        };
        let moved: u64 = loads
            .iter()
            .flat_map(|load| &load.requests)
            .chain(&stores)
            .map(|request| 8 * request.bytes)
            .sum();
        builder.blocks.push(Block {
            product: self.product,
            tiles: TileRange {
                piece: (piece as u32, pieces as u32),
                ..TileRange::whole(rows, columns)
            },
            loads,
            takes: None,
            before: 0,
            after,
            stores,
            operand_bits,
            other_bits: moved + sums,
        });
    }

    /// Sums that wait between pieces.
    fn sums(
        &mut self,
        builder: &Builder<'_>,
        rows: (u64, u64),
        columns: (u64, u64),
        until: usize,
    ) -> Load {
        let tiles = (rows.1 - rows.0) * (columns.1 - columns.0);
        let sums = tiles * builder.shape.rows * builder.shape.columns;
        self.sums_bits += (self.mapping.pieces - 1) * sums * SUM_BITS;
        Load {
            bytes: sums * SUM_BITS / 8,
            until,
            ..Load::default()
        }
    }

    fn load_rows(&self, rows: (u64, u64), piece: (u64, u64), until: usize) -> Load {
        let (begin, end) = (self.offsets[rows.0 as usize], self.offsets[rows.1 as usize]);
        let (begin, bytes) = part(begin, end - begin, piece);
        Load {
            operand: Operand::Left,
            requests: vec![read(self.from.address + begin, bytes)],
            bytes,
            until,
            written_by: self.from.writer(self.rows, rows),
            ranked: None,
        }
    }

    /// Weights lie in the order in which they are read.
    fn load_columns(
        &self,
        builder: &Builder<'_>,
        columns: (u64, u64),
        piece: (u64, u64),
        until: usize,
    ) -> Load {
        let size = builder.shape.columns;
        let byte =
            |column: u64| ((column * size).min(self.n) * self.k * self.weight_bits).div_ceil(8);
        let (begin, end) = (byte(columns.0), byte(columns.1));
        let (begin, bytes) = part(begin, end - begin, piece);
        Load {
            operand: Operand::Right,
            requests: vec![read(self.weights + begin, bytes)],
            bytes,
            until,
            ..Load::default()
        }
    }
}

/// One of equal pieces of consecutive bytes.
fn part(begin: u64, bytes: u64, (piece, pieces): (u64, u64)) -> (u64, u64) {
    let at = |piece: u64| bytes * piece / pieces;
    (begin + at(piece), at(piece + 1) - at(piece))
}
