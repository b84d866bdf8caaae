//! What stands in a `tokenizer.json` and the tokenizers crate takes on trust:
//! it panics where the text is no JSON or a special token is not defined, gives
//! an added token another id than the file says, and makes room for a table of
//! any length.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokenizers::Tokenizer;

/// The parts of the file that must be checked here.
#[derive(Deserialize)]
pub(crate) struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    post_processor: Option<Processor>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Processor {
    Several {
        processors: Vec<Processor>,
    },
    Fixed {
        sep: (String, u32),
        cls: (String, u32),
    },
    Template(Template),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Template {
    single: Vec<Piece>,
    pair: Vec<Piece>,
    special_tokens: BTreeMap<String, Special>,
}

#[derive(Deserialize)]
enum Piece {
    Sequence { id: String },
    SpecialToken { id: String },
}

#[derive(Deserialize)]
struct Special {
    ids: Vec<u32>,
    tokens: Vec<String>,
}

/// A field and what is wrong with it.
type Refusal = (&'static str, String);

impl TokenizerFile {
    /// Checks what must be right before a tokenizer is made of the file.
    pub(crate) fn check_normalizer(&self) -> Result<(), Refusal> {
        check_tables(&self.normalizer).map_err(|reason| ("normalizer", reason))
    }

    /// Checks the special tokens against the tokenizer made of the file and
    /// against the number of tokens that the model embeds.
    pub(crate) fn check_special(
        &self,
        tokenizer: &Tokenizer,
        vocabulary: usize,
    ) -> Result<(), Refusal> {
        for Added { id, content } in &self.added_tokens {
            let found = tokenizer.token_to_id(content);
            if found != Some(*id) {
                let reason = format!("`{content}` has id {id}, the vocabulary gives it {found:?}");
                return Err(("added_tokens", reason));
            }
        }
        let mut templates = 0;
        self.post_processor.iter().try_for_each(|processor| {
            processor
                .check(vocabulary, &mut templates)
                .map_err(|reason| ("post_processor", reason))
        })
    }
}

/// That no table of a `Precompiled` normalizer says to be longer than it is.
fn check_tables(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_tables),
        Value::Object(fields) => {
            if let Some(Value::String(table)) = fields.get("precompiled_charsmap")
                && table_length(table).is_some_and(|length| length > table.len())
            {
                return Err("precompiled_charsmap: is cut short".into());
            }
            fields.values().try_for_each(check_tables)
        }
        _ => Ok(()),
    }
}

/// The u32 that a table in base64 begins with: its length in bytes.
fn table_length(table: &str) -> Option<usize> {
    let digit = |digit: u8| match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    // Six digits of 6 bits hold 4 bytes and 4 bits.
    let digits = table.as_bytes().get(..6)?.iter();
    let bits = digits.into_iter().try_fold(0u64, |bits, &next| {
        Some(bits << 6 | u64::from(digit(next)?))
    })?;
    Some(((bits >> 4) as u32).swap_bytes() as usize)
}

impl Processor {
    fn check(&self, vocabulary: usize, templates: &mut usize) -> Result<(), String> {
        match self {
            Processor::Several { processors } => processors
                .iter()
                .try_for_each(|processor| processor.check(vocabulary, templates)),
            Processor::Fixed { sep, cls } => {
                *templates += 1;
                let ids = [sep.1, cls.1];
                check_ids(&ids, vocabulary).and_then(|()| check_alone(*templates))
            }
            Processor::Template(template) => {
                *templates += 1;
                template
                    .check(vocabulary)
                    .and_then(|()| check_alone(*templates))
            }
            Processor::Other(_) => Ok(()),
        }
    }
}

impl Template {
    fn check(&self, vocabulary: usize) -> Result<(), String> {
        for (name, pieces, texts) in [
            ("single", &self.single, &["A"][..]),
            ("pair", &self.pair, &["A", "B"]),
        ] {
            let mut found = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Sequence { id } => found.push(id.as_str()),
                    Piece::SpecialToken { id } if self.special_tokens.contains_key(id) => {}
                    Piece::SpecialToken { id } => {
                        return Err(format!("{name}: `{id}` is not in special_tokens"));
                    }
                }
            }
            if found != texts {
                return Err(format!("{name}: has the texts {found:?}, not {texts:?}"));
            }
        }
        for (name, special) in &self.special_tokens {
            if special.ids.len() != special.tokens.len() {
                return Err(format!("special_tokens: `{name}`: as many ids as tokens"));
            }
            check_ids(&special.ids, vocabulary)?;
        }
        Ok(())
    }
}

fn check_ids(ids: &[u32], vocabulary: usize) -> Result<(), String> {
    match ids.iter().find(|&&id| id as usize >= vocabulary) {
        Some(id) => Err(format!("has id {id}, the model embeds {vocabulary} tokens")),
        None => Ok(()),
    }
}

fn check_alone(templates: usize) -> Result<(), String> {
    if templates > 1 {
        return Err("more than one adds special tokens".into());
    }
    Ok(())
}
