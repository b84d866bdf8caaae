//! The sections of the pages, one file each.

use maud::{Markup, html};

pub(crate) mod accuracy;
pub(crate) mod breakdown;
pub(crate) mod comparison;
pub(crate) mod headline;
pub(crate) mod heat_map;
pub(crate) mod ladder;
pub(crate) mod machines;
pub(crate) mod method;
pub(crate) mod over_time;
pub(crate) mod plan;
pub(crate) mod savings;
mod split;
pub(crate) mod tiers;

/// A section of a page.
pub(crate) struct Section {
    /// Its anchor.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// Its entry in the page's contents.
    pub(crate) short_title: &'static str,
    /// What it shows and how to read it; stands beside the content on wide screens.
    pub(crate) about: Markup,
    /// Its figures and tables.
    pub(crate) content: Markup,
}

/// A table that scrolls by itself where it is wider than the screen.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}
