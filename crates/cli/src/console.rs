//! What the user sees on standard error, and tables.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;

/// Prints an error with its causes on one line; a cause that the error above it
/// has quoted is not said again.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let _ = writeln!(anstream::stderr(), "{} {text}", "error:".red().bold());
}

/// Says something that is no warning.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a warning.
pub(crate) fn warn(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{} {text}", "warning:".yellow().bold());
}

/// A bar that counts `things` (texts, ...) on a terminal; nothing elsewhere.
pub(crate) fn count_bar(title: &str, total: usize, things: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{{msg:28}} {{bar:32.cyan/dim}} {{pos}}/{{len}} {things}, {{eta}} left"
    ));
    bar(title, total as u64, style)
}

/// A bar that counts bytes on a terminal; nothing elsewhere.
pub(crate) fn byte_bar(title: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg:28} {bar:32.cyan/dim} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    );
    bar(title, total, style)
}

fn bar(
    title: &str,
    total: u64,
    style: Result<ProgressStyle, indicatif::style::TemplateError>,
) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(title.to_owned());
    bar
}

/// An empty table with these column titles; the first column is text, the
/// others numbers.
pub(crate) fn table(titles: &[&str]) -> Table {
    let mut table = text_table(titles);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table
}

/// An empty table of texts with these column titles.
pub(crate) fn text_table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(titles.iter().copied());
    table
}
