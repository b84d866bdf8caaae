//! The ladder: from published accelerators to the variable-speed array.

use maud::{Markup, html};

use super::{Section, scrolling};
use crate::chart::bar;
use crate::number;
use crate::view::{Ladder, Rung};

/// The section; `None` without a ladder.
pub(crate) fn section(ladder: Option<&Ladder>) -> Option<Section> {
    let ladder = ladder.filter(|ladder| !ladder.rungs.is_empty())?;
    Some(Section {
        id: "ladder",
        title: "The ladder",
        short_title: "Ladder",
        about: html! {
            p {
                "The attention of " (ladder.texts) ", one cause a rung: each row changes what is \
                 named, and keeps what the rows above it brought. All arrays below the starting \
                 points have the same clock, buffer, bandwidth and vector unit, and as much to \
                 multiply with."
            }
            p {
                "Effective GOP/s count the dense model's operations over the time taken. Accuracy: "
                (ladder.accuracy_measure) "."
            }
        },
        content: html! { (scrolling("The ladder", &table(ladder))) },
    })
}

fn table(ladder: &Ladder) -> Markup {
    let fastest = ladder.rungs.iter().map(|rung| rung.effective_gops);
    let fastest = fastest.filter(|gops| gops.is_finite()).fold(0.0, f64::max);
    let last = ladder.rungs.len() - 1;
    let times =
        |factor: Option<&f64>| factor.map_or_else(|| number::NONE.into(), |&x| number::times(x));
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Rung" }
                    th.word scope="col" { "Machine" }
                    th scope="col" { "Effective" span.unit { "GOP/s" } }
                    td {}
                    @for start in &ladder.starts {
                        th scope="col" { "Speed-up" span.unit { "over " (start) } }
                        th scope="col" { "Energy gain" span.unit { "over " (start) } }
                    }
                    th scope="col" { "Accuracy" }
                }
            }
            tbody {
                @for (index, rung) in ladder.rungs.iter().enumerate() {
                    tr.plan[index == last] {
                        th scope="row" { (rung.cause) }
                        td.word { (rung.machine) }
                        td { (gops(rung)) }
                        td.wide {
                            (bar(if index == last { "first" } else { "other" }, rung.effective_gops / fastest, None))
                        }
                        @for start in 0..ladder.starts.len() {
                            td { (times(rung.speed.get(start))) }
                            td { (times(rung.energy_gain.get(start))) }
                        }
                        td { (number::fixed(rung.accuracy, 4)) }
                    }
                }
            }
        }
    }
}

fn gops(rung: &Rung) -> String {
    number::fixed(
        rung.effective_gops,
        number::three_digits(rung.effective_gops).min(1),
    )
}
