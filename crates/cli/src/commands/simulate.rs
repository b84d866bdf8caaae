//! `dtatrans simulate`: accelerators on a trace.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context, Result, bail};
use dtatrans_accel::{Machine, RunReport, ScopeReport};
use dtatrans_precision::trace::Reader;
use serde::Serialize;

use crate::args::SimulateArguments;
use crate::machines::Sums;
use crate::{console, machines, output};

#[derive(Serialize)]
struct Simulation {
    model: String,
    plan: String,
    inputs: u64,
    tokens: u64,
    machines: Vec<RunReport>,
}

pub(crate) fn run(arguments: &SimulateArguments, json: bool) -> Result<()> {
    let names: Vec<&str> = match arguments.machine.as_slice() {
        [] => Machine::builtin_names().collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    let machines: Vec<Machine> = names
        .into_iter()
        .map(|name| machines::open(name, &arguments.set))
        .collect::<Result<_>>()?;
    let file = &arguments.trace;
    let what = || file.display().to_string();
    let (from, length): (Box<dyn BufRead>, u64) = if file.as_os_str() == "-" {
        (Box::new(BufReader::new(std::io::stdin())), 0)
    } else {
        let handle = File::open(file).with_context(what)?;
        let length = handle.metadata().with_context(what)?.len();
        (Box::new(BufReader::new(handle)), length)
    };
    let bar = console::byte_bar("simulating", length);
    let mut reader = Reader::new(BufReader::new(bar.wrap_read(from))).with_context(what)?;
    let header = reader.header().clone();
    let mut sums = Sums::new(&machines);
    while let Some(input) = reader.read().with_context(what)? {
        sums.add(&header, &input)?;
    }
    bar.finish_and_clear();
    let reports = sums.finish();
    let Some(first) = reports.first() else {
        bail!("{}: has a header but no inputs", file.display());
    };
    let simulation = Simulation {
        model: header.model.name.clone(),
        plan: header.plan.name.clone(),
        inputs: first.inputs,
        tokens: first.tokens,
        machines: reports,
    };
    if json {
        return output::print_json(&simulation);
    }
    print(&simulation, header.model.causal)
}

fn print(simulation: &Simulation, decodes: bool) -> Result<()> {
    let all = if decodes { "layers" } else { "encoder" };
    output::print_line(format!(
        "{} inputs of {} tokens in all, {} under plan `{}`",
        simulation.inputs, simulation.tokens, simulation.model, simulation.plan
    ))?;
    print_scope("attention", simulation, |report| Some(&report.attention))?;
    print_scope(all, simulation, |report| report.encoder.as_ref())?;
    if let Some(decoding) = &simulation.machines[0].decoding {
        output::print_line(format!("Of these {} came one by one:", decoding.tokens))?;
        print_scope("attention", simulation, |report| {
            Some(&report.decoding.as_ref()?.attention)
        })?;
        print_scope(all, simulation, |report| {
            report.decoding.as_ref()?.encoder.as_ref()
        })?;
    }
    for report in &simulation.machines {
        output::print_line(format!("{}: {}", report.machine, report.fed))?;
    }
    Ok(())
}

fn print_scope(
    name: &str,
    simulation: &Simulation,
    scope: impl Fn(&RunReport) -> Option<&ScopeReport>,
) -> Result<()> {
    let titles = [
        name,
        "cycles",
        "time, ms",
        "energy, mJ",
        "effective GOP/s",
        "utilisation",
    ];
    let mut table = console::table(&titles);
    for report in &simulation.machines {
        let Some(scope) = scope(report) else { continue };
        table.add_row([
            report.machine.clone(),
            scope.cycles.to_string(),
            format!("{:.3}", scope.time_us() / 1e3),
            format!("{:.3}", scope.energy.total_pj() / 1e9),
            format!("{:.0}", scope.effective_gops()),
            format!("{:.0} %", 100.0 * scope.utilisation()),
        ]);
    }
    output::print_line(table)
}
