//! What all pages share: their head, their frame, and the sections in their order.

mod comparison;
mod demo;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::section::Section;

pub use comparison::render_comparison;
pub use demo::render;

const STYLE: &str = include_str!("theme.css");
const SCRIPT: &str = include_str!("readout.js");

/// What the page may load: nothing beyond itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// What stands around the sections of a page.
struct Frame<'a> {
    /// The window's title, behind the program's name.
    title: &'a str,
    /// Version of the program.
    version: &'a str,
    /// Date of the run.
    date: &'a str,
    /// The page's title and what it is about.
    masthead: Markup,
    /// What comes before the first section.
    opening: Markup,
}

/// A whole page.
fn document(frame: &Frame, sections: &[Section]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "DTATrans: " (frame.title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (frame.masthead) (contents(sections)) }
                main {
                    (frame.opening)
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
                        "DTATrans " (frame.version) ", " (frame.date) ". The method follows Yang et al., "
                        cite { "DTATrans" } ", IEEE TCAD 42(2), 2023."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    printable(&page.into_string())
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
