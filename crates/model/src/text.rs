//! From text to tokens.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tokenizers::{EncodeInput, PostProcessor, Tokenizer};

use crate::tokenizer_file::TokenizerFile;
use crate::{ModelError, json};

mod stream;
mod windows;
mod words;

pub use stream::TextStream;
pub use windows::Window;
pub use words::EncodedWords;

/// The longest text that is tokenized, in bytes: far beyond what any model takes,
/// and small enough that its tokens fit into memory before they are cut.
pub const MAX_TEXT_BYTES: usize = 16 << 20;

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
    /// The model's own limit.
    most: usize,
    truncation: Truncation,
}

impl TextTokenizer {
    /// Reads `tokenizer.json`. Truncation and padding stored there are replaced
    /// by the model's limit of `limit` tokens and by no padding.
    ///
    /// # Errors
    /// [`ModelError::Format`], or [`ModelError::Field`] if it has ids from
    /// `vocabulary` on, which the model has no embedding for, or adds special
    /// tokens that it does not define or that leave no room for text.
    pub(crate) fn open(
        file: &Path,
        limit: usize,
        vocabulary: usize,
    ) -> Result<TextTokenizer, ModelError> {
        TextTokenizer::parse(file, &json::read_text(file)?, limit, vocabulary)
    }

    /// As [`open`](TextTokenizer::open), from the text of a `tokenizer.json`;
    /// `file` names it in errors.
    pub(crate) fn parse(
        file: &Path,
        text: &str,
        limit: usize,
        vocabulary: usize,
    ) -> Result<TextTokenizer, ModelError> {
        let no_tokenizer = |reason: String| ModelError::Format {
            file: file.into(),
            reason: format!("is no tokenizer: {reason}"),
        };
        let refuse = |field: &str, reason: String| ModelError::Field {
            file: file.into(),
            field: field.into(),
            reason,
        };
        let stored: TokenizerFile =
            serde_json::from_str(text).map_err(|error| no_tokenizer(error.to_string()))?;
        stored
            .check_normalizer()
            .map_err(|(field, reason)| refuse(field, reason))?;
        let mut tokenizer: Tokenizer = guard(|| text.parse()).map_err(no_tokenizer)?;
        let highest = tokenizer.get_vocab(true).into_values().max();
        if let Some(highest) = highest.filter(|&id| id as usize >= vocabulary) {
            let reason = format!("has id {highest}, but the model embeds {vocabulary} tokens");
            return Err(refuse("model.vocab", reason));
        }
        stored
            .check_special(&tokenizer, vocabulary)
            .map_err(|(field, reason)| refuse(field, reason))?;
        // Both would come after the special tokens are added; cutting is done
        // here, where what was cut can be counted.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| refuse("truncation", error.to_string()))?;
        let made = TextTokenizer {
            tokenizer,
            limit,
            most: limit,
            truncation: Truncation::Cut,
        };
        let least = made.least_limit();
        if limit < least {
            let reason = format!("needs {least} tokens for one of text, the model takes {limit}");
            return Err(refuse("post_processor", reason));
        }
        Ok(made)
    }

    /// Room for the special tokens of a text or a pair, and for one token.
    fn least_limit(&self) -> usize {
        let added = self.tokenizer.get_post_processor().map_or(0, |processor| {
            processor
                .added_tokens(false)
                .max(processor.added_tokens(true))
        });
        1 + added
    }

    /// The most tokens of one encoding.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Sets the most tokens of one encoding, and what happens to longer texts.
    ///
    /// # Errors
    /// [`ModelError::Limit`] if special tokens alone would not fit, or the
    /// limit is above the model's own.
    pub fn set_limit(&mut self, limit: usize, truncation: Truncation) -> Result<(), ModelError> {
        let least = self.least_limit();
        if limit < least || limit > self.most {
            return Err(ModelError::Limit {
                asked: limit,
                least,
                most: self.most,
            });
        }
        self.limit = limit;
        self.truncation = truncation;
        Ok(())
    }

    /// How many tokens a text has, without special ones and uncut.
    ///
    /// # Errors
    /// [`ModelError::Input`] beyond [`MAX_TEXT_BYTES`].
    pub fn count(&self, text: &str) -> Result<usize, ModelError> {
        self.ids(text).map(|ids| ids.len())
    }

