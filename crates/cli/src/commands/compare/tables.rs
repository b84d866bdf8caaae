//! A comparison as tables of text.

use anyhow::Result;
use dtatrans_report::{ComparedRow, ComparedScope, Comparison, Gains};

use crate::{console, output};

/// Prints machines and traces, and for each scope rates and energy.
pub(super) fn print(comparison: &Comparison) -> Result<()> {
    for trace in &comparison.traces {
        let remark = trace.remark.as_ref();
        let remark = remark.map_or_else(String::new, |remark| format!("; {remark}"));
        output::print_line(format!(
            "{}: {} inputs of {} tokens in all, {} under plan `{}`{remark}",
            trace.name, trace.inputs, trace.tokens, trace.model, trace.plan
        ))?;
    }
    print_machines(comparison)?;
    for scope in &comparison.scopes {
        print_rates(comparison, scope)?;
        print_energy(comparison, scope)?;
        if !scope.gains.is_empty() {
            print_gains(comparison, scope)?;
        }
    }
    for machine in &comparison.machines {
        output::print_line(format!("{}: {}", machine.name, machine.fed))?;
    }
    Ok(())
}

fn print_machines(comparison: &Comparison) -> Result<()> {
    let titles = [
        "machine",
        "elements x bits",
        "clock, GHz",
        "peak executed GOP/s",
        "peak at",
        "DRAM, GB/s",
    ];
    let mut table = console::table(&titles);
    for machine in &comparison.machines {
        let bits = machine.element_bits;
        table.add_row([
            machine.name.clone(),
            format!("{} x {bits}", machine.elements),
            machine.clock_ghz.to_string(),
            format!("{:.0}", machine.peak_executed_gops),
            format!("{bits} b x {bits} b"),
            format!("{:.1}", machine.dram_gbps),
        ]);
    }
    output::print_line(table)
}

/// A column's title, and what a row has in it.
type Column<'a> = (&'a str, &'a dyn Fn(&ComparedRow) -> String);

/// A table of a scope's rows: the machine, the trace if there are several, and `columns`.
fn print_rows(
    comparison: &Comparison,
    scope: &ComparedScope,
    title: &str,
    columns: &[Column],
) -> Result<()> {
    let several = comparison.traces.len() > 1;
    let titles: Vec<&str> = std::iter::once(title)
        .chain(several.then_some("trace"))
        .chain(columns.iter().map(|(title, _)| *title))
        .collect();
    let mut table = console::table(&titles);
    for row in scope.rows.iter().chain(&scope.sums) {
        let fields: Vec<String> = std::iter::once(row.machine.clone())
            .chain(several.then(|| row.trace.clone()))
            .chain(columns.iter().map(|(_, of)| of(row)))
            .collect();
        table.add_row(fields);
    }
    output::print_line(table)
}

fn print_rates(comparison: &Comparison, scope: &ComparedScope) -> Result<()> {
    let speedup = format!("speed-up over {}", comparison.base);
    print_rows(
        comparison,
        scope,
        &scope.name,
        &[
            ("executed GOP/s", &|row| format!("{:.1}", row.executed_gops)),
            ("dense-equivalent GOP/s", &|row| {
                format!("{:.1}", row.dense_equivalent_gops)
            }),
            ("utilisation", &|row| {
                format!("{:.0} %", 100.0 * row.utilisation)
            }),
            ("time, ms", &|row| format!("{:.3}", row.time_us / 1e3)),
            (&speedup, &|row| gain(row, |gains| gains.speedup)),
            ("DRAM, MB", &|row| {
                format!("{:.2}", row.dram_bytes as f64 / 1e6)
            }),
            ("executed operations/B", &|row| {
                let intensity = row.executed_operations_per_dram_byte;
                intensity.map_or_else(String::new, |intensity| format!("{intensity:.1}"))
            }),
        ],
    )
}

fn print_energy(comparison: &Comparison, scope: &ComparedScope) -> Result<()> {
    let title = format!("{}, energy", scope.name);
    let (less, less_on_chip) = (
        format!("gain over {}", comparison.base),
        format!("gain over {}, on chip", comparison.base),
    );
    print_rows(
        comparison,
        scope,
        &title,
        &[
            ("with DRAM, mJ", &|row| {
                format!("{:.3}", row.energy_with_dram_uj / 1e3)
            }),
            (&less, &|row| gain(row, |gains| gains.energy_with_dram_gain)),
            ("on chip, mJ", &|row| {
                format!("{:.3}", row.energy_on_chip_uj / 1e3)
            }),
            (&less_on_chip, &|row| {
                gain(row, |gains| gains.energy_on_chip_gain)
            }),
            ("dense-equivalent GOP/J with DRAM", &|row| {
                format!("{:.1}", row.dense_equivalent_gop_per_joule_with_dram)
            }),
            ("dense-equivalent GOP/J on chip", &|row| {
                format!("{:.1}", row.dense_equivalent_gop_per_joule_on_chip)
            }),
        ],
    )
}

fn gain(row: &ComparedRow, of: fn(Gains) -> f64) -> String {
    row.gains.map_or_else(String::new, |gains| times(of(gains)))
}

fn times(gain: f64) -> String {
    let decimals = if gain < 0.0995 { 3 } else { 2 };
    format!("{gain:.decimals$} x")
}

fn print_gains(comparison: &Comparison, scope: &ComparedScope) -> Result<()> {
    let title = format!("{}, gains over {}", scope.name, comparison.base);
    let titles = [
        title.as_str(),
        "speed-up, geometric mean",
        "minimum",
        "energy with DRAM, geometric mean",
        "minimum",
        "on chip, geometric mean",
        "minimum",
    ];
    let mut table = console::table(&titles);
    for row in &scope.gains {
        let (mean, least) = (row.geometric_mean, row.minimum);
        table.add_row([
            row.machine.clone(),
            times(mean.speedup),
            times(least.speedup),
            times(mean.energy_with_dram_gain),
            times(least.energy_with_dram_gain),
            times(mean.energy_on_chip_gain),
            times(least.energy_on_chip_gain),
        ]);
    }
    output::print_line(table)
}
