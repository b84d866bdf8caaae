//! `dtatrans sweep` and `dtatrans merge`: machines x traces x plans into one table.

mod front;

use std::path::PathBuf;

use anyhow::{Result, bail};
use dtatrans_sweep::{Opened, Outcome, Sweep, Table};
use serde::Serialize;

use crate::args::{FrontArguments, MergeArguments, SweepArguments};
use crate::{console, interrupt, output};

use front::Front;

/// What a command did, for `--json`.
#[derive(Serialize)]
struct Report {
    /// What tells the sweep from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<String>,
    /// The file.
    table: PathBuf,
    /// Points that it has.
    points: usize,
    /// Points that were simulated now.
    #[serde(skip_serializing_if = "Option::is_none")]
    simulated: Option<usize>,
    /// The front of each plan; none of a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    fronts: Option<Vec<Front>>,
}

pub(crate) fn run(arguments: &SweepArguments, json: bool) -> Result<()> {
    let program = env!("DTATRANS_VERSION");
    let sweep = Sweep::open(&arguments.sweep, program)?;
    let file = arguments.out.clone().unwrap_or_else(|| default(arguments));
    if file == arguments.sweep {
        bail!("--out {}: is the sweep's own file", file.display());
    }
    let (text, points, simulated) = match Table::open(&file, &sweep, arguments.shard, program)? {
        Opened::Complete(text) => (text, None, 0),
        Opened::Open(mut table) => {
            let pending = fill(&sweep, &mut table)?;
            let points = table.kept();
            (table.finish()?, Some(points), pending)
        }
    };
    let points = points.unwrap_or_else(|| match arguments.shard {
        Some(share) => share.numbers(sweep.points().len()).count(),
        None => sweep.points().len(),
    });
    let report = Report {
        sweep: Some(sweep.digest().to_owned()),
        table: file,
        points,
        simulated: Some(simulated),
        fronts: match arguments.shard {
            Some(_) => None,
            None => Some(conclude(&text, &arguments.front)?),
        },
    };
    print(&report, &arguments.front, json)
}

pub(crate) fn merge(arguments: &MergeArguments, json: bool) -> Result<()> {
    let text = dtatrans_sweep::merge(&arguments.out, &arguments.shares)?;
    let keys: std::collections::BTreeSet<&str> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    let report = Report {
        sweep: None,
        table: arguments.out.clone(),
        points: keys.len(),
        simulated: None,
        fronts: Some(conclude(&text, &arguments.front)?),
    };
    print(&report, &arguments.front, json)
}

/// `sweep.csv` for `sweep.toml`, of a share `sweep.1-of-3.csv`.
fn default(arguments: &SweepArguments) -> PathBuf {
    let extension = match arguments.shard {
        Some(share) => format!("{}.csv", share.to_string().replace('/', "-of-")),
        None => "csv".into(),
    };
    arguments.sweep.with_extension(extension)
}

/// Simulates what a table lacks; gives how many points that was.
fn fill(sweep: &Sweep, table: &mut Table) -> Result<usize> {
    let (kept, pending) = (table.kept(), table.pending().len());
    if kept > 0 && pending > 0 {
        console::note(format!(
            "going on behind {kept} points of {}",
            kept + pending
        ));
    }
    let bar = console::count_bar("simulating", kept + pending, "points");
    bar.set_position(kept as u64);
    bar.reset_eta();
    let outcome =
        interrupt::cooperate(|stop| sweep.run(table, stop, &|points| bar.inc(points as u64)));
    bar.finish_and_clear();
    match outcome? {
        Outcome::Complete => Ok(pending),
        Outcome::Stopped => bail!(
            "stopped with {} of {} points: the same command goes on from there",
            table.kept(),
            kept + pending
        ),
    }
}

/// Draws what was asked for of a complete table; gives its fronts.
fn conclude(text: &str, arguments: &FrontArguments) -> Result<Vec<Front>> {
    let configurations = dtatrans_sweep::configurations(text, arguments.scope.name())?;
    let fronts = front::fronts(&configurations);
    if let Some(file) = &arguments.plot {
        let title = format!("{}: time and energy, all traces", arguments.scope.name());
        let svg = dtatrans_report::render_pareto(&front::plot(title, &configurations));
        output::write_file(file, |out| Ok(out.write_all(svg.as_bytes())?))?;
    }
    Ok(fronts)
}

fn print(report: &Report, arguments: &FrontArguments, json: bool) -> Result<()> {
    if json {
        return output::print_json(report);
    }
    let simulated = match report.simulated {
        Some(simulated) => format!(", {simulated} of them simulated now"),
        None => String::new(),
    };
    let (table, points) = (report.table.display(), report.points);
    output::print_line(format!("{table}: {points} points{simulated}"))?;
    match &report.fronts {
        Some(fronts) => front::print(fronts, arguments.scope.name()),
        None => Ok(()),
    }
}
