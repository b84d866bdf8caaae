//! What each variant costs in accuracy.

use maud::{Markup, html};

use super::{Section, scrolling};
use crate::chart::{Scale, interval_axis, interval_row};
use crate::number;
use crate::view::{Accuracy, Difference};

/// The section; `None` of no variants.
pub(crate) fn section(rows: &[Accuracy], plan: &str) -> Option<Section> {
    let reference = rows.first()?;
    Some(Section {
        id: "accuracy",
        title: "Accuracy",
        short_title: "Accuracy",
        about: html! {
            p {
                "Every variant answers the same texts, so differences to " (reference.variant)
                " are paired. Intervals hold 95\u{a0}% of bootstrap samples of the texts."
            }
            p {
                "A filled dot is resolved: its interval leaves out 0. A hollow one is not: these \
                 texts cannot tell it from 0."
            }
        },
        content: html! {
            @if rows.iter().any(|row| row.difference.is_some()) {
                (intervals(rows, plan, &reference.variant))
            }
            (scrolling("Accuracy of each variant", &table(rows, plan)))
        },
    })
}

fn intervals(rows: &[Accuracy], plan: &str, reference: &str) -> Markup {
    let ends = rows
        .iter()
        .filter_map(|row| row.difference)
        .flat_map(|difference| [difference.points, difference.low, difference.high]);
    let scale = Scale::around_zero(ends);
    html! {
        figure {
            figcaption { "Difference to " (reference) " in points of accuracy" }
            div.intervals {
                @for row in rows {
                    div.row.plan[row.variant == plan] {
                        p.name { (row.variant) }
                        div.plot { (interval_row(&scale, &spoken(row, reference), row.difference.as_ref())) }
                        p.value {
                            @match row.difference {
                                Some(difference) => (number::signed(difference.points, 2)),
                                None => "reference",
                            }
                        }
                    }
                }
                div.row.foot {
                    p.name {}
                    (interval_axis(&scale))
                    p.value {}
                }
            }
        }
    }
}

fn spoken(row: &Accuracy, reference: &str) -> String {
    match row.difference {
        Some(difference) => format!(
            "{}: {} points to {reference}, 95 % interval {}, {}",
            row.variant,
            number::signed(difference.points, 2),
            interval(&difference),
            verdict(&difference)
        ),
        None => format!("{}: the reference", row.variant),
    }
}

fn interval(difference: &Difference) -> String {
    format!(
        "{} to {}",
        number::signed(difference.low, 2),
        number::signed(difference.high, 2)
    )
}

fn verdict(difference: &Difference) -> &'static str {
    if difference.resolved {
        "resolved"
    } else {
        "not resolved"
    }
}

fn table(rows: &[Accuracy], plan: &str) -> Markup {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| number::NONE.into());
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Variant" }
                    th scope="col" { "Accuracy" span.unit { "%" } }
                    th scope="col" { "Difference" span.unit { "points" } }
                    th scope="col" { "95\u{a0}% interval" span.unit { "points" } }
                    th.word scope="col" { "Resolved" }
                    th scope="col" { "Mean cosine" span.unit { "of embeddings" } }
                    th scope="col" { "Speed" span.unit { "texts/s" } }
                }
            }
            tbody {
                @for row in rows {
                    tr.plan[row.variant == plan] {
                        th scope="row" { (row.variant) }
                        td { (number::fixed(row.accuracy, 2)) }
                        td { (or_none(row.difference.map(|difference| number::signed(difference.points, 2)))) }
                        td { (or_none(row.difference.as_ref().map(interval))) }
                        td.word { (row.difference.as_ref().map_or(number::NONE, verdict)) }
                        td { (or_none(row.mean_cosine.map(|cosine| number::fixed(cosine, 4)))) }
                        td { (number::fixed(row.texts_per_second, number::three_digits(row.texts_per_second))) }
                    }
                }
            }
        }
    }
}
