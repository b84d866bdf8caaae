//! Tab-separated lines, with positions for messages.

use std::fs;
use std::path::Path;

use crate::{Error, Result};

/// The whole of a file.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// The bytes of a file as text, without a byte order mark.
pub(super) fn text_of<'t>(bytes: &'t [u8], path: &Path) -> Result<&'t str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|e| {
        // The bytes before the error are valid by definition of `valid_up_to`.
        let valid = String::from_utf8_lossy(&bytes[..e.valid_up_to()]);
        let line_start = valid.rfind('\n').map_or(0, |at| at + 1);
        Error::NotUtf8 {
            path: path.to_owned(),
            line: valid.matches('\n').count() + 1,
            column: valid[line_start..].chars().count() + 1,
        }
    })
}

/// The lines of a text with their numbers. The line break at the end of the last line opens no
/// further line.
pub(super) fn lines_of(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let lines = text.split('\n');
    lines
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .zip(1..)
}

/// One line of a table, split at tabs.
pub(super) struct Row<'t, const COLUMNS: usize> {
    path: &'t Path,
    /// From 1.
    pub(super) line: usize,
    pub(super) fields: [&'t str; COLUMNS],
}

/// Parses a whole table, one row at a time.
pub(super) fn parse_rows<'t, const COLUMNS: usize, T>(
    bytes: &'t [u8],
    path: &'t Path,
    header: Option<&'static str>,
    mut row: impl FnMut(&Row<'t, COLUMNS>) -> Result<T>,
) -> Result<Vec<T>> {
    let text = text_of(bytes, path)?;
    let mut lines = lines_of(text).peekable();
    if text.is_empty() || text == "\n" {
        lines.next();
    }
    if let Some(expected) = header {
        match lines.next() {
            Some((found, _)) if found != expected => {
                return Err(Error::Header {
                    path: path.to_owned(),
                    expected,
                    found: found.chars().take(80).collect(),
                });
            }
            _ => {}
        }
    }
    if lines.peek().is_none() {
        return Err(Error::NoRows {
            path: path.to_owned(),
        });
    }
    lines
        .map(|(content, line)| {
            let found = content.split('\t').count();
            let mut fields = [""; COLUMNS];
            if found != COLUMNS {
                return Err(Error::Columns {
                    path: path.to_owned(),
                    line,
                    expected: COLUMNS,
                    found,
                });
            }
            for (field, text) in fields.iter_mut().zip(content.split('\t')) {
                *field = text;
            }
            row(&Row { path, line, fields })
        })
        .collect()
}

impl<const COLUMNS: usize> Row<'_, COLUMNS> {
    /// The number in a column, within `low..=high`.
    pub(super) fn number(
        &self,
        column: usize,
        field: &'static str,
        low: f64,
        high: f64,
    ) -> Result<f64> {
        let text = self.fields[column];
        match text.parse::<f64>() {
            // NaN is in no range.
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(Error::Number {
                path: self.path.to_owned(),
                line: self.line,
                field,
                low,
                high,
                found: text.to_owned(),
            }),
        }
    }

    /// The label in a column: `1` is true, `0` is false.
    pub(super) fn label(&self, column: usize) -> Result<bool> {
        match self.fields[column] {
            "1" => Ok(true),
            "0" => Ok(false),
            other => Err(Error::Label {
                path: self.path.to_owned(),
                line: self.line,
                found: other.to_owned(),
            }),
        }
    }
}
