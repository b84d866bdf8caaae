//! From the heads of a layer to what the schedule runs: cycles, bytes and actions.

use dtatrans_precision::workload::Operation;

use super::assembly::IN_FLIGHT;
use super::engine::{HeadWork, OPERAND_BITS, Pace};
use super::{SpAtten, TopK};
use crate::accelerator::ProductRun;
use crate::energy::{Action, Actions, Part};
use crate::report::Breakdown;

/// Single-precision products and sums of one element of the softmax: 5 fused
/// multiply-adds of a fifth-order Taylor series (section V), scaling before it,
/// the sum, and normalising and quantizing after it. The division is once a
/// query and not counted.
pub(super) const SOFTMAX_PRODUCTS: u64 = 8;
pub(super) const SOFTMAX_SUMS: u64 = 7;
/// Groups of a head's queries that are scheduled together: so fine that the modules
/// overlap from group to group as they do from query to query.
const QUERY_GROUPS: u64 = 16;

/// The attention of a layer, ready to be scheduled.
#[derive(Debug)]
pub(super) struct LayerRun {
    pub(super) product: ProductRun,
    /// Cycles of the arrays, and what their elements do in them.
    pub(super) cycles: u64,
    pub(super) element_cycles: Breakdown,
    /// Cycles of the slower one of softmax and the choice of values.
    pub(super) vector_cycles: u64,
    pub(super) heads: Vec<HeadTraffic>,
}

/// What a head moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadTraffic {
    /// Steps that its queries are run in.
    pub(super) steps: u64,
    pub(super) query_bytes: u64,
    pub(super) key_bytes: u64,
    pub(super) value_bytes: u64,
    pub(super) result_bytes: u64,
    /// What a step takes of [`IN_FLIGHT`].
    pub(super) in_flight: u64,
}

impl SpAtten {
    /// The attention of the heads of one layer, which are of one size.
    ///
    /// `drains`: whether the layer ends before anything else begins, so that the
    /// latency of its last query shows.
    pub(super) fn attention(&self, layer: usize, heads: &[HeadWork], drains: bool) -> LayerRun {
        let engine = self.engine;
        let first = heads[0];
        let (mut pace, mut unique_bytes) = (Pace::default(), 0);
        let mut traffic = Vec::with_capacity(heads.len());
        let (mut macs, mut again, mut scores) = (0, 0, 0);
        let mut actions = Actions::default();
        for head in heads {
            pace.add(&engine.pace(&self.top_k, head));
            let (moved, unique) = self.traffic(head);
            traffic.push(moved);
            unique_bytes += unique;
            macs += head.macs();
            again += head.macs_again();
            scores += head.queries * head.keys + head.macs_again() / head.head_dim.max(1);
            if head.chooses() && !head.shares_choice {
                count_top_k(head.keys, head.values, head.queries, &mut actions);
            }
        }
        let queries: u64 = heads.iter().map(|head| head.queries).sum();
        let results = queries * first.head_dim;
        let computed = macs + again;
        // The product's register and the tree of adders included.
        actions.count(Part::Arithmetic, Action::SpattenProduct, computed);
        let read_bits = computed * OPERAND_BITS;
        actions.count(Part::Buffer, Action::SramReadBit, read_bits);
        let products = SOFTMAX_PRODUCTS * scores;
        actions.count(Part::Vector, Action::MultiplyFp32, products);
        // A sum more for the importance of the key, and one a result for the head's.
        let sums = (SOFTMAX_SUMS + 1) * scores + results;
        actions.count(Part::Vector, Action::AddFp32, sums);

        let slowest = pace.query_key.max(pace.value).ceil() as u64;
        let fill = match drains {
            true => engine.latency(&heads[heads.len() - 1]),
            false => 0,
        };
        let elements = engine.query_key_multipliers + engine.value_multipliers;
        let lines = pace.query_key * engine.query_key_multipliers as f64
            + pace.value * engine.value_multipliers as f64;
        // What lines have no row for.
        let padding = (lines.round() as u64)
            .min(slowest * elements)
            .saturating_sub(computed);
        LayerRun {
            product: ProductRun {
                layer,
                // The modules work side by side: the pace is charged to the scores.
                operation: Operation::Score,
                copies: heads.len() as u64,
                m: first.queries,
                n: first.keys,
                k: first.head_dim,
                macs,
                element_cycles: computed,
                actions,
                operand_bytes: [0, 0, unique_bytes],
                mapping: None,
            },
            cycles: slowest + fill,
            element_cycles: Breakdown {
                active: computed,
                tail: padding,
                speed_mismatch: slowest * elements - computed - padding,
                fill: fill * elements,
                ..Breakdown::default()
            },
            vector_cycles: pace.softmax.max(pace.choice).round() as u64,
            heads: traffic,
        }
    }

    /// What a head moves, and the bytes that it reads at least.
    ///
    /// Queries, keys and values once, and what of the rows the SRAMs cannot hold
    /// again for each query; the keys' low bits for each query that asks for them. A
    /// single query fetches the values that it chose, several whatever one of them may.
    fn traffic(&self, head: &HeadWork) -> (HeadTraffic, u64) {
        let widths = head.widths;
        let values = match head.queries {
            1 => head.values,
            _ => head.keys,
        };
        let held = self.sram.bytes() * 8 / (head.head_dim * OPERAND_BITS).max(1);
        let spilled = |rows: u64| rows.saturating_sub(held) * head.queries.saturating_sub(1);
        let low = (head.unsure * (head.keys * widths.key_low) as f64).round() as u64;
        let bytes = |elements: u64| (elements * head.head_dim).div_ceil(8);
        let query_bytes = bytes(head.queries * widths.query);
        let unique = query_bytes + bytes(head.keys * widths.key) + bytes(values * widths.value);
        let steps = QUERY_GROUPS.min(head.queries).max(1);
        // At most half, so that the next step's operands come meanwhile.
        let queries = head.queries.div_ceil(steps).min(IN_FLIGHT / 2);
        let rows = (IN_FLIGHT * head.keys).div_ceil(held.max(1));
        let traffic = HeadTraffic {
            steps,
            query_bytes,
            key_bytes: bytes((head.keys + spilled(head.keys)) * widths.key + low),
            value_bytes: bytes((values + spilled(values)) * widths.value),
            result_bytes: query_bytes,
            in_flight: queries.max(rows).clamp(1, IN_FLIGHT),
        };
        (traffic, unique)
    }
}

/// Counts what the top-k engine does to find the `kept` best of `all`, so many times.
pub(super) fn count_top_k(all: u64, kept: u64, times: u64, actions: &mut Actions) {
    let comparisons = TopK::comparisons(all, kept).round() as u64 * times;
    actions.count(Part::Sort, Action::Compare32, comparisons);
    actions.count(Part::Sort, Action::RegisterBit, 32 * comparisons);
}
