//! WikiText: articles of Wikipedia as plain text (Merity et al., 2017). An article begins with the
//! line ` = Title = ` between blank lines; headings within it have more marks, ` = = Section = = `.

use std::path::Path;

use super::table;
use crate::{Error, Result};

/// An article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Its title.
    pub title: String,
    /// Everything from the title on, line by line, as it stands in the file (also the marks `<unk>`
    /// and `@-@`), but headings without their marks.
    pub lines: Vec<String>,
}

impl Article {
    /// The words of the article: what stands between white space.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().flat_map(|line| line.split_whitespace())
    }
}

/// Reads a WikiText file.
///
/// # Errors
///
/// [`Error::Read`], and those of [`parse`].
pub fn read(path: &Path) -> Result<Vec<Article>> {
    parse(&table::bytes_of(path)?, path)
}

/// Parses the bytes of a WikiText file.
///
/// # Errors
///
/// Of [`Error`]: `NotUtf8`, `NoRows` where there is nothing but blank lines, `Line` for text before
/// the first title.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Article>> {
    let lines: Vec<&str> = table::lines_of(table::text_of(bytes, path)?)
        .map(|(line, _)| line.trim())
        .collect();
    let is_blank = |at: Option<usize>| {
        at.and_then(|at| lines.get(at))
            .is_none_or(|line| line.is_empty())
    };
    let mut articles: Vec<Article> = Vec::new();
    for (at, &line) in lines.iter().enumerate() {
        let (level, content) = heading(line);
        // A formula within a paragraph may look like a title.
        if level == 1 && is_blank(at.checked_sub(1)) && is_blank(Some(at + 1)) {
            articles.push(Article {
                title: content.to_owned(),
                lines: Vec::new(),
            });
        }
        match articles.last_mut() {
            _ if line.is_empty() => {}
            Some(article) => article.lines.push(content.to_owned()),
            None => {
                let found: String = line.chars().take(80).collect();
                return Err(Error::Line {
                    path: path.to_owned(),
                    line: at + 1,
                    reason: format!("expected a title line \" = Title = \", found {found:?}"),
                });
            }
        }
    }
    if articles.is_empty() {
        return Err(Error::NoRows {
            path: path.to_owned(),
        });
    }
    Ok(articles)
}

/// How many marks stand on both sides of a line, and what is between them; 0 for a line that is no
/// heading.
fn heading(line: &str) -> (usize, &str) {
    let mut content = line;
    let mut level = 0;
    while let Some(inner) = content
        .strip_prefix("= ")
        .and_then(|rest| rest.strip_suffix(" ="))
    {
        content = inner.trim();
        level += 1;
    }
    // Marks without a title between them are text.
    match content.chars().all(|c| c == '=' || c == ' ') {
        true => (0, line),
        false => (level, content),
    }
}
