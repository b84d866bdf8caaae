//! A comparison as comma-separated values, units in the names of columns.

use std::io::Write;

use anyhow::Result;
use dtatrans_report::{ComparedRow, Comparison, Gains, Part};

/// The columns before those of the causes and of the parts of the energy.
const COLUMNS: [&str; 24] = [
    "row",
    "scope",
    "trace",
    "model",
    "machine",
    "base",
    "elements",
    "element_bits",
    "clock_ghz",
    "dram_gbps",
    "peak_executed_gops",
    "executed_gops",
    "dense_equivalent_gops",
    "utilisation",
    "cycles",
    "time_us",
    "speedup",
    "energy_with_dram_uj",
    "energy_with_dram_gain",
    "energy_on_chip_uj",
    "energy_on_chip_gain",
    "dense_equivalent_gop_per_joule_with_dram",
    "dense_equivalent_gop_per_joule_on_chip",
    "dram_bytes",
];

/// Writes a row for each scope, trace and machine; for several traces also their sums, and
/// the geometric mean and the minimum of the gains.
pub(super) fn write(comparison: &Comparison, out: &mut dyn Write) -> Result<()> {
    let rows = comparison.scopes.iter().flat_map(|scope| &scope.rows);
    let (mut causes, mut parts) = (Vec::new(), Vec::new());
    for row in rows {
        collect(&mut causes, &row.cycles_by_cause);
        collect(&mut parts, &row.energy_on_chip_parts_uj);
    }
    let mut writer = ::csv::Writer::from_writer(out);
    let columns = COLUMNS.iter().map(|name| (*name).to_owned());
    let column =
        |name: &str, unit: &str| format!("{}_{unit}", name.to_lowercase().replace(' ', "_"));
    let intensity = ["executed_operations_per_dram_byte".to_owned()];
    let of_causes = causes.iter().map(|name| column(name, "cycles"));
    let of_parts = parts.iter().map(|name| column(name, "energy_uj"));
    let names: Vec<String> = columns
        .chain(intensity)
        .chain(of_causes)
        .chain(of_parts)
        .collect();
    writer.write_record(&names)?;
    for scope in &comparison.scopes {
        for (kind, rows) in [("trace", &scope.rows), ("sum", &scope.sums)] {
            for row in rows {
                let head = heading(comparison, kind, &scope.name, &row.trace, &row.machine);
                let causes = values(&causes, &row.cycles_by_cause);
                let parts = values(&parts, &row.energy_on_chip_parts_uj);
                writer.write_record(
                    head.into_iter()
                        .chain(figures(row))
                        .chain(causes)
                        .chain(parts),
                )?;
            }
        }
        for row in &scope.gains {
            for (kind, gains) in [
                ("geometric mean", row.geometric_mean),
                ("minimum", row.minimum),
            ] {
                let head = heading(comparison, kind, &scope.name, "", &row.machine);
                let mut fields: Vec<String> = head.into_iter().collect();
                fields.resize(names.len(), String::new());
                for (name, gain) in columns_of(gains) {
                    if let Some(index) = COLUMNS.iter().position(|column| *column == name) {
                        fields[index] = gain.to_string();
                    }
                }
                writer.write_record(fields)?;
            }
        }
    }
    Ok(writer.flush()?)
}

/// Gains by their columns.
fn columns_of(gains: Gains) -> [(&'static str, f64); 3] {
    [
        ("speedup", gains.speedup),
        ("energy_with_dram_gain", gains.energy_with_dram_gain),
        ("energy_on_chip_gain", gains.energy_on_chip_gain),
    ]
}

/// Adds names that are not there yet.
fn collect<'a>(names: &mut Vec<&'a str>, parts: &'a [Part]) {
    for part in parts {
        if !names.contains(&part.name.as_str()) {
            names.push(&part.name);
        }
    }
}

/// The values of these names, 0 for what a machine does not have.
fn values(names: &[&str], parts: &[Part]) -> Vec<String> {
    let value = |name: &&str| parts.iter().find(|part| part.name == **name);
    let values = names
        .iter()
        .map(|name| value(name).map_or(0.0, |part| part.value));
    values.map(|value| value.to_string()).collect()
}

/// What a row is of, and the machine.
fn heading(
    comparison: &Comparison,
    kind: &str,
    scope: &str,
    trace: &str,
    machine: &str,
) -> [String; 11] {
    let model = comparison.traces.iter().find(|known| known.name == trace);
    let sizes = comparison
        .machines
        .iter()
        .find(|known| known.name == machine);
    let size =
        |of: fn(&dtatrans_report::ComparedMachine) -> String| sizes.map_or_else(String::new, of);
    [
        kind.to_owned(),
        scope.to_owned(),
        match kind {
            "trace" => trace.to_owned(),
            _ => String::new(),
        },
        model.map_or_else(String::new, |trace| trace.model.clone()),
        machine.to_owned(),
        comparison.base.clone(),
        size(|machine| machine.elements.to_string()),
        size(|machine| machine.element_bits.to_string()),
        size(|machine| machine.clock_ghz.to_string()),
        size(|machine| machine.dram_gbps.to_string()),
        size(|machine| machine.peak_executed_gops.to_string()),
    ]
}

fn figures(row: &ComparedRow) -> [String; 14] {
    let gain = |of: fn(Gains) -> f64| {
        row.gains
            .map_or_else(String::new, |gains| of(gains).to_string())
    };
    let intensity = row.executed_operations_per_dram_byte;
    [
        row.executed_gops.to_string(),
        row.dense_equivalent_gops.to_string(),
        row.utilisation.to_string(),
        row.cycles.to_string(),
        row.time_us.to_string(),
        gain(|gains| gains.speedup),
        row.energy_with_dram_uj.to_string(),
        gain(|gains| gains.energy_with_dram_gain),
        row.energy_on_chip_uj.to_string(),
        gain(|gains| gains.energy_on_chip_gain),
        row.dense_equivalent_gop_per_joule_with_dram.to_string(),
        row.dense_equivalent_gop_per_joule_on_chip.to_string(),
        row.dram_bytes.to_string(),
        intensity.map_or_else(String::new, |intensity| intensity.to_string()),
    ]
}
