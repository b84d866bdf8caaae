//! Texts with a label of their own: SST-2's format, or `label text`, tab-separated, without a
//! header.

use std::path::Path;

use super::{sst2, table};
use crate::Result;

/// A text and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledText {
    /// The text.
    pub text: String,
    /// Label 1.
    pub positive: bool,
}

/// Reads a file of labelled texts.
///
/// # Errors
///
/// [`Error::Read`](crate::Error::Read), and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<LabelledText>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of a file of labelled texts: of SST-2's format where it begins with its header.
///
/// # Errors
///
/// Of [`Error`](crate::Error): `NotUtf8`, `NoRows`, `Columns`, `Label`.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<LabelledText>> {
    let text = table::text_of(bytes, path)?;
    let first = table::lines_of(text).next().map(|(line, _)| line);
    if first == Some(sst2::HEADER) {
        let rows = sst2::parse(bytes, path)?.into_iter();
        return Ok(rows
            .map(|row| LabelledText {
                text: row.sentence,
                positive: row.positive,
            })
            .collect());
    }
    table::parse_rows::<2, _>(bytes, path, None, |row| {
        Ok(LabelledText {
            text: row.fields[1].to_owned(),
            positive: row.label(0)?,
        })
    })
}
