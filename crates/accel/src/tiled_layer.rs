//! One layer on an array that works tile by tile, with the memories and the
//! vector unit around it: what the VSSA and the plain array have in common.

use dtatrans_precision::workload::{LayerWork, Operation, Product, Workload};

use crate::array_shape::ArrayShape;
use crate::energy::{Action, Actions, Part};
use crate::memory::operands::{
    HIDDEN_BITS, SCORE_BITS, SUM_BITS, left_bits, reads_hidden, right_bits, widest_column,
    widest_row, writes_hidden,
};
use crate::memory::traffic::{Strips, passes};
use crate::memory::{Sram, Traffic};
use crate::pipeline::{LayerRun, Phase};
use crate::report::Breakdown;
use crate::sort::Sorter;
use crate::vector::{self, VectorUnit};

/// What an array does with one product.
#[derive(Debug, Default)]
pub(crate) struct ProductRun {
    /// Cycles of all copies.
    pub(crate) cycles: u64,
    /// What the elements do in them.
    pub(crate) element_cycles: Breakdown,
    /// What the elements do that costs energy, and what they read from the
    /// buffer.
    pub(crate) actions: Actions,
}

/// An array that works tile by tile.
pub(crate) trait TiledArray {
    /// Its sizes.
    fn shape(&self) -> ArrayShape;
    /// What it does with a product.
    fn product(&self, product: &Product) -> ProductRun;
}

/// What stands around such an array.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) sram: Sram,
    pub(crate) vector: VectorUnit,
    pub(crate) sort: Option<Sorter>,
}

impl Surroundings {
    /// The run of all layers.
    pub(crate) fn layers(&self, array: &dyn TiledArray, work: &Workload) -> Vec<LayerRun> {
        let layers = work.layers.iter();
        layers.map(|layer| self.layer(array, layer)).collect()
    }

    /// The run of one layer.
    fn layer(&self, array: &dyn TiledArray, layer: &LayerWork) -> LayerRun {
        let mut run = LayerRun::default();
        if let Some(sorter) = &self.sort {
            run.sort_cycles = sorter.cycles(layer.ranked_tokens);
            sorter.count(layer.ranked_tokens, &mut run.sort_actions);
        }
        let of = |operation| {
            let products = layer.products.iter();
            products.filter(move |product| product.operation == operation)
        };
        // Sets of heads that see different keys share the results among them.
        let results: u64 = of(Operation::Output).map(left_bits).sum();
        let sets = of(Operation::Score).count().max(1) as u64;
        let mut contexts = of(Operation::Context);
        for product in &layer.products {
            match product.operation {
                Operation::Score => {
                    if let Some(context) = contexts.next() {
                        let phase = self.attention(array, product, context, results / sets);
                        run.phases.push(phase);
                    }
                }
                Operation::Context => {}
                _ => run.phases.push(self.linear(array, product)),
            }
        }
        run
    }

