//! A question with a context that may be longer than the model takes: one
//! encoding for each window of the context.

use std::ops::Range;

use super::{Encoding, TextTokenizer, check_length, guard, keep_only};
use crate::ModelError;

/// A question with a part of its context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The question and the part, as a pair. Only what a question lost counts
    /// as cut.
    pub encoding: Encoding,
    /// For each token the bytes of the context that it stands for; none for
    /// special tokens and those of the question.
    pub places: Vec<Option<Range<usize>>>,
}

impl TextTokenizer {
    /// Encodes a question with its context, in as many windows as it takes.
    /// They hold as many tokens of the context as fit, and neighbours share
    /// `stride` of them, as in Hugging Face's `run_qa` (truncation
    /// `only_second`); where fewer than twice as many fit, they share half of
    /// what fits. A question gets at most half of the room, and is cut there.
    ///
    /// # Errors
    /// [`ModelError::Input`] for a text beyond
    /// [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES) or a limit that leaves no room
    /// for a context.
    pub fn encode_windows(
        &self,
        question: &str,
        context: &str,
        stride: usize,
    ) -> Result<Vec<Window>, ModelError> {
        check_length(question)?;
        check_length(context)?;
        let pair = (question, context);
        let encoding = guard(|| self.tokenizer.encode(pair, true)).map_err(ModelError::Text)?;
        let texts = encoding.get_sequence_ids();
        let count = |text| texts.iter().filter(|&&of| of == Some(text)).count();
        let (asked, tokens) = (count(0), count(1));
        let special = texts.iter().filter(|of| of.is_none()).count();
        let room = self.limit.saturating_sub(special);
        let kept = asked.min(room / 2);
        let most = room - kept;
        if most == 0 {
            return Err(ModelError::Input(format!(
                "a limit of {} tokens leaves no room for a context",
                self.limit
            )));
        }
        let step = most - stride.min(most / 2);
        let mut windows = Vec::new();
        let mut start = 0;
        loop {
            let end = tokens.min(start + most);
            let mut seen = [0; 2];
            let keep: Vec<bool> = texts
                .iter()
                .map(|of| {
                    of.is_none_or(|text| {
                        let at = seen[text];
                        seen[text] += 1;
                        match text {
                            0 => at < kept,
                            _ => (start..end).contains(&at),
                        }
                    })
                })
                .collect();
            let places = texts
                .iter()
                .zip(encoding.get_offsets())
                .zip(&keep)
                .filter(|(_, keep)| **keep)
                .map(|((of, &(from, to)), _)| (*of == Some(1)).then_some(from..to))
                .collect();
            windows.push(Window {
                encoding: keep_only(&encoding, &texts, &keep, asked - kept),
                places,
            });
            if end == tokens {
                return Ok(windows);
            }
            start += step;
        }
    }
}
