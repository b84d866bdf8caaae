//! Where the cycles and the energy of the compared machines go.

use maud::html;

use crate::number::Unit;
use crate::section::Section;
use crate::section::split::{self, Split, Whole};
use crate::view::{ComparedRow, ComparedScope, Comparison};

/// The section; `None` of no rows.
pub(crate) fn section(comparison: &Comparison) -> Option<Section> {
    if comparison.scopes.iter().all(|scope| scope.rows.is_empty()) {
        return None;
    }
    let bars: Vec<Bars> = comparison.scopes.iter().map(Bars::of).collect();
    let cycles = split("Cycles by cause", split::cycles, &bars, |name, row| {
        Whole::new(name, row.cycles as f64, &row.cycles_by_cause)
    });
    let (with_dram, on_chip) = ("Energy by part, with DRAM", "Energy by part, on the chip");
    let with_dram = split(with_dram, split::energy_uj, &bars, |name, row| {
        let mut whole = Whole::new(name, row.energy_with_dram_uj, &row.energy_on_chip_parts_uj);
        whole.parts.push(("DRAM", row.energy_dram_uj()));
        whole
    });
    let on_chip = split(on_chip, split::energy_uj, &bars, |name, row| {
        Whole::new(name, row.energy_on_chip_uj, &row.energy_on_chip_parts_uj)
    });
    Some(Section {
        id: "cycles",
        title: "Where cycles and energy go",
        short_title: "Cycles and energy",
        about: crate::section::breakdown::about(),
        content: html! { (cycles.show()) (with_dram.show()) (on_chip.show()) },
    })
}

/// The rows of a scope that have a bar: all traces together, or each.
struct Bars<'a> {
    scope: &'a str,
    rows: Vec<(String, &'a ComparedRow)>,
}

impl Bars<'_> {
    fn of(scope: &ComparedScope) -> Bars<'_> {
        let several = scope
            .rows
            .iter()
            .any(|row| row.trace != scope.rows[0].trace);
        let rows = match scope.sums.is_empty() {
            true => &scope.rows,
            false => &scope.sums,
        };
        let name = |row: &ComparedRow| match several {
            true => format!("{}, {}", row.machine, row.trace),
            false => row.machine.clone(),
        };
        Bars {
            scope: &scope.name,
            rows: rows.iter().map(|row| (name(row), row)).collect(),
        }
    }
}

fn split<'a>(
    title: &'static str,
    unit: fn(&[Whole]) -> Unit,
    bars: &'a [Bars],
    whole: impl Fn(&'a str, &'a ComparedRow) -> Whole<'a>,
) -> Split<'a> {
    let wholes = |bars: &'a Bars| {
        let rows = bars.rows.iter();
        rows.map(|(name, row)| whole(name, row)).collect()
    };
    Split {
        title,
        unit,
        scopes: bars.iter().map(|bars| (bars.scope, wholes(bars))).collect(),
    }
}
