//! Drawings as inline SVG. They take the width of their place: positions along x
//! are per cents, so that text keeps its size from phone to desk.

mod bar;
mod interval;
mod layers;
mod legend;
mod roofline;
mod scale;
mod stacked_bar;

pub(crate) use bar::bar;
pub(crate) use interval::{interval_axis, interval_row};
pub(crate) use layers::layers;
pub(crate) use legend::{Legend, tier_legend};
pub(crate) use roofline::{Point, Roof, roofline};
pub(crate) use scale::{LogScale, Scale};
pub(crate) use stacked_bar::{Segment, stacked_bar};

/// A position or length along x, from a share of the width.
fn x(share: f64) -> String {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    format!("{:.3}%", 100.0 * share)
}
