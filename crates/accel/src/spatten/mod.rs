//! SpAtten: cascade token and head pruning, local value pruning, progressive
//! quantization and a top-k engine around two arrays of 12-bit multipliers (Wang et
//! al., HPCA 2021).
//!
//! It runs the attention only. How many tokens, heads and values stay is said by its
//! own schedule, or by the trace of a plan that drops tokens and prunes heads and
//! values; which heads stay and which queries ask for low bits, by what a trace records
//! of the run.
//!
//! Reading order: `engine` (the modules and their pace), [`TopK`], `quantization`
//! (bits in DRAM), [`Schedule`] and `heads` (what stays), `layer` (cycles, bytes and
//! actions of a layer), `assembly` (blocks of the schedule), [`PublicTrace`] and `requests` (the release's own traces).

mod area;
mod assembly;
mod engine;
mod heads;
mod layer;
mod public_trace;
mod quantization;
mod requests;
mod schedule;
mod top_k;

use std::borrow::Cow;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::{Plan, Tier};
use serde::Deserialize;

pub use public_trace::{PublicTrace, Request};
pub use requests::Order;
pub use schedule::{Schedule, Source};
pub use top_k::TopK;

use self::assembly::Assembly;
use self::engine::{Engine, HeadWork, OPERAND_BITS};
use self::quantization::{Quantization, Widths};
use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, Run};
use crate::area::Area;
use crate::energy::{Actions, Waiting};
use crate::machine::{tables, tokens_so_far};
use crate::memory::{Dram, Sram, SramFile};
use crate::node::Technology;

pub(crate) const KIND: Kind = Kind {
    name: "spatten",
    summary: "SpAtten: cascade token and head pruning, attention only",
    read,
};

/// SpAtten with its surroundings.
#[derive(Debug)]
pub struct SpAtten {
    engine: Engine,
    top_k: TopK,
    quantization: Quantization,
    schedule: Schedule,
    /// The key SRAM; the value SRAM is another of the same size.
    sram: Sram,
    dram: Dram,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    engine: Engine,
    top_k: TopK,
    quantization: Quantization,
    pruning: Schedule,
    buffer: SramFile,
    dram: Dram,
}

