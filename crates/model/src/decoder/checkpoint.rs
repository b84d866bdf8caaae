//! A decoder's checkpoint: a folder in Hugging Face's layout, or a GGUF file.

use std::path::{Path, PathBuf};

use super::gpt2::{self, Gpt2};
use super::llama::{self, Llama};
use super::source::{DecoderSource, Store};
use super::tokenizer_of_gguf;
use super::{DecoderConfig, chat::ChatTemplate};
use crate::json::{self, Fields};
use crate::{Gguf, ModelError, Tensors, TextTokenizer};

/// A decoder's checkpoint, opened and checked; its weights are read when a
/// [`Decoder`](super::Decoder) is made of it.
pub struct DecoderCheckpoint {
    /// The folder's or file's name, or the name that the user gave.
    pub name: String,
    /// Sizes and choices of the model.
    pub config: DecoderConfig,
    /// The tokenizer; `None` if the folder has no `tokenizer.json`.
    pub tokenizer: Option<TextTokenizer>,
    /// The token that stands at the beginning of a text, if the model has one.
    pub begin: Option<u32>,
    /// Whether that token goes before every prompt.
    pub adds_begin: bool,
    /// The tokens after which a text is over.
    pub ends: Vec<u32>,
    /// How a conversation becomes a prompt, if the model was trained on some.
    pub chat: Option<ChatTemplate>,
    family: Family,
    store: Store,
    path: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Gpt2,
    Llama,
}

impl DecoderCheckpoint {
    /// The values of `model_type` that are decoders.
    pub const MODEL_TYPES: [&str; 2] = ["gpt2", "llama"];

    /// Opens a folder with `config.json`, `model.safetensors` and, for text,
    /// `tokenizer.json`, or a GGUF file.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what is wrong in it.
    pub fn open(path: &Path) -> Result<DecoderCheckpoint, ModelError> {
        match path.is_dir() {
            true => DecoderCheckpoint::open_folder(path),
            false => DecoderCheckpoint::open_gguf(path),
        }
    }

    fn open_folder(folder: &Path) -> Result<DecoderCheckpoint, ModelError> {
        let file = folder.join("config.json");
        let fields = Fields::open(&file)?;
        let model_type: String = fields.get("model_type")?;
        let (family, config) = match model_type.as_str() {
            "gpt2" => (Family::Gpt2, gpt2::config(&fields)?),
            "llama" => (Family::Llama, llama::config(&fields)?),
            other => {
                let reason = format!("`{other}`: must be gpt2 or llama");
                return Err(fields.refuse("model_type", reason));
            }
        };
        let names: Vec<String> = fields.find("architectures")?.unwrap_or_default();
        let known = [
            "GPT2LMHeadModel",
            "GPT2Model",
            "LlamaForCausalLM",
            "LlamaModel",
        ];
        if let Some(other) = names.iter().find(|name| !known.contains(&name.as_str())) {
            let reason = format!("`{other}`: must be one of {known:?}");
            return Err(fields.refuse("architectures", reason));
        }
        let vocabulary = config.vocab_size as u64;
        let id = |field: &str, id: u64| match id < vocabulary {
            true => Ok(id as u32),
            false => Err(fields.refuse(field, format!("{id}: the model embeds {vocabulary}"))),
        };
        let begin = fields.find::<u64>("bos_token_id")?;
        let mut ends = token_ids(&fields)?;
        let file = folder.join("generation_config.json");
        if json::is_there(&file) {
            ends.extend(token_ids(&Fields::open(&file)?)?);
        }
        ends.sort_unstable();
        ends.dedup();
        let file = folder.join("tokenizer.json");
        let tokenizer = match json::is_there(&file) {
            true => Some(TextTokenizer::open(
                &file,
                config.context,
                config.vocab_size,
            )?),
            false => None,
        };
        // Without a tokenizer no text ends, and untouched defaults of other
        // vocabularies do no harm.
        let ends = match tokenizer.is_some() {
            true => ends
                .into_iter()
                .map(|end| id("eos_token_id", end))
                .collect::<Result<_, _>>()?,
            false => Vec::new(),
        };
        let begin = match (begin, tokenizer.is_some()) {
            (Some(begin), true) => Some(id("bos_token_id", begin)?),
            _ => None,
        };
        Ok(DecoderCheckpoint {
            name: name_of(folder),
            store: Store::Safetensors(Tensors::open(&folder.join("model.safetensors"))?),
            chat: ChatTemplate::open_folder(folder)?,
            // A tokenizer's own post-processor adds it where it is wanted.
            adds_begin: false,
            config,
            tokenizer,
            begin,
            ends,
            family,
            path: folder.into(),
        })
    }

    fn open_gguf(file: &Path) -> Result<DecoderCheckpoint, ModelError> {
        let gguf = Gguf::open(file)?;
        let string = |key: &str| gguf.get(key, "a string", crate::gguf::Value::string);
        let architecture = string("general.architecture")?;
        if architecture != "llama" {
            let reason = format!("`{architecture}`: must be llama");
            return Err(gguf.refuse("general.architecture", reason));
        }
        let config = llama::config_of_gguf(&gguf)?;
        let read = tokenizer_of_gguf::read(&gguf, &config)?;
        let chat = match gguf.find(
            "tokenizer.chat_template",
            "a string",
            crate::gguf::Value::string,
        )? {
            Some(template) => Some(
                ChatTemplate::new(template, read.begin_text, read.end_text)
                    .map_err(|reason| gguf.refuse("tokenizer.chat_template", reason))?,
            ),
            None => None,
        };
        Ok(DecoderCheckpoint {
            name: name_of(file),
            config,
            tokenizer: Some(read.tokenizer),
            begin: read.begin,
            adds_begin: read.adds_begin,
            ends: read.ends,
            chat,
            family: Family::Llama,
            store: Store::Gguf(gguf),
            path: file.into(),
        })
    }

    pub(super) fn source(&self) -> Box<dyn DecoderSource + '_> {
        match self.family {
            Family::Gpt2 => Box::new(Gpt2::new(&self.store, &self.config)),
            Family::Llama => Box::new(Llama::new(&self.store, &self.config)),
        }
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`ModelError::Io`] if the folder has none.
    pub fn tokenizer(&self) -> Result<&TextTokenizer, ModelError> {
        self.tokenizer.as_ref().ok_or_else(|| ModelError::Io {
            file: self.path.join("tokenizer.json"),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_stem().filter(|_| path.is_file());
    let name = name.or(path.file_name()).unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// `eos_token_id`, which is one id or a list.
fn token_ids(fields: &Fields) -> Result<Vec<u64>, ModelError> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Ids {
        One(u64),
        Several(Vec<u64>),
    }
    Ok(match fields.find("eos_token_id")? {
        None => Vec::new(),
        Some(Ids::One(id)) => vec![id],
        Some(Ids::Several(ids)) => ids,
    })
}
