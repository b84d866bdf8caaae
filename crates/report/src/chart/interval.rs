//! Dots with intervals over one axis: a drawing per row, aligned by their scale.

use maud::{Markup, html};

use super::{Scale, x};
use crate::number;
use crate::view::Difference;

/// A variant's difference to f32 with its interval; the dot is filled where the
/// interval leaves out 0. A row without difference is the reference itself.
pub(crate) fn interval_row(scale: &Scale, title: &str, difference: Option<&Difference>) -> Markup {
    let zero = x(scale.share(0.0));
    let is_drawn = |difference: &&Difference| {
        [difference.points, difference.low, difference.high]
            .into_iter()
            .all(f64::is_finite)
    };
    html! {
        svg.interval width="100%" role="img" {
            title { (title) }
            @for &tick in &scale.ticks {
                @let at = x(scale.share(tick));
                line.grid x1=(at) x2=(at) y1="0" y2="100%" {}
            }
            line.zero x1=(zero) x2=(zero) y1="0" y2="100%" {}
            svg.middle x="0" y="50%" width="100%" {
                @match difference {
                    Some(difference) => @if is_drawn(&difference) {
                        @let (low, high) = (x(scale.share(difference.low)), x(scale.share(difference.high)));
                        line.range x1=(low) x2=(high) y1="0" y2="0" {}
                        @for end in [&low, &high] {
                            line.range x1=(end) x2=(end) y1="-5" y2="5" {}
                        }
                        circle.resolved[difference.resolved].unresolved[!difference.resolved]
                            cx=(x(scale.share(difference.points))) cy="0" r="5.5" {}
                    },
                    None => circle.reference cx=(zero) cy="0" r="4" {},
                }
            }
        }
    }
}

/// The axis below the rows.
pub(crate) fn interval_axis(scale: &Scale) -> Markup {
    html! {
        svg.axis width="100%" height="18" aria-hidden="true" {
            @for &tick in &scale.ticks {
                text x=(x(scale.share(tick))) y="14" { (number::signed(tick, scale.digits)) }
            }
        }
    }
}