fn read(file: toml::Table, _clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let File {
        engine,
        top_k,
        quantization,
        pruning,
        buffer,
        dram,
    } = tables(file)?;
    engine.check()?;
    top_k.check()?;
    quantization.check()?;
    pruning.check()?;
    dram.check()?;
    Ok(Box::new(SpAtten {
        engine,
        top_k,
        quantization,
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

    fn check(&self, header: &Header) -> Result<(), String> {
        match self.schedule.source {
            Source::Schedule => Ok(()),
            Source::Trace => drops(&header.plan),
        }
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        let plan = self.plan(header);
        self.layers(
            header,
            input.read(),
            &Kept {
                plan: &plan,
                heads: heads::kept(&input.layers, &plan),
                tokens: &|layer, _| match self.schedule.source {
                    Source::Schedule => scheduled(&plan, layer, input.read()),
                    Source::Trace => computed(&input.layers[layer].tiers),
                },
                alone: false,
                // Static where many queries share the keys.
                unsure: &|_, _| 0.0,
                widths: self.quantization.of_many(),
            },
        )
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        let (plan, all) = (self.plan(header), header.model.heads);
        let heads = (0..header.model.layers).map(|layer| {
            let kept = plan.pruning_at(layer).heads(all);
            (0..kept).collect()
        });
        self.alone(header, &plan, heads.collect(), kept, &|_, _| 0.0)
    }

    fn step_behind(&self, header: &Header, input: &Input, kept: &[Vec<Vec<Tier>>]) -> Run {
        let plan = self.plan(header);
        let heads = heads::kept(&input.layers, &plan);
        self.alone(header, &plan, heads, kept, &|layer, head| {
            let layer = &input.layers[layer];
            heads::unsure_share(&layer.heads[head], computed(&layer.tiers) as usize)
        })
    }

    fn own_plan(&self, layers: usize) -> Option<Plan> {
        let own = self.schedule.source == Source::Schedule && layers > 0;
        own.then(|| self.schedule.plan(layers))
    }

    fn spatten(&self) -> Option<&SpAtten> {
        Some(self)
    }
}

/// Tokens that are computed.
fn computed(tiers: &[Tier]) -> u64 {
    tiers.iter().filter(|tier| tier.is_computed()).count() as u64
}

/// Tokens that a plan which drops the others keeps of so many.
fn scheduled(plan: &Plan, layer: usize, tokens: usize) -> u64 {
    plan.layers()[layer].counts(tokens).0 as u64
}

/// That a plan prunes as SpAtten does: what is not computed has left for good.
fn drops(plan: &Plan) -> Result<(), String> {
    for (layer, ratio) in plan.layers().iter().enumerate() {
        let compensation = plan.compensation_at(layer).name();
        if ratio.r0() > 0.0 && compensation != "drop" {
            return Err(format!(
                "pruning.source = \"trace\" is for plans whose 0-bit tokens leave for good \
                 (compensation \"drop\"): layer {layer} of `{}` has \"{compensation}\"",
                plan.name
            ));
        }
    }
    Ok(())
}

/// What is left of a model.
struct Kept<'a> {
    /// Whose shares of heads and values count.
    plan: &'a Plan,
    /// By layer the heads.
    heads: Vec<Vec<usize>>,
    /// Tokens that a head of a layer meets.
    tokens: &'a dyn Fn(usize, usize) -> u64,
    /// Whether one token comes alone, or all that are kept are queries.
    alone: bool,
    /// The share of a head's queries that ask for low bits.
    unsure: &'a dyn Fn(usize, usize) -> f64,
    widths: Widths,
}

impl SpAtten {
    /// The plan that says how much is kept.
    fn plan<'a>(&self, header: &'a Header) -> Cow<'a, Plan> {
        match self.schedule.source {
            Source::Schedule => Cow::Owned(self.schedule.plan(header.model.layers)),
            Source::Trace => Cow::Borrowed(&header.plan),
        }
    }

    /// One new token, that attends to what the cache keeps.
    fn alone(
        &self,
        header: &Header,
        plan: &Plan,
        heads: Vec<Vec<usize>>,
        kept: &[Vec<Vec<Tier>>],
        unsure: &dyn Fn(usize, usize) -> f64,
    ) -> Run {
        let tokens = tokens_so_far(kept);
        self.layers(
            header,
            tokens,
            &Kept {
                plan,
                heads,
                tokens: &|layer, head| match self.schedule.source {
                    Source::Schedule => scheduled(plan, layer, tokens),
                    // Sets of key-value heads decide alone or together.
                    Source::Trace => {
                        let sets = &kept[layer];
                        computed(&sets[head * sets.len() / header.model.heads])
                    }
                },
                alone: true,
                unsure,
                widths: self.quantization.of_one(),
            },
        )
    }

    /// All layers, one behind the other.
    fn layers(&self, header: &Header, tokens: usize, kept: &Kept) -> Run {
        let model = &header.model;
        let mut before = (tokens as u64, model.heads as u64);
        let mut assembly = Assembly::default();
        for (layer, heads) in kept.heads.iter().enumerate() {
            let work = |(index, &head): (usize, &usize)| {
                let keys = (kept.tokens)(layer, head);
                let queries = if kept.alone { 1 } else { keys };
                HeadWork {
                    queries,
                    keys,
                    values: kept.plan.pruning_at(layer).values(keys as usize) as u64,
                    head_dim: model.head_dim as u64,
                    unsure: queries as f64 * (kept.unsure)(layer, head),
                    shares_choice: kept.widths.pairs_heads() && index % 2 == 1,
                    widths: kept.widths,
                }
            };
            let work: Vec<HeadWork> = heads.iter().enumerate().map(work).collect();
            let tokens = work.iter().map(|head| head.keys).max().unwrap_or(0);
            let now = (tokens, heads.len() as u64);
            let (mut cycles, mut actions) = (0, Actions::default());
            for (all, kept) in [(before.0, now.0), (before.1, now.1)] {
                if kept < all {
                    let fill = all.div_ceil(self.engine.softmax_per_cycle);
                    cycles += self.top_k.cycles(all, kept) + fill;
                    layer::count_top_k(all, kept, 1, &mut actions);
                }
            }
            assembly.add(self.attention(layer, &work, true), cycles, actions);
            before = now;
        }
        let fed = match self.schedule.source {
            Source::Schedule => "the input's length under the machine's own pruning schedule",
            Source::Trace => "the trace's tokens, and the heads and values of its plan",
        };
        assembly.run(fed)
    }
}
