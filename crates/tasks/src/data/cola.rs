//! CoLA: sentences of the linguistic literature, judged acceptable or not (Warstadt et al., 2019),
//! in the corpus's own format: `source label mark sentence`, tab-separated, without a header.

use std::path::Path;

use super::table;
use crate::Result;

/// A sentence and its judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedSentence {
    /// The code of the publication that the sentence comes from.
    pub source: String,
    /// Label 1, acceptable.
    pub acceptable: bool,
    /// The author's own mark, such as `*`; mostly empty. Not used by the task.
    pub mark: String,
    /// The sentence.
    pub sentence: String,
}

/// Reads a CoLA file.
///
/// # Errors
///
/// [`Error::Read`](crate::Error::Read), and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<JudgedSentence>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of a CoLA file.
///
/// # Errors
///
/// Of [`Error`](crate::Error): `NotUtf8`, `NoRows`, `Columns`, `Label`.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<JudgedSentence>> {
    table::parse_rows::<4, _>(bytes, path, None, |row| {
        let [source, _, mark, sentence] = row.fields;
        Ok(JudgedSentence {
            source: source.to_owned(),
            acceptable: row.label(1)?,
            mark: mark.to_owned(),
            sentence: sentence.to_owned(),
        })
    })
}
