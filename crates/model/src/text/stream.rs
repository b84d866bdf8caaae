//! From tokens back to text, as they come.

use super::{TextTokenizer, guard};
use crate::ModelError;

/// Turns tokens into text one by one. A character whose bytes lie in several
/// tokens is held back until it is whole.
pub struct TextStream<'a> {
    tokenizer: &'a TextTokenizer,
    ids: Vec<u32>,
    prefix: String,
    prefix_index: usize,
}

impl TextTokenizer {
    /// A stream at the beginning of a text; special tokens give no text.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream {
            tokenizer: self,
            ids: Vec::new(),
            prefix: String::new(),
            prefix_index: 0,
        }
    }

    /// The text of tokens, without that of special ones. Bytes that are no whole
    /// character become U+FFFD.
    ///
    /// # Errors
    /// [`ModelError::Text`] if the tokenizer refuses them.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        guard(|| self.tokenizer.decode(ids, true)).map_err(ModelError::Text)
    }
}

impl TextStream<'_> {
    /// Takes the next token; gives the text that has become whole.
    ///
    /// # Errors
    /// [`ModelError::Text`] if the tokenizer refuses it.
    pub fn push(&mut self, id: u32) -> Result<String, ModelError> {
        let text = guard(|| {
            tokenizers::tokenizer::step_decode_stream(
                &self.tokenizer.tokenizer,
                vec![id],
                true,
                &mut self.ids,
                &mut self.prefix,
                &mut self.prefix_index,
            )
        });
        Ok(text.map_err(ModelError::Text)?.unwrap_or_default())
    }

    /// What was held back to the end, with U+FFFD for what never became whole.
    ///
    /// # Errors
    /// [`ModelError::Text`] if the tokenizer refuses it.
    pub fn finish(self) -> Result<String, ModelError> {
        let text = self.tokenizer.decode(&self.ids)?;
        let rest = text.strip_prefix(&self.prefix).unwrap_or_default();
        Ok(rest.to_owned())
    }
}
