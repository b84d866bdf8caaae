//! An accelerator in one file: a row of 8-bit multipliers with an adder tree, which
//! takes tokens of 0 bits out and runs all others at 8 bits, one dot product a cycle.
//! It runs beside the machines that come with the crate.
//!
//! ```text
//! cargo run --release --package dtatrans-accel --example own_accelerator [TRACE]
//! ```
//!
//! Without a trace of `dtatrans trace` it takes one of a sentence that the tests of the
//! RTL have.

use std::error::Error;

use dtatrans_accel::Machine;
use dtatrans_accel::accelerator::{Accelerator, ProductRun, Run};
use dtatrans_accel::area::{Area, Component};
use dtatrans_accel::blocks::steady::{Steady, Whole};
use dtatrans_accel::energy::{Action, Actions, Kind, Part};
use dtatrans_accel::memory::{Dram, Sram, Traffic};
use dtatrans_accel::node::{Origin, Technology};
use dtatrans_accel::report::{Breakdown, Cause};
use dtatrans_precision::Tier;
use dtatrans_precision::trace::{Header, Input, Reader};
use dtatrans_precision::workload::{Operation, Product, Workload};

/// What it is: sizes, and what is around it.
#[derive(Debug)]
struct DotProducts {
    multipliers: u64,
    dram: Dram,
    sram: Sram,
}

impl Accelerator for DotProducts {
    fn elements(&self) -> u64 {
        self.multipliers
    }

    fn element_bits(&self) -> u64 {
        8
    }

    fn dram(&self) -> &Dram {
        &self.dram
    }

    fn sram(&self) -> Option<&Sram> {
        Some(&self.sram)
    }

    /// What it is made of: multipliers of one's own figures, and the SRAM.
    fn area(&self, technology: &Technology) -> Area {
        let mut area = Area::default();
        area.add(Component {
            part: Part::Arithmetic,
            name: "8-bit multiplier and adder".into(),
            count: self.multipliers as f64,
            area_um2: 282.0 + 137.0,
            leakage_mw: 0.01,
            delay_ps: None,
            origin: Origin {
                node_nm: 45,
                supply_v: 0.9,
            },
            kind: Kind::Published,
            source: "Dally, NIPS 2015 tutorial; the leakage is made up".into(),
        });
        area.sram(&self.sram, technology);
        area
    }

    /// What it makes of a trace: the products that the tiers leave.
    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&input.workload(header))
    }

    /// What it makes of one more token of a decoder.
    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        self.work(&Workload::step_under_plan(
            &header.model,
            &header.plan,
            kept,
        ))
    }
}

impl DotProducts {
    fn work(&self, work: &Workload) -> Run {
        let mut steady = Steady::default();
        for layer in &work.layers {
            steady.layer(0, Actions::default());
            for product in &layer.products {
                steady.add(self.product(product));
            }
        }
        steady.run("tokens above 0 bits, at 8 bits".into(), true)
    }

    /// One product: how long, what moves, what costs energy. What overlaps, what is
    /// waited for and whether all is conserved is the same for all machines.
    fn product(&self, product: &Product) -> Whole {
        let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
        let copies = product.count as u64;
        // A dot product takes its length in steps of the multipliers.
        let cycles = copies * m * n * k.div_ceil(self.multipliers);
        let macs = product.macs();
        let traffic = Traffic {
            read_bytes: copies * (m * k + k * n),
            write_bytes: copies * m * n,
            unique_read_bytes: copies * (m * k + k * n),
        };
        let mut actions = Actions::default();
        actions.count(Part::Arithmetic, Action::Multiply8, macs);
        actions.count(Part::Arithmetic, Action::Add24, macs);
        actions.count(Part::Buffer, Action::SramReadBit, 2 * 8 * macs);
        Whole {
            product: ProductRun {
                layer: product.layer,
                operation: product.operation,
                copies,
                m,
                n,
                k,
                macs,
                element_cycles: macs,
                actions,
                operand_bytes: [0; 3],
                mapping: None,
            },
            steps: 16,
            cycles,
            element_cycles: Breakdown {
                active: macs,
                tail: cycles * self.multipliers - macs,
                ..Breakdown::default()
            },
            traffic,
            vector_cycles: 0,
            // P x V takes the probabilities from the chip.
            takes: product.operation == Operation::Context,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let own = Machine::of(
        "dot-products-128",
        1.0,
        Box::new(DotProducts {
            multipliers: 128,
            dram: Dram::ideal(64.0),
            sram: Sram::new(131_072, 8, 128)?,
        }),
    )?;
    let trace = match std::env::args().nth(1) {
        Some(file) => std::fs::read(file)?,
        None => include_bytes!("../../../rtl/cosim/tests/data/head.jsonl").to_vec(),
    };
    let mut reader = Reader::new(&trace[..])?;
    let header = reader.header().clone();
    let input = reader.read()?.ok_or("the trace has no input")?;
    println!("{} tokens of {}:", input.tokens.len(), header.model.name);
    for machine in [
        own,
        Machine::builtin("systolic-128")?,
        Machine::builtin("vssa-512")?,
    ] {
        let report = machine.simulate(&header, &input)?;
        let encoder = report.encoder.as_ref().unwrap_or(&report.attention);
        println!(
            "{:>17}: {:>10} cycles, {:>4.0} effective GOP/s, {:.2} mJ, {:.2} mm2; {}",
            report.machine,
            encoder.cycles,
            encoder.effective_gops(),
            encoder.energy.total_pj() * 1e-9,
            report.area.total_mm2(),
            causes(&encoder.element_cycles),
        );
    }
    Ok(())
}

/// The causes above a thousandth, in per cent.
fn causes(spent: &Breakdown) -> String {
    let share = |cause| 100.0 * spent.of(cause) as f64 / spent.total() as f64;
    let shown = Cause::ALL.into_iter().filter(|&cause| share(cause) >= 0.1);
    let named = shown.map(|cause| format!("{} {:.1} %", cause.label(), share(cause)));
    named.collect::<Vec<_>>().join(", ")
}
