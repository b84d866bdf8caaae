//! What each machine needed, and how it compares with the base.

use maud::{Markup, html};

use crate::number::{self, Unit};
use crate::section::{Section, scrolling};
use crate::view::{ComparedRow, ComparedScope, Comparison, Gains};

/// The section; `None` of no rows.
pub(crate) fn section(comparison: &Comparison) -> Option<Section> {
    let scopes = || {
        let scopes = comparison.scopes.iter();
        scopes.filter(|scope| !scope.rows.is_empty())
    };
    scopes().next()?;
    let several = comparison.traces.len() > 1;
    let base = comparison.base.as_str();
    Some(Section {
        id: "figures",
        title: "Time, rates and energy",
        short_title: "Figures",
        about: html! {
            p {
                "Executed GOP/s count what a machine computed, two operations a product of any \
                 width: they never pass its peak. Dense-equivalent GOP/s count the dense model's \
                 operations over the same time: what is skipped counts as done, so they can."
            }
            p {
                "Gains are over " (base) ": its time or energy over the machine's own. Above 1× \
                 the machine is better."
            }
        },
        content: html! {
            @for scope in scopes() {
                div.scope {
                    h3 { (scope.name) " " small { (scope.what) } }
                    (scrolling(&format!("{}: figures", scope.name), &rows(scope, base, several)))
                    @if !scope.gains.is_empty() {
                        (scrolling(&format!("{}: gains over traces", scope.name), &gains(scope, base)))
                    }
                }
            }
        },
    })
}

fn gops(value: f64) -> String {
    number::fixed(value, number::three_digits(value).min(1))
}

fn times(gains: Option<Gains>, of: fn(Gains) -> f64) -> String {
    gains.map_or_else(|| number::NONE.into(), |gains| number::times(of(gains)))
}

fn rows(scope: &ComparedScope, base: &str, several: bool) -> Markup {
    let all: Vec<&ComparedRow> = scope.rows.iter().chain(&scope.sums).collect();
    let time = Unit::of_time_us(all.iter().map(|row| row.time_us));
    let energy = Unit::of_energy_uj(all.iter().map(|row| row.energy_with_dram_uj));
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Machine" }
                    @if several { th.word scope="col" { "Trace" } }
                    th scope="col" { "Executed" span.unit { "GOP/s" } }
                    th scope="col" { "Dense-equivalent" span.unit { "GOP/s" } }
                    th scope="col" { "Utilisation" span.unit { "of elements" } }
                    th scope="col" { "Time" span.unit { (time.symbol) } }
                    th scope="col" { "Speed-up" }
                    th scope="col" { "Energy with DRAM" span.unit { (energy.symbol) } }
                    th scope="col" { "Gain" span.unit { "with DRAM" } }
                    th scope="col" { "Energy on chip" span.unit { (energy.symbol) } }
                    th scope="col" { "Gain" span.unit { "on chip" } }
                    th scope="col" { "Dense-equivalent" span.unit { "GOP/J with DRAM" } }
                    th scope="col" { "Dense-equivalent" span.unit { "GOP/J on chip" } }
                    th scope="col" { "DRAM" span.unit { "MB" } }
                    th scope="col" { "Intensity" span.unit { "executed operations/B" } }
                }
            }
            tbody {
                @for row in all {
                    tr.plan[row.machine == base] {
                        th scope="row" { (row.machine) }
                        @if several { td.word { (row.trace) } }
                        td { (gops(row.executed_gops)) }
                        td { (gops(row.dense_equivalent_gops)) }
                        td { (number::percent(row.utilisation, 1)) }
                        td { (time.figure(row.time_us)) }
                        td { (times(row.gains, |gains| gains.speedup)) }
                        td { (energy.figure(row.energy_with_dram_uj)) }
                        td { (times(row.gains, |gains| gains.energy_with_dram_gain)) }
                        td { (energy.figure(row.energy_on_chip_uj)) }
                        td { (times(row.gains, |gains| gains.energy_on_chip_gain)) }
                        td { (gops(row.dense_equivalent_gop_per_joule_with_dram)) }
                        td { (gops(row.dense_equivalent_gop_per_joule_on_chip)) }
                        td { (number::fixed(row.dram_bytes as f64 / 1e6, 2)) }
                        td { (row.executed_operations_per_dram_byte.map_or_else(|| number::NONE.into(), gops)) }
                    }
                }
            }
        }
    }
}

fn gains(scope: &ComparedScope, base: &str) -> Markup {
    html! {
        table.numbers {
            caption { "Gains over " (base) ", over all traces" }
            thead {
                tr {
                    th scope="col" { "Machine" }
                    @for what in ["Speed-up", "Energy with DRAM", "Energy on chip"] {
                        th scope="col" { (what) span.unit { "geometric mean" } }
                        th scope="col" { (what) span.unit { "minimum" } }
                    }
                }
            }
            tbody {
                @for row in &scope.gains {
                    @let (mean, least) = (row.geometric_mean, row.minimum);
                    tr.plan[row.machine == base] {
                        th scope="row" { (row.machine) }
                        @for of in [
                            (|gains: Gains| gains.speedup) as fn(Gains) -> f64,
                            |gains| gains.energy_with_dram_gain,
                            |gains| gains.energy_on_chip_gain,
                        ] {
                            td { (number::times(of(mean))) }
                            td { (number::times(of(least))) }
                        }
                    }
                }
            }
        }
    }
}
