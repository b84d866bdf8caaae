//! One bar in a row of a table, whose figure stands beside it.

use maud::{Markup, html};

use super::x;

/// A bar over `share` of the width, in the colour of `class`; `mark` is the share
/// at which a reference line stands.
///
/// It repeats a figure of its row, so it is hidden from those who have the table
/// read out.
pub(crate) fn bar(class: &str, share: f64, mark: Option<f64>) -> Markup {
    html! {
        svg.bar width="100%" height="14" aria-hidden="true" {
            rect.track x="0" y="0" width="100%" height="14" {}
            rect class=(class) x="0" y="0" width=(x(share)) height="14" {}
            @if let Some(mark) = mark {
                line.mark x1=(x(mark)) x2=(x(mark)) y1="-4" y2="18" {}
            }
        }
    }
}
