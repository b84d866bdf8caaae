//! Tiers per layer.

use maud::{Markup, html};

use super::Section;
use crate::chart::{Segment, stacked_bar, tier_legend};
use crate::number;
use crate::view::TierShares;

/// The section; `None` of no layers.
pub(crate) fn section(layers: &[TierShares]) -> Option<Section> {
    if layers.is_empty() {
        return None;
    }
    Some(Section {
        id: "tiers",
        title: "Tiers per layer",
        short_title: "Tiers",
        about: html! {
            p { "What the plan gave: the share of all tokens of the test texts at each tier." }
        },
        content: html! {
            figure {
                (tier_legend())
                table.bars.tiers {
                    thead {
                        tr {
                            th scope="col" { "Layer" }
                            th.wide scope="col" { span.hidden { "Shares" } }
                            @for title in ["8 bits", "4 bits", "0 bits"] {
                                th.number scope="col" { (title) }
                            }
                        }
                    }
                    tbody {
                        @for (layer, shares) in layers.iter().enumerate() { (row(layer, shares)) }
                    }
                }
            }
        },
    })
}

fn row(layer: usize, shares: &TierShares) -> Markup {
    let tiers = [("8", shares.eight), ("4", shares.four), ("0", shares.zero)];
    let segments = tiers.map(|(digit, value)| Segment {
        name: digit.into(),
        class: format!("tier-{digit}"),
        value,
    });
    let describe = |segment: &Segment, share: f64| {
        format!("{} bits: {}", segment.name, number::percent(share, 1))
    };
    html! {
        tr {
            th scope="row" { (layer) }
            td.wide {
                (stacked_bar(
                    &format!("Tiers of layer {layer}"),
                    &segments,
                    |segment, _| segment.name.clone(),
                    describe,
                ))
            }
            @for (_, share) in tiers { td.number { (number::percent(share, 1)) } }
        }
    }
}
