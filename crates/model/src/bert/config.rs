//! BERT's `config.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ModelError;
use crate::json::Fields;
use dtatrans_precision::ModelShape;

/// The fields of `config.json` that change what the model computes.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of the hidden states.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads per layer.
    pub num_attention_heads: usize,
    /// Width of the feed-forward network.
    pub intermediate_size: usize,
    /// Rows of the position embedding: the longest input.
    pub max_position_embeddings: usize,
    /// Rows of the token type embedding.
    pub type_vocab_size: usize,
    /// Added to variances before their root is taken.
    pub layer_norm_eps: f32,
    /// Activation function; only `gelu`.
    pub hidden_act: String,
}

/// What kind of model a checkpoint is, by the name of its class in Hugging Face
/// transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// The encoder alone.
    Encoder,
    /// A label per text.
    Classifier,
    /// A label per token.
    TokenClassifier,
    /// The span of an answer.
    QuestionAnswering,
}

impl Architecture {
    const NAMES: [(&str, Architecture); 4] = [
        ("BertModel", Architecture::Encoder),
        ("BertForSequenceClassification", Architecture::Classifier),
        ("BertForTokenClassification", Architecture::TokenClassifier),
        ("BertForQuestionAnswering", Architecture::QuestionAnswering),
    ];

    /// Reads the field `architectures`; an encoder if there is none.
    pub(crate) fn read(fields: &Fields) -> Result<Architecture, ModelError> {
        let names: Vec<String> = fields.find("architectures")?.unwrap_or_default();
        let known = match &names[..] {
            [] => return Ok(Architecture::Encoder),
            [name] => Self::NAMES.iter().find(|(known, _)| known == name),
            _ => None,
        };
        known.map(|(_, architecture)| *architecture).ok_or_else(|| {
            let known = Self::NAMES.map(|(name, _)| name);
            fields.refuse(
                "architectures",
                format!("{names:?}: must be one of {known:?}"),
            )
        })
    }
}

impl BertConfig {
    /// Reads and checks the file.
    pub(crate) fn read(fields: &Fields) -> Result<BertConfig, ModelError> {
        let config = BertConfig {
            vocab_size: fields.size("vocab_size")?,
            hidden_size: fields.size("hidden_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: fields.size("num_attention_heads")?,
            intermediate_size: fields.size("intermediate_size")?,
            max_position_embeddings: fields.size("max_position_embeddings")?,
            type_vocab_size: fields.size("type_vocab_size")?,
            layer_norm_eps: fields.get("layer_norm_eps")?,
            hidden_act: fields.get("hidden_act")?,
        };
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        if !hidden.is_multiple_of(heads) {
            let reason = format!("{heads} does not divide hidden_size = {hidden}");
            return Err(fields.refuse("num_attention_heads", reason));
        }
        if !(config.layer_norm_eps >= 0.0 && config.layer_norm_eps < 1.0) {
            let reason = format!("{}: must be 0 to 1", config.layer_norm_eps);
            return Err(fields.refuse("layer_norm_eps", reason));
        }
        if config.hidden_act != "gelu" {
            let reason = format!("`{}`: must be `gelu`", config.hidden_act);
            return Err(fields.refuse("hidden_act", reason));
        }
        if let Some(kind) = fields.find::<String>("position_embedding_type")?
            && kind != "absolute"
        {
            let reason = format!("`{kind}`: must be `absolute`");
            return Err(fields.refuse("position_embedding_type", reason));
        }
        if fields.find("is_decoder")? == Some(true) {
            return Err(fields.refuse("is_decoder", "true: must be false".into()));
        }
        Ok(config)
    }

    /// The labels of a classifier.
    pub(crate) fn labels(fields: &Fields) -> Result<Vec<String>, ModelError> {
        let names: BTreeMap<String, Value> = fields.get("id2label")?;
        if names.is_empty() {
            return Err(fields.refuse("id2label", "is empty".into()));
        }
        let label = |id: usize| match names.get(&id.to_string()) {
            Some(Value::String(label)) => Ok(label.clone()),
            Some(Value::Number(label)) => Ok(label.to_string()),
            _ => {
                let last = names.len() - 1;
                let reason = format!("must have a name for each id from 0 to {last}");
                Err(fields.refuse("id2label", reason))
            }
        };
        (0..names.len()).map(label).collect()
    }

    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The sizes that the cost of the layers depends on: a configuration alone does not
    /// say what reads the last states.
    pub fn shape(&self, name: &str) -> ModelShape {
        ModelShape {
            name: name.into(),
            layers: self.num_hidden_layers,
            hidden: self.hidden_size,
            heads: self.num_attention_heads,
            key_value_heads: self.num_attention_heads,
            head_dim: self.head_dim(),
            intermediate: self.intermediate_size,
            gated: false,
            rotary: false,
            causal: false,
            ends: None,
        }
    }
}
