//! The figures that a reader came for, as tiles.

use maud::{Markup, html};

use crate::number;
use crate::view::{Machine, Report};

/// All tiles; those without data are left out.
pub(crate) fn tiles(report: &Report) -> Markup {
    let compared: Vec<&Machine> = report
        .attention
        .machines
        .iter()
        .filter(|machine| machine.first_speedup.is_some() || machine.first_energy_gain.is_some())
        .collect();
    let plan_tiles: Vec<Markup> = accuracy_tile(report)
        .into_iter()
        .chain(savings_tiles(report))
        .collect();
    html! {
        div.headline {
            @if !plan_tiles.is_empty() {
                h2.group-title { "The plan against the dense model" }
                div.tiles { @for tile in plan_tiles { (tile) } }
            }
            @if let (Some(first), false) = (report.attention.machines.first(), compared.is_empty()) {
                h2.group-title { (first.name) " against each baseline, on attention" }
                div.tiles {
                    @for machine in compared { (machine_tile(machine)) }
                }
            }
        }
    }
}

fn accuracy_tile(report: &Report) -> Option<Markup> {
    let rows = &report.accuracy;
    let reference = rows.first()?;
    let plan = rows.iter().find(|row| row.variant == report.plan_variant)?;
    let difference = plan.difference?;
    Some(html! {
        div.tile {
            p.name { "Accuracy lost to f32" }
            p.figure {
                (number::fixed((-difference.points).max(0.0), 2)) span.unit { "points" }
            }
            p.detail {
                (number::with_unit(&number::fixed(plan.accuracy, 2), "%")) " instead of "
                (number::with_unit(&number::fixed(reference.accuracy, 2), "%")) br;
                "difference " (number::signed(difference.points, 2)) ", 95\u{a0}% interval "
                (number::signed(difference.low, 2)) " to " (number::signed(difference.high, 2))
            }
            p.verdict {
                @if difference.resolved { "resolved: the interval leaves out 0" }
                @else { "not resolved: the interval holds 0" }
            }
        }
    })
}

fn savings_tiles(report: &Report) -> Vec<Markup> {
    let Some(savings) = report
        .savings
        .iter()
        .find(|savings| savings.variant == report.plan_variant)
    else {
        return Vec::new();
    };
    let tile = |name: &str, share: f64, detail: &str| {
        html! {
            div.tile {
                p.name { (name) }
                p.figure { (number::fixed(100.0 * share, 1)) span.unit { "%" } }
                p.detail { (detail) }
            }
        }
    };
    vec![
        tile(
            "Attention saved",
            savings.attention,
            "of the dense 8-bit model's element-cycles in Q\u{a0}×\u{a0}Kᵀ and P\u{a0}×\u{a0}V",
        ),
        tile(
            "Encoder saved",
            savings.encoder,
            "of the dense 8-bit model's element-cycles in all products",
        ),
    ]
}

fn machine_tile(machine: &Machine) -> Markup {
    html! {
        div.tile {
            p.name { "over " b { (machine.name) } }
            div.pair {
                @if let Some(speedup) = machine.first_speedup {
                    div {
                        p.figure { (number::times(speedup)) }
                        p.detail { "speed" }
                    }
                }
                @if let Some(gain) = machine.first_energy_gain {
                    div {
                        p.figure { (number::times(gain)) }
                        p.detail { "energy gain" }
                    }
                }
            }
        }
    }
}
