//! Shares that change from left to right, one on top of the other.

use maud::{Markup, html};

/// Height of the drawing in pixels.
const HEIGHT: f64 = 180.0;

/// Columns of equal width, each with the shares of all parts from the bottom up.
///
/// `classes` are the parts' colours, `describe` says what a column is.
pub(crate) fn layers(
    title: &str,
    description: &str,
    classes: &[String],
    columns: &[Vec<f64>],
    describe: impl Fn(usize) -> String,
) -> Markup {
    let width = columns.len();
    html! {
        svg.layers width="100%" height=(HEIGHT) viewBox=(format!("0 0 {width} {HEIGHT}"))
            preserveAspectRatio="none" role="img" {
            title { (title) }
            desc { (description) }
            rect.track x="0" y="0" width=(width) height=(HEIGHT) {}
            @for (index, shares) in columns.iter().enumerate() {
                g {
                    title { (describe(index)) }
                    @for (class, from, to) in stacked(classes, shares) {
                        g class=(class) {
                            rect x=(index) y=(format!("{:.2}", HEIGHT * (1.0 - to)))
                                width="1" height=(format!("{:.2}", HEIGHT * (to - from))) {}
                        }
                    }
                }
            }
        }
    }
}

/// Where each part of a column begins and ends; parts that nobody would see are left
/// out.
fn stacked<'a>(classes: &'a [String], shares: &[f64]) -> Vec<(&'a str, f64, f64)> {
    let mut from = 0.0_f64;
    let mut parts = Vec::new();
    for (class, &share) in classes.iter().zip(shares) {
        let share = if share.is_finite() {
            share.max(0.0)
        } else {
            0.0
        };
        let to = (from + share).min(1.0);
        if (to - from) * HEIGHT >= 0.05 {
            parts.push((class.as_str(), from, to));
        }
        from = to;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_on_one_another_and_stay_within() {
        let classes: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let parts = stacked(&classes, &[0.5, f64::NAN, 0.75]);
        assert_eq!(parts, [("a", 0.0, 0.5), ("c", 0.5, 1.0)]);
    }
}
