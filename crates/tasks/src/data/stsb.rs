//! STS-B: pairs of sentences with a similarity score (Cer et al., SemEval-2017 task 1), as
//! tab-separated lines under the header `sentence1 sentence2 score`.

use std::path::Path;

use super::table;
use crate::Result;

const HEADER: &str = "sentence1\tsentence2\tscore";

/// Two sentences and how similar people found them.
#[derive(Debug, Clone, PartialEq)]
pub struct SentencePair {
    /// The first sentence.
    pub first: String,
    /// The second sentence.
    pub second: String,
    /// From 0 (unrelated) to 5 (equivalent).
    pub score: f64,
}

/// Reads an STS-B file.
///
/// # Errors
///
/// [`Error::Read`](crate::Error::Read), and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<SentencePair>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of an STS-B file.
///
/// # Errors
///
/// Of [`Error`](crate::Error): `NotUtf8`, `NoRows`, `Header`, `Columns`, and `Number` for a score
/// that is no number from 0 to 5.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<SentencePair>> {
    table::parse_rows::<3, _>(bytes, path, Some(HEADER), |row| {
        let [first, second, _] = row.fields;
        Ok(SentencePair {
            first: first.to_owned(),
            second: second.to_owned(),
            score: row.number(2, "score", 0.0, 5.0)?,
        })
    })
}
