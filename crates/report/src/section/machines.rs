//! What the simulated machines need, and what the first gains over the others.

use maud::{Markup, html};

use super::{Section, scrolling};
use crate::chart::bar;
use crate::number::{self, Unit};
use crate::view::{Machine, Simulation};

/// The section; `None` of no machines in either scope.
pub(crate) fn section(attention: &Simulation, encoder: &Simulation) -> Option<Section> {
    if attention.machines.is_empty() && encoder.machines.is_empty() {
        return None;
    }
    let scopes = [
        (
            "Attention",
            "Q × Kᵀ, P × V and what lies between",
            attention,
        ),
        ("Encoder", "all products of the layers", encoder),
    ];
    let machines = attention.machines.iter().chain(&encoder.machines);
    let gains = machines
        .flat_map(|machine| [machine.first_speedup, machine.first_energy_gain])
        .flatten();
    let largest_gain = largest(gains.chain([1.0]));
    Some(Section {
        id: "machines",
        title: "Machines",
        short_title: "Machines",
        about: html! {
            p {
                "Simulated runs of the tested texts. Speed-up is the baseline's time over \
                 that of the first machine; energy gain likewise, DRAM included. The line marks 1×, \
                 where both are equal."
            }
            p {
                "Effective GOP/s count the dense model's operations, two a product, over the time \
                 taken: what is skipped counts as done."
            }
        },
        content: html! {
            @for (name, what, simulation) in scopes {
                @if let Some(first) = simulation.machines.first() {
                    div.scope {
                        h3 { (name) " " small { (what) } }
                        div.columns {
                            (gains_figure(first, &simulation.machines, largest_gain))
                            (throughput_figure(&simulation.machines))
                        }
                        (scrolling(&format!("{name}: machines"), &table(first, &simulation.machines)))
                    }
                }
            }
        },
    })
}

/// The largest finite value, at least 0.
fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max)
}

fn gains_figure(first: &Machine, machines: &[Machine], largest: f64) -> Markup {
    let compared: Vec<&Machine> = machines
        .iter()
        .filter(|machine| machine.first_speedup.is_some() || machine.first_energy_gain.is_some())
        .collect();
    if compared.is_empty() {
        return html! {};
    }
    html! {
        figure {
            table.bars.gains {
                caption { (first.name) " against each baseline" }
                @for machine in compared {
                    tbody {
                        tr.group { th colspan="3" scope="rowgroup" { "over " (machine.name) } }
                        @for (class, name, gain) in [
                            ("first", "speed", machine.first_speedup),
                            ("second", "energy", machine.first_energy_gain),
                        ] {
                            @if let Some(gain) = gain {
                                tr {
                                    th scope="row" { (name) }
                                    td.wide { (bar(class, gain / largest, Some(1.0 / largest))) }
                                    td.number { (number::times(gain)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn throughput_figure(machines: &[Machine]) -> Markup {
    let fastest = largest(machines.iter().map(|machine| machine.effective_gops));
    html! {
        figure {
            table.bars.stacked {
                caption { "Effective throughput in GOP/s" }
                thead.hidden {
                    tr { th scope="col" { "Machine" } th scope="col" { "Bar" } th scope="col" { "GOP/s" } }
                }
                tbody {
                    @for (index, machine) in machines.iter().enumerate() {
                        tr {
                            th scope="row" { (machine.name) span.fed { (machine.description) } }
                            td.wide {
                                (bar(if index == 0 { "first" } else { "other" }, machine.effective_gops / fastest, None))
                            }
                            td.number { (gops(machine)) }
                        }
                    }
                }
            }
        }
    }
}

fn gops(machine: &Machine) -> String {
    number::fixed(
        machine.effective_gops,
        number::three_digits(machine.effective_gops).min(1),
    )
}

fn table(first: &Machine, machines: &[Machine]) -> Markup {
    let time = Unit::of_time_us(machines.iter().map(|machine| machine.time_us));
    let energy = Unit::of_energy_uj(machines.iter().map(|machine| machine.energy_uj));
    let gain = |gain: Option<f64>| gain.map_or_else(|| number::NONE.into(), number::times);
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Machine" }
                    th.word scope="col" { "Multipliers" }
                    th scope="col" { "Clock" span.unit { "MHz" } }
                    th scope="col" { "Cycles" }
                    th scope="col" { "Time" span.unit { (time.symbol) } }
                    th scope="col" { "Energy" span.unit { (energy.symbol) } }
                    th scope="col" { "Effective" span.unit { "GOP/s" } }
                    th scope="col" { "Speed-up" span.unit { "of " (first.name) } }
                    th scope="col" { "Energy gain" span.unit { "of " (first.name) } }
                }
            }
            tbody {
                @for machine in machines {
                    tr {
                        th scope="row" { (machine.name) }
                        td.word { (machine.multipliers) }
                        td { (number::fixed(machine.clock_mhz, 0)) }
                        td { (number::count(machine.cycles)) }
                        td { (time.figure(machine.time_us)) }
                        td { (energy.figure(machine.energy_uj)) }
                        td { (gops(machine)) }
                        td { (gain(machine.first_speedup)) }
                        td { (gain(machine.first_energy_gain)) }
                    }
                }
            }
        }
    }
}
