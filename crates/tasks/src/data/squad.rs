//! SQuAD: questions on paragraphs of Wikipedia, whose answers are spans of them (Rajpurkar et al.,
//! 2016; version 2 of 2018 has questions without an answer), as JSON in the set's own layout.

use std::path::Path;

use serde::Deserialize;

use super::table;
use crate::{Error, Result};

/// A question on a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its identifier.
    pub id: String,
    /// The question.
    pub question: String,
    /// The text that it is about.
    pub context: String,
    /// The answers that people gave; none where there is no answer.
    pub answers: Vec<String>,
    /// Whether the file is one where questions may have no answer.
    pub may_lack_answer: bool,
}

#[derive(Deserialize)]
struct File {
    version: Option<String>,
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
    question: String,
    answers: Vec<Answer>,
    is_impossible: Option<bool>,
}

#[derive(Deserialize)]
struct Answer {
    text: String,
}

/// Reads a SQuAD file.
///
/// # Errors
///
/// [`Error::Read`], and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<Question>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of a SQuAD file. It is of version 2 if it says so or a question has the field
/// `is_impossible`.
///
/// # Errors
///
/// Of [`Error`]: `NotUtf8`, `Json` naming a field that is missing or of another type, `NoRows` for a
/// file without a question, `Field` for a question whose answers are missing or contradict
/// `is_impossible`.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Question>> {
    let text = table::text_of(bytes, path)?;
    let file: File = serde_json::from_str(text).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })?;
    let all = || {
        let articles = file.data.iter().enumerate();
        articles.flat_map(|(a, article)| {
            let paragraphs = article.paragraphs.iter().enumerate();
            paragraphs.flat_map(move |(p, paragraph)| {
                let questions = paragraph.qas.iter().enumerate();
                questions.map(move |(q, asked)| ([a, p, q], paragraph, asked))
            })
        })
    };
    let version_2 = file.version.as_deref().is_some_and(|version| {
        let version = version.trim_start_matches(['v', 'V']);
        version.starts_with('2')
    }) || all().any(|(_, _, asked)| asked.is_impossible.is_some());
    let questions = all()
        .map(|([a, p, q], paragraph, asked)| {
            let impossible = asked
                .is_impossible
                .unwrap_or(version_2 && asked.answers.is_empty());
            let reason = match (impossible, asked.answers.is_empty()) {
                (true, false) => "is_impossible, but has answers",
                (false, true) => "has no answers",
                _ => {
                    return Ok(Question {
                        id: asked.id.clone(),
                        question: asked.question.clone(),
                        context: paragraph.context.clone(),
                        answers: asked.answers.iter().map(|a| a.text.clone()).collect(),
                        may_lack_answer: version_2,
                    });
                }
            };
            Err(Error::Field {
                path: path.to_owned(),
                field: format!("data[{a}].paragraphs[{p}].qas[{q}]"),
                reason: reason.into(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    if questions.is_empty() {
        return Err(Error::NoRows {
            path: path.to_owned(),
        });
    }
    Ok(questions)
}
