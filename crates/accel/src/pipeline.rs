//! What overlaps: from the work of single units to the cycles of a run.
//!
//! A run is a sequence of phases. Within a phase array, DRAM and vector unit
//! work at the same time on different tiles (double buffering), so it takes as
//! long as the slowest; what the array then waits for is charged to that unit.
//! Operands of a phase are prefetched under the phase before it. The attention
//! is one phase a layer, because while one head's scores pass the softmax the
//! array multiplies another's; only the last tile's softmax is exposed.
//!
//! The ranking of the tokens needs the scores of the layer before and is needed
//! by the next layer's first product. In the encoder it hides behind the output
//! projection and the feed-forward network that run meanwhile; where only the
//! attention is looked at, nothing hides it.

use std::collections::BTreeMap;

use dtatrans_precision::workload::Operation;

use crate::AccelError;
use crate::energy::{Actions, Energy, EnergyTable};
use crate::memory::{Dram, Sram, Traffic};
use crate::report::{Breakdown, ScopeReport};

/// Operations that overlap one another.
#[derive(Clone, Debug, Default)]
pub struct Phase {
    /// The operations and the cycles that the array gives each; they sum to
    /// `array_cycles`.
    pub operations: Vec<(Operation, u64)>,
    /// Cycles that the array takes if nothing holds it up.
    pub array_cycles: u64,
    /// What the elements do in these cycles.
    pub element_cycles: Breakdown,
    /// Bytes between DRAM and chip.
    pub traffic: Traffic,
    /// Cycles that the vector unit takes.
    pub vector_cycles: u64,
    /// Cycles of the vector unit that nothing can hide.
    pub exposed_vector_cycles: u64,
    /// Scalar products computed.
    pub macs: u64,
    /// What the phase does that costs energy.
    pub actions: Actions,
}

impl Phase {
    fn is_attention(&self) -> bool {
        self.operations
            .iter()
            .all(|(operation, _)| operation.is_attention())
    }
}

/// One layer of a run.
#[derive(Clone, Debug, Default)]
pub struct LayerRun {
    /// Cycles that ranking the tokens takes before the layer.
    pub sort_cycles: u64,
    /// What the ranking does that costs energy.
    pub sort_actions: Actions,
    /// The phases, in order.
    pub phases: Vec<Phase>,
}

/// What a scope's cycles are computed from, besides the layers.
pub(crate) struct Context<'a> {
    pub(crate) machine: &'a str,
    pub(crate) clock_ghz: f64,
    pub(crate) elements: u64,
    pub(crate) dram: Dram,
    pub(crate) sram: Option<&'a Sram>,
    pub(crate) energies: &'a EnergyTable,
}

/// Which phases to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Attention,
    Encoder,
}

impl Context<'_> {
    /// The report of one scope of a run, checked for conservation.
    pub(crate) fn report(
        &self,
        layers: &[LayerRun],
        scope: Scope,
        macs_dense: u64,
    ) -> Result<ScopeReport, AccelError> {
        let mut sum = Sum::default();
        let mut hides_sort = 0;
        // No sum over the phases overflows if none is beyond its share.
        let phases: usize = layers.iter().map(|layer| layer.phases.len() + 1).sum();
        let most_cycles = u64::MAX / 2 / self.elements / phases.max(1) as u64;
        for layer in layers {
            let exposed = match scope {
                Scope::Attention => layer.sort_cycles,
                Scope::Encoder => layer.sort_cycles.saturating_sub(hides_sort),
            };
            sum.sort_cycles += exposed;
            sum.element_cycles.sort += exposed * self.elements;
            sum.actions.add(&layer.sort_actions);
            hides_sort = 0;
            for phase in &layer.phases {
                if scope == Scope::Attention && !phase.is_attention() {
                    continue;
                }
                let cycles = self.phase(phase, most_cycles, &mut sum)?;
                match phase.is_attention() {
                    true => hides_sort = 0,
                    false => hides_sort += cycles,
                }
            }
        }
        let cycles = sum.sort_cycles + sum.operation_cycles.values().sum::<u64>();
        self.check(&sum, cycles)?;
        let energy: Energy = self.energies.price(&sum.actions, self.sram, self.machine)?;
        Ok(ScopeReport {
            clock_ghz: self.clock_ghz,
            elements: self.elements,
            cycles,
            element_cycles: sum.element_cycles,
            operation_cycles: sum.operation_cycles,
            sort_cycles: sum.sort_cycles,
            macs_dense,
            macs_executed: sum.macs,
            dram_read_bytes: sum.traffic.read_bytes,
            dram_write_bytes: sum.traffic.write_bytes,
            energy,
        })
    }

    /// Adds one phase; its cycles.
    fn phase(&self, phase: &Phase, most: u64, sum: &mut Sum) -> Result<u64, AccelError> {
        let dram = self.dram.cycles(phase.traffic.bytes(), self.clock_ghz);
        let busiest = phase.array_cycles.max(dram).max(phase.vector_cycles);
        if busiest.saturating_add(phase.exposed_vector_cycles) > most {
            return Err(AccelError::TooLong {
                machine: self.machine.to_owned(),
            });
        }
        let waited = (busiest - phase.array_cycles) * self.elements;
        let mut element_cycles = phase.element_cycles;
        if dram >= phase.vector_cycles {
            element_cycles.dram += waited;
        } else {
            element_cycles.vector += waited;
        }
        element_cycles.vector += phase.exposed_vector_cycles * self.elements;
        let stalls = busiest - phase.array_cycles + phase.exposed_vector_cycles;
        let last = phase.operations.len().saturating_sub(1);
        for (index, &(operation, cycles)) in phase.operations.iter().enumerate() {
            let cycles = cycles + if index == last { stalls } else { 0 };
            *sum.operation_cycles.entry(operation).or_default() += cycles;
        }
        sum.element_cycles.add(&element_cycles);
        sum.traffic.add(&phase.traffic);
        sum.actions.add(&phase.actions);
        sum.macs += phase.macs;
        Ok(busiest + phase.exposed_vector_cycles)
    }

    fn check(&self, sum: &Sum, cycles: u64) -> Result<(), AccelError> {
        let law = |law, found, expected, holds: bool| match holds {
            true => Ok(()),
            false => Err(AccelError::Conservation {
                machine: self.machine.to_owned(),
                law,
                found,
                expected,
            }),
        };
        let all = cycles * self.elements;
        let attributed = sum.element_cycles.total();
        law(
            "attributed element-cycles",
            attributed,
            all,
            attributed == all,
        )?;
        let (read, unique) = (sum.traffic.read_bytes, sum.traffic.unique_read_bytes);
        law("bytes read from DRAM", read, unique, read >= unique)
    }
}

#[derive(Default)]
struct Sum {
    operation_cycles: BTreeMap<Operation, u64>,
    sort_cycles: u64,
    element_cycles: Breakdown,
    traffic: Traffic,
    macs: u64,
    actions: Actions,
}
