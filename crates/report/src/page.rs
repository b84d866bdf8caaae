//! The page: its head, its title, and the sections in their order.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::number;
use crate::section::{self, Section};
use crate::view::Report;

const STYLE: &str = include_str!("theme.css");
const SCRIPT: &str = include_str!("readout.js");

/// What the page may load: nothing beyond itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

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
    printable(&document(report, &sections).into_string())
}

fn document(report: &Report, sections: &[Section]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "DTATrans: " (report.run.model) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (masthead(report)) (contents(sections)) }
                main {
                    (section::headline::tiles(report))
                    @for section in sections {
                        section id=(section.id) aria-labelledby=(format!("{}-title", section.id)) {
                            div.about {
                                h2 id=(format!("{}-title", section.id)) { (section.title) }
                                (section.about)
                            }
                            div.content { (section.content) }
                        }
                    }
                }
                footer {
                    p {
                        "DTATrans " (report.run.version) ", " (report.run.date) ". The method follows Yang et al., "
                        cite { "DTATrans" } ", IEEE TCAD 42(2), 2023."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
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

fn contents(sections: &[Section]) -> Markup {
    html! {
        nav aria-label="Sections" {
            ul {
                @for section in sections {
                    li { a href=(format!("#{}", section.id)) { (section.short_title) } }
                }
            }
        }
    }
}

/// Shows control characters, which HTML forbids, as their pictures.
pub(crate) fn printable(page: &str) -> String {
    page.chars()
        .map(|character| match character {
            '\n' | '\t' => character,
            '\0'..='\u{1f}' => char::from_u32(0x2400 + character as u32).unwrap_or('\u{fffd}'),
            '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            _ => character,
        })
        .collect()
}
