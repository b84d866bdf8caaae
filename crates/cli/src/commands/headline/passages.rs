//! Real texts of a wanted length.

use std::path::Path;

use anyhow::{Context, Result, bail};
use dtatrans_assets::Asset;
use dtatrans_tasks::data::editorials;

use crate::{model, texts};

/// The data set's file in the built-in asset `editorials`.
const EDITORIALS: &str = "nytEditorialSnippets_GroundTruth.txt";

/// Pieces of running text, one behind the other. Of the built-in editorials every second
/// one: plans are calibrated on the others.
pub(super) fn read(file: Option<&Path>) -> Result<Vec<String>> {
    let Some(file) = file else {
        let path = model::fetch(Asset::find("editorials")?)?.join(EDITORIALS);
        let all = editorials::read(&path)?.into_iter();
        return Ok(all.skip(1).step_by(2).map(|one| one.text).collect());
    };
    let what = || file.display().to_string();
    let text = texts::read_utf8(file).with_context(what)?;
    let pieces = text.lines().filter(|line| !line.trim().is_empty());
    Ok(pieces.map(str::to_owned).collect())
}

/// So many texts of `length` tokens: each begins with a piece and goes on with those
/// behind it. `encode` gives the tokens of a text, cut at the length at the latest, and
/// `tokens` how many they are.
pub(super) fn of_length<T>(
    pieces: &[String],
    length: usize,
    count: usize,
    encode: impl Fn(&str) -> Result<T>,
    tokens: impl Fn(&T) -> usize,
) -> Result<Vec<T>> {
    let mut texts = Vec::new();
    let mut text = String::new();
    for piece in pieces {
        if texts.len() == count {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(piece);
        let encoded = encode(&text)?;
        if tokens(&encoded) >= length {
            texts.push(encoded);
            text.clear();
        }
    }
    if texts.len() < count {
        bail!(
            "the text is too short: it gives {} of {count} inputs of {length} tokens",
            texts.len()
        );
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_until_they_are_long_enough() {
        let pieces: Vec<String> = ["a b", "c", "d e f g", "h i"].map(str::to_owned).into();
        let encode = |text: &str| {
            Ok(text
                .split(' ')
                .take(3)
                .map(str::to_owned)
                .collect::<Vec<_>>())
        };
        let texts = of_length(&pieces, 3, 2, encode, Vec::len).unwrap();
        assert_eq!(texts, [["a", "b", "c"], ["d", "e", "f"]]);
        let error = of_length(&pieces, 3, 3, encode, Vec::len).unwrap_err();
        assert!(error.to_string().contains("2 of 3"), "{error}");
    }
}
