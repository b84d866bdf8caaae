//! Energy and area of simulated machines, part by part.

use anyhow::Result;
use dtatrans_accel::energy::{Energy, Part};
use dtatrans_accel::{RunReport, ScopeReport};

use crate::{console, output};

/// What each part spent, in uJ, and how that was priced.
pub(super) fn print_energy(
    name: &str,
    reports: &[RunReport],
    scope: impl Fn(&RunReport) -> Option<&ScopeReport>,
) -> Result<()> {
    let rows: Vec<(&str, &Energy)> = reports
        .iter()
        .filter_map(|report| Some((report.machine.as_str(), &scope(report)?.energy)))
        .collect();
    let mut parts: Vec<Part> = rows
        .iter()
        .flat_map(|(_, energy)| energy.parts_pj().map(|(part, _)| part))
        .collect();
    parts.sort();
    parts.dedup();
    let title = format!("{name}, energy in uJ");
    let titles: Vec<&str> = std::iter::once(title.as_str())
        .chain(parts.iter().map(|part| part.label()))
        .chain(["of it leakage"])
        .collect();
    let mut table = console::table(&titles);
    for (machine, energy) in rows {
        let mut cells = vec![machine.to_owned()];
        cells.extend(parts.iter().map(|&part| of_part(energy, part)));
        cells.push(format!("{:.2}", energy.leakage_pj() / 1e6));
        table.add_row(cells);
    }
    output::print_line(table)
}

/// `1.23 netlist`, or both kinds where some of it was priced otherwise.
fn of_part(energy: &Energy, part: Part) -> String {
    let mut kinds: Vec<_> = energy.kinds_pj(part).collect();
    if kinds.is_empty() {
        return String::new();
    }
    kinds.sort_by(|a, b| b.1.total_cmp(&a.1));
    let names: Vec<&str> = kinds.iter().map(|(kind, _)| kind.name()).collect();
    format!("{:.2} {}", energy.of_pj(part) / 1e6, names.join(", "))
}

/// What each machine is made of, in mm2.
pub(super) fn print_area(reports: &[RunReport]) -> Result<()> {
    let mut parts: Vec<Part> = reports
        .iter()
        .flat_map(|report| report.area.parts())
        .collect();
    parts.sort();
    parts.dedup();
    let titles: Vec<&str> = std::iter::once("area in mm2")
        .chain(parts.iter().map(|part| part.label()))
        .chain(["all", "longest path, ps", "at"])
        .collect();
    let mut table = console::table(&titles);
    for report in reports {
        let mut cells = vec![report.machine.clone()];
        cells.extend(parts.iter().map(|&part| match report.area.of_mm2(part) {
            0.0 => String::new(),
            area => format!("{area:.3}"),
        }));
        cells.push(format!("{:.3}", report.area.total_mm2()));
        cells.push(format!("{:.0}", report.area.longest_path_ps()));
        cells.push(report.technology.to_string());
        table.add_row(cells);
    }
    output::print_line(table)
}
