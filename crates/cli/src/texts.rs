//! Texts to run on: from the command line, a file, or standard input.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use dtatrans_model::{Encoding, TextTokenizer};

use crate::args::{PartArgument, TextArguments};
use crate::console;

/// The half of all that counts, or all.
pub(crate) fn half<T>(all: &[T], part: Option<PartArgument>) -> &[T] {
    let (first, second) = all.split_at(all.len() / 2);
    match part {
        None => all,
        Some(PartArgument::Choosing) => first,
        Some(PartArgument::Reporting) => second,
    }
}

/// The whole text of a file.
pub(crate) fn read_utf8(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file)?;
    String::from_utf8(bytes).map_err(|error| anyhow!("is not UTF-8: {}", error.utf8_error()))
}

/// The whole text of files, one after the other.
pub(crate) fn read_whole(files: &[PathBuf]) -> Result<String> {
    let mut text = String::new();
    for file in files {
        let what = || file.display().to_string();
        text.push_str(&read_utf8(file).with_context(what)?);
    }
    Ok(text)
}

/// The texts that the arguments give, one a line of a file or of standard input.
pub(crate) fn read(arguments: &TextArguments) -> Result<Vec<String>> {
    if !arguments.texts.is_empty() {
        return Ok(arguments.texts.clone());
    }
    let (name, bytes) = match &arguments.file {
        Some(file) if file.as_os_str() != "-" => {
            let name = file.display().to_string();
            let bytes = std::fs::read(file).with_context(|| name.clone())?;
            (name, bytes)
        }
        None if std::io::stdin().is_terminal() => {
            bail!("no texts: give them as arguments, with --file FILE, or on standard input")
        }
        _ => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("standard input")?;
            ("standard input".into(), bytes)
        }
    };
    if bytes.is_empty() {
        bail!("{name}: is empty: no texts");
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            bail!("{name}: line {line}: is not UTF-8");
        }
    };
    Ok(text.lines().map(str::to_owned).collect())
}

/// Encodes each text; says on standard error how many had to be cut.
pub(crate) fn encode(tokenizer: &TextTokenizer, texts: &[String]) -> Result<Vec<Encoding>> {
    let encodings = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let encoding = tokenizer.encode(text);
            encoding.with_context(|| format!("text {}", index + 1))
        })
        .collect::<Result<Vec<_>>>()?;
    warn_of_cuts(tokenizer, &encodings);
    Ok(encodings)
}

/// Says on standard error how many texts had to be cut, if any.
pub(crate) fn warn_of_cuts(tokenizer: &TextTokenizer, encodings: &[Encoding]) {
    let cut = encodings.iter().filter(|encoding| encoding.cut > 0).count();
    if cut > 0 {
        let most = encodings
            .iter()
            .map(|encoding| encoding.cut)
            .max()
            .unwrap_or(0);
        console::warn(format!(
            "{cut} of {} texts cut to {} tokens; the longest lost {most}",
            encodings.len(),
            tokenizer.limit()
        ));
    }
}
