//! One self-contained HTML page about a run: inline styles and SVG, no network,
//! light and dark.

mod view;

pub use view::*;
