//! The plan as its file.

use maud::html;

use super::Section;

/// The section; `None` of an empty file.
pub(crate) fn section(toml: &str) -> Option<Section> {
    if toml.trim().is_empty() {
        return None;
    }
    Some(Section {
        id: "plan",
        title: "The plan",
        short_title: "Plan",
        about: html! {
            p {
                "The whole decision in one TOML file: for every layer the shares of tokens at 8 \
                 (" code { "r8" } "), 4 (" code { "r4" } ") and 0 bits (" code { "r0" } "), and the \
                 choices that go with them."
            }
        },
        content: html! {
            pre tabindex="0" role="region" aria-label="The plan's file" {
                code { @for block in toml.trim_end().split_inclusive("\n\n") { span.block { (block) } } }
            }
        },
    })
}
