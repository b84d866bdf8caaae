//! SpAtten: cascade token and head pruning, local value pruning and a top-k
//! engine around two arrays of 12-bit multipliers (Wang et al., HPCA 2021).
//!
//! Query by query, Q x K, softmax, the choice of values and P x V work as a
//! pipeline; its pace is that of its slowest stage. It runs the attention only.
//! How much it prunes depends on its schedule and the input's length, not on
//! the scores; which tokens go does not change its time. Quantization is static,
//! as the paper has it for BERT: progressive quantization is not modelled yet.

mod area;
mod schedule;
mod top_k;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::Operation;
use dtatrans_precision::{Plan, Tier};
use serde::Deserialize;

pub use schedule::Schedule;
pub use top_k::TopK;

use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, ProductRun, Run};
use crate::area::Area;
use crate::blocks::steady::{Steady, Whole};
use crate::energy::{Action, Actions, Part, Waiting};
use crate::machine::{check, tables, tokens_so_far};
use crate::memory::{Dram, Sram, SramFile, Traffic};
use crate::node::Technology;
use crate::report::Breakdown;

pub(crate) const KIND: Kind = Kind {
    name: "spatten",
    summary: "SpAtten: cascade token and head pruning, attention only",
    read,
};

/// Width of the operands on the chip, in bits (HPCA 2021, section IV).
const OPERAND_BITS: u64 = 12;
/// Single-precision products and sums of one element of the softmax: 5 fused
/// multiply-adds of a fifth-order Taylor series (section V), scaling before it,
/// the sum, and normalising and quantizing after it. The division is once a
/// query and not counted.
const SOFTMAX_PRODUCTS: u64 = 8;
const SOFTMAX_SUMS: u64 = 7;
/// Groups of a head's queries that are scheduled together.
const QUERY_GROUPS: u64 = 16;
/// Latencies of the stages in cycles, from the release's model of BERT
/// (`simulator/src/bert.cpp`): Q x K 1 + 1 + 9, softmax 7 + 21 + 23 + 29 + 7,
/// P x V 1 + 1 + 1.
const QUERY_KEY_LATENCY: u64 = 11;
const SOFTMAX_LATENCY: u64 = 87;
const VALUE_LATENCY: u64 = 3;

/// SpAtten with its surroundings.
#[derive(Debug)]
pub struct SpAtten {
    engine: Engine,
    top_k: TopK,
    schedule: Schedule,
    /// The key SRAM; the value SRAM is another of the same size.
    sram: Sram,
    dram: Dram,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Engine {
    query_key_multipliers: u64,
    value_multipliers: u64,
    softmax_per_cycle: u64,
    dram_bits: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    engine: Engine,
    top_k: TopK,
    pruning: Schedule,
    buffer: SramFile,
    dram: Dram,
}

fn read(file: toml::Table, _clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let File {
        engine,
        top_k,
        pruning,
        buffer,
        dram,
    } = tables(file)?;
    for (key, multipliers) in [
        ("engine.query_key_multipliers", engine.query_key_multipliers),
        ("engine.value_multipliers", engine.value_multipliers),
        ("engine.softmax_per_cycle", engine.softmax_per_cycle),
    ] {
        check::between(key, multipliers, 1, 1 << 16)?;
    }
    check::between("engine.dram_bits", engine.dram_bits, 4, OPERAND_BITS)?;
    top_k.check()?;
    pruning.check()?;
    dram.check()?;
    Ok(Box::new(SpAtten {
        engine,
        top_k,
        schedule: pruning,
        sram: buffer.build()?,
        dram,
    }))
}

impl Accelerator for SpAtten {
    fn elements(&self) -> u64 {
        self.engine.query_key_multipliers + self.engine.value_multipliers
    }

    fn element_bits(&self) -> u64 {
        OPERAND_BITS
    }

    fn dram(&self) -> &Dram {
        &self.dram
    }

    fn sram(&self) -> Option<&Sram> {
        Some(&self.sram)
    }

    fn area(&self, technology: &Technology) -> Area {
        area::of(self, technology)
    }

    fn waiting(&self) -> Option<Waiting> {
        Some(area::WAITING)
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.pruned(header, input.read(), None)
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        self.pruned(header, tokens_so_far(kept), Some(1))
    }

