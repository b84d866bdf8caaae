//! Newspaper editorials, cut into sentences that were rated (Hutto and Gilbert, ICWSM 2014), the
//! file `nytEditorialSnippets_GroundTruth.txt`: `id rating text`, tab-separated, without a header.
//! An id is the number of an editorial and that of its sentence, `12_3`.

use std::path::Path;

use super::table;
use crate::{Error, Result};

/// An editorial.
#[derive(Debug, Clone, PartialEq)]
pub struct Editorial {
    /// Its number.
    pub id: String,
    /// Its sentences in order, with a space between.
    pub text: String,
}

/// Reads the file.
///
/// # Errors
///
/// [`Error::Read`], and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<Editorial>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of the file.
///
/// # Errors
///
/// Of [`Error`]: `NotUtf8`, `NoRows`, `Columns`, `DuplicateId` if an editorial begins again behind
/// another.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Editorial>> {
    let mut editorials: Vec<Editorial> = Vec::new();
    table::parse_rows::<3, _>(bytes, path, None, |row| {
        let [id, _, text] = row.fields;
        let id = id.split_once('_').map_or(id, |(editorial, _)| editorial);
        if let Some(last) = editorials.last_mut().filter(|last| last.id == id) {
            last.text.push(' ');
            last.text.push_str(text);
            return Ok(());
        }
        if editorials.iter().any(|known| known.id == id) {
            return Err(Error::DuplicateId {
                path: path.to_owned(),
                line: row.line,
                id: id.to_owned(),
            });
        }
        editorials.push(Editorial {
            id: id.to_owned(),
            text: text.to_owned(),
        });
        Ok(())
    })?;
    Ok(editorials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Editorial>> {
        parse(text.as_bytes(), Path::new("editorials.txt"))
    }

    #[test]
    fn sentences_of_one_editorial_are_joined() {
        let editorials = of("1_1\t0.4\tOne.\n1_2\t-1\tTwo.\n2_1\t0\tThree.\n").unwrap();
        let texts: Vec<&str> = editorials.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["One. Two.", "Three."]);
        assert_eq!(editorials[1].id, "2");
    }

    #[test]
    fn an_editorial_that_begins_again_is_refused_by_line() {
        let error = of("1_1\t0\tOne.\n2_1\t0\tTwo.\n1_2\t0\tThree.\n").unwrap_err();
        assert!(
            matches!(error, Error::DuplicateId { line: 3, .. }),
            "{error}"
        );
    }
}
