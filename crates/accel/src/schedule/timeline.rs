//! When each unit did what: for traces and for utilisation over time.

use serde::Serialize;

use super::{Block, Event, LaneRun};
use crate::report::{Breakdown, Cause};

/// A unit of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// The arrays, from the first operand that enters one to the cycle in which all
    /// could begin something else.
    Array,
    /// Results on their way out of the arrays.
    Drain,
    /// DRAM, reading.
    Read,
    /// DRAM, writing.
    Write,
    /// The vector unit.
    Vector,
    /// The ranking of the tokens.
    Sort,
}

impl Unit {
    /// All units.
    pub const ALL: [Unit; 6] = [
        Unit::Array,
        Unit::Drain,
        Unit::Read,
        Unit::Write,
        Unit::Vector,
        Unit::Sort,
    ];

    /// A name for people.
    pub fn label(self) -> &'static str {
        match self {
            Unit::Array => "arrays",
            Unit::Drain => "drain",
            Unit::Read => "DRAM reads",
            Unit::Write => "DRAM writes",
            Unit::Vector => "vector unit",
            Unit::Sort => "token ranking",
        }
    }
}

/// A unit at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Which unit.
    pub unit: Unit,
    /// Index of the product that it works for.
    pub product: usize,
    /// Index of the block.
    pub block: usize,
    /// The cycle in which it begins.
    pub begin: u64,
    /// The cycle in which it has ended.
    pub end: u64,
}

/// An array at work on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which array.
    pub lane: usize,
    /// Index of the block.
    pub block: usize,
    /// The cycle in which it begins.
    pub begin: u64,
    /// The cycle in which it could begin something else.
    pub end: u64,
    /// What its elements do meanwhile.
    pub element_cycles: Breakdown,
}

/// An array that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// For what.
    pub cause: Cause,
    /// The first cycle in which it does.
    pub begin: u64,
    /// The cycle in which it does no more.
    pub end: u64,
    /// How many elements it has.
    pub elements: u64,
}

/// All units of a run, by the blocks that they work for.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Cycles of the run.
    pub cycles: u64,
    /// What units did.
    pub spans: Vec<Span>,
    /// What arrays did.
    pub work: Vec<Work>,
    /// What arrays waited for.
    pub waits: Vec<Wait>,
}

pub(super) fn spans(events: &[Event], blocks: &[Block]) -> Vec<Span> {
    let spans = events.iter().filter(|event| event.end > event.begin);
    spans
        .map(|event| Span {
            unit: event.unit,
            product: blocks[event.block as usize].product,
            block: event.block as usize,
            begin: event.begin,
            end: event.end,
        })
        .collect()
}

impl Timeline {
    pub(super) fn waited(&mut self, cause: Cause, begin: u64, end: u64, elements: u64) {
        if end > begin {
            self.waits.push(Wait {
                cause,
                begin,
                end,
                elements,
            });
        }
    }

    pub(super) fn worked(&mut self, block: usize, run: &LaneRun, delay: u64) {
        let mut element_cycles = run.work;
        element_cycles.speed_mismatch += run.mismatch.max(0) as u64;
        self.work.push(Work {
            lane: run.lane,
            block,
            begin: run.begin,
            end: run.free + delay,
            element_cycles,
        });
    }

    /// What elements do over time, in `bins` equal parts of the run, as shares of all
    /// elements: what an array does in a block is spread over it evenly.
    pub fn shares(&self, bins: usize, elements: u64) -> Vec<[f64; Cause::ALL.len()]> {
        let mut shares = vec![[0.0; Cause::ALL.len()]; bins];
        if self.cycles == 0 {
            return shares;
        }
        let width = self.cycles as f64 / bins as f64;
        let mut add = |cause: usize, begin: u64, end: u64, element_cycles: f64| {
            if end <= begin || element_cycles == 0.0 {
                return;
            }
            let (begin, end) = (begin as f64 / width, end as f64 / width);
            let each = element_cycles / (end - begin);
            let last = (end.ceil() as usize).min(bins);
            for (bin, share) in shares
                .iter_mut()
                .enumerate()
                .take(last)
                .skip(begin as usize)
            {
                let within = end.min(bin as f64 + 1.0) - begin.max(bin as f64);
                share[cause] += within * each / (width * elements as f64);
            }
        };
        for work in &self.work {
            for (index, cause) in Cause::ALL.into_iter().enumerate() {
                let element_cycles = work.element_cycles.of(cause) as f64;
                add(index, work.begin, work.end, element_cycles);
            }
        }
        for wait in &self.waits {
            let element_cycles = (wait.end - wait.begin) * wait.elements;
            add(
                wait.cause as usize,
                wait.begin,
                wait.end,
                element_cycles as f64,
            );
        }
        shares
    }
}
