//! Texts that come as words, each of which gets a label of its own.

use tokenizers::InputSequence;

use super::{Encoding, TextTokenizer, check_length, guard, only};
use crate::ModelError;

/// A text of given words, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedWords {
    /// The whole text.
    pub encoding: Encoding,
    /// The place of each word's first token in the encoding; none for a word
    /// that was cut off, or that the tokenizer makes no token of.
    pub first_tokens: Vec<Option<usize>>,
}

impl TextTokenizer {
    /// Encodes a text of given words, as Hugging Face's tokenizers do with
    /// `is_split_into_words`.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_words(&self, words: &[&str]) -> Result<EncodedWords, ModelError> {
        for word in words {
            check_length(word)?;
        }
        let input = InputSequence::from(words);
        let encoding = guard(|| self.tokenizer.encode(input, true)).map_err(ModelError::Text)?;
        let (cut, keep) = self.cut(&encoding)?;
        // A special token is of no text, whatever word it is said to be of.
        let of_words: Vec<Option<usize>> = encoding
            .get_sequence_ids()
            .into_iter()
            .zip(encoding.get_word_ids())
            .map(|(text, word)| word.filter(|_| text.is_some()).map(|word| word as usize))
            .collect();
        let mut first_tokens = vec![None; words.len()];
        for (place, word) in only(&of_words, &keep).into_iter().enumerate() {
            if let Some(first) = word.and_then(|word| first_tokens.get_mut(word)) {
                first.get_or_insert(place);
            }
        }
        Ok(EncodedWords {
            encoding: cut,
            first_tokens,
        })
    }
}
