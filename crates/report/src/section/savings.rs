//! What each variant saves.

use maud::{Markup, html};

use super::Section;
use crate::chart::bar;
use crate::number;
use crate::view::Savings;

/// The section; `None` of no variants.
pub(crate) fn section(rows: &[Savings], plan: &str) -> Option<Section> {
    if rows.is_empty() {
        return None;
    }
    Some(Section {
        id: "savings",
        title: "Savings",
        short_title: "Savings",
        about: html! {
            p {
                "Shares of the dense 8-bit model's element-cycles. A product costs 1 at \
                 4\u{a0}×\u{a0}4 bits, 2 at 4\u{a0}×\u{a0}8 and 4 at 8\u{a0}×\u{a0}8."
            }
            p {
                "Attention is Q\u{a0}×\u{a0}Kᵀ and P\u{a0}×\u{a0}V; the encoder adds projections \
                 and feed-forward."
            }
        },
        content: html! {
            div.columns {
                (figure("Attention", rows, plan, |row| row.attention))
                (figure("Encoder", rows, plan, |row| row.encoder))
            }
        },
    })
}

fn figure(title: &str, rows: &[Savings], plan: &str, share: impl Fn(&Savings) -> f64) -> Markup {
    html! {
        figure {
            table.bars.stacked {
                caption { (title) ": element-cycles saved" }
                thead.hidden {
                    tr { th scope="col" { "Variant" } th scope="col" { "Bar" } th scope="col" { "Saved" } }
                }
                tbody {
                    @for row in rows {
                        tr.plan[row.variant == plan] {
                            th scope="row" { (row.variant) }
                            td.wide { (bar(if row.variant == plan { "first" } else { "other" }, share(row), None)) }
                            td.number { (number::percent(share(row), 1)) }
                        }
                    }
                }
            }
        }
    }
}
