//! How near each machine comes to what its elements and its DRAM allow.

use maud::{Markup, html};

use crate::chart::{Point, Roof, roofline};
use crate::number;
use crate::section::Section;
use crate::view::{ComparedMachine, ComparedRow, ComparedScope, Comparison};

/// Rates above their roof by less than this share of it are rounding.
const ROUNDING: f64 = 1e-9;

/// The section; `None` where no row has a point.
pub(crate) fn section(comparison: &Comparison) -> Option<Section> {
    let machines = &comparison.machines;
    let has_points = |scope: &&ComparedScope| {
        let mut rows = scope.rows.iter();
        rows.any(|row| row.executed_operations_per_dram_byte.is_some())
    };
    let scopes = || comparison.scopes.iter().filter(has_points);
    scopes().next()?;
    Some(Section {
        id: "roofline",
        title: "Roofline",
        short_title: "Roofline",
        about: html! {
            p {
                "From left to right executed operations for each byte that DRAM moved, upwards \
                 10⁹ operations a second, both by powers of ten. A machine's roof is the lower one \
                 of its elements' peak and of what its DRAM's peak bandwidth allows."
            }
            p {
                "Filled points are executed rates, which no machine has above its roof. Hollow \
                 ones are dense-equivalent: they count skipped operations as done, and may stand \
                 anywhere above."
            }
        },
        content: html! {
            ol.legend.numbered { @for machine in machines { li { (machine.name) } } }
            div.columns {
                @for scope in scopes() { (figure(scope, comparison)) }
            }
        },
    })
}

fn figure(scope: &ComparedScope, comparison: &Comparison) -> Markup {
    let machines = &comparison.machines;
    let number = |name: &str| machines.iter().position(|machine| machine.name == name);
    let roofs: Vec<Roof> = roofs(machines);
    let mut above = Vec::new();
    let mut points = Vec::new();
    for row in &scope.rows {
        let (Some(index), Some(intensity)) =
            (number(&row.machine), row.executed_operations_per_dram_byte)
        else {
            continue;
        };
        let machine = &machines[index];
        let roof = (machine.dram_gbps * intensity).min(machine.peak_executed_gops);
        let description = describe(row, intensity, roof, comparison.traces.len() > 1);
        if row.executed_gops > roof * (1.0 + ROUNDING) {
            above.push(description.clone());
        }
        points.push(Point {
            label: (index + 1).to_string(),
            is_base: row.machine == comparison.base,
            intensity,
            executed_gops: row.executed_gops,
            dense_equivalent_gops: row.dense_equivalent_gops,
            description,
        });
    }
    // Where points meet, the base's is on top.
    points.sort_by_key(|point| point.is_base);
    html! {
        figure {
            figcaption { (scope.name) ", in GOP/s" }
            (roofline(&format!("{}: roofline", scope.name), &roofs, &points))
            @for description in above { p.verdict { "Above its roof: " (description) } }
        }
    }
}

/// The roofs, those of equal machines once.
fn roofs(machines: &[ComparedMachine]) -> Vec<Roof> {
    let mut roofs: Vec<Roof> = Vec::new();
    for (index, machine) in machines.iter().enumerate() {
        let number = (index + 1).to_string();
        let equal = |roof: &&mut Roof| {
            roof.peak_gops == machine.peak_executed_gops && roof.dram_gbps == machine.dram_gbps
        };
        match roofs.iter_mut().find(equal) {
            Some(roof) => roof.label = format!("{}, {number}", roof.label),
            None => roofs.push(Roof {
                label: number,
                peak_gops: machine.peak_executed_gops,
                dram_gbps: machine.dram_gbps,
            }),
        }
    }
    roofs
}

fn describe(row: &ComparedRow, intensity: f64, roof: f64, several: bool) -> String {
    let gops =
        |value: f64| number::with_unit(&number::fixed(value, number::three_digits(value)), "GOP/s");
    let trace = match several {
        true => format!(", {}", row.trace),
        false => String::new(),
    };
    format!(
        "{}{trace}: {} executed at {} operations a byte, {} of its roof; {} dense-equivalent",
        row.machine,
        gops(row.executed_gops),
        number::fixed(intensity, number::three_digits(intensity)),
        number::percent(row.executed_gops / roof, 0),
        gops(row.dense_equivalent_gops),
    )
}
