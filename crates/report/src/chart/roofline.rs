//! Rates over arithmetic intensity, both logarithmic, under the roofs of machines
//! (Williams, Waterman and Patterson, "Roofline", CACM 52(4), 2009).

use maud::{Markup, html};

use super::{LogScale, x};

/// Height of the drawing in pixels.
const HEIGHT: f64 = 320.0;

/// Radius of a point in pixels.
const RADIUS: &str = "9";

/// The most that a machine can do.
pub(crate) struct Roof {
    /// The numbers of its machines.
    pub(crate) label: String,
    /// What its elements can do, in 10^9 operations per second.
    pub(crate) peak_gops: f64,
    /// What its DRAM can bring, in 10^9 bytes per second.
    pub(crate) dram_gbps: f64,
}

/// What a machine did.
pub(crate) struct Point {
    /// Its machine's number.
    pub(crate) label: String,
    /// Whether it is the machine that others are compared with.
    pub(crate) is_base: bool,
    /// Executed operations for each DRAM byte.
    pub(crate) intensity: f64,
    /// Executed rate, in 10^9 operations per second.
    pub(crate) executed_gops: f64,
    /// The dense model's operations over the time taken, in 10^9 per second.
    pub(crate) dense_equivalent_gops: f64,
    /// All of it in words.
    pub(crate) description: String,
}

/// The drawing. Its ranges hold all points and the ridge of every roof, so that a point
/// stands where its values are, above its roof too; what is not positive and finite is
/// left out.
pub(crate) fn roofline(title: &str, roofs: &[Roof], points: &[Point]) -> Markup {
    let is_drawn = |value: f64| value.is_finite() && value > 0.0;
    let roofs: Vec<&Roof> = roofs
        .iter()
        .filter(|roof| is_drawn(roof.peak_gops) && is_drawn(roof.dram_gbps))
        .filter(|roof| is_drawn(roof.peak_gops / roof.dram_gbps))
        .collect();
    let points: Vec<&Point> = points
        .iter()
        .filter(|point| is_drawn(point.intensity) && is_drawn(point.executed_gops))
        .collect();
    let intensities = points.iter().map(|point| point.intensity);
    let ridges = roofs.iter().map(|roof| roof.peak_gops / roof.dram_gbps);
    let across = LogScale::new(intensities.chain(ridges));
    let rates = points
        .iter()
        .flat_map(|point| [point.executed_gops, point.dense_equivalent_gops]);
    let peaks = roofs.iter().map(|roof| roof.peak_gops);
    let up = LogScale::new(rates.chain(peaks));
    let y = |rate: f64| format!("{:.2}", HEIGHT * (1.0 - up.share(rate)));
    let description: Vec<&str> = points
        .iter()
        .map(|point| point.description.as_str())
        .collect();
    html! {
        svg.roofline width="100%" height=(HEIGHT + 22.0) role="img" {
            title { (title) }
            desc { (if points.is_empty() { "Nothing to show.".into() } else { description.join("; ") }) }
            @for tick in across.ticks() {
                @let at = x(across.share(tick));
                line.grid x1=(at) x2=(at) y1="0" y2=(HEIGHT) {}
                text class=(anchor(across.share(tick))) x=(at) y=(HEIGHT + 14.0) { (figure(tick)) }
            }
            @for tick in up.ticks() {
                line.grid x1="0%" x2="100%" y1=(y(tick)) y2=(y(tick)) {}
                @if up.share(tick) > 0.0 {
                    text.start x="0%" dx="4" dy="10" y=(y(tick)) { (figure(tick)) }
                }
            }
            @for roof in roofs {
                @let ridge = roof.peak_gops / roof.dram_gbps;
                // It comes in from the left or from below.
                @let from = across.least().max(up.least() / roof.dram_gbps).min(ridge);
                g {
                    title { (roof.label) ": " (figure(roof.peak_gops)) " GOP/s, " (figure(roof.dram_gbps)) " GB/s" }
                    line.roof x1=(x(across.share(from))) y1=(y(roof.dram_gbps * from))
                        x2=(x(across.share(ridge))) y2=(y(roof.peak_gops)) {}
                    line.roof x1=(x(across.share(ridge))) y1=(y(roof.peak_gops))
                        x2="100%" y2=(y(roof.peak_gops)) {}
                    text.end x="100%" dx="-2" dy="-9" y=(y(roof.peak_gops)) { (roof.label) }
                }
            }
            @for point in points {
                @let at = x(across.share(point.intensity));
                g.base[point.is_base] {
                    title { (point.description) }
                    @if is_drawn(point.dense_equivalent_gops) {
                        line.skipped x1=(at) x2=(at) y1=(y(point.executed_gops)) y2=(y(point.dense_equivalent_gops)) {}
                        circle.dense-equivalent cx=(at) cy=(y(point.dense_equivalent_gops)) r=(RADIUS) {}
                        text x=(at) y=(y(point.dense_equivalent_gops)) { (point.label) }
                    }
                    circle.executed cx=(at) cy=(y(point.executed_gops)) r=(RADIUS) {}
                    text.on x=(at) y=(y(point.executed_gops)) { (point.label) }
                }
            }
        }
        p.axis { span {} span { "executed operations a DRAM byte" } }
        ul.legend {
            li { (key("executed")) "executed" }
            li { (key("dense-equivalent")) "dense-equivalent" }
        }
    }
}

fn key(class: &str) -> Markup {
    html! {
        svg.swatch.roofline width="18" height="18" aria-hidden="true" {
            circle class=(class) cx="9" cy="9" r="7" {}
        }
    }
}

/// Labels at the ends stay within the drawing.
fn anchor(share: f64) -> &'static str {
    match share {
        share if share <= 0.0 => "start",
        share if share >= 1.0 => "end",
        _ => "middle-label",
    }
}

/// A figure as short as an axis needs it.
fn figure(value: f64) -> String {
    match value {
        value if (1.0..1e6).contains(&value) => {
            let whole = (value - value.round()).abs() < 1e-6 * value;
            crate::number::fixed(value, if whole { 0 } else { 1 })
        }
        value if (1e-4..1.0).contains(&value) => format!("{value}"),
        value => format!("{value:.0e}"),
    }
}
