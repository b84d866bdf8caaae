//! What the colours mean.

use maud::{Markup, html};

/// Colours that parts can have, `part-0` to `part-9` in the style sheet; with more
/// parts they repeat.
const COLOURS: usize = 10;

/// Names of parts in the order in which they first came, each with a colour.
pub(crate) struct Legend<'a> {
    names: Vec<&'a str>,
}

impl<'a> Legend<'a> {
    /// A legend of all the names.
    pub(crate) fn new(all: impl IntoIterator<Item = &'a str>) -> Legend<'a> {
        let mut names: Vec<&str> = Vec::new();
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Legend { names }
    }

    /// The names in order.
    pub(crate) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// The colour's class of a part.
    pub(crate) fn class(&self, name: &str) -> String {
        let index = self.names.iter().position(|&known| known == name);
        format!("part-{}", index.unwrap_or(0) % COLOURS)
    }

    /// The legend as a list.
    pub(crate) fn list(&self) -> Markup {
        html! {
            ul.legend {
                @for name in &self.names {
                    li { (swatch(&self.class(name), "")) (name) }
                }
            }
        }
    }
}

/// The legend of the tiers, with their digits.
pub(crate) fn tier_legend() -> Markup {
    let tiers = [
        ("8", "8 bits"),
        ("4", "4 bits"),
        ("0", "0 bits: not computed"),
    ];
    html! {
        ul.legend {
            @for (digit, meaning) in tiers {
                li { (swatch(&format!("tier-{digit}"), digit)) (meaning) }
            }
        }
    }
}

fn swatch(class: &str, digit: &str) -> Markup {
    html! {
        svg.swatch width="18" height="18" aria-hidden="true" {
            g class=(class) {
                rect x="1" y="1" width="16" height="16" {}
                @if !digit.is_empty() { text x="50%" y="50%" { (digit) } }
            }
        }
    }
}
