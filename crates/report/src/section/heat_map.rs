//! One sentence's tokens through the layers.

use maud::{Markup, html};

use super::{Section, scrolling};
use crate::chart::tier_legend;
use crate::number;
use crate::view::HeatMap;

/// With more tokens than this, tokens are rows on every screen.
const TOKENS_ACROSS: usize = 34;

/// The section; `None` of no tokens or no layers.
pub(crate) fn section(map: &HeatMap) -> Option<Section> {
    if map.tokens.is_empty() || map.tiers.is_empty() {
        return None;
    }
    Some(Section {
        id: "sentence",
        title: "One sentence through the layers",
        short_title: "Sentence",
        about: html! {
            p {
                "Each cell is a token at a layer: the digit and colour are the bits that it was \
                 computed with."
            }
            @if has_scores(map) {
                p {
                    "The bar at its foot is the token's importance, the attention that it has \
                     received, after that layer. A layer's scores rank the tokens of the next \
                     one. Bars grow with the square root, from 0 to the layer's largest score."
                }
            }
        },
        content: html! {
            figure {
                blockquote { (map.text) }
                (tier_legend())
                (cells(map))
                p.readout hidden { "Point at a cell to read its score." }
            }
            @if has_scores(map) {
                details {
                    summary { "Scores as numbers" }
                    (scrolling("Importance scores", &scores(map)))
                }
            }
        },
    })
}

fn has_scores(map: &HeatMap) -> bool {
    map.importance.iter().any(|layer| !layer.is_empty())
}

/// Layers are rows and tokens columns of the table; the style sheet turns the grid
/// on narrow screens and for long sentences.
fn cells(map: &HeatMap) -> Markup {
    let is_long = map.tokens.len() > TOKENS_ACROSS;
    let size = format!("--tokens:{};--layers:{}", map.tokens.len(), map.tiers.len());
    scrolling(
        "Heat map",
        &html! {
            table.heat.long[is_long] role="table" style=(size)
                aria-label="Bits of each token at each layer" {
                thead role="rowgroup" {
                    tr role="row" {
                        td.corner role="cell" { "layer" }
                        @for (token, text) in map.tokens.iter().enumerate() {
                            th scope="col" role="columnheader" style=(format!("--t:{token}")) title=(text) {
                                bdi { (text) }
                            }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for (layer, tiers) in map.tiers.iter().enumerate() {
                        tr role="row" style=(format!("--l:{layer}")) {
                            th scope="row" role="rowheader" { span.word { "layer " } (layer) }
                            @let scores = map.importance.get(layer).map_or(&[][..], Vec::as_slice);
                            @for (token, tier) in tiers.iter().take(map.tokens.len()).enumerate() {
                                (cell(map, layer, token, *tier, scores))
                            }
                        }
                    }
                }
            }
        },
    )
}

fn cell(map: &HeatMap, layer: usize, token: usize, tier: u32, scores: &[f32]) -> Markup {
    let class = match tier {
        8 => "tier-8",
        4 => "tier-4",
        0 => "tier-0",
        _ => "tier-other",
    };
    let mut style = format!("--t:{token}");
    let mut words = format!("“{}” at layer {layer}: {tier} bits", map.tokens[token]);
    if let Some(&score) = scores.get(token) {
        if let Some(length) = length(score, scores) {
            style.push_str(&format!(";--s:{length:.3}"));
        }
        let rank = 1 + scores.iter().filter(|&&other| other > score).count();
        words.push_str(&format!(
            "; score after the layer {}, rank {rank} of {}",
            number::fixed(f64::from(score), 4),
            scores.len()
        ));
    }
    html! { td class=(class) role="cell" style=(style) title=(words) { (tier) } }
}

/// Length of a score's bar, between 0 and 1.
fn length(score: f32, scores: &[f32]) -> Option<f32> {
    let largest = scores
        .iter()
        .copied()
        .filter(|score| score.is_finite())
        .fold(0.0, f32::max);
    let length = (score / largest).max(0.0).sqrt();
    (score.is_finite() && length.is_finite()).then_some(length.min(1.0))
}

fn scores(map: &HeatMap) -> Markup {
    html! {
        table.numbers {
            caption { "Importance after each layer (attention probability received, no unit)" }
            thead {
                tr {
                    th scope="col" { "Token" }
                    @for layer in 0..map.importance.len() { th scope="col" { "layer " (layer) } }
                }
            }
            tbody {
                @for (token, text) in map.tokens.iter().enumerate() {
                    tr {
                        th.token scope="row" { bdi { (text) } }
                        @for layer in &map.importance {
                            td {
                                @match layer.get(token) {
                                    Some(&score) => (number::fixed(f64::from(score), 4)),
                                    None => (number::NONE),
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
