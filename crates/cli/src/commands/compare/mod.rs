//! `dtatrans compare`: several machines on the same traces.

mod csv;
mod rows;
mod tables;

use anyhow::{Result, bail};
use dtatrans_accel::{Machine, RunReport};
use dtatrans_report::{ComparedMachine, ComparedTrace, Comparison};

use crate::args::CompareArguments;
use crate::machines::Sums;
use crate::traces::Trace;
use crate::{machines, output};

pub(crate) fn run(arguments: &CompareArguments, json: bool) -> Result<()> {
    let machines = machines::open_all(&arguments.machine, &arguments.set)?;
    let base = base(arguments, &machines)?;
    let mut traces: Vec<ComparedTrace> = Vec::new();
    let mut reports = Vec::new();
    for file in &arguments.traces {
        let mut trace = Trace::open(file, &arguments.shape.shape)?;
        if traces.iter().any(|known| known.name == trace.name()) {
            bail!("{}: is given twice", trace.name());
        }
        let header = trace.header().clone();
        let mut sums = Sums::new(&machines);
        while let Some(input) = trace.read()? {
            sums.add(&header, &input)?;
        }
        let sums = sums.finish();
        let Some(first) = sums.first() else {
            bail!("{}: has a header but no inputs", trace.name());
        };
        traces.push(ComparedTrace {
            name: trace.name().to_owned(),
            model: header.model.name,
            plan: header.plan.name,
            remark: trace.remark().map(str::to_owned),
            inputs: first.inputs,
            tokens: first.tokens,
            decoded_tokens: first
                .decoding
                .as_ref()
                .map_or(0, |decoding| decoding.tokens),
        });
        trace.finish();
        reports.push(sums);
    }
    let comparison = Comparison {
        version: env!("DTATRANS_VERSION").into(),
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        base: machines[base].name().to_owned(),
        scopes: rows::scopes(&traces, &reports, base),
        machines: machines
            .iter()
            .enumerate()
            .map(|(index, machine)| compared(machine, reports.iter().map(|of| &of[index])))
            .collect(),
        traces,
    };
    if let Some(file) = &arguments.csv {
        output::write_file(file, |out| csv::write(&comparison, out))?;
    }
    if let Some(file) = &arguments.html {
        let page = dtatrans_report::render_comparison(&comparison);
        output::write_file(file, |out| Ok(out.write_all(page.as_bytes())?))?;
    }
    match json {
        true => output::print_json(&comparison),
        false => tables::print(&comparison),
    }
}

/// The index of the machine that the others are compared with: the one whose name, or
/// whose `--machine`, is `--base`.
fn base(arguments: &CompareArguments, machines: &[Machine]) -> Result<usize> {
    let names: Vec<&str> = machines.iter().map(Machine::name).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            bail!("--machine: two machines are called `{name}`; give one of them another `name`");
        }
    }
    let Some(base) = &arguments.base else {
        return Ok(0);
    };
    let called = names.iter().position(|name| name == base);
    let given = || arguments.machine.iter().position(|name| name == base);
    match called.or_else(given) {
        Some(index) => Ok(index),
        None => bail!(
            "--base {base}: is none of the machines compared ({})",
            names.join(", ")
        ),
    }
}

/// A machine and what it was fed of each trace.
fn compared<'a>(
    machine: &Machine,
    reports: impl Iterator<Item = &'a RunReport>,
) -> ComparedMachine {
    let mut fed: Vec<&str> = Vec::new();
    for report in reports {
        if !fed.contains(&report.fed.as_str()) {
            fed.push(&report.fed);
        }
    }
    ComparedMachine {
        name: machine.name().to_owned(),
        kind: machine.kind().to_owned(),
        fed: fed.join("; "),
        elements: machine.elements(),
        element_bits: machine.element_bits(),
        clock_ghz: machine.clock_ghz(),
        dram_gbps: machine.dram_gbps(),
        peak_executed_gops: machine.peak_gops(),
    }
}
