//! Readers of public data formats.
//!
//! Common to all: a line ends with LF or CRLF. Fields of tables are split at tabs and nowhere else,
//! and quotes are ordinary characters. A file that is not UTF-8, has no rows, or holds a row that does
//! not fit is refused with its path and line. Each format has `read` for a file and `parse` for
//! bytes already at hand, whose `path` serves messages only.

pub mod cola;
pub mod conll;
pub mod editorials;
pub mod labelled;
pub mod movie_reviews;
pub mod squad;
pub mod sst2;
pub mod stsb;
mod table;
pub mod wikitext;

use std::path::{Path, PathBuf};

use crate::Result;

/// What several files hold, one after the other.
pub(crate) fn read_all<T>(
    files: &[PathBuf],
    read: impl Fn(&Path) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let parts: Result<Vec<Vec<T>>> = files.iter().map(|file| read(file)).collect();
    Ok(parts?.into_iter().flatten().collect())
}