    /// The tokens of a text, without special ones and uncut.
    ///
    /// # Errors
    /// [`ModelError::Input`] beyond [`MAX_TEXT_BYTES`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        check_length(text)?;
        let encoding = guard(|| self.tokenizer.encode(text, false)).map_err(ModelError::Text)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of ids, as the vocabulary has them; an id that it lacks is empty.
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        let token = |&id: &u32| self.tokenizer.id_to_token(id).unwrap_or_default();
        ids.iter().map(token).collect()
    }

    /// How many special tokens the encoding of one text has.
    pub fn special_tokens(&self) -> usize {
        let processor = self.tokenizer.get_post_processor();
        processor.map_or(0, |processor| processor.added_tokens(false))
    }

    /// Encodes one text.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] where cutting is not allowed,
    /// [`ModelError::Input`] beyond [`MAX_TEXT_BYTES`].
    pub fn encode(&self, text: &str) -> Result<Encoding, ModelError> {
        check_length(text)?;
        self.encode_input(text.into())
    }

    /// Encodes a pair of texts.
    ///
    /// # Errors
    /// As [`TextTokenizer::encode`].
    pub fn encode_pair(&self, first: &str, second: &str) -> Result<Encoding, ModelError> {
        check_length(first)?;
        check_length(second)?;
        self.encode_input((first, second).into())
    }

    fn encode_input(&self, input: EncodeInput) -> Result<Encoding, ModelError> {
        let encoding = guard(|| self.tokenizer.encode(input, true)).map_err(ModelError::Text)?;
        self.cut(&encoding).map(|(encoding, _)| encoding)
    }

    /// Cuts an encoding to the limit; flags the tokens that were kept.
    fn cut(&self, encoding: &tokenizers::Encoding) -> Result<(Encoding, Vec<bool>), ModelError> {
        // Which text a token belongs to; none for special tokens.
        let texts = encoding.get_sequence_ids();
        let count = |text| texts.iter().filter(|&&of| of == Some(text)).count();
        let special = texts.iter().filter(|of| of.is_none()).count();
        let counts = [count(0), count(1)];
        let kept = longest_first(counts, self.limit.saturating_sub(special));
        let cut = counts[0] + counts[1] - kept[0] - kept[1];
        if cut > 0 && self.truncation == Truncation::Error {
            return Err(ModelError::TooLong {
                tokens: encoding.len(),
                limit: self.limit,
            });
        }
        let mut seen = [0; 2];
        let keep: Vec<bool> = texts
            .iter()
            .map(|of| {
                of.is_none_or(|text| {
                    seen[text] += 1;
                    seen[text] <= kept[text]
                })
            })
            .collect();
        Ok((keep_only(encoding, &texts, &keep, cut), keep))
    }
}

fn check_length(text: &str) -> Result<(), ModelError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ModelError::Input(format!(
            "a text of {} bytes: at most {MAX_TEXT_BYTES} are tokenized",
            text.len()
        )));
    }
    Ok(())
}

/// How many tokens of each text to keep where there is room for `room`: the
/// longer text is cut to the length of the shorter one before both are. As
/// Hugging Face's `longest_first`, where the second of two equals keeps more.
fn longest_first([first, second]: [usize; 2], room: usize) -> [usize; 2] {
    if first + second <= room {
        return [first, second];
    }
    let shorter = first.min(second).min(room / 2);
    if first > second {
        [room - shorter, shorter]
    } else {
        [shorter, room - shorter]
    }
}

/// The flagged tokens of an encoding; `texts` says which text each is of.
fn keep_only(
    encoding: &tokenizers::Encoding,
    texts: &[Option<usize>],
    keep: &[bool],
    cut: usize,
) -> Encoding {
    Encoding {
        ids: only(encoding.get_ids(), keep),
        type_ids: only(encoding.get_type_ids(), keep),
        tokens: only(encoding.get_tokens(), keep),
        protected: only(texts, keep).iter().map(Option::is_none).collect(),
        cut,
    }
}

/// The values whose flag is set.
fn only<T: Clone>(values: &[T], flags: &[bool]) -> Vec<T> {
    let flagged = values.iter().zip(flags).filter(|(_, flag)| **flag);
    flagged.map(|(value, _)| value.clone()).collect()
}

/// Runs code of the tokenizers crate, which trusts the file that it is made of:
/// some damaged normalizers make it panic.
fn guard<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("tokenizer.json is damaged".into()),
    }
}
