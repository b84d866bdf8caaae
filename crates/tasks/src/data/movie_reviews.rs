//! Movie-review snippets with mean sentiment ratings (Hutto and Gilbert, ICWSM 2014), the file
//! `movieReviewSnippets_GroundTruth.txt`: `id rating text`, tab-separated, without a header.

use std::collections::HashSet;
use std::path::Path;

use super::table;
use crate::{Error, Result};

/// A snippet of a movie review.
#[derive(Debug, Clone, PartialEq)]
pub struct Snippet {
    /// Its identifier, unique in the file.
    pub id: String,
    /// The mean of at least 20 ratings, from -4 (most negative) to 4 (most positive).
    pub mean_rating: f64,
    /// The text.
    pub text: String,
}

impl Snippet {
    /// Whether the raters found it more positive than negative.
    pub fn positive(&self) -> bool {
        self.mean_rating > 0.0
    }
}

/// Reads the snippets' file.
///
/// # Errors
///
/// [`Error::Read`], and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<Snippet>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of the snippets' file.
///
/// # Errors
///
/// Of [`Error`]: `NotUtf8`, `NoRows`, `Columns`, `Number` for a rating that is no number from -4 to
/// 4, `DuplicateId`.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Snippet>> {
    let mut ids = HashSet::new();
    table::parse_rows::<3, _>(bytes, path, None, |row| {
        let [id, _, text] = row.fields;
        if !ids.insert(id) {
            return Err(Error::DuplicateId {
                path: path.to_owned(),
                line: row.line,
                id: id.to_owned(),
            });
        }
        Ok(Snippet {
            id: id.to_owned(),
            mean_rating: row.number(1, "mean rating", -4.0, 4.0)?,
            text: text.to_owned(),
        })
    })
}
