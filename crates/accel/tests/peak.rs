//! Does any machine claim more than its elements and its DRAM can do?

mod setup;

use dtatrans_accel::accelerator::{Accelerator, ProductRun, Run};
use dtatrans_accel::area::Area;
use dtatrans_accel::blocks::steady::{Steady, Whole};
use dtatrans_accel::energy::{Action, Actions, Part};
use dtatrans_accel::memory::{Dram, Sram, Traffic};
use dtatrans_accel::node::Technology;
use dtatrans_accel::report::Breakdown;
use dtatrans_accel::{AccelError, Machine, RunReport, ScopeReport};
use dtatrans_precision::Tier;
use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{Operation, Workload};

/// One element that says that it computes more than it has cycles for.
#[derive(Debug)]
struct Boaster {
    dram: Dram,
    macs_a_cycle: u64,
}

impl Boaster {
    fn work(&self, work: &Workload) -> Run {
        let mut steady = Steady::default();
        for layer in &work.layers {
            steady.layer(0, Actions::default());
            for product in &layer.products {
                let cycles = product.macs();
                let mut actions = Actions::default();
                actions.count(Part::Arithmetic, Action::Multiply8, cycles);
                steady.add(Whole {
                    product: ProductRun {
                        layer: product.layer,
                        operation: product.operation,
                        copies: product.count as u64,
                        m: product.m() as u64,
                        n: product.n as u64,
                        k: product.k as u64,
                        macs: self.macs_a_cycle * cycles,
                        element_cycles: cycles,
                        actions,
                        operand_bytes: [0; 3],
                        mapping: None,
                    },
                    steps: 1,
                    cycles,
                    element_cycles: Breakdown {
                        active: cycles,
                        ..Breakdown::default()
                    },
                    traffic: Traffic {
                        read_bytes: 1,
                        write_bytes: 1,
                        unique_read_bytes: 1,
                    },
                    vector_cycles: 0,
                    takes: product.operation == Operation::Context,
                });
            }
        }
        steady.run("everything".into(), true)
    }
}

impl Accelerator for Boaster {
    fn elements(&self) -> u64 {
        1
    }

    fn element_bits(&self) -> u64 {
        8
    }

    fn dram(&self) -> &Dram {
        &self.dram
    }

    fn area(&self, _technology: &Technology) -> Area {
        Area::default()
    }

    fn sram(&self) -> Option<&Sram> {
        None
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&input.workload(header))
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        self.work(&Workload::step_under_plan(
            &header.model,
            &header.plan,
            kept,
        ))
    }
}

fn boaster(macs_a_cycle: u64) -> Result<RunReport, AccelError> {
    let dram = Dram::ideal(64.0);
    let machine = Machine::of("boaster", 1.0, Box::new(Boaster { dram, macs_a_cycle }))?;
    let header = setup::header_tier_probabilities(setup::minilm());
    machine.simulate(&header, &setup::uniform(&header, 4, Tier::Eight))
}

#[test]
fn more_than_the_elements_can_do_is_refused() {
    let honest = boaster(1).unwrap();
    assert!(honest.attention.executed_gops() > 0.0);
    let error = boaster(2).unwrap_err();
    assert!(
        matches!(&error, AccelError::Conservation { law, .. } if law.contains("scalar products")),
        "{error}"
    );
}

fn scopes(report: &RunReport) -> impl Iterator<Item = &ScopeReport> {
    let others = [report.encoder.as_ref(), report.model.as_ref()];
    std::iter::once(&report.attention).chain(others.into_iter().flatten())
}

/// The executed rate of every machine stays below both parts of its roof: elements and
/// clock, and what DRAM brings in the time.
#[test]
fn every_machine_stays_below_its_roof() {
    for (header, input) in setup::some_inputs() {
        for name in Machine::builtin_names() {
            let machine = Machine::builtin(name).unwrap();
            let report = machine.simulate(&header, &input).unwrap();
            for scope in scopes(&report) {
                let executed = scope.executed_gops();
                let intensity = scope.operations_per_dram_byte().unwrap();
                let tokens = input.tokens.len();
                assert!(executed > 0.0 && executed <= machine.peak_gops(), "{name}");
                // The last byte arrives within a cycle, which is counted as a whole.
                let whole = 1.0 + 1e-12;
                assert!(
                    executed <= machine.dram_gbps() * intensity * whole,
                    "{name}, {} on {tokens} tokens: {executed} GOP/s, {intensity} a byte",
                    header.model.name,
                );
                assert!(executed <= scope.utilisation() * machine.peak_gops() * whole);
            }
        }
    }
}
