//! What a machine answers.

use std::collections::BTreeMap;

use dtatrans_precision::workload::Operation;
use serde::Serialize;

use crate::AccelError;
use crate::area::Area;
use crate::energy::{Energy, Kind, Part};
use crate::node::Technology;

/// What each element did in each cycle, in element-cycles: elements times
/// cycles. The fields sum to all elements times all cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// Worked on a product of the workload.
    pub active: u64,
    /// Waited for a slower element or stage.
    pub speed_mismatch: u64,
    /// Waited for operands that the buffer's banks cannot deliver faster.
    pub operand_wait: u64,
    /// Waited for banks that were busy for DRAM or for the vector unit.
    pub sram_conflict: u64,
    /// Waited for the first operands to come through the array.
    pub fill: u64,
    /// Waited for results to leave: behind the last tile, and before tiles too short
    /// to hide the drain of the one before them.
    pub drain: u64,
    /// Had no product of the workload: padding of partial tiles, unmapped
    /// elements, arrays without a tile.
    pub tail: u64,
    /// Waited for DRAM.
    pub dram: u64,
    /// Waited for the vector unit.
    pub vector: u64,
    /// Waited for the ranking of the tokens.
    pub sort: u64,
}

/// What elements do in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// They work.
    Active,
    /// See [`Breakdown::speed_mismatch`].
    SpeedMismatch,
    /// See [`Breakdown::operand_wait`].
    OperandWait,
    /// See [`Breakdown::sram_conflict`].
    SramConflict,
    /// See [`Breakdown::fill`].
    Fill,
    /// See [`Breakdown::drain`].
    Drain,
    /// See [`Breakdown::tail`].
    Tail,
    /// See [`Breakdown::dram`].
    Dram,
    /// See [`Breakdown::vector`].
    Vector,
    /// See [`Breakdown::sort`].
    Sort,
}

impl Cause {
    /// All of them, work first.
    pub const ALL: [Cause; 10] = [
        Cause::Active,
        Cause::SpeedMismatch,
        Cause::OperandWait,
        Cause::SramConflict,
        Cause::Fill,
        Cause::Drain,
        Cause::Tail,
        Cause::Dram,
        Cause::Vector,
        Cause::Sort,
    ];

    /// A name for people.
    pub fn label(self) -> &'static str {
        match self {
            Cause::Active => "active",
            Cause::SpeedMismatch => "speed mismatch",
            Cause::OperandWait => "operand wait",
            Cause::SramConflict => "SRAM conflict",
            Cause::Fill => "fill",
            Cause::Drain => "drain",
            Cause::Tail => "partial tiles",
            Cause::Dram => "DRAM",
            Cause::Vector => "vector unit",
            Cause::Sort => "token ranking",
        }
    }
}

impl Breakdown {
    /// The element-cycles of one cause.
    pub fn of(&self, cause: Cause) -> u64 {
        let mut own = *self;
        *own.field(cause)
    }

