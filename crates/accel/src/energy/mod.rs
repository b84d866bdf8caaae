//! Energy: counted actions times energies per action, and leakage times time.
//!
//! E = sum over actions of count x energy + leakage power x time, for each part of a
//! machine. Energies stand in `data/energy.csv`, each with the node and supply that it
//! was found at, its [kind](Kind) and its source; they are brought to the machine's
//! [`Technology`](crate::node::Technology). SRAM accesses are priced by
//! [`Sram`](crate::memory::Sram), whose energy depends on its size; leakage belongs to the
//! components of the machine's [`Area`](crate::area::Area). DRAM is what it is at any
//! node. An action that was counted and has no energy stops the run.

mod action;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use action::{Action, Actions, Waiting};
pub(crate) use table::origin;
pub use table::{EnergyTable, Price};

use crate::AccelError;

/// The part of a machine that spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Elements of an array with all their registers, where a netlist prices them as one.
    Array,
    /// Multipliers and adders of the array, where they are priced apart.
    Arithmetic,
    /// Registers, FIFOs and scratch pads inside the array, where they are priced apart.
    Registers,
    /// Wires between elements, where a table prices them apart.
    Network,
    /// On-chip SRAM.
    Buffer,
    /// Softmax, norms, activation, rotation, quantizers, importance.
    Vector,
    /// The top-k unit.
    Sort,
    /// DRAM, its interface included.
    Dram,
}

impl Part {
    /// A name for people.
    pub fn label(self) -> &'static str {
        match self {
            Part::Array => "array",
            Part::Arithmetic => "arithmetic",
            Part::Registers => "registers",
            Part::Network => "network",
            Part::Buffer => "buffer",
            Part::Vector => "vector unit",
            Part::Sort => "token ranking",
            Part::Dram => "DRAM",
        }
    }

    /// Whether there is one for each element.
    pub fn is_of_elements(self) -> bool {
        matches!(
            self,
            Part::Array | Part::Arithmetic | Part::Registers | Part::Network
        )
    }
}

/// How an energy or an area was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// From a netlist of the RTL in Nangate45, simulated with random operands.
    Netlist,
    /// From CACTI, a model of memories.
    Cacti,
    /// From a publication.
    Published,
}

impl Kind {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Netlist => "netlist",
            Kind::Cacti => "cacti",
            Kind::Published => "published",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Kind> {
        [Kind::Netlist, Kind::Cacti, Kind::Published]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Energy by part, and by how its prices were found, in pJ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    by_part_pj: BTreeMap<Part, BTreeMap<Kind, f64>>,
    leakage_pj: f64,
}

impl Energy {
    /// Adds what a part spent, priced so.
    pub(crate) fn spend(&mut self, part: Part, kind: Kind, pj: f64) {
        let kinds = self.by_part_pj.entry(part).or_default();
        *kinds.entry(kind).or_default() += pj;
    }

    /// Adds what a part spent without doing anything.
    pub(crate) fn leak(&mut self, part: Part, kind: Kind, pj: f64) {
        if pj > 0.0 {
            self.spend(part, kind, pj);
            self.leakage_pj += pj;
        }
    }

    /// What one part spent, in pJ, its leakage included.
    pub fn of_pj(&self, part: Part) -> f64 {
        self.kinds_pj(part).map(|(_, pj)| pj).sum()
    }

    /// What one part spent by how its prices were found, in pJ.
    pub fn kinds_pj(&self, part: Part) -> impl Iterator<Item = (Kind, f64)> {
        let kinds = self.by_part_pj.get(&part).into_iter().flatten();
        kinds.map(|(&kind, &pj)| (kind, pj))
    }

    /// The parts that spent anything, in pJ.
    pub fn parts_pj(&self) -> impl Iterator<Item = (Part, f64)> {
        let parts = self.by_part_pj.keys();
        parts.map(|&part| (part, self.of_pj(part)))
    }

    /// What leaked of it all, in pJ.
    pub fn leakage_pj(&self) -> f64 {
        self.leakage_pj
    }

    /// All parts together, in pJ.
    pub fn total_pj(&self) -> f64 {
        self.parts_pj().map(|(_, pj)| pj).sum()
    }

    /// All parts but the DRAM, in pJ.
    pub fn on_chip_pj(&self) -> f64 {
        self.parts_pj()
            .filter(|&(part, _)| part != Part::Dram)
            .map(|(_, pj)| pj)
            .sum()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Energy) {
        for (&part, kinds) in &other.by_part_pj {
            for (&kind, &pj) in kinds {
                self.spend(part, kind, pj);
            }
        }
        self.leakage_pj += other.leakage_pj;
    }
}

/// The error for a line of a table of the crate's kind.
pub(crate) fn refuse(table: &'static str, index: usize, reason: String) -> AccelError {
    AccelError::Table {
        table,
        line: index + 1,
        reason,
    }
}

/// The rows of a table of comma-separated values behind the head, each with its line;
/// `#` begins a comment. The last column may hold commas.
pub(crate) fn rows<'a, const COLUMNS: usize>(
    table: &'static str,
    text: &'a str,
    head: &str,
) -> Result<Vec<(usize, [&'a str; COLUMNS])>, AccelError> {
    let lines = text.lines().enumerate();
    let mut lines = lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
    match lines.next() {
        Some((_, line)) if line == head => {}
        Some((index, line)) => {
            return Err(refuse(table, index, format!("unknown columns `{line}`")));
        }
        None => return Err(refuse(table, 0, "is empty".into())),
    }
    lines
        .map(|(index, line)| {
            let fields: Vec<&str> = line.splitn(COLUMNS, ',').collect();
            match <[&str; COLUMNS]>::try_from(fields) {
                Ok(fields) => Ok((index, fields)),
                Err(_) => Err(refuse(table, index, format!("needs {COLUMNS} columns"))),
            }
        })
        .collect()
}
