//! What a machine answers.

use std::collections::BTreeMap;

use dtatrans_precision::workload::Operation;
use serde::Serialize;

use crate::AccelError;
use crate::energy::{Energy, Part};

/// What each element did in each cycle, in element-cycles: elements times
/// cycles. The fields sum to all elements times all cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// Worked on a product of the workload.
    pub active: u64,
    /// Waited for a slower element or stage.
    pub speed_mismatch: u64,
    /// Had no product of the workload: padding of partial tiles, unmapped
    /// elements, arrays without a tile.
    pub tail: u64,
    /// Filling, draining, and tiles too short to hide the drain before them.
    pub fill_drain: u64,
    /// Waited for DRAM.
    pub dram: u64,
    /// Waited for the vector unit.
    pub vector: u64,
    /// Waited for the ranking of the tokens.
    pub sort: u64,
}

impl Breakdown {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Breakdown {
            active,
            speed_mismatch,
            tail,
            fill_drain,
            dram,
            vector,
            sort,
        } = *self;
        active + speed_mismatch + tail + fill_drain + dram + vector + sort
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Breakdown) {
        self.active += other.active;
        self.speed_mismatch += other.speed_mismatch;
        self.tail += other.tail;
        self.fill_drain += other.fill_drain;
        self.dram += other.dram;
        self.vector += other.vector;
        self.sort += other.sort;
    }
}

/// A machine's answer for one input or the sum of several, fed one after the
/// other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// Name of the machine.
    pub machine: String,
    /// Kind of the accelerator.
    pub kind: &'static str,
    /// What of the trace the machine was fed.
    pub fed: String,
    /// Number of inputs.
    pub inputs: u64,
    /// Tokens of all inputs.
    pub tokens: u64,
    /// Q x K^T and P x V with what lies between.
    pub attention: ScopeReport,
    /// All products of the layers; `None` where the machine has no engine for
    /// them.
    pub encoder: Option<ScopeReport>,
    /// The tokens of decoders that came one by one, which are no part of the fields
    /// above; `None` where all were read at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingReport>,
}

/// A machine's answer for tokens that came one by one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecodingReport {
    /// Number of these tokens.
    pub tokens: u64,
    /// Q x K^T and P x V with what lies between.
    pub attention: ScopeReport,
    /// All products of the layers; `None` where the machine has no engine for
    /// them.
    pub encoder: Option<ScopeReport>,
}

impl RunReport {
    /// Adds tokens that came one by one.
    pub(crate) fn add_decoding(&mut self, other: &DecodingReport) {
        let Some(own) = &mut self.decoding else {
            self.decoding = Some(other.clone());
            return;
        };
        own.tokens += other.tokens;
        own.attention.add(&other.attention);
        if let (Some(own), Some(other)) = (&mut own.encoder, &other.encoder) {
            own.add(other);
        }
    }

    /// Adds the report of another input.
    ///
    /// # Errors
    /// [`AccelError::Mixed`] if it is of another machine.
    pub fn add(&mut self, other: &RunReport) -> Result<(), AccelError> {
        if self.machine != other.machine || self.encoder.is_some() != other.encoder.is_some() {
            return Err(AccelError::Mixed {
                left: self.machine.clone(),
                right: other.machine.clone(),
            });
        }
        self.inputs += other.inputs;
        self.tokens += other.tokens;
        self.attention.add(&other.attention);
        if let (Some(own), Some(other)) = (&mut self.encoder, &other.encoder) {
            own.add(other);
        }
        if let Some(decoding) = &other.decoding {
            self.add_decoding(decoding);
        }
        Ok(())
    }

    /// The sum of several reports of one machine; `None` of none.
    ///
    /// # Errors
    /// [`AccelError::Mixed`] if they are of different machines.
    pub fn sum<'a>(
        reports: impl IntoIterator<Item = &'a RunReport>,
    ) -> Result<Option<RunReport>, AccelError> {
        let mut reports = reports.into_iter();
        let Some(mut sum) = reports.next().cloned() else {
            return Ok(None);
        };
        for report in reports {
            sum.add(report)?;
        }
        Ok(Some(sum))
    }
}

