//! What a comparison of machines shows.

use serde::{Deserialize, Serialize};

use super::Part;

/// Several machines on the same traces.
///
/// Executed rates count what a machine computed and never pass its peak. Rates called
/// dense-equivalent count the dense model's operations over the time taken, so that what
/// is skipped counts as done: they can pass it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// Version of the program.
    pub version: String,
    /// Date of the run, ISO 8601.
    pub date: String,
    /// The traces.
    pub traces: Vec<ComparedTrace>,
    /// Name of the machine that gains are relative to.
    pub base: String,
    /// The machines.
    pub machines: Vec<ComparedMachine>,
    /// What they ran, part by part.
    pub scopes: Vec<ComparedScope>,
}

/// A trace that all machines ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedTrace {
    /// Its name.
    pub name: String,
    /// The model's name.
    pub model: String,
    /// The plan's name.
    pub plan: String,
    /// Where its tiers come from, if not from a run of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// Number of inputs.
    pub inputs: u64,
    /// Tokens of all inputs.
    pub tokens: u64,
    /// How many of these came one by one.
    pub decoded_tokens: u64,
}

/// A machine and what it can do at the most.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedMachine {
    /// Its name.
    pub name: String,
    /// The kind of its accelerator.
    pub kind: String,
    /// What of the traces it was fed.
    pub fed: String,
    /// Multiplying elements.
    pub elements: u64,
    /// Width of the operands that one of them multiplies at once.
    pub element_bits: u64,
    /// Clock in GHz.
    pub clock_ghz: f64,
    /// Highest bandwidth of the DRAM, in 10^9 bytes per second.
    pub dram_gbps: f64,
    /// Highest rate of executed operations, at operands of the elements' own width, in
    /// 10^9 per second.
    pub peak_executed_gops: f64,
}

/// One part of the computation on all machines that have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedScope {
    /// Its name.
    pub name: String,
    /// What it is, in a few words.
    pub what: String,
    /// One row for each trace and machine.
    pub rows: Vec<ComparedRow>,
    /// One row for each machine over all traces together; none if there is one trace, or
    /// if not every trace has this part.
    pub sums: Vec<ComparedRow>,
    /// The gains of each machine over the traces; none if there is one.
    pub gains: Vec<GainsOverTraces>,
}

/// What one machine needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedRow {
    /// The trace, or what stands for all of them.
    pub trace: String,
    /// The machine.
    pub machine: String,
    /// Cycles.
    pub cycles: u64,
    /// Time in microseconds.
    pub time_us: f64,
    /// Share of all elements' cycles that worked on products, 0 to 1.
    pub utilisation: f64,
    /// Operations computed, two a scalar product of any width, in 10^9 per second.
    pub executed_gops: f64,
    /// Operations of the dense model over the time taken, in 10^9 per second.
    pub dense_equivalent_gops: f64,
    /// Bytes that DRAM moved.
    pub dram_bytes: u64,
    /// Executed operations for each of them.
    pub executed_operations_per_dram_byte: Option<f64>,
    /// Energy with DRAM, in microjoules.
    pub energy_with_dram_uj: f64,
    /// Energy without DRAM, in microjoules.
    pub energy_on_chip_uj: f64,
    /// Operations of the dense model for each joule with DRAM, in 10^9.
    pub dense_equivalent_gop_per_joule_with_dram: f64,
    /// The same for each joule without DRAM.
    pub dense_equivalent_gop_per_joule_on_chip: f64,
    /// How it compares with the base; `None` where the base does not have this part.
    pub gains: Option<Gains>,
    /// Cycles by cause: the first is active work, the others are what kept elements idle.
    pub cycles_by_cause: Vec<Part>,
    /// Energy by part without DRAM, in microjoules.
    pub energy_on_chip_parts_uj: Vec<Part>,
}

impl ComparedRow {
    /// Energy of DRAM alone, in microjoules.
    pub fn energy_dram_uj(&self) -> f64 {
        self.energy_with_dram_uj - self.energy_on_chip_uj
    }
}

/// A machine against the base: above 1 it is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gains {
    /// The base's time over this machine's.
    pub speedup: f64,
    /// The base's energy over this machine's, both with DRAM.
    pub energy_with_dram_gain: f64,
    /// The same without DRAM.
    pub energy_on_chip_gain: f64,
}

/// A machine against the base over several traces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GainsOverTraces {
    /// The machine.
    pub machine: String,
    /// Geometric means over the traces.
    pub geometric_mean: Gains,
    /// The least of any trace, each for itself.
    pub minimum: Gains,
}
