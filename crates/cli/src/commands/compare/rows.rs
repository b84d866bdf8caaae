//! From machines' reports to what is compared.

use dtatrans_accel::energy;
use dtatrans_accel::report::Cause;
use dtatrans_accel::{DecodingReport, RunReport, ScopeReport};
use dtatrans_report::{ComparedRow, ComparedScope, ComparedTrace, Gains, GainsOverTraces, Part};

/// What stands for all traces in a row of their sums.
const ALL_TRACES: &str = "all traces together";

/// A part of the computation: its name, what it is, and where reports have it.
struct Scope {
    name: &'static str,
    what: &'static str,
    of: fn(&RunReport) -> Option<&ScopeReport>,
}

const SCOPES: [Scope; 6] = [
    Scope {
        name: "attention",
        what: "Q × Kᵀ, P × V and what lies between",
        of: |report| Some(&report.attention),
    },
    Scope {
        name: "encoder",
        what: "all products of the layers",
        of: |report| report.encoder.as_ref(),
    },
    Scope {
        name: "model",
        what: "the layers with embedding and head",
        of: |report| report.model.as_ref(),
    },
    Scope {
        name: "decoding attention",
        what: "the attention of tokens that came one by one",
        of: |report| decoding(report).map(|decoding| &decoding.attention),
    },
    Scope {
        name: "decoding",
        what: "all products of the layers for these tokens",
        of: |report| decoding(report)?.encoder.as_ref(),
    },
    Scope {
        name: "decoding model",
        what: "the layers with embedding and head for these tokens",
        of: |report| decoding(report)?.model.as_ref(),
    },
];

fn decoding(report: &RunReport) -> Option<&DecodingReport> {
    report.decoding.as_ref()
}

/// The scopes that any machine has, from reports by trace and machine; `base` is the index
/// of the machine that gains are relative to.
pub(super) fn scopes(
    traces: &[ComparedTrace],
    reports: &[Vec<RunReport>],
    base: usize,
) -> Vec<ComparedScope> {
    SCOPES
        .iter()
        .map(|scope| compared(scope, traces, reports, base))
        .filter(|scope| !scope.rows.is_empty())
        .collect()
}

fn compared(
    scope: &Scope,
    traces: &[ComparedTrace],
    reports: &[Vec<RunReport>],
    base: usize,
) -> ComparedScope {
    let mut rows = Vec::new();
    for (trace, reports) in traces.iter().zip(reports) {
        let base = (scope.of)(&reports[base]);
        rows.extend(reports.iter().filter_map(|report| {
            Some(row(&trace.name, &report.machine, (scope.of)(report)?, base))
        }));
    }
    let names: Vec<&str> = match reports.first() {
        Some(reports) => reports
            .iter()
            .map(|report| report.machine.as_str())
            .collect(),
        None => Vec::new(),
    };
    let several = traces.len() > 1;
    let sum = |machine: usize| match several {
        true => sum(reports.iter().map(|reports| (scope.of)(&reports[machine]))),
        false => None,
    };
    let base = sum(base);
    let sums = names
        .iter()
        .enumerate()
        .filter_map(|(machine, name)| Some(row(ALL_TRACES, name, &sum(machine)?, base.as_ref())));
    let gains = names.iter().filter_map(|name| over_traces(name, &rows));
    ComparedScope {
        name: scope.name.into(),
        what: scope.what.into(),
        sums: sums.collect(),
        gains: gains.collect(),
        rows,
    }
}

/// One machine's sum; `None` if a trace does not have the scope.
fn sum<'a>(scopes: impl Iterator<Item = Option<&'a ScopeReport>>) -> Option<ScopeReport> {
    let mut sum: Option<ScopeReport> = None;
    for scope in scopes {
        let scope = scope?;
        match &mut sum {
            Some(sum) => sum.add(scope),
            None => sum = Some(scope.clone()),
        }
    }
    sum
}

/// One machine's gains over the traces that have the scope; `None` of fewer than two.
fn over_traces(machine: &str, rows: &[ComparedRow]) -> Option<GainsOverTraces> {
    let rows = rows.iter().filter(|row| row.machine == machine);
    let gains: Vec<Gains> = rows.filter_map(|row| row.gains).collect();
    if gains.len() < 2 {
        return None;
    }
    let each = |of: fn(&Gains) -> f64| {
        let logarithms: f64 = gains.iter().map(|gains| of(gains).ln()).sum();
        let least = gains.iter().map(of).fold(f64::INFINITY, f64::min);
        ((logarithms / gains.len() as f64).exp(), least)
    };
    let speedup = each(|gains| gains.speedup);
    let with_dram = each(|gains| gains.energy_with_dram_gain);
    let on_chip = each(|gains| gains.energy_on_chip_gain);
    Some(GainsOverTraces {
        machine: machine.to_owned(),
        geometric_mean: Gains {
            speedup: speedup.0,
            energy_with_dram_gain: with_dram.0,
            energy_on_chip_gain: on_chip.0,
        },
        minimum: Gains {
            speedup: speedup.1,
            energy_with_dram_gain: with_dram.1,
            energy_on_chip_gain: on_chip.1,
        },
    })
}

fn row(trace: &str, machine: &str, scope: &ScopeReport, base: Option<&ScopeReport>) -> ComparedRow {
    let (with_dram_pj, on_chip_pj) = (scope.energy.total_pj(), scope.energy.on_chip_pj());
    // 10^9 operations a joule are one operation a nanojoule.
    let gop_per_joule = |energy_pj: f64| 2.0 * scope.macs_dense as f64 / (energy_pj / 1e3);
    ComparedRow {
        trace: trace.to_owned(),
        machine: machine.to_owned(),
        cycles: scope.cycles,
        time_us: scope.time_us(),
        utilisation: scope.utilisation(),
        executed_gops: scope.executed_gops(),
        dense_equivalent_gops: scope.effective_gops(),
        dram_bytes: scope.dram_bytes(),
        executed_operations_per_dram_byte: scope.operations_per_dram_byte(),
        energy_with_dram_uj: with_dram_pj / 1e6,
        energy_on_chip_uj: on_chip_pj / 1e6,
        dense_equivalent_gop_per_joule_with_dram: gop_per_joule(with_dram_pj),
        dense_equivalent_gop_per_joule_on_chip: gop_per_joule(on_chip_pj),
        gains: base.map(|base| Gains {
            speedup: base.time_us() / scope.time_us(),
            energy_with_dram_gain: base.energy.total_pj() / with_dram_pj,
            energy_on_chip_gain: base.energy.on_chip_pj() / on_chip_pj,
        }),
        cycles_by_cause: Cause::ALL
            .map(|cause| Part {
                name: cause.label().into(),
                value: scope.element_cycles.of(cause) as f64 / scope.elements as f64,
            })
            .to_vec(),
        energy_on_chip_parts_uj: scope
            .energy
            .parts_pj()
            .filter(|&(part, _)| part != energy::Part::Dram)
            .map(|(part, energy_pj)| Part {
                name: part.label().into(),
                value: energy_pj / 1e6,
            })
            .collect(),
    }
}
