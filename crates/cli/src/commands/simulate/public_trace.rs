//! `dtatrans simulate --spatten-trace`: traces of SpAtten's public release.

use std::path::Path;

use anyhow::{Context, Result};
use dtatrans_accel::spatten::{Order, PublicTrace};
use dtatrans_accel::{Machine, RunReport};
use serde::Serialize;

use super::print_scope;
use crate::args::SimulateArguments;
use crate::{output, texts};

#[derive(Serialize)]
struct Simulation {
    /// What the trace says that it came from.
    configuration: Option<String>,
    requests: usize,
    /// Tokens that were generated.
    tokens: u64,
    machines: Vec<RunReport>,
}

pub(super) fn run(
    arguments: &SimulateArguments,
    file: &Path,
    machines: &[Machine],
    json: bool,
) -> Result<()> {
    let what = || file.display().to_string();
    let text = texts::read_utf8(file).with_context(what)?;
    let trace = PublicTrace::parse(&text).with_context(what)?;
    let reports = machines
        .iter()
        .map(|machine| Ok(machine.simulate_public_trace(&trace, Order::Streamed)?))
        .collect::<Result<Vec<_>>>()?;
    if let Some(csv) = &arguments.csv {
        let table = dtatrans_accel::table::csv(&reports);
        output::write_file(csv, |out| Ok(out.write_all(table.as_bytes())?))?;
    }
    let simulation = Simulation {
        configuration: trace.configuration.clone(),
        requests: trace.requests.len(),
        tokens: trace.iterations(),
        machines: reports,
    };
    match json {
        true => output::print_json(&simulation),
        false => print(&simulation),
    }
}

fn print(simulation: &Simulation) -> Result<()> {
    output::print_line(format!(
        "{} tokens generated, {} requests of heads, under `{}`",
        simulation.tokens,
        simulation.requests,
        simulation.configuration.as_deref().unwrap_or("unnamed")
    ))?;
    let reports = &simulation.machines;
    print_scope("attention", reports, |report| Some(&report.attention))?;
    for report in reports {
        output::print_line(format!(
            "{}: {}; {:.0} GOP/s executed",
            report.machine,
            report.fed,
            report.attention.executed_gops()
        ))?;
    }
    Ok(())
}
