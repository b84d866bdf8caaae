//! From hidden states to one vector per text: the modules of a sentence encoder.

use std::path::Path;

use crate::ModelError;
use crate::json::{self, Fields};

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
        let file = folder.join("modules.json");
        if !json::is_there(&file) {
            return Ok(SentenceHead {
                pooling: Pooling::Mean,
                normalize: false,
            });
        }
        let mut kinds = Vec::new();
        let mut pooling = None;
        for module in Fields::open_list(&file)? {
            let name: String = module.get("type")?;
            let path: String = module.get("path")?;
            let kind = name.rsplit('.').next().unwrap_or_default();
            match kind {
                "Transformer" if !path.is_empty() => {
                    let reason = format!("`{path}`: the Transformer must be in the folder itself");
                    return Err(module.refuse("path", reason));
                }
                "Transformer" | "Normalize" => {}
                "Pooling" => pooling = Some(read_pooling(&folder.join(path).join("config.json"))?),
                other => {
                    let reason =
                        format!("module `{other}`: must be Transformer, Pooling or Normalize");
                    return Err(module.refuse("type", reason));
                }
            }
            kinds.push(kind.to_string());
        }
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        match (&kinds[..], pooling) {
            (["Transformer", "Pooling", rest @ ..], Some(pooling))
                if matches!(rest, [] | ["Normalize"]) =>
            {
                Ok(SentenceHead {
                    pooling,
                    normalize: !rest.is_empty(),
                })
            }
            _ => Err(ModelError::Field {
                file,
                field: "type".into(),
                reason: format!(
                    "modules {kinds:?}: must be Transformer, Pooling and at most Normalize"
                ),
            }),
        }
    }
}

fn read_pooling(file: &Path) -> Result<Pooling, ModelError> {
    let config = Fields::open(file)?;
    let mut modes = Vec::new();
    for name in config.names() {
        if name.starts_with("pooling_mode_") && config.find(name)? == Some(true) {
            modes.push(name);
        }
    }
    match modes[..] {
        ["pooling_mode_cls_token"] => Ok(Pooling::Cls),
        ["pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
        _ => {
            let reason =
                format!("{modes:?} are true: must be one of cls_token and mean_tokens alone");
            Err(config.refuse("pooling_mode_*", reason))
        }
    }
}
