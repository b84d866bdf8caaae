//! Long texts: find a passage's continuation among all others.
//!
//! An article is cut into windows, one after the other, of as many whole words as fit into the
//! wanted number of tokens; what is left at its end is dropped. Each window looks for the one that
//! follows it, and for the one before it, among all windows of the part, by the cosine of their
//! embeddings. A window between two others thus asks twice, with another right answer each time: the
//! other neighbour would be right as well, so it is no candidate then, nor is the window itself.
//!
//! Articles, not queries, are drawn in a resample: the queries of an article share its windows.

use std::collections::HashMap;

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use super::{Part, Prepared, Task, check_encoder, check_outputs, encode};
use crate::counted::{CountedMean, CountedMetric};
use crate::data::wikitext::Article;
use crate::retrieval::{self, Query};
use crate::{Error, Result};

/// How many of the windows behind it each window is compared with where all pairs would be too
/// many.
const WINDOWS_BEHIND: usize = 8;

pub(super) struct Continuation {
    articles: Vec<Article>,
    part: Part,
    window_tokens: usize,
}

impl Continuation {
    /// Takes half of the articles: those of even number, from 0, to choose on, the others to
    /// report.
    pub(super) fn new(articles: Vec<Article>, part: Part, window_tokens: usize) -> Continuation {
        Continuation {
            articles: part.of(articles),
            part,
            window_tokens,
        }
    }
}

impl Task for Continuation {
    fn name(&self) -> &'static str {
        "long-text"
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["mrr", "recall@1"]
    }

    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>> {
        check_encoder(self.name(), head)?;
        let special = tokenizer.special_tokens();
        if self.window_tokens <= special || self.window_tokens > tokenizer.limit() {
            return Err(Error::WindowLength {
                tokens: self.window_tokens,
                least: special + 1,
                most: tokenizer.limit(),
            });
        }
        let mut windows = Windows {
            tokenizer,
            room: self.window_tokens - special,
            known: HashMap::new(),
        };
        let mut texts = Vec::new();
        let mut queries = Vec::new();
        for article in &self.articles {
            let start = texts.len();
            texts.extend(windows.of(article, texts.len())?);
            let of_article = neighbours(start, texts.len());
            if !of_article.is_empty() {
                queries.push(of_article);
            }
        }
        if queries.is_empty() {
            return Err(Error::NoContinuation {
                articles: self.articles.len(),
                part: self.part.name(),
                tokens: self.window_tokens,
            });
        }
        Ok(Box::new(Passages {
            inputs: encode(tokenizer, texts.iter().map(String::as_str))?,
            queries,
        }))
    }
}

/// Cuts articles into windows.
struct Windows<'t> {
    tokenizer: &'t TextTokenizer,
    /// The most tokens of a window, without special ones.
    room: usize,
    /// Tokens of the words seen so far.
    known: HashMap<&'t str, usize>,
}

impl<'t> Windows<'t> {
    /// The windows of an article; `before` is the number of windows before it.
    ///
    /// Tokens are counted word by word: a tokenizer that parts words at white space gives the window
    /// exactly as many.
    fn of(&mut self, article: &'t Article, before: usize) -> Result<Vec<String>> {
        let mut windows: Vec<String> = Vec::new();
        let mut window = String::new();
        let mut tokens = 0;
        for word in article.words() {
            let more = match self.known.get(word) {
                Some(&count) => count,
                None => {
                    let count = self.tokenizer.count(word);
                    let number = before + windows.len() + 1;
                    let count = count.map_err(|source| Error::Encode { number, source })?;
                    self.known.insert(word, count);
                    count
                }
            };
            if tokens + more > self.room && !window.is_empty() {
                windows.push(std::mem::take(&mut window));
                tokens = 0;
            }
            if !window.is_empty() {
                window.push(' ');
            }
            window.push_str(word);
            tokens += more;
        }
        // The end of the article is a window only if it is full.
        if tokens >= self.room {
            windows.push(window);
        }
        Ok(windows)
    }
}

/// The queries between neighbours among the windows `start..end` of an article.
fn neighbours(start: usize, end: usize) -> Vec<Query> {
    let query = |from: usize, target: usize, other: Option<usize>| Query {
        from,
        target,
        left_out: other.into_iter().collect(),
    };
    (start + 1..end)
        .flat_map(|next| {
            let before = (next - 1).checked_sub(1).filter(|&before| before >= start);
            let after = Some(next + 1).filter(|&after| after < end);
            [query(next - 1, next, before), query(next, next - 1, after)]
        })
        .collect()
}

/// Each of so many windows with those next behind it, of whatever article.
fn pairs_behind(windows: usize) -> Vec<(usize, usize)> {
    let behind = |a: usize| (a + 1..=a + WINDOWS_BEHIND).map(move |b| (a, b));
    let pairs = (0..windows).flat_map(behind);
    pairs.filter(|&(_, b)| b < windows).collect()
}

struct Passages {
    inputs: Vec<Encoding>,
    /// Per article with at least two windows.
    queries: Vec<Vec<Query>>,
}

impl Prepared for Passages {
    fn items(&self) -> usize {
        self.queries.iter().map(Vec::len).sum()
    }

    fn inputs(&self) -> &[Encoding] {
        &self.inputs
    }

    fn ranked_pairs(&self) -> Vec<(usize, usize)> {
        pairs_behind(self.inputs.len())
    }

    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>> {
        check_outputs(outputs, &self.inputs)?;
        let vectors: Vec<&[f32]> = outputs.iter().map(|out| &out.value[..]).collect();
        let ranks = retrieval::ranks(&vectors, &self.queries.concat());
        let mean = |value: fn(usize) -> f64| -> Result<Box<dyn CountedMetric>> {
            let mut ranks = ranks.iter();
            let groups = self.queries.iter().map(|queries| {
                let ranks = ranks.by_ref().take(queries.len());
                ranks.map(|&rank| value(rank)).collect::<Vec<_>>()
            });
            Ok(Box::new(CountedMean::new(groups)?))
        };
        Ok(vec![
            mean(|rank| 1.0 / rank as f64)?,
            mean(|rank| f64::from(u8::from(rank == 1)))?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_compared_with_those_behind_them() {
        let pairs = pairs_behind(10);
        assert_eq!(pairs.len(), 8 + 8 + 7 + 6 + 5 + 4 + 3 + 2 + 1);
        assert_eq!(pairs[8], (1, 2));
    }

    #[test]
    fn every_window_asks_for_each_of_its_neighbours_and_the_other_one_is_no_candidate() {
        let query = |from, target, left_out: &[usize]| Query {
            from,
            target,
            left_out: left_out.to_vec(),
        };
        assert_eq!(neighbours(5, 5), []);
        assert_eq!(neighbours(5, 6), []);
        assert_eq!(neighbours(5, 7), [query(5, 6, &[]), query(6, 5, &[])]);
        assert_eq!(
            neighbours(0, 3),
            [
                query(0, 1, &[]),
                query(1, 0, &[2]),
                query(1, 2, &[0]),
                query(2, 1, &[]),
            ]
        );
    }
}
