//! What stands before and behind the layers.
//!
//! The tables of the embedding keep 16 bits a channel, as the residual stream does. A
//! head whose weights are those of the token table has a copy of its own at its bits.

use dtatrans_precision::workload::{Embedding, EndsWork, Operation, Pooling, VectorWork};

use super::linear::gather;
use super::{Builder, read, write};
use crate::accelerator::ProductRun;
use crate::energy::Actions;
use crate::memory::Request;
use crate::memory::operands::HIDDEN_BITS;
use crate::schedule::{Block, Load, Operand, TileRange};
use crate::vector;

/// Where the tables lie: far above all else, so that nothing else lies elsewhere for
/// them.
const TABLES: u64 = 1 << 40;

/// A text's rows of the token table are not told in a trace: those of its tokens are
/// taken to be this far apart, modulo the table. A prime, so that no two are the same.
const STRIDE: usize = 1_000_003;

impl Builder<'_> {
    /// Rows of the tables are gathered and added; their sums are what the residual
    /// stream begins with.
    pub(super) fn embedding(&mut self, embedding: &Embedding) {
        let Embedding {
            tokens,
            vocabulary,
            tables,
            width,
            ref work,
        } = *embedding;
        let id = self.vector_only(Operation::Embedding, 0, tokens, work);
        let row_bytes = width as u64 * HIDDEN_BITS / 8;
        let hidden = self.residual_stream(tokens, row_bytes);
        let positions = TABLES + vocabulary as u64 * row_bytes;
        let segments = positions + tokens as u64 * row_bytes;
        let places: Vec<usize> = (0..tokens).collect();
        let chunk = self.shape.rows as usize;
        let first = self.blocks.len();
        let last = first + tokens.div_ceil(chunk) - 1;
        for places in places.chunks(chunk) {
            let block = self.blocks.len();
            let row = |&place: &usize| {
                let row = (place % vocabulary) * (STRIDE % vocabulary) % vocabulary;
                read(TABLES + row as u64 * row_bytes, row_bytes)
            };
            let load = |requests: Vec<_>, rows: usize, until| Load {
                requests,
                bytes: rows as u64 * row_bytes,
                until,
                ..Load::default()
            };
            let rows = places.len();
            let mut loads = vec![load(places.iter().map(row).collect(), rows, block)];
            let all = (0, row_bytes);
            if tables > 1 {
                let requests = gather(positions, row_bytes, all, places, false);
                loads.push(load(requests, rows, block));
            }
            if tables > 2 && block == first {
                // All tokens are taken to be of one segment.
                loads.push(load(vec![read(segments, row_bytes)], 1, last));
            }
            let done = (places[0] as u64, (places[0] + rows) as u64);
            let before = self.share(work, done, tokens as u64);
            let stores = gather(hidden, row_bytes, all, places, true);
            self.vector_block(id, loads, before, stores);
        }
        self.residual = Some(last);
        self.products[id].operand_bytes[2] = self.blocks[first..]
            .iter()
            .flat_map(|block| &block.loads)
            .flat_map(|load| &load.requests)
            .map(|request| request.bytes)
            .sum();
    }

    /// What reads the last states.
    pub(super) fn behind(&mut self, ends: &EndsWork) {
        if let Some(pooling) = &ends.pooling {
            self.pooling(pooling);
        }
        for (index, product) in ends.products.iter().enumerate() {
            if index == 0 {
                let (rows, mut places) = self.arrays.arrange(&product.rows);
                for place in &mut places {
                    *place += ends.first_row;
                }
                self.gathered(product, (rows, places), None);
            }
            let next = ends.products.get(index + 1);
            self.linear(
                product,
                next.map_or(VectorWork::default(), |next| next.before),
            );
        }
    }

    /// States stream through the vector unit, which keeps their sum.
    fn pooling(&mut self, pooling: &Pooling) {
        let Pooling {
            layer,
            rows,
            width,
            ref work,
        } = *pooling;
        let id = self.vector_only(Operation::Pool, layer, rows, work);
        let row_bytes = width as u64 * HIDDEN_BITS / 8;
        let hidden = self.residual_stream(rows, row_bytes);
        let address = self.allocate(8 * row_bytes);
        let places: Vec<usize> = (0..rows).collect();
        for places in places.chunks(self.shape.rows as usize) {
            let block = self.blocks.len();
            let until = places[0] + places.len();
            let load = Load {
                operand: Operand::Other,
                requests: gather(hidden, row_bytes, (0, row_bytes), places, false),
                bytes: places.len() as u64 * row_bytes,
                until: block,
                written_by: self.residual,
                ranked: None,
            };
            let done = (places[0] as u64, until as u64);
            let before = self.share(work, done, rows as u64);
            let stores = match until == rows {
                true => vec![write(address, row_bytes)],
                false => Vec::new(),
            };
            self.vector_block(id, vec![load], before, stores);
        }
        self.products[id].operand_bytes[2] = rows as u64 * row_bytes;
    }

    /// Takes on what the vector unit does without the arrays.
    fn vector_only(
        &mut self,
        operation: Operation,
        layer: usize,
        rows: usize,
        work: &VectorWork,
    ) -> usize {
        let mut actions = Actions::default();
        vector::count(work, &mut actions);
        self.arrays.add_none();
        self.products.push(ProductRun {
            layer,
            operation,
            copies: 1,
            m: rows as u64,
            n: 0,
            k: 0,
            macs: 0,
            actions,
            element_cycles: 0,
            operand_bytes: [0; 3],
            mapping: None,
        });
        self.products.len() - 1
    }

    fn vector_block(
        &mut self,
        product: usize,
        loads: Vec<Load>,
        before: u64,
        stores: Vec<Request>,
    ) {
        self.blocks.push(Block {
            product,
            tiles: TileRange::whole((0, 0), (0, 0)),
            loads,
            takes: None,
            before,
            after: 0,
            stores,
            operand_bits: [0; 2],
            other_bits: 0,
        });
    }
}
