//! Shares of a whole, side by side in one bar.

use maud::{Markup, html};

use super::x;

/// Height of the bar in pixels.
const HEIGHT: &str = "22";

/// One part of a stacked bar.
pub(crate) struct Segment {
    /// Name of the part.
    pub(crate) name: String,
    /// Its colour's class.
    pub(crate) class: String,
    /// Its value, in any unit that all segments share.
    pub(crate) value: f64,
}

/// A bar of all segments, as shares of their sum.
///
/// `label` writes into segments that have room, from the segment and its share;
/// `describe` tells a segment and its share in full.
pub(crate) fn stacked_bar(
    title: &str,
    segments: &[Segment],
    label: impl Fn(&Segment, f64) -> String,
    describe: impl Fn(&Segment, f64) -> String,
) -> Markup {
    let drawn = shares(segments);
    let description: Vec<String> = drawn
        .iter()
        .map(|(segment, _, share)| describe(segment, *share))
        .collect();
    html! {
        svg.stack width="100%" height=(HEIGHT) role="img" {
            title { (title) }
            desc { (if drawn.is_empty() { "Nothing to show.".into() } else { description.join("; ") }) }
            rect.track x="0" y="0" width="100%" height=(HEIGHT) {}
            @for ((segment, start, share), description) in drawn.iter().zip(&description) {
                @let written = label(segment, *share);
                g class=(segment.class) {
                    title { (description) }
                    rect x=(x(*start)) y="0" width=(x(*share)) height=(HEIGHT) {}
                    @if *share >= room(&written) {
                        text x=(x(start + share / 2.0)) y="50%" { (written) }
                    }
                }
            }
        }
    }
}

/// Segments above 0 with their start and share, both of the sum.
fn shares(segments: &[Segment]) -> Vec<(&Segment, f64, f64)> {
    let counted = || {
        segments
            .iter()
            .filter(|segment| segment.value.is_finite() && segment.value > 0.0)
    };
    // Scaled first: the sum of the largest numbers is none.
    let largest = counted().fold(0.0, |largest: f64, segment| largest.max(segment.value));
    let total: f64 = counted().map(|segment| segment.value / largest).sum();
    let mut start = 0.0;
    counted()
        .map(|segment| {
            let share = segment.value / largest / total;
            let drawn = (segment, start, share);
            start += share;
            drawn
        })
        .collect()
}

/// The share of a narrow bar that a label needs.
fn room(label: &str) -> f64 {
    0.025 * (label.chars().count() as f64 + 0.7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares_of(values: &[f64]) -> Vec<f64> {
        let segments: Vec<Segment> = values
            .iter()
            .map(|&value| Segment {
                name: String::new(),
                class: String::new(),
                value,
            })
            .collect();
        shares(&segments)
            .iter()
            .map(|&(_, _, share)| share)
            .collect()
    }

    #[test]
    fn shares_sum_to_one_and_leave_out_what_is_none() {
        assert_eq!(shares_of(&[1.0, 0.0, 3.0, f64::NAN, -1.0]), [0.25, 0.75]);
        assert_eq!(shares_of(&[f64::MAX, f64::MAX]), [0.5, 0.5]);
        assert_eq!(shares_of(&[0.0, 0.0]), [0.0; 0]);
    }
}