    fn own_plan(&self, layers: usize) -> Option<Plan> {
        (layers > 0).then(|| self.schedule.plan(layers))
    }
}

impl SpAtten {
    /// All layers on so many tokens; so many of them are queries, or all that are
    /// kept.
    fn pruned(&self, header: &Header, tokens: usize, queries: Option<u64>) -> Run {
        let model = &header.model;
        let plan = self.schedule.plan(model.layers);
        let mut before = (tokens as u64, model.heads as u64);
        let kept = plan.layers().iter();
        let tokens: Vec<u64> = kept.map(|ratio| ratio.counts(tokens).0 as u64).collect();
        let heads = self.schedule.heads(model.layers, model.heads);
        let mut steady = Steady::default();
        for (layer, (&tokens, &heads)) in tokens.iter().zip(&heads).enumerate() {
            let mut cycles = 0;
            let mut actions = Actions::default();
            for (all, kept) in [(before.0, tokens), (before.1, heads)] {
                cycles += self.top_k.cycles(all, kept);
                self.count_top_k(all, kept, 1, &mut actions);
            }
            steady.layer(cycles, actions);
            let queries = queries.unwrap_or(tokens);
            steady.add(self.attention(layer, queries, tokens, heads, model.head_dim as u64));
            before = (tokens, heads);
        }
        let fed = "the input's length under the machine's own pruning schedule";
        steady.run(fed.into(), false)
    }

    /// The attention of one layer: `queries` queries and `tokens` keys in each of
    /// `heads` heads.
    fn attention(
        &self,
        layer: usize,
        queries: u64,
        tokens: u64,
        heads: u64,
        head_dim: u64,
    ) -> Whole {
        let values = self.schedule.values(tokens);
        let engine = self.engine;
        // Stages of one query.
        let query_key = (tokens * head_dim).div_ceil(engine.query_key_multipliers);
        let value = (values * head_dim).div_ceil(engine.value_multipliers);
        let softmax = tokens.div_ceil(engine.softmax_per_cycle);
        let choose = self.top_k.cycles(tokens, values);
        let slowest_array = query_key.max(value);
        let slowest_vector = softmax.max(choose);
        let own_queries = queries;
        let queries = heads * queries;

        // Behind the last query's scores its softmax, choice and values follow.
        let row_bits = head_dim * engine.dram_bits;
        let fill = QUERY_KEY_LATENCY + SOFTMAX_LATENCY + VALUE_LATENCY + softmax + choose + value;
        let array_cycles = queries * slowest_array + fill;

        let macs = queries * (tokens + values) * head_dim;
        let elements = self.elements();
        let reads = self.reads(own_queries, tokens, row_bits, heads);
        let traffic = Traffic {
            read_bytes: reads,
            write_bytes: (queries * row_bits).div_ceil(8),
            unique_read_bytes: (heads * (own_queries + 2 * tokens) * row_bits).div_ceil(8),
        };

        let mut actions = Actions::default();
        // The product's register and the tree of adders included.
        actions.count(Part::Arithmetic, Action::SpattenProduct, macs);
        actions.count(Part::Buffer, Action::SramReadBit, macs * OPERAND_BITS);
        let scores = queries * tokens;
        actions.count(
            Part::Vector,
            Action::MultiplyFp32,
            SOFTMAX_PRODUCTS * scores,
        );
        // A sum more for the importance of the key.
        actions.count(Part::Vector, Action::AddFp32, (SOFTMAX_SUMS + 1) * scores);
        self.count_top_k(tokens, values, queries, &mut actions);
        Whole {
            product: ProductRun {
                layer,
                // The engines work side by side: the pace is charged to the scores.
                operation: Operation::Score,
                copies: heads,
                m: own_queries,
                n: tokens,
                k: head_dim,
                macs,
                element_cycles: macs,
                actions,
                operand_bytes: [0; 3],
                mapping: None,
            },
            // So fine that the stages of a step overlap as those of a query do.
            steps: (heads * QUERY_GROUPS.min(own_queries)).max(1),
            cycles: array_cycles,
            element_cycles: Breakdown {
                active: macs,
                speed_mismatch: queries * slowest_array * elements - macs,
                fill: fill * elements,
                ..Breakdown::default()
            },
            traffic,
            vector_cycles: queries * slowest_vector,
            takes: false,
        }
    }

    /// Bytes read by one layer: queries, keys and values once; what of the keys
    /// and values the SRAMs cannot hold, again for each query.
    fn reads(&self, queries: u64, tokens: u64, row_bits: u64, heads: u64) -> u64 {
        let on_chip_row = row_bits * OPERAND_BITS / self.engine.dram_bits;
        let held = self.sram.bytes() * 8 / on_chip_row.max(1);
        let again = 2 * tokens.saturating_sub(held) * queries.saturating_sub(1);
        (heads * (queries + 2 * tokens + again) * row_bits).div_ceil(8)
    }

    fn count_top_k(&self, all: u64, kept: u64, times: u64, actions: &mut Actions) {
        let comparisons = TopK::comparisons(all, kept).round() as u64 * times;
        actions.count(Part::Sort, Action::Compare32, comparisons);
        actions.count(Part::Sort, Action::RegisterBit, 32 * comparisons);
    }
}
