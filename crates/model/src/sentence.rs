//! From hidden states to one vector per text: the modules of a sentence encoder.

use std::path::Path;

use serde::Deserialize;

use crate::{ModelError, json};

/// How the hidden states of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over the tokens computed in the last layer.
    Mean,
    /// The state of the first token.
    Cls,
}

/// Pooling and normalisation of a sentence encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentenceHead {
    /// How to pool.
    pub pooling: Pooling,
    /// Whether to divide the vector by its length.
    pub normalize: bool,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    r#type: String,
}

#[derive(Deserialize)]
struct PoolingConfig {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
    #[serde(default)]
    pooling_mode_weightedmean_tokens: bool,
    #[serde(default)]
    pooling_mode_lasttoken: bool,
}

impl SentenceHead {
    /// Reads `modules.json` and the pooling configuration that it names, as
    /// sentence-transformers writes them. A folder without `modules.json` is
    /// pooled by the mean, not normalised, which is what sentence-transformers
    /// does with one.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and the module or field that is not
    /// supported.
    pub(crate) fn open(folder: &Path) -> Result<SentenceHead, ModelError> {
        let mut head = SentenceHead {
            pooling: Pooling::Mean,
            normalize: false,
        };
        let file = folder.join("modules.json");
        if !file.exists() {
            return Ok(head);
        }
        for module in json::read::<Vec<Module>>(&file)? {
            match module.r#type.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Pooling" => {
                    head.pooling = pooling(&folder.join(&module.path).join("config.json"))?;
                }
                "Normalize" => head.normalize = true,
                other => {
                    return Err(ModelError::Field {
                        file,
                        field: "type".into(),
                        reason: format!(
                            "module `{other}`: must be Transformer, Pooling or Normalize"
                        ),
                    });
                }
            }
        }
        Ok(head)
    }
}

fn pooling(file: &Path) -> Result<Pooling, ModelError> {
    let config: PoolingConfig = json::read(file)?;
    let others = config.pooling_mode_max_tokens
        || config.pooling_mode_mean_sqrt_len_tokens
        || config.pooling_mode_weightedmean_tokens
        || config.pooling_mode_lasttoken;
    match (
        config.pooling_mode_cls_token,
        config.pooling_mode_mean_tokens,
        others,
    ) {
        (true, false, false) => Ok(Pooling::Cls),
        (false, true, false) => Ok(Pooling::Mean),
        _ => Err(ModelError::Field {
            file: file.into(),
            field: "pooling_mode_*".into(),
            reason: "exactly one of cls_token and mean_tokens must be true".into(),
        }),
    }
}
