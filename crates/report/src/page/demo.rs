//! The demo's page: a plan, its accuracy, and the machines that profit from it.

use maud::{Markup, html};

use super::{Frame, document};
use crate::number;
use crate::section::{self, Section};
use crate::view::Report;

/// The page of a report: one HTML document that needs nothing beyond itself.
///
/// The same report gives the same bytes. Figures that are not finite show as
/// dashes; sections without data are left out.
pub fn render(report: &Report) -> String {
    let sections: Vec<Section> = [
        section::heat_map::section(&report.heat_map),
        section::tiers::section(&report.tier_shares),
        section::accuracy::section(&report.accuracy, &report.plan_variant),
        section::savings::section(&report.savings, &report.plan_variant),
        section::machines::section(&report.attention, &report.encoder),
        section::breakdown::section(&report.attention, &report.encoder),
        section::over_time::section(report.over_time.as_ref()),
        section::ladder::section(report.ladder.as_ref()),
        section::plan::section(&report.plan_toml),
        Some(section::method::section(&report.run, &report.notes)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let frame = Frame {
        title: &report.run.model,
        version: &report.run.version,
        date: &report.run.date,
        masthead: masthead(report),
        opening: section::headline::tiles(report),
    };
    document(&frame, &sections)
}

fn masthead(report: &Report) -> Markup {
    let run = &report.run;
    html! {
        p.kicker { "DTATrans report" }
        h1 { span { (run.model) "," } " each token at its own precision" }
        p.facts {
            span { (number::counted(run.test_texts, "test text")) }
            span { (number::counted(run.test_tokens, "token")) }
            span { (number::counted(run.layers, "layer")) " of width " (number::count(run.hidden as u64)) }
            span { time { (run.date) } }
            span { "version " (run.version) }
        }
    }
}