    /// The field of one cause.
    pub(crate) fn field(&mut self, cause: Cause) -> &mut u64 {
        match cause {
            Cause::Active => &mut self.active,
            Cause::SpeedMismatch => &mut self.speed_mismatch,
            Cause::OperandWait => &mut self.operand_wait,
            Cause::SramConflict => &mut self.sram_conflict,
            Cause::Fill => &mut self.fill,
            Cause::Drain => &mut self.drain,
            Cause::Tail => &mut self.tail,
            Cause::Dram => &mut self.dram,
            Cause::Vector => &mut self.vector,
            Cause::Sort => &mut self.sort,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        Cause::ALL.iter().map(|&cause| self.of(cause)).sum()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Breakdown) {
        for cause in Cause::ALL {
            *self.field(cause) += other.of(cause);
        }
    }

    /// Adds what elements waited for one another, which is known as what is left of
    /// all cycles. Where less than nothing is left, a wait that was counted for its
    /// bound was shorter.
    pub(crate) fn settle(&mut self, mismatch: i64) {
        let mut over = mismatch.min(0).unsigned_abs();
        self.speed_mismatch += mismatch.max(0) as u64;
        for cause in [Cause::Drain, Cause::Fill, Cause::Tail] {
            let field = self.field(cause);
            let less = over.min(*field);
            *field -= less;
            over -= less;
        }
        debug_assert_eq!(over, 0, "more work than cycles");
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
    /// What its energies and its area are told at.
    pub technology: Technology,
    /// What it is made of.
    pub area: Area,
    /// Number of inputs.
    pub inputs: u64,
    /// Tokens of all inputs.
    pub tokens: u64,
    /// Q x K^T and P x V with what lies between.
    pub attention: ScopeReport,
    /// All products of the layers; `None` where the machine has no engine for
    /// them.
    pub encoder: Option<ScopeReport>,
    /// These, and what stands before and behind the layers; `None` where the trace does
    /// not say what that is, or the machine has no engine for it.
    pub model: Option<ScopeReport>,
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
    /// These, and what stands before and behind the layers; `None` as above.
    pub model: Option<ScopeReport>,
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
        if let (Some(own), Some(other)) = (&mut own.model, &other.model) {
            own.add(other);
        }
    }

    /// Adds the report of another input.
    ///
    /// # Errors
    /// [`AccelError::Mixed`] if it is of another machine, or has other scopes.
    pub fn add(&mut self, other: &RunReport) -> Result<(), AccelError> {
        let scopes = |report: &RunReport| (report.encoder.is_some(), report.model.is_some());
        if self.machine != other.machine || scopes(self) != scopes(other) {
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
        if let (Some(own), Some(other)) = (&mut self.model, &other.model) {
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
    /// Cycles by operation; operations that overlap have their shares of the time.
    /// They sum to `cycles`.
    pub operation_cycles: BTreeMap<Operation, u64>,
    /// The products, by layer and operation.
    pub products: BTreeMap<(usize, Operation), ProductReport>,
    /// Scalar products of the dense model on the same inputs.
    pub macs_dense: u64,
    /// Scalar products that the machine computed. What SpAtten computes again with low
    /// bits is work of its elements, but no product more.
    pub macs_executed: u64,
    /// Bytes read from DRAM.
    pub dram_read_bytes: u64,
    /// Bytes written to DRAM.
    pub dram_write_bytes: u64,
    /// Bursts of the DRAM that met an open row of theirs.
    pub dram_row_hits: u64,
    /// Bursts that met a closed row.
    pub dram_row_misses: u64,
    /// Bursts that met another open row.
    pub dram_row_conflicts: u64,
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

    /// Executed throughput: operations that the machine computed, two for a scalar
    /// product of any width, over the time taken, in 10^9 per second. Every run is
    /// checked for never passing [`Machine::peak_gops`](crate::Machine::peak_gops).
    pub fn executed_gops(&self) -> f64 {
        match self.cycles {
            0 => 0.0,
            cycles => 2.0 * self.macs_executed as f64 * self.clock_ghz / cycles as f64,
        }
    }

    /// Bytes that DRAM moved, read and written.
    pub fn dram_bytes(&self) -> u64 {
        self.dram_read_bytes + self.dram_write_bytes
    }

    /// Arithmetic intensity: executed operations for each byte that DRAM moved, the x of
    /// a roofline (Williams, Waterman and Patterson, CACM 52(4), 2009); `None` where it
    /// moved none.
    pub fn operations_per_dram_byte(&self) -> Option<f64> {
        match self.dram_bytes() {
            0 => None,
            bytes => Some(2.0 * self.macs_executed as f64 / bytes as f64),
        }
    }

    /// The share of all element-cycles that worked, between 0 and 1.
    pub fn utilisation(&self) -> f64 {
        match self.element_cycles.total() {
            0 => 0.0,
            total => self.element_cycles.active as f64 / total as f64,
        }
    }

    /// Adds the same machine's on another input.
    pub fn add(&mut self, other: &ScopeReport) {
        self.cycles += other.cycles;
        self.element_cycles.add(&other.element_cycles);
        for (&operation, &cycles) in &other.operation_cycles {
            *self.operation_cycles.entry(operation).or_default() += cycles;
        }
        for (key, product) in &other.products {
            self.products
                .entry(*key)
                .and_modify(|own| own.add(product))
                .or_insert_with(|| product.clone());
        }
        self.macs_dense += other.macs_dense;
        self.macs_executed += other.macs_executed;
        self.dram_read_bytes += other.dram_read_bytes;
        self.dram_write_bytes += other.dram_write_bytes;
        self.dram_row_hits += other.dram_row_hits;
        self.dram_row_misses += other.dram_row_misses;
        self.dram_row_conflicts += other.dram_row_conflicts;
        self.energy.add(&other.energy);
    }
}

/// Products of one kind in one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProductReport {
    /// How many equal ones: heads.
    pub copies: u64,
    /// Rows of the left operand, columns of the right one, and the length of the
    /// reduction, of the first that was added.
    pub m: u64,
    /// See `m`.
    pub n: u64,
    /// See `m`.
    pub k: u64,
    /// Its share of the cycles.
    pub cycles: u64,
    /// Scalar products computed.
    pub macs: u64,
    /// Bytes read from DRAM of its left and right operands and of what else it needs.
    pub dram_read_bytes: [u64; 3],
    /// Bytes written to DRAM.
    pub dram_write_bytes: u64,
    /// Bytes of its left and right operands that the arrays read from the buffer.
    pub sram_read_bytes: [u64; 2],
    /// What the elements did, idle before it included. What they lag behind in one
    /// product and catch up with in the next shows in the sum over all products.
    pub element_cycles: Breakdown,
    /// How it was cut, and why; of the first that was added.
    pub mapping: Option<String>,
}

impl ProductReport {
    /// Adds another input's.
    pub(crate) fn add(&mut self, other: &ProductReport) {
        self.cycles += other.cycles;
        self.macs += other.macs;
        for (own, other) in self.dram_read_bytes.iter_mut().zip(other.dram_read_bytes) {
            *own += other;
        }
        self.dram_write_bytes += other.dram_write_bytes;
        for (own, other) in self.sram_read_bytes.iter_mut().zip(other.sram_read_bytes) {
            *own += other;
        }
        self.element_cycles.add(&other.element_cycles);
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
    executed_gops: f64,
    utilisation: f64,
    element_cycles: Breakdown,
    operation_cycles: BTreeMap<Operation, u64>,
    macs_dense: u64,
    macs_executed: u64,
    dram_read_bytes: u64,
    dram_write_bytes: u64,
    dram_row_hits: u64,
    dram_row_misses: u64,
    dram_row_conflicts: u64,
    energy_pj: BTreeMap<Part, f64>,
    /// By part, how what it spent was priced.
    energy_kinds_pj: BTreeMap<Part, BTreeMap<Kind, f64>>,
    energy_leakage_pj: f64,
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
            executed_gops: scope.executed_gops(),
            utilisation: scope.utilisation(),
            element_cycles: scope.element_cycles,
            macs_dense: scope.macs_dense,
            macs_executed: scope.macs_executed,
            dram_read_bytes: scope.dram_read_bytes,
            dram_write_bytes: scope.dram_write_bytes,
            dram_row_hits: scope.dram_row_hits,
            dram_row_misses: scope.dram_row_misses,
            dram_row_conflicts: scope.dram_row_conflicts,
            energy_pj: scope.energy.parts_pj().collect(),
            energy_kinds_pj: scope
                .energy
                .parts_pj()
                .map(|(part, _)| (part, scope.energy.kinds_pj(part).collect()))
                .collect(),
            energy_leakage_pj: scope.energy.leakage_pj(),
            energy_on_chip_pj: scope.energy.on_chip_pj(),
            energy_total_pj: scope.energy.total_pj(),
            operation_cycles: scope.operation_cycles,
        }
    }
}
