//! CoNLL-2003: sentences with an entity tag for each word (Tjong Kim Sang and De Meulder, 2003). One
//! word a line, columns between white space, the word first and its tag last; a blank line ends a
//! sentence, and lines of the word `-DOCSTART-` part documents.

use std::path::Path;

use super::table;
use crate::entities::Tag;
use crate::{Error, Result};

/// A sentence: as many tags as words, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedSentence {
    /// The words.
    pub words: Vec<String>,
    /// The tag of each: `O`, or `B-`, `I-`, `E-` or `S-` and a kind of entity.
    pub tags: Vec<String>,
}

/// Reads a file of tagged sentences.
///
/// # Errors
///
/// [`Error::Read`], and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<TaggedSentence>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of a file of tagged sentences.
///
/// # Errors
///
/// Of [`Error`]: `NotUtf8`, `NoRows` for a file without a sentence, `Line` for a line of one column,
/// of other columns than the first, or with something else than a tag at its end.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<TaggedSentence>> {
    let mut sentences = Vec::new();
    let mut sentence = TaggedSentence {
        words: Vec::new(),
        tags: Vec::new(),
    };
    let mut columns = None;
    let lines = table::lines_of(table::text_of(bytes, path)?);
    // A blank line more, so that the last sentence ends too.
    for (content, line) in lines.chain([("", 0)]) {
        let refuse = |reason: String| Error::Line {
            path: path.to_owned(),
            line,
            reason,
        };
        let fields: Vec<&str> = content.split_ascii_whitespace().collect();
        let (word, tag) = match fields[..] {
            [] => {
                if !sentence.words.is_empty() {
                    sentences.push(sentence.clone());
                    sentence.words.clear();
                    sentence.tags.clear();
                }
                continue;
            }
            ["-DOCSTART-", ..] => continue,
            [word, .., tag] => (word, tag),
            [_] => {
                return Err(refuse(
                    "expected a word and its tag, found one column".into(),
                ));
            }
        };
        let expected = *columns.get_or_insert(fields.len());
        if fields.len() != expected {
            let found = fields.len();
            return Err(refuse(format!(
                "expected {expected} columns, found {found}"
            )));
        }
        if Tag::parse(tag).is_none() {
            return Err(refuse(format!(
                "expected a tag O, B-..., I-..., E-... or S-..., found {tag:?}"
            )));
        }
        sentence.words.push(word.to_owned());
        sentence.tags.push(tag.to_owned());
    }
    if sentences.is_empty() {
        return Err(Error::NoRows {
            path: path.to_owned(),
        });
    }
    Ok(sentences)
}
