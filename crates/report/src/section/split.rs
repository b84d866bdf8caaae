//! Sums that are split into parts, machine by machine.

use maud::{Markup, html};

use super::scrolling;
use crate::chart::{Legend, Segment, stacked_bar};
use crate::number::{self, Unit};
use crate::view::Part;

/// A machine's sum and its parts.
pub(super) struct Whole<'a> {
    /// The machine.
    pub(super) name: &'a str,
    /// The sum.
    pub(super) total: f64,
    /// Its parts by name.
    pub(super) parts: Vec<(&'a str, f64)>,
}

impl<'a> Whole<'a> {
    /// A sum of parts that are at hand.
    pub(super) fn new(name: &'a str, total: f64, parts: &'a [Part]) -> Whole<'a> {
        let parts = parts.iter().map(|part| (part.name.as_str(), part.value));
        Whole {
            name,
            total,
            parts: parts.collect(),
        }
    }

    fn segments(&self, legend: &Legend) -> Vec<Segment> {
        let segment = |&(name, value): &(&str, f64)| Segment {
            name: name.into(),
            class: legend.class(name),
            value,
        };
        self.parts.iter().map(segment).collect()
    }
}

/// What is split, of the machines of each scope.
pub(super) struct Split<'a> {
    pub(super) title: &'static str,
    /// The unit in which the sums of a scope are written.
    pub(super) unit: fn(&[Whole]) -> Unit,
    pub(super) scopes: Vec<(&'a str, Vec<Whole<'a>>)>,
}

/// For sums in cycles.
pub(super) fn cycles(_: &[Whole]) -> Unit {
    Unit::CYCLES
}

/// For sums in microjoules.
pub(super) fn energy_uj(wholes: &[Whole]) -> Unit {
    Unit::of_energy_uj(wholes.iter().map(|whole| whole.total))
}

impl Split<'_> {
    /// All scopes side by side under one legend, and their figures as tables.
    pub(super) fn show(&self) -> Markup {
        let wholes = self.scopes.iter().flat_map(|(_, wholes)| wholes);
        let names = wholes.flat_map(|whole| whole.parts.iter().map(|(name, _)| *name));
        let legend = Legend::new(names);
        let shown = || self.scopes.iter().filter(|(_, wholes)| !wholes.is_empty());
        html! {
            div.scope {
                h3 { (self.title) }
                (legend.list())
                div.columns {
                    @for (scope, wholes) in shown() { (self.bars(scope, wholes, &legend)) }
                }
                details {
                    summary { (self.title) " as numbers" }
                    @for (scope, wholes) in shown() {
                        (scrolling(
                            &format!("{scope}: {}", self.title),
                            &self.table(scope, wholes, &legend),
                        ))
                    }
                }
            }
        }
    }

    fn bars(&self, scope: &str, wholes: &[Whole], legend: &Legend) -> Markup {
        let unit = (self.unit)(wholes);
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
                @for whole in wholes {
                    div.machine {
                        p {
                            b { (whole.name) }
                            span { (unit.figure_with_symbol(whole.total)) }
                        }
                        (stacked_bar(
                            &format!("{scope}: {} of {}", self.title, whole.name),
                            &whole.segments(legend),
                            |_, share| number::percent(share, 0),
                            describe,
                        ))
                    }
                }
            }
        }
    }

    fn table(&self, scope: &str, wholes: &[Whole], legend: &Legend) -> Markup {
        let unit = (self.unit)(wholes);
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
                    @for whole in wholes {
                        tr {
                            th scope="row" { (whole.name) }
                            @for name in legend.names() {
                                @let part = whole.parts.iter().find(|(part, _)| part == name);
                                td { (part.map_or_else(|| number::NONE.into(), |&(_, value)| unit.figure(value))) }
                            }
                            td { (unit.figure(whole.total)) }
                        }
                    }
                }
            }
        }
    }
}
