//! When each unit did what: for traces and for utilisation over time.

use serde::Serialize;

use super::{Block, Event};

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

/// All units of a run, by the blocks that they work for.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// What they did.
    pub spans: Vec<Span>,
}

impl Timeline {
    pub(super) fn fill(&mut self, events: &[Event], blocks: &[Block]) {
        let spans = events.iter().filter(|event| event.end > event.begin);
        self.spans = spans
            .map(|event| Span {
                unit: event.unit,
                product: blocks[event.block as usize].product,
                block: event.block as usize,
                begin: event.begin,
                end: event.end,
            })
            .collect();
    }
}
