//! `dtatrans simulate`: accelerators on a trace, on a list of products, or on a trace
//! of SpAtten's public release.

mod chip;
mod products;
mod public_trace;

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use dtatrans_accel::recording::Recording;
use dtatrans_accel::report::Cause;
use dtatrans_accel::{RunReport, ScopeReport};
use serde::Serialize;

use crate::args::SimulateArguments;
use crate::machines::Sums;
use crate::task::wrong_usage;
use crate::traces::Trace;
use crate::{console, machines, output};

#[derive(Serialize)]
struct Simulation {
    model: String,
    plan: String,
    /// Where the tiers come from, if not from a run of this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
    inputs: u64,
    tokens: u64,
    machines: Vec<RunReport>,
}

pub(crate) fn run(arguments: &SimulateArguments, json: bool) -> Result<()> {
    let machines = machines::open_all(&arguments.machine, &arguments.set)?;
    if let Some(list) = &arguments.gemm {
        return products::run(arguments, list, &machines, json);
    }
    if let Some(trace) = &arguments.spatten_trace {
        return public_trace::run(arguments, trace, &machines, json);
    }
    let Some(file) = &arguments.trace else {
        bail!("neither a trace nor --gemm FILE nor --spatten-trace FILE is given");
    };
    let mut trace = Trace::open(file, &arguments.shape.shape)?;
    let header = trace.header().clone();
    let remark = trace.remark().map(str::to_owned);
    let mut sums = Sums::new(&machines);
    let wants = arguments.perfetto.is_some() || arguments.scalesim.is_some();
    if wants && machines.len() != 1 {
        let option = if arguments.perfetto.is_some() {
            "--perfetto"
        } else {
            "--scalesim"
        };
        let message = format!("{option} shows one machine: name it with --machine");
        wrong_usage("simulate", ErrorKind::ArgumentConflict, message);
    }
    let mut recording = None;
    while let Some(input) = trace.read()? {
        sums.add(&header, &input)?;
        let named = arguments.input.as_ref().is_none_or(|id| *id == input.id);
        if wants && named && recording.is_none() {
            recording = Some(machines[0].record(&header, &input)?);
        }
    }
    trace.finish();
    if let Some(id) = &arguments.input
        && wants
        && recording.is_none()
    {
        bail!("{}: has no input `{id}`", file.display());
    }
    let reports = sums.finish();
    let Some(first) = reports.first() else {
        bail!("{}: has a header but no inputs", file.display());
    };
    if let Some(recording) = &recording {
        record(arguments, recording)?;
    }
    if let Some(csv) = &arguments.csv {
        let table = dtatrans_accel::table::csv(&reports);
        output::write_file(csv, |out| Ok(out.write_all(table.as_bytes())?))?;
    }
    let simulation = Simulation {
        model: header.model.name.clone(),
        plan: header.plan.name.clone(),
        remark,
        inputs: first.inputs,
        tokens: first.tokens,
        machines: reports,
    };
    if json {
        return output::print_json(&simulation);
    }
    print(&simulation, header.model.causal)
}

/// Writes what was asked for of one run over time.
fn record(arguments: &SimulateArguments, recording: &Recording) -> Result<()> {
    if let Some(file) = &arguments.perfetto {
        let layers = match arguments.layer {
            Some(layer) if layer >= recording.layers() => bail!(
                "--layer {layer}: the model has layers 0 to {}",
                recording.layers().saturating_sub(1)
            ),
            Some(layer) => layer..layer + 1,
            None => 0..recording.layers(),
        };
        let trace = recording.trace_events(layers);
        output::write_file(file, |out| Ok(out.write_all(trace.as_bytes())?))?;
    }
    if let Some(folder) = &arguments.scalesim {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--scalesim {}", folder.display()))?;
        for (name, report) in dtatrans_accel::scalesim::reports(recording) {
            output::write_file(&folder.join(name), |out| {
                Ok(out.write_all(report.as_bytes())?)
            })?;
        }
    }
    Ok(())
}

