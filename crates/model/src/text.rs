//! From text to tokens.

use std::path::Path;

use tokenizers::{
    EncodeInput, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy,
};

use crate::{ModelError, json};

/// A text as a model takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Which text of a pair each token belongs to: 0 or 1.
    pub type_ids: Vec<u32>,
    /// The tokens as text.
    pub tokens: Vec<String>,
    /// Tokens that read-out depends on and that must always be computed: those
    /// that the encoding adds around the text, known by their place. The same
    /// characters inside a text are not among them.
    pub protected: Vec<bool>,
    /// Tokens that were cut off.
    pub cut: usize,
}

impl Encoding {
    /// An encoding of bare ids: one text, nothing protected but its first and
    /// last token.
    pub fn from_ids(ids: Vec<u32>, type_ids: Vec<u32>) -> Encoding {
        let n = ids.len();
        Encoding {
            tokens: ids.iter().map(|id| format!("#{id}")).collect(),
            protected: (0..n).map(|i| i == 0 || i + 1 == n).collect(),
            ids,
            type_ids,
            cut: 0,
        }
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// What to do with a text of too many tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// Cut it at the end; of a pair, the longer text first.
    Cut,
    /// Refuse it.
    Error,
}

/// A tokenizer with its length limit.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    limit: usize,
    truncation: Truncation,
}

impl TextTokenizer {
    /// Reads `tokenizer.json`. Truncation and padding stored there are replaced
    /// by the model's limit of `limit` tokens and by no padding.
    ///
    /// # Errors
    /// [`ModelError::Format`], or [`ModelError::Field`] if the vocabulary has
    /// ids from `vocabulary` on, which the model has no embedding for.
    pub(crate) fn open(
        file: &Path,
        limit: usize,
        vocabulary: usize,
    ) -> Result<TextTokenizer, ModelError> {
        let text = json::read_text(file)?;
        let mut tokenizer: Tokenizer =
            text.parse()
                .map_err(|error: tokenizers::Error| ModelError::Format {
                    file: file.into(),
                    reason: format!("is no tokenizer: {error}"),
                })?;
        tokenizer.with_padding(None);
        let highest = tokenizer.get_vocab(true).into_values().max();
        if let Some(highest) = highest.filter(|&id| id as usize >= vocabulary) {
            return Err(ModelError::Field {
                file: file.into(),
                field: "model.vocab".into(),
                reason: format!("has id {highest}, but the model embeds {vocabulary} tokens"),
            });
        }
        let mut made = TextTokenizer {
            tokenizer,
            limit,
            truncation: Truncation::Cut,
        };
        made.set_limit(limit, Truncation::Cut)?;
        Ok(made)
    }

    /// The most tokens of one encoding.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Sets the most tokens of one encoding, and what happens to longer texts.
    ///
    /// # Errors
    /// [`ModelError::Limit`] if special tokens alone would not fit, or the
    /// limit is above the one so far.
    pub fn set_limit(&mut self, limit: usize, truncation: Truncation) -> Result<(), ModelError> {
        // Room for the special tokens of a pair, and for one token.
        let least = 1 + self.tokenizer.get_post_processor().map_or(0, |processor| {
            tokenizers::PostProcessor::added_tokens(processor, true)
        });
        if limit < least || limit > self.limit {
            return Err(ModelError::Limit {
                asked: limit,
                least,
                most: self.limit,
            });
        }
        self.limit = limit;
        self.truncation = truncation;
        self.tokenizer
            .with_truncation(Some(TruncationParams {
                max_length: limit,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            }))
            .map_err(|error| ModelError::Text(error.to_string()))?;
        Ok(())
    }

    /// Encodes one text.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] where cutting is not allowed.
    pub fn encode(&self, text: &str) -> Result<Encoding, ModelError> {
        self.encode_input(text.into())
    }

    /// Encodes a pair of texts.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<Encoding, ModelError> {
        self.encode_input((first, second).into())
    }

    fn encode_input(&self, input: EncodeInput) -> Result<Encoding, ModelError> {
        let encoding = self
            .tokenizer
            .encode(input, true)
            .map_err(|error| ModelError::Text(error.to_string()))?;
        // What was cut comes back in further pieces, each with special tokens.
        let cut: usize = encoding
            .get_overflowing()
            .iter()
            .map(|piece| piece.get_sequence_ids().iter().flatten().count())
            .sum();
        if cut > 0 && self.truncation == Truncation::Error {
            return Err(ModelError::TooLong {
                tokens: encoding.len() + cut,
                limit: self.limit,
            });
        }
        Ok(Encoding {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            tokens: encoding.get_tokens().to_vec(),
            protected: encoding
                .get_sequence_ids()
                .iter()
                .map(Option::is_none)
                .collect(),
            cut,
        })
    }
}
