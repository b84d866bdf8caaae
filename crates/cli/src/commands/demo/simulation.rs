//! The demo's accelerators: which, on what, and how their reports are shown.

use anyhow::Result;
use dtatrans_accel::report::Cause;
use dtatrans_accel::{Machine, RunReport, ScopeReport};
use dtatrans_precision::trace::{Header, Input};
use dtatrans_report as report;
use dtatrans_report::{OverTime, Part, Simulation};

use crate::machines::Sums;
use crate::traces::Traced;
use crate::{console, machines};

/// The machines, the one that the others are compared with first. The last one
/// is the field's equal-area counterpart of Eyeriss.
const MACHINES: [&str; 5] = [
    "vssa-512",
    "systolic-128",
    "spatten-eighth",
    "eyeriss-1ghz",
    "vssa-4096",
];
/// Equal parts of a run that the page shows.
const TIME_BINS: usize = 240;
const EYERISS: &str = "eyeriss-1ghz";
const LARGE: &str = "vssa-4096";

/// The demo's machines.
pub(super) fn machines() -> Result<Vec<Machine>> {
    let machines = MACHINES.into_iter();
    machines.map(|name| machines::open(name, &[])).collect()
}

/// Both scopes of all machines, and remarks on them.
pub(super) struct Simulated {
    pub(super) attention: Simulation,
    pub(super) encoder: Simulation,
    pub(super) over_time: Option<OverTime>,
    pub(super) notes: Vec<String>,
}

/// Runs every input on every machine.
pub(super) fn run(machines: &[Machine], traced: &Traced) -> Result<Simulated> {
    let Traced { header, inputs } = traced;
    let bar = console::count_bar("simulating accelerators", inputs.len(), "texts");
    let mut sums = Sums::new(machines);
    for input in inputs {
        sums.add(header, input)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let reports = sums.finish();
    let pairs: Vec<(&Machine, &RunReport)> = machines.iter().zip(&reports).collect();
    Ok(Simulated {
        attention: scope(&pairs, |report| Some(&report.attention)),
        encoder: scope(&pairs, |report| report.encoder.as_ref()),
        over_time: over_time(machines, header, inputs)?,
        notes: notes(&reports),
    })
}

/// The first machine's run of the longest text.
fn over_time(machines: &[Machine], header: &Header, inputs: &[Input]) -> Result<Option<OverTime>> {
    let longest = inputs.iter().rev().max_by_key(|input| input.tokens.len());
    let (Some(machine), Some(input)) = (machines.first(), longest) else {
        return Ok(None);
    };
    let recording = machine.record(header, input)?;
    Ok(Some(OverTime {
        machine: recording.machine.clone(),
        of: format!(
            "the longest text, {} tokens, all layers",
            input.tokens.len()
        ),
        cycles: recording.timeline.cycles,
        causes: Cause::ALL.map(|cause| cause.label().to_owned()).to_vec(),
        shares: recording
            .shares(TIME_BINS)
            .iter()
            .map(|shares| shares.to_vec())
            .collect(),
    }))
}

fn scope(
    pairs: &[(&Machine, &RunReport)],
    of: impl Fn(&RunReport) -> Option<&ScopeReport>,
) -> Simulation {
    let first = pairs.first().and_then(|(_, report)| of(report));
    Simulation {
        machines: pairs
            .iter()
            .filter_map(|(machine, report)| {
                let scope = of(report)?;
                // The large array is compared with Eyeriss, in the notes.
                let compared =
                    first.filter(|_| report.machine != MACHINES[0] && report.machine != LARGE);
                Some(report::Machine {
                    name: report.machine.clone(),
                    description: report.fed.clone(),
                    multipliers: format!(
                        "{} x {} bits",
                        machine.elements(),
                        machine.element_bits()
                    ),
                    clock_mhz: machine.clock_ghz() * 1e3,
                    cycles: scope.cycles,
                    time_us: scope.time_us(),
                    energy_uj: scope.energy.total_pj() / 1e6,
                    energy_parts_uj: energy_parts(scope),
                    effective_gops: scope.effective_gops(),
                    cycles_by_cause: cycles_by_cause(scope),
                    first_speedup: compared.map(|first| scope.time_us() / first.time_us()),
                    first_energy_gain: compared
                        .map(|first| scope.energy.total_pj() / first.energy.total_pj()),
                })
            })
            .collect(),
    }
}

fn energy_parts(scope: &ScopeReport) -> Vec<Part> {
    scope
        .energy
        .parts_pj()
        .map(|(part, energy_pj)| Part {
            name: part.label().into(),
            value: energy_pj / 1e6,
        })
        .collect()
}

/// The machine's cycles, split as its elements spent theirs.
fn cycles_by_cause(scope: &ScopeReport) -> Vec<Part> {
    let causes = Cause::ALL.into_iter();
    causes
        .map(|cause| Part {
            name: cause.label().into(),
            value: scope.element_cycles.of(cause) as f64 / scope.elements as f64,
        })
        .collect()
}

fn notes(reports: &[RunReport]) -> Vec<String> {
    let find = |name: &str| reports.iter().find(|report| report.machine == name);
    let mut notes = vec![
        "Simulated machines run the tested texts one after the other, one text at a time. \
         Speed-ups are ratios of time, energy gains ratios of energy with DRAM. Effective GOP/s \
         counts two operations for each product of the dense model."
            .to_owned(),
        "SpAtten prunes by the schedule of its machine file, whose cost in accuracy the ladder \
         has; Eyeriss and the plain array run the dense model."
            .to_owned(),
    ];
    if let (Some(large), Some(eyeriss)) = (find(LARGE), find(EYERISS)) {
        let (large, eyeriss) = (&large.attention, &eyeriss.attention);
        notes.push(format!(
            "The field compares about 4,096 elements of 4 bits with Eyeriss' 168 of 16 bits as \
             equal in area. On the attention {LARGE} is {:.1} times as fast as {EYERISS}, with \
             {:.1} times less energy.",
            eyeriss.time_us() / large.time_us(),
            eyeriss.energy.total_pj() / large.energy.total_pj()
        ));
    }
    notes
}
