//! Where the cycles and the energy go.

use maud::{Markup, html};

use super::{Section, scrolling};
use crate::chart::{Legend, Segment, stacked_bar};
use crate::number::{self, Unit};
use crate::view::{Machine, Part, Simulation};

/// The section; `None` of no machines in either scope.
pub(crate) fn section(attention: &Simulation, encoder: &Simulation) -> Option<Section> {
    if attention.machines.is_empty() && encoder.machines.is_empty() {
        return None;
    }
    let scopes = [
        ("Attention", attention.machines.as_slice()),
        ("Encoder", encoder.machines.as_slice()),
    ];
    Some(Section {
        id: "cycles",
        title: "Where cycles and energy go",
        short_title: "Cycles and energy",
        about: html! {
            p {
                "Bars are shares of each machine's own cycles or energy: they tell how well a \
                 machine is used, not how fast it is."
            }
            p {
                "Active is work on products; every other colour is a reason why elements stood \
                 idle, by elements and cycles."
            }
        },
        content: html! {
            @for split in [CYCLES, ENERGY] { (split.show(&scopes)) }
        },
    })
}

/// A sum over a machine's run, split into parts.
#[derive(Clone, Copy)]
struct Split {
    title: &'static str,
    total: fn(&Machine) -> f64,
    parts: fn(&Machine) -> &[Part],
    unit: fn(&[Machine]) -> Unit,
}

const CYCLES: Split = Split {
    title: "Cycles by cause",
    total: |machine| machine.cycles as f64,
    parts: |machine| &machine.cycles_by_cause,
    unit: |_| Unit::CYCLES,
};

const ENERGY: Split = Split {
    title: "Energy by part",
    total: |machine| machine.energy_uj,
    parts: |machine| &machine.energy_parts_uj,
    unit: |machines| Unit::of_energy_uj(machines.iter().map(|machine| machine.energy_uj)),
};

impl Split {
    /// Both scopes side by side under one legend, and their figures as tables.
    fn show(self, scopes: &[(&str, &[Machine])]) -> Markup {
        let machines = scopes.iter().flat_map(|(_, machines)| machines.iter());
        let names = machines.flat_map(self.parts).map(|part| part.name.as_str());
        let legend = Legend::new(names);
        let shown = || scopes.iter().filter(|(_, machines)| !machines.is_empty());
        html! {
            div.scope {
                h3 { (self.title) }
                (legend.list())
                div.columns {
                    @for (scope, machines) in shown() { (self.bars(scope, machines, &legend)) }
                }
                details {
                    summary { (self.title) " as numbers" }
                    @for (scope, machines) in shown() {
                        (scrolling(
                            &format!("{scope}: {}", self.title),
                            &self.table(scope, machines, &legend),
                        ))
                    }
                }
            }
        }
    }

    fn bars(self, scope: &str, machines: &[Machine], legend: &Legend) -> Markup {
        let unit = (self.unit)(machines);
        let describe = |segment: &Segment, share: f64| {
            format!(
                "{}: {}, {}",
                segment.name,
                number::percent(share, 1),
                unit.figure_with_symbol(segment.value)
            )
        };
        html! {
            figure {
                figcaption { (scope) }
                @for machine in machines {
                    div.machine {
                        p {
                            b { (machine.name) }
                            span { (unit.figure_with_symbol((self.total)(machine))) }
                        }
                        (stacked_bar(
                            &format!("{scope}: {} of {}", self.title, machine.name),
                            &segments((self.parts)(machine), legend),
                            |_, share| number::percent(share, 0),
                            describe,
                        ))
                    }
                }
            }
        }
    }

    fn table(self, scope: &str, machines: &[Machine], legend: &Legend) -> Markup {
        let unit = (self.unit)(machines);
        html! {
            table.numbers {
                caption { (scope) ", in " (unit.symbol) }
                thead {
                    tr {
                        th scope="col" { "Machine" }
                        @for name in legend.names() { th scope="col" { (name) } }
                        th scope="col" { "Total" }
                    }
                }
                tbody {
                    @for machine in machines {
                        tr {
                            th scope="row" { (machine.name) }
                            @for name in legend.names() {
                                @let part = (self.parts)(machine).iter().find(|part| part.name == **name);
                                td { (part.map_or_else(|| number::NONE.into(), |part| unit.figure(part.value))) }
                            }
                            td { (unit.figure((self.total)(machine))) }
                        }
                    }
                }
            }
        }
    }
}

fn segments(parts: &[Part], legend: &Legend) -> Vec<Segment> {
    parts
        .iter()
        .map(|part| Segment {
            name: part.name.clone(),
            class: legend.class(&part.name),
            value: part.value,
        })
        .collect()
}
