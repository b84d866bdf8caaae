//! BERT's `config.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::{ModelError, json};
use dtatrans_precision::ModelShape;

/// The fields of `config.json` that change what the model computes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    #[serde(default = "absolute")]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    id2label: Option<BTreeMap<String, serde_json::Value>>,
}

fn absolute() -> Option<String> {
    Some("absolute".into())
}

impl BertConfig {
    /// Reads and checks the file.
    pub(crate) fn open(file: &Path) -> Result<BertConfig, ModelError> {
        let config: BertConfig = json::read(file)?;
        let refuse = |field: &str, reason: String| {
            Err(ModelError::Field {
                file: file.into(),
                field: field.into(),
                reason,
            })
        };
        for (field, size) in [
            ("vocab_size", config.vocab_size),
            ("hidden_size", config.hidden_size),
            ("num_hidden_layers", config.num_hidden_layers),
            ("num_attention_heads", config.num_attention_heads),
            ("intermediate_size", config.intermediate_size),
            ("max_position_embeddings", config.max_position_embeddings),
            ("type_vocab_size", config.type_vocab_size),
        ] {
            // Far above any model, far below what could overflow a product.
            if size == 0 || size > 1 << 24 {
                return refuse(field, format!("{size}: must be 1 to {}", 1 << 24));
            }
        }
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            let reason = format!(
                "{} does not divide hidden_size = {}",
                config.num_attention_heads, config.hidden_size
            );
            return refuse("num_attention_heads", reason);
        }
        if !(config.layer_norm_eps >= 0.0 && config.layer_norm_eps < 1.0) {
            let reason = format!("{}: must be 0 to 1", config.layer_norm_eps);
            return refuse("layer_norm_eps", reason);
        }
        if config.hidden_act != "gelu" {
            let reason = format!("`{}`: must be `gelu`", config.hidden_act);
            return refuse("hidden_act", reason);
        }
        if let Some(kind) = config.position_embedding_type.as_deref()
            && kind != "absolute"
        {
            let reason = format!("`{kind}`: must be `absolute`");
            return refuse("position_embedding_type", reason);
        }
        if config.is_decoder {
            return refuse("is_decoder", "true: must be false".into());
        }
        Ok(config)
    }

    /// The labels, if the checkpoint is a sequence classifier.
    pub(crate) fn labels(&self, file: &Path) -> Result<Option<Vec<String>>, ModelError> {
        let refuse = |field: &str, reason: String| {
            Err(ModelError::Field {
                file: file.into(),
                field: field.into(),
                reason,
            })
        };
        match self.architectures.as_deref().unwrap_or_default() {
            [] => return Ok(None),
            [name] if name == "BertModel" => return Ok(None),
            [name] if name == "BertForSequenceClassification" => {}
            names => {
                let reason = format!(
                    "{names:?}: must be [\"BertModel\"] or [\"BertForSequenceClassification\"]"
                );
                return refuse("architectures", reason);
            }
        }
        let Some(names) = &self.id2label else {
            return refuse("id2label", "is missing".into());
        };
        let mut labels = Vec::with_capacity(names.len());
        for id in 0..names.len() {
            match names.get(&id.to_string()) {
                Some(serde_json::Value::String(label)) => labels.push(label.clone()),
                Some(serde_json::Value::Number(label)) => labels.push(label.to_string()),
                _ => {
                    let reason =
                        format!("must have a name for each id from 0 to {}", names.len() - 1);
                    return refuse("id2label", reason);
                }
            }
        }
        if labels.is_empty() {
            return refuse("id2label", "is empty".into());
        }
        Ok(Some(labels))
    }

    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// The sizes that the model's cost depends on.
    pub fn shape(&self, name: &str) -> ModelShape {
        ModelShape {
            name: name.into(),
            layers: self.num_hidden_layers,
            hidden: self.hidden_size,
            heads: self.num_attention_heads,
            head_dim: self.head_dim(),
            intermediate: self.intermediate_size,
            causal: false,
        }
    }
}
