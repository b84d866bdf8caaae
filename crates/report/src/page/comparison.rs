//! The page of `compare`: machines side by side on the same traces.

use maud::{Markup, html};

use super::{Frame, document};
use crate::number;
use crate::section::{Section, comparison};
use crate::view::Comparison;

/// The page of a comparison: one HTML document that needs nothing beyond itself.
///
/// The same comparison gives the same bytes. Figures that are not finite show as dashes
/// and are not drawn; sections without data are left out.
pub fn render_comparison(comparison: &Comparison) -> String {
    let sections: Vec<Section> = [
        comparison::machines::section(comparison),
        comparison::figures::section(comparison),
        comparison::roofline::section(comparison),
        comparison::breakdown::section(comparison),
    ]
    .into_iter()
    .flatten()
    .collect();
    let frame = Frame {
        title: "machines compared",
        version: &comparison.version,
        date: &comparison.date,
        masthead: masthead(comparison),
        opening: html! {},
    };
    document(&frame, &sections)
}

fn masthead(comparison: &Comparison) -> Markup {
    let tokens: u64 = comparison.traces.iter().map(|trace| trace.tokens).sum();
    html! {
        p.kicker { "DTATrans comparison" }
        h1 { span { (number::counted(comparison.machines.len(), "machine")) } " on the same traces" }
        p.facts {
            span { (number::counted(comparison.traces.len(), "trace")) }
            span { (number::count(tokens)) " tokens" }
            span { "against " (comparison.base) }
            span { time { (comparison.date) } }
            span { "version " (comparison.version) }
        }
    }
}
