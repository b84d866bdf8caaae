//! A checkpoint: a folder in Hugging Face's layout.

use std::path::{Path, PathBuf};

use crate::bert::{Architecture, BertConfig};
use crate::json::{self, Fields};
use crate::{DecoderCheckpoint, ModelError, Pooling, SentenceHead, Tensors, TextTokenizer};
use dtatrans_precision::{Ends, ModelShape, Reads};

/// An encoder's checkpoint, opened and checked; its weights are read when an
/// [`Engine`](crate::Engine) is made of it.
pub struct Checkpoint {
    /// The folder's name, or the name that the user gave.
    pub name: String,
    /// Sizes and choices of the model.
    pub config: BertConfig,
    /// The weights.
    pub tensors: Tensors,
    /// What stands on top of the encoder.
    pub head: Head,
    /// The tokenizer; `None` if the folder has no `tokenizer.json`.
    pub tokenizer: Option<TextTokenizer>,
    folder: PathBuf,
}

/// A checkpoint of either kind.
pub enum AnyCheckpoint {
    /// Gives an embedding, a label or scores for a text.
    Encoder(Box<Checkpoint>),
    /// Goes on with a text.
    Decoder(Box<DecoderCheckpoint>),
}

impl AnyCheckpoint {
    /// Opens a folder in Hugging Face's layout, a GGUF file, or a folder with a
    /// `model.gguf` instead of a `config.json`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what is wrong in it.
    pub fn open(path: &Path) -> Result<AnyCheckpoint, ModelError> {
        let decoder = |path: &Path| {
            DecoderCheckpoint::open(path).map(|decoder| AnyCheckpoint::Decoder(decoder.into()))
        };
        let (config, gguf) = (path.join("config.json"), path.join("model.gguf"));
        if !path.is_dir() {
            return decoder(path);
        }
        if !json::is_there(&config) && json::is_there(&gguf) {
            return decoder(&gguf);
        }
        let family: String = Fields::open(&config)?.get("model_type")?;
        match DecoderCheckpoint::MODEL_TYPES.contains(&family.as_str()) {
            true => decoder(path),
            false => Ok(AnyCheckpoint::Encoder(Checkpoint::open(path)?.into())),
        }
    }
}

/// What stands on top of the encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// One vector per text.
    Sentence(SentenceHead),
    /// One score per label: pooler, tanh, classifier.
    Classifier {
        /// The labels, in order of their scores.
        labels: Vec<String>,
    },
    /// One score per token and label: a classifier on every token.
    Tokens {
        /// The labels, in order of their scores.
        labels: Vec<String>,
    },
    /// Two scores per token: that an answer begins there, and that it ends.
    Span,
}

impl Checkpoint {
    /// Opens a folder with `config.json`, `model.safetensors` and, for text
    /// input, `tokenizer.json`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what is wrong in it.
    pub fn open(folder: &Path) -> Result<Checkpoint, ModelError> {
        let file = folder.join("config.json");
        let fields = Fields::open(&file)?;
        let family: String = fields.get("model_type")?;
        if family != "bert" {
            let decoders = DecoderCheckpoint::MODEL_TYPES.join(", ");
            let reason = format!("`{family}`: must be bert, or of a decoder {decoders}");
            return Err(fields.refuse("model_type", reason));
        }
        let config = BertConfig::read(&fields)?;
        let tensors = Tensors::open(&folder.join("model.safetensors"))?;
        let head = match Architecture::read(&fields)? {
            Architecture::Encoder => Head::Sentence(SentenceHead::open(folder)?),
            Architecture::Classifier => Head::Classifier {
                labels: BertConfig::labels(&fields)?,
            },
            Architecture::TokenClassifier => Head::Tokens {
                labels: BertConfig::labels(&fields)?,
            },
            Architecture::QuestionAnswering => Head::Span,
        };
        let file = folder.join("tokenizer.json");
        let tokenizer = if json::is_there(&file) {
            let limit = config.max_position_embeddings;
            Some(TextTokenizer::open(&file, limit, config.vocab_size)?)
        } else {
            None
        };
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        Ok(Checkpoint {
            name: name.to_string_lossy().into_owned(),
            config,
            tensors,
            head,
            tokenizer,
            folder: folder.into(),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`ModelError::Io`] if the folder has none.
    pub fn tokenizer(&self) -> Result<&TextTokenizer, ModelError> {
        self.tokenizer.as_ref().ok_or_else(|| ModelError::Io {
            file: self.folder.join("tokenizer.json"),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.config.num_hidden_layers
    }

    /// The sizes that the model's cost depends on.
    pub fn shape(&self) -> ModelShape {
        let (reads, pooler, outputs) = match &self.head {
            Head::Sentence(head) => match head.pooling {
                Pooling::Mean => (Reads::Mean, false, 0),
                Pooling::Cls => (Reads::First, false, 0),
            },
            Head::Classifier { labels } => (Reads::First, true, labels.len()),
            Head::Tokens { labels } => (Reads::Each, false, labels.len()),
            // Where an answer begins, and where it ends.
            Head::Span => (Reads::Each, false, 2),
        };
        ModelShape {
            ends: Some(Ends {
                vocabulary: self.config.vocab_size,
                // Of words, of positions and of token types.
                tables: 3,
                reads,
                pooler,
                outputs,
            }),
            ..self.config.shape(&self.name)
        }
    }
}
