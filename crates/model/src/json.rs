//! JSON files of a checkpoint.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::ModelError;

/// Reads a text file.
pub(crate) fn read_text(file: &Path) -> Result<String, ModelError> {
    let bytes = std::fs::read(file).map_err(|source| ModelError::Io {
        file: file.into(),
        source,
    })?;
    if bytes.is_empty() {
        return Err(ModelError::Format {
            file: file.into(),
            reason: "is empty".into(),
        });
    }
    String::from_utf8(bytes).map_err(|error| ModelError::Format {
        file: file.into(),
        reason: format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
    })
}

/// Reads a JSON file; serde names the field at fault.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Result<T, ModelError> {
    serde_json::from_str(&read_text(file)?).map_err(|error| ModelError::Format {
        file: file.into(),
        reason: error.to_string(),
    })
}