/// One scope of a report.
///
/// Serialized, it also carries what its methods compute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(into = "ScopeRow")]
pub struct ScopeReport {
    /// Clock of the machine, in GHz.
    pub clock_ghz: f64,
    /// Multiplying elements of the machine.
    pub elements: u64,
    /// Cycles.
    pub cycles: u64,
    /// What the elements did in them.
    pub element_cycles: Breakdown,
    /// Cycles by operation; where operations overlap, their stalls are charged
    /// to the last of them. With `sort_cycles` they sum to `cycles`.
    pub operation_cycles: BTreeMap<Operation, u64>,
    /// Cycles in which nothing runs but the ranking of the tokens.
    pub sort_cycles: u64,
    /// Scalar products of the dense model on the same inputs.
    pub macs_dense: u64,
    /// Scalar products that the machine computed.
    pub macs_executed: u64,
    /// Bytes read from DRAM.
    pub dram_read_bytes: u64,
    /// Bytes written to DRAM.
    pub dram_write_bytes: u64,
    /// Energy by part.
    pub energy: Energy,
}

impl ScopeReport {
    /// Time, in microseconds.
    pub fn time_us(&self) -> f64 {
        self.cycles as f64 / (self.clock_ghz * 1e3)
    }

    /// Effective throughput: operations of the dense computation, two for a
    /// scalar product, over the time taken, in 10^9 per second.
    pub fn effective_gops(&self) -> f64 {
        match self.cycles {
            0 => 0.0,
            cycles => 2.0 * self.macs_dense as f64 * self.clock_ghz / cycles as f64,
        }
    }

    /// The share of all element-cycles that worked, between 0 and 1.
    pub fn utilisation(&self) -> f64 {
        match self.element_cycles.total() {
            0 => 0.0,
            total => self.element_cycles.active as f64 / total as f64,
        }
    }

    /// Adds another input's.
    fn add(&mut self, other: &ScopeReport) {
        self.cycles += other.cycles;
        self.element_cycles.add(&other.element_cycles);
        for (&operation, &cycles) in &other.operation_cycles {
            *self.operation_cycles.entry(operation).or_default() += cycles;
        }
        self.sort_cycles += other.sort_cycles;
        self.macs_dense += other.macs_dense;
        self.macs_executed += other.macs_executed;
        self.dram_read_bytes += other.dram_read_bytes;
        self.dram_write_bytes += other.dram_write_bytes;
        self.energy.add(&other.energy);
    }
}

/// A scope as it is serialized.
#[derive(Serialize)]
struct ScopeRow {
    clock_ghz: f64,
    elements: u64,
    cycles: u64,
    time_us: f64,
    effective_gops: f64,
    utilisation: f64,
    element_cycles: Breakdown,
    operation_cycles: BTreeMap<Operation, u64>,
    sort_cycles: u64,
    macs_dense: u64,
    macs_executed: u64,
    dram_read_bytes: u64,
    dram_write_bytes: u64,
    energy_pj: BTreeMap<Part, f64>,
    energy_on_chip_pj: f64,
    energy_total_pj: f64,
}

impl From<ScopeReport> for ScopeRow {
    fn from(scope: ScopeReport) -> ScopeRow {
        ScopeRow {
            clock_ghz: scope.clock_ghz,
            elements: scope.elements,
            cycles: scope.cycles,
            time_us: scope.time_us(),
            effective_gops: scope.effective_gops(),
            utilisation: scope.utilisation(),
            element_cycles: scope.element_cycles,
            sort_cycles: scope.sort_cycles,
            macs_dense: scope.macs_dense,
            macs_executed: scope.macs_executed,
            dram_read_bytes: scope.dram_read_bytes,
            dram_write_bytes: scope.dram_write_bytes,
            energy_pj: scope.energy.parts_pj().collect(),
            energy_on_chip_pj: scope.energy.on_chip_pj(),
            energy_total_pj: scope.energy.total_pj(),
            operation_cycles: scope.operation_cycles,
        }
    }
}
