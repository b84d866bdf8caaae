//! Generation: several texts at a time, each token of them in one batch.

use super::sampling::{Sampler, Sampling};
use super::{Context, Decoder, Extension};
use crate::text::TextStream;
use crate::{ModelError, TextTokenizer};

/// When a text is over, and how its tokens are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The most tokens to add.
    pub max_new_tokens: usize,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// Texts that end the answer and are no part of it.
    pub stop: Vec<String>,
    /// Tokens that end the answer and are no part of it.
    pub ends: Vec<u32>,
}

/// Why a text was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it.
    End,
    /// One of the stop texts came.
    Stop(String),
    /// It had as many tokens as were asked for.
    Length,
    /// The model's context was full.
    Context,
    /// The caller had enough.
    Cancelled,
}

/// A text to go on with.
pub struct Prompt {
    /// What the model has read already.
    pub context: Context,
    /// What it is to read next; at least one token.
    pub ids: Vec<u32>,
}

/// A text that is over.
pub struct Generated {
    /// The tokens that were added, without the one that ended it.
    pub ids: Vec<u32>,
    /// Their text, without a stop text.
    pub text: String,
    /// Why it is over.
    pub finish: Finish,
    /// What the model has read: prompt and answer, but for `unread`.
    pub context: Context,
    /// The last of `ids`, where the text was over before the model read it.
    pub unread: Vec<u32>,
}

/// Who looks on while texts are generated.
pub trait Watcher {
    /// Gets the number of a text and what was added to it, as soon as it is whole
    /// characters and no beginning of a stop text. Once it says false, all texts are
    /// over.
    fn text(&mut self, number: usize, part: &str) -> bool;

    /// Gets the number of a text and what its context has become, after the prompt
    /// and after each new token that was read.
    fn context(&mut self, number: usize, context: &Context) {
        let _ = (number, context);
    }
}

/// One text on its way.
struct Text<'a> {
    context: Context,
    so_far: Vec<u32>,
    prompt: usize,
    /// Tokens of `so_far` that are in the context.
    read: usize,
    stream: Option<TextStream<'a>>,
    text: String,
    /// Of `text`, what the caller has seen.
    shown: usize,
    sampler: Sampler,
    next: u32,
    finish: Option<Finish>,
}

impl Decoder {
    /// Goes on with each prompt until it is over.
    ///
    /// A text is the same alone and among others, and for its number has draws
    /// of its own.
    ///
    /// # Errors
    /// As [`Decoder::extend`]; [`ModelError::Text`] if a token has no text.
    pub fn generate(
        &self,
        tokenizer: &TextTokenizer,
        prompts: Vec<Prompt>,
        settings: &Settings,
        watcher: &mut dyn Watcher,
    ) -> Result<Vec<Generated>, ModelError> {
        let mut texts = Vec::new();
        for (number, prompt) in prompts.into_iter().enumerate() {
            let mut text = Text {
                context: prompt.context,
                prompt: prompt.ids.len(),
                read: prompt.ids.len(),
                so_far: prompt.ids,
                stream: Some(tokenizer.stream()),
                text: String::new(),
                shown: 0,
                sampler: Sampler::new(&settings.sampling, number as u64),
                next: 0,
                finish: None,
            };
            let states = self.extend(&mut [Extension {
                context: &mut text.context,
                ids: &text.so_far,
            }])?;
            let last = &states[states.len() - self.config().hidden_size..];
            let mut logits = self.logits(last);
            text.next = text.sampler.choose(&mut logits, &text.so_far);
            watcher.context(number, &text.context);
            texts.push(text);
        }
        let mut going = true;
        while going {
            for (number, text) in texts.iter_mut().enumerate() {
                if text.finish.is_none() {
                    text.take_next(self, settings)?;
                    going &= text.show(settings, &mut |part| watcher.text(number, part));
                }
            }
            let mut running: Vec<(usize, &mut Text)> = texts
                .iter_mut()
                .enumerate()
                .filter(|(_, text)| text.finish.is_none())
                .collect();
            if running.is_empty() || !going {
                break;
            }
            let news: Vec<[u32; 1]> = running.iter().map(|(_, text)| [text.next]).collect();
            let mut extensions: Vec<Extension> = running
                .iter_mut()
                .zip(&news)
                .map(|((_, text), ids)| Extension {
                    context: &mut text.context,
                    ids,
                })
                .collect();
            let states = self.extend(&mut extensions)?;
            let mut logits = self.logits(&states);
            let rows = logits.chunks_exact_mut(self.config().vocab_size);
            for ((number, text), logits) in running.into_iter().zip(rows) {
                watcher.context(number, &text.context);
                text.read += 1;
                text.next = text.sampler.choose(logits, &text.so_far);
            }
        }
        Ok(texts
            .into_iter()
            .map(|text| Generated {
                ids: text.so_far[text.prompt..].to_vec(),
                unread: text.so_far[text.read..].to_vec(),
                text: text.text,
                finish: text.finish.unwrap_or(Finish::Cancelled),
                context: text.context,
            })
            .collect())
    }
}

