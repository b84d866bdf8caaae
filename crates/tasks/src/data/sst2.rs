//! SST-2: sentences and phrases of movie reviews with their sentiment (Socher et al., 2013), as
//! tab-separated lines under the header `sentence label`.

use std::path::Path;

use super::table;
use crate::Result;

pub(super) const HEADER: &str = "sentence\tlabel";

/// A sentence and its sentiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledSentence {
    /// The text as it stands in the file; GLUE's files end it with a space.
    pub sentence: String,
    /// Label 1, a positive sentiment.
    pub positive: bool,
}

/// Reads an SST-2 file.
///
/// # Errors
///
/// [`Error::Read`](crate::Error::Read), and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<LabelledSentence>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of an SST-2 file.
///
/// # Errors
///
/// Of [`Error`](crate::Error): `NotUtf8`, `NoRows`, `Header`, `Columns`, `Label`.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<LabelledSentence>> {
    table::parse_rows::<2, _>(bytes, path, Some(HEADER), |row| {
        Ok(LabelledSentence {
            sentence: row.fields[0].to_owned(),
            positive: row.label(1)?,
        })
    })
}
