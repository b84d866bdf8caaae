//! How it was measured.

use maud::{Markup, html};

use super::Section;
use crate::chart::bar;
use crate::number;
use crate::view::{Phase, Run};

/// The section.
pub(crate) fn section(run: &Run, notes: &[String]) -> Section {
    Section {
        id: "method",
        title: "How it was measured",
        short_title: "Method",
        about: html! {
            p { "What ran, on what, and how long each phase took by the wall clock." }
        },
        content: html! {
            (circumstances(run))
            @if !run.phases.is_empty() { (phases(&run.phases)) }
            @if !notes.is_empty() {
                div.notes {
                    h3 { "Notes" }
                    @for note in notes { p { (note) } }
                }
            }
        },
    }
}

fn circumstances(run: &Run) -> Markup {
    let count = |count: usize| number::count(count as u64);
    let rows = [
        ("Model", run.model.clone()),
        (
            "Shape",
            format!(
                "{}, width {}, {}",
                number::counted(run.layers, "layer"),
                count(run.hidden),
                number::counted(run.heads, "head")
            ),
        ),
        ("Data", run.data.clone()),
        (
            "Texts",
            format!(
                "{} trained the probe, {} tested it ({})",
                count(run.train_texts),
                count(run.test_texts),
                number::counted(run.test_tokens, "token")
            ),
        ),
        ("Program", format!("DTATrans {}", run.version)),
        ("Date", run.date.clone()),
        ("Processor", run.processor.clone()),
        (
            "In use",
            format!(
                "{}, {}",
                run.instruction_set,
                number::counted(run.threads, "thread")
            ),
        ),
        ("System", run.system.clone()),
    ];
    html! {
        dl {
            @for (name, value) in rows { div { dt { (name) } dd { (value) } } }
        }
    }
}

fn phases(phases: &[Phase]) -> Markup {
    let finite = |phase: &Phase| {
        if phase.seconds.is_finite() {
            phase.seconds
        } else {
            0.0
        }
    };
    let longest = phases.iter().map(finite).fold(0.0, f64::max);
    let total: f64 = phases.iter().map(|phase| phase.seconds).sum();
    html! {
        figure {
            table.bars.stacked.phases {
                caption { "Wall-clock seconds by phase" }
                thead.hidden {
                    tr { th scope="col" { "Phase" } th scope="col" { "Bar" } th scope="col" { "Seconds" } }
                }
                tbody {
                    @for phase in phases {
                        tr {
                            th scope="row" { (phase.name) }
                            td.wide { (bar("other", phase.seconds / longest, None)) }
                            td.number { (seconds(phase.seconds)) }
                        }
                    }
                }
                tfoot {
                    tr {
                        th scope="row" { "in all" }
                        td.wide {}
                        td.number { (seconds(total)) }
                    }
                }
            }
        }
    }
}

fn seconds(seconds: f64) -> String {
    number::with_unit(&number::fixed(seconds, 1), "s")
}