impl Text<'_> {
    /// Adds the token that was chosen, or finds that the text is over.
    fn take_next(&mut self, decoder: &Decoder, settings: &Settings) -> Result<(), ModelError> {
        let made = self.so_far.len() - self.prompt;
        if settings.ends.contains(&self.next) {
            self.finish = Some(Finish::End);
        } else if made >= settings.max_new_tokens {
            self.finish = Some(Finish::Length);
        } else {
            self.so_far.push(self.next);
            let Some(stream) = &mut self.stream else {
                return Ok(());
            };
            let before = self.text.len();
            self.text.push_str(&stream.push(self.next)?);
            self.find_stop(before, settings);
            if self.finish.is_none() {
                if made + 1 >= settings.max_new_tokens {
                    self.finish = Some(Finish::Length);
                } else if self.context.tokens() >= decoder.config().context {
                    self.finish = Some(Finish::Context);
                }
            }
        }
        if matches!(
            self.finish,
            Some(Finish::End | Finish::Length | Finish::Context)
        ) && let Some(stream) = self.stream.take()
        {
            let before = self.text.len();
            self.text.push_str(&stream.finish()?);
            self.find_stop(before, settings);
        }
        Ok(())
    }

    /// Ends the text before the first stop text that reaches behind `before`.
    fn find_stop(&mut self, before: usize, settings: &Settings) {
        let places = settings.stop.iter().filter(|stop| !stop.is_empty());
        let first = places
            .filter_map(|stop| {
                let from = self
                    .text
                    .floor_char_boundary(before.saturating_sub(stop.len()));
                let place = self.text[from..].find(stop.as_str())?;
                Some((from + place, stop))
            })
            .min_by_key(|(place, _)| *place);
        if let Some((place, stop)) = first {
            self.text.truncate(place);
            self.finish = Some(Finish::Stop(stop.clone()));
        }
    }

    /// Shows what has become sure: while the text goes on, a beginning of a stop
    /// text at its end is held back.
    fn show(&mut self, settings: &Settings, on_text: &mut dyn FnMut(&str) -> bool) -> bool {
        let sure = match self.finish {
            Some(_) => self.text.len(),
            None => self.text.len() - longest_beginning(&self.text, &settings.stop),
        };
        if sure <= self.shown {
            return true;
        }
        let part = &self.text[self.shown..sure];
        self.shown = sure;
        on_text(part)
    }
}

/// Bytes at the end of a text that a stop text begins with.
fn longest_beginning(text: &str, stops: &[String]) -> usize {
    let held = |stop: &String| {
        let lengths = stop.char_indices().map(|(place, _)| place).skip(1);
        let held = lengths.filter(|&length| text.ends_with(&stop[..length]));
        held.last().unwrap_or(0)
    };
    stops.iter().map(held).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_stop_texts_are_held_back() {
        let stops = ["\n\nUser:".to_string(), "été".to_string()];
        assert_eq!(longest_beginning("well\n", &stops), 1);
        assert_eq!(longest_beginning("well\n\nUser", &stops), 6);
        assert_eq!(longest_beginning("un ét", &stops), "ét".len());
        assert_eq!(longest_beginning("well", &stops), 0);
    }
}
