//! Does a decoder find a fact again in a long text?
//!
//! A prompt is a passage of filler in which one sentence at a random depth says a
//! number, and whose end asks for it in the sentence's own words (Kamradt's *needle
//! in a haystack*, 2023; passkey retrieval, Mohtashami and Jaggi, NeurIPS 2023).
//! What counts is whether the likeliest continuation begins with the number.
//! Perplexity hides such losses: few tokens of a text depend on one far fact.

use std::sync::Arc;

use dtatrans_model::decoder::{Context, Extension, likeliest};
use dtatrans_model::{Decoder, ModelError, TextTokenizer};
use dtatrans_precision::cache::CachePlan;
use dtatrans_precision::random::Random;

/// Tokens that an answer may take.
const ANSWER_TOKENS: usize = 8;

/// Digits of a number.
const DIGITS: u32 = 5;

const NAMES: [&str; 32] = [
    "Alice", "Anna", "Ben", "Carla", "Daniel", "David", "Edward", "Emma", "Frank", "George",
    "Grace", "Helen", "Henry", "Isabel", "Jack", "James", "John", "Julia", "Karen", "Laura",
    "Linda", "Lucas", "Maria", "Martin", "Nina", "Oliver", "Paul", "Peter", "Robert", "Sarah",
    "Thomas", "Victor",
];

/// How prompts are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How many.
    pub prompts: usize,
    /// Each has between so many tokens ...
    pub least_tokens: usize,
    /// ... and so many, up to the length of a paragraph.
    pub most_tokens: usize,
    /// Decides all draws.
    pub seed: u64,
}

/// A passage with a fact in it, and the question at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Its tokens.
    pub ids: Vec<u32>,
    /// What the continuation must begin with.
    pub answer: String,
    /// Where the fact stands, from 0, the beginning, to 1, the end.
    pub depth: f64,
}

/// Makes prompts from the paragraphs of a text. The same options and text give the
/// same prompts, and the first ones do not depend on how many follow.
///
/// # Errors
/// [`ModelError::Text`] if the tokenizer refuses the text; [`ModelError::Input`] if
/// the text is shorter than a prompt.
pub fn prompts(
    text: &str,
    tokenizer: &TextTokenizer,
    options: &Options,
) -> Result<Vec<Prompt>, ModelError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let paragraphs = lines
        .map(|line| tokenizer.ids(&format!("{line}\n\n")))
        .collect::<Result<Vec<_>, _>>()?;
    let total: usize = paragraphs.iter().map(Vec::len).sum();
    if total < options.most_tokens {
        return Err(ModelError::Input(format!(
            "a text of {total} tokens: prompts of up to {} need more",
            options.most_tokens
        )));
    }
    (0..options.prompts)
        .map(|number| {
            let mut draws = Random::of_stream(options.seed, number as u64);
            let name = NAMES[draws.below(NAMES.len())];
            let answer: String = (0..DIGITS)
                .map(|place| char::from(b'0' + (usize::from(place == 0) + draws.below(9)) as u8))
                .collect();
            let range = options.most_tokens - options.least_tokens + 1;
            let wanted = options.least_tokens + draws.below(range);
            let depth = draws.unit();
            let fact = tokenizer.ids(&format!("The secret number of {name} is {answer}.\n\n"))?;
            let question = tokenizer.ids(&format!("The secret number of {name} is"))?;
            let room = wanted.saturating_sub(fact.len() + question.len());
            // Paragraphs in their order, from a random one on, round the end.
            let first = draws.below(paragraphs.len());
            let mut filler: Vec<&Vec<u32>> = Vec::new();
            let mut length = 0;
            for index in (first..paragraphs.len()).chain(0..first) {
                if length + paragraphs[index].len() > room && !filler.is_empty() {
                    break;
                }
                length += paragraphs[index].len();
                filler.push(&paragraphs[index]);
            }
            let place = (depth * (filler.len() + 1) as f64) as usize;
            let mut ids: Vec<u32> = filler[..place].iter().copied().flatten().copied().collect();
            let depth = ids.len() as f64 / length as f64;
            ids.extend(&fact);
            ids.extend(filler[place..].iter().copied().flatten());
            ids.extend(&question);
            Ok(Prompt { ids, answer, depth })
        })
        .collect()
}

/// Whether each prompt was answered, for each way to cache what was read, or once
/// where there is none. A prompt is read once for all ways. `done` is called after
/// each prompt.
///
/// # Errors
/// As [`Decoder::extend`] and, where `caches` are given, [`Decoder::read`];
/// [`ModelError::Text`] if a token has no text.
pub fn answers(
    decoder: &Decoder,
    caches: &[Arc<CachePlan>],
    tokenizer: &TextTokenizer,
    prompts: &[Prompt],
    done: &dyn Fn(),
) -> Result<Vec<Vec<bool>>, ModelError> {
    let mut all = vec![Vec::new(); caches.len().max(1)];
    let width = decoder.config().hidden_size;
    for prompt in prompts {
        let (states, mut contexts) = match caches {
            [] => {
                let mut context = decoder.context();
                let states = decoder.extend(&mut [Extension {
                    context: &mut context,
                    ids: &prompt.ids,
                }])?;
                (states, vec![context])
            }
            caches => {
                let (states, reading) = decoder.read(&prompt.ids, caches)?;
                let contexts = caches.iter();
                let contexts = contexts.map(|plan| decoder.context_after(&reading, plan));
                (states, contexts.collect::<Vec<Context>>())
            }
        };
        let next = likeliest(&decoder.logits(&states[states.len() - width..]));
        let mut made = vec![vec![next]; contexts.len()];
        for _ in 1..ANSWER_TOKENS {
            let last: Vec<[u32; 1]> = made.iter().map(|ids| [ids[ids.len() - 1]]).collect();
            let mut extensions: Vec<Extension> = contexts
                .iter_mut()
                .zip(&last)
                .map(|(context, ids)| Extension { context, ids })
                .collect();
            let logits = decoder.logits(&decoder.extend(&mut extensions)?);
            let rows = logits.chunks_exact(decoder.config().vocab_size);
            for (made, row) in made.iter_mut().zip(rows) {
                made.push(likeliest(row));
            }
        }
        for (all, made) in all.iter_mut().zip(made) {
            all.push(answers_with(&tokenizer.decode(&made)?, &prompt.answer));
        }
        done();
    }
    Ok(all)
}

/// Whether a text begins with a number.
fn answers_with(text: &str, number: &str) -> bool {
    let rest = text.trim_start().strip_prefix(number);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_whole() {
        assert!(answers_with(" 12345.\n", "12345"));
        assert!(answers_with("12345", "12345"));
        assert!(!answers_with(" 123456", "12345"));
        assert!(!answers_with(" 1234", "12345"));
        assert!(!answers_with(" about 12345", "12345"));
    }
}
