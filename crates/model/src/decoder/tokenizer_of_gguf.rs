//! The tokenizer inside a GGUF file, as the `tokenizer.json` that it was made
//! from.

use serde_json::{Value as Json, json};

use super::DecoderConfig;
use crate::gguf::Value;
use crate::{Gguf, ModelError, TextTokenizer};

/// Kinds of tokens that texts are not cut into, but searched for.
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// The tokenizer and the special tokens of a GGUF file.
pub(super) struct Read {
    pub(super) tokenizer: TextTokenizer,
    pub(super) begin: Option<u32>,
    pub(super) adds_begin: bool,
    pub(super) ends: Vec<u32>,
    pub(super) begin_text: String,
    pub(super) end_text: String,
}

/// Reads the keys `tokenizer.ggml.*`.
pub(super) fn read(gguf: &Gguf, config: &DecoderConfig) -> Result<Read, ModelError> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let string = |name: &str| gguf.get(&key(name), "a string", Value::string);
    let flag = |name: &str| gguf.find(&key(name), "true or false", Value::flag);
    let model = string("model")?;
    if model != "gpt2" {
        let reason = format!("`{model}`: must be gpt2, byte-level byte-pair encoding");
        return Err(gguf.refuse(&key("model"), reason));
    }
    let byte_level = json!({
        "type": "ByteLevel",
        "add_prefix_space": flag("add_space_prefix")?.unwrap_or(false),
        "trim_offsets": true,
        "use_regex": true,
    });
    let cut = match string("pre")? {
        "gpt-2" | "default" => byte_level.clone(),
        "smollm" => json!({
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": true}, byte_level],
        }),
        other => {
            let reason = format!("`{other}`: must be gpt-2, default or smollm");
            return Err(gguf.refuse(&key("pre"), reason));
        }
    };

    let tokens = gguf.strings(&key("tokens"))?;
    let kinds = gguf.integers(&key("token_type"))?.unwrap_or_default();
    if !kinds.is_empty() && kinds.len() != tokens.len() {
        let reason = format!("{} types for {} tokens", kinds.len(), tokens.len());
        return Err(gguf.refuse(&key("token_type"), reason));
    }
    let added: Vec<Json> = kinds
        .iter()
        .zip(&tokens)
        .enumerate()
        .filter(|(_, (kind, _))| [CONTROL, USER_DEFINED].contains(*kind))
        .map(|(id, (&kind, content))| {
            json!({
                "id": id,
                "content": content,
                "single_word": false,
                "lstrip": false,
                "rstrip": false,
                "normalized": false,
                "special": kind == CONTROL,
            })
        })
        .collect();
    let vocabulary: serde_json::Map<String, Json> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), id.into()))
        .collect();
    if vocabulary.len() != tokens.len() {
        return Err(gguf.refuse(&key("tokens"), "a token stands there twice".into()));
    }
    let merges = gguf.strings(&key("merges"))?;
    let document = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": cut,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocabulary,
            "merges": merges,
        },
    });
    let tokenizer = TextTokenizer::parse(
        gguf.file(),
        &document.to_string(),
        config.context,
        config.vocab_size,
    )?;

    let id = |name: &str| {
        let name = key(name);
        let id = gguf.find(&name, "an integer", Value::integer)?;
        match id {
            Some(id) if id >= tokens.len() as u64 => {
                let reason = format!("{id}: there are {} tokens", tokens.len());
                Err(gguf.refuse(&name, reason))
            }
            id => Ok(id.map(|id| id as u32)),
        }
    };
    let (begin, end) = (id("bos_token_id")?, id("eos_token_id")?);
    let turn = id("eot_token_id")?;
    let text = |id: Option<u32>| id.map_or_else(String::new, |id| tokens[id as usize].to_owned());
    let mut ends: Vec<u32> = end.into_iter().chain(turn).collect();
    ends.sort_unstable();
    ends.dedup();
    Ok(Read {
        tokenizer,
        begin,
        adds_begin: begin.is_some() && flag("add_bos_token")?.unwrap_or(false),
        ends,
        begin_text: text(begin),
        end_text: text(end),
    })
}
