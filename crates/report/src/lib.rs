//! Self-contained HTML pages about a run and about compared machines: inline styles and
//! SVG, no network, light and dark.
//!
//! [`Report`] is what the demo's page shows, [`render`] makes the page; [`Comparison`]
//! and [`render_comparison`] likewise for machines side by side. `page` holds what pages
//! share, `section` a file for each section of a page, `chart` the drawings they share,
//! `number` how figures are written, `theme.css` how all of it looks.
//! [`render_pareto`] makes a drawing of its own, the Pareto plot of a sweep.

mod chart;
mod number;
mod page;
mod pareto;
mod section;
mod view;

pub use page::{render, render_comparison};
pub use pareto::{ParetoPanel, ParetoPlot, ParetoPoint, render_pareto};
pub use view::*;