    /// A product with weights: Query, KeyValue, Output, Up or Down.
    fn linear(&self, array: &dyn TiledArray, product: &Product) -> Phase {
        let shape = array.shape();
        let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
        let left_in_dram = match reads_hidden(product.operation) {
            true => m * k * HIDDEN_BITS,
            false => left_bits(product),
        };
        let left = Strips {
            count: m.div_ceil(shape.rows),
            strip_bytes: (shape.rows.min(m) * k * widest_row(product)).div_ceil(8),
            bytes: left_in_dram.div_ceil(8),
        };
        let right = Strips {
            count: n.div_ceil(shape.columns),
            strip_bytes: (shape.columns.min(n) * k * widest_column(product)).div_ceil(8),
            bytes: right_bits(product).div_ceil(8),
        };
        let tile_sum_bytes = shape.elements() * SUM_BITS / 8;
        let passes = passes(left, right, tile_sum_bytes, self.sram.bytes());

        // Results that are added to the residual stream are also kept quantized
        // for the next product; the others are only kept so.
        let row_bits: u64 = product.rows.iter().map(|bits| u64::from(bits.bits())).sum();
        let mut traffic = Traffic {
            read_bytes: passes.left * left.bytes + passes.right * right.bytes,
            write_bytes: (row_bits * n).div_ceil(8),
            unique_read_bytes: left.bytes + right.bytes,
        };
        if writes_hidden(product.operation) {
            let hidden = m * n * HIDDEN_BITS / 8;
            traffic.read_bytes += hidden;
            traffic.unique_read_bytes += hidden;
            traffic.write_bytes += hidden;
        }

        let ProductRun {
            cycles,
            element_cycles,
            mut actions,
        } = array.product(product);
        traffic.count_through_sram(&mut actions);
        vector::count(&product.vector, &mut actions);
        let sums = (passes.pieces - 1) * m * n * SUM_BITS;
        actions.count(Part::Buffer, Action::SramReadBit, sums);
        actions.count(
            Part::Buffer,
            Action::SramWriteBit,
            sums + 8 * traffic.write_bytes,
        );
        Phase {
            operations: vec![(product.operation, cycles)],
            array_cycles: cycles,
            element_cycles,
            traffic,
            vector_cycles: self.vector.cycles(&product.vector),
            exposed_vector_cycles: 0,
            macs: product.macs(),
            actions,
        }
    }

    /// Q x K^T, softmax and P x V of all heads. One tile of rows at a time meets
    /// all keys; its scores stay on the chip. Keys and values stay there too if
    /// they fit beside two such strips of scores, otherwise each tile of rows
    /// reads them again; if not even the scores fit, they go through DRAM.
    fn attention(
        &self,
        array: &dyn TiledArray,
        score: &Product,
        context: &Product,
        result_bits: u64,
    ) -> Phase {
        let shape = array.shape();
        let heads = score.count as u64;
        let (m, keys) = (score.m() as u64, score.n as u64);
        let tile_rows = m.div_ceil(shape.rows);
        let query_bytes = left_bits(score).div_ceil(8);
        let key_value_bytes = right_bits(score).div_ceil(8) + right_bits(context).div_ceil(8);
        let score_strip = 2 * shape.rows * keys * SCORE_BITS / 8;
        let query_strip = (shape.rows * score.k as u64 * widest_row(score)).div_ceil(8);
        let beside = self.sram.bytes().saturating_sub(score_strip + query_strip);
        let passes = match key_value_bytes <= beside {
            true => 1,
            false => tile_rows.max(1),
        };
        let spilled = match score_strip + query_strip <= self.sram.bytes() {
            true => 0,
            false => m * keys * SCORE_BITS / 8,
        };
        let traffic = Traffic {
            read_bytes: heads * (query_bytes + passes * key_value_bytes + spilled),
            write_bytes: result_bits.div_ceil(8) + heads * spilled,
            unique_read_bytes: heads * (query_bytes + key_value_bytes),
        };

        let mut work = score.vector;
        work.add(&context.vector);
        let last_tile = shape.rows.min(m) * keys;
        let scores = array.product(score);
        let contexts = array.product(context);
        let mut actions = scores.actions;
        actions.add(&contexts.actions);
        traffic.count_through_sram(&mut actions);
        vector::count(&work, &mut actions);
        let score_bits = heads * m * keys * SCORE_BITS;
        let probability_bits = heads * left_bits(context);
        actions.count(Part::Buffer, Action::SramReadBit, score_bits);
        actions.count(
            Part::Buffer,
            Action::SramWriteBit,
            score_bits + probability_bits + result_bits,
        );
        let mut element_cycles = scores.element_cycles;
        element_cycles.add(&contexts.element_cycles);
        Phase {
            operations: vec![
                (Operation::Score, scores.cycles),
                (Operation::Context, contexts.cycles),
            ],
            array_cycles: scores.cycles + contexts.cycles,
            element_cycles,
            traffic,
            vector_cycles: self.vector.cycles(&work),
            exposed_vector_cycles: last_tile.div_ceil(self.vector.softmax_per_cycle),
            macs: score.macs() + context.macs(),
            actions,
        }
    }
}