fn print(simulation: &Simulation, decodes: bool) -> Result<()> {
    let (layers, model) = match decodes {
        true => ("layers", "all with embedding and head"),
        false => ("encoder", "model"),
    };
    output::print_line(format!(
        "{} inputs of {} tokens in all, {} under plan `{}`",
        simulation.inputs, simulation.tokens, simulation.model, simulation.plan
    ))?;
    if let Some(remark) = &simulation.remark {
        output::print_line(remark)?;
    }
    let reports = &simulation.machines;
    print_scope("attention", reports, |report| Some(&report.attention))?;
    print_scope(layers, reports, |report| report.encoder.as_ref())?;
    print_scope(model, reports, |report| report.model.as_ref())?;
    if let Some(decoding) = &simulation.machines[0].decoding {
        output::print_line(format!("Of these {} came one by one:", decoding.tokens))?;
        print_scope("attention", reports, |report| {
            Some(&report.decoding.as_ref()?.attention)
        })?;
        print_scope(layers, reports, |report| {
            report.decoding.as_ref()?.encoder.as_ref()
        })?;
        print_scope(model, reports, |report| {
            report.decoding.as_ref()?.model.as_ref()
        })?;
    }
    chip::print_area(&simulation.machines)?;
    for report in &simulation.machines {
        output::print_line(format!("{}: {}", report.machine, report.fed))?;
    }
    Ok(())
}

/// One line for each machine that has the scope; nothing if none has.
fn print_scope(
    name: &str,
    reports: &[RunReport],
    scope: impl Fn(&RunReport) -> Option<&ScopeReport>,
) -> Result<()> {
    let titles = [
        name,
        "cycles",
        "time, ms",
        "energy, mJ",
        "without DRAM, mJ",
        "effective GOP/s",
        "utilisation",
    ];
    let mut table = console::table(&titles);
    for report in reports {
        let Some(scope) = scope(report) else { continue };
        table.add_row([
            report.machine.clone(),
            scope.cycles.to_string(),
            format!("{:.3}", scope.time_us() / 1e3),
            format!("{:.3}", scope.energy.total_pj() / 1e9),
            format!("{:.3}", scope.energy.on_chip_pj() / 1e9),
            format!("{:.0}", scope.effective_gops()),
            format!("{:.0} %", 100.0 * scope.utilisation()),
        ]);
    }
    if table.is_empty() {
        return Ok(());
    }
    output::print_line(table)?;
    print_causes(name, reports, &scope)?;
    chip::print_energy(name, reports, scope)
}

/// Where elements' cycles went, in per cent: causes that any machine has.
fn print_causes(
    name: &str,
    reports: &[RunReport],
    scope: impl Fn(&RunReport) -> Option<&ScopeReport>,
) -> Result<()> {
    let rows: Vec<(&str, &ScopeReport)> = reports
        .iter()
        .filter_map(|report| Some((report.machine.as_str(), scope(report)?)))
        .collect();
    let share = |scope: &ScopeReport, cause| {
        100.0 * scope.element_cycles.of(cause) as f64 / scope.element_cycles.total().max(1) as f64
    };
    let causes: Vec<Cause> = Cause::ALL
        .into_iter()
        .filter(|&cause| rows.iter().any(|(_, scope)| share(scope, cause) >= 0.05))
        .collect();
    let title = format!("{name}, element-cycles in %");
    let titles: Vec<&str> = std::iter::once(title.as_str())
        .chain(causes.iter().map(|cause| cause.label()))
        .collect();
    let mut table = console::table(&titles);
    for (machine, scope) in rows {
        let shares = causes
            .iter()
            .map(|&cause| format!("{:.1}", share(scope, cause)));
        table.add_row(std::iter::once(machine.to_owned()).chain(shares));
    }
    output::print_line(table)
}
