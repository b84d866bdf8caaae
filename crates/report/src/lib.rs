//! One self-contained HTML page about a run: inline styles and SVG, no network,
//! light and dark.
//!
//! [`Report`] is what the page shows, [`render`] makes the page. `section` holds a
//! file for each section of the page, `chart` the drawings they share, `number`
//! how figures are written, `theme.css` how all of it looks. [`render_pareto`] makes a drawing of its
//! own, the Pareto plot of a sweep.

mod chart;
mod number;
mod page;
mod pareto;
mod section;
mod view;

pub use page::render;
pub use pareto::{ParetoPanel, ParetoPlot, ParetoPoint, render_pareto};
pub use view::*;
