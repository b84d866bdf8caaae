//! JSON files of a checkpoint.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ModelError;

/// A JSON object, read field by field so that an error names its field.
pub(crate) struct Fields<'a> {
    file: &'a Path,
    fields: Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Reads a file that holds one object.
    pub(crate) fn open(file: &'a Path) -> Result<Fields<'a>, ModelError> {
        let fields = read(file)?;
        Ok(Fields { file, fields })
    }

    /// Reads a file that holds a list of objects.
    pub(crate) fn open_list(file: &'a Path) -> Result<Vec<Fields<'a>>, ModelError> {
        let list: Vec<Map<String, Value>> = read(file)?;
        let with_file = |fields| Fields { file, fields };
        Ok(list.into_iter().map(with_file).collect())
    }

    /// A field that must be there.
    pub(crate) fn get<T: DeserializeOwned>(&self, field: &str) -> Result<T, ModelError> {
        self.find(field)?
            .ok_or_else(|| self.refuse(field, "is missing".into()))
    }

    /// A size that must be there: far above that of any model it is refused, so
    /// that no product of sizes overflows.
    pub(crate) fn size(&self, field: &str) -> Result<usize, ModelError> {
        let size: usize = self.get(field)?;
        if size == 0 || size > 1 << 24 {
            return Err(self.refuse(field, format!("{size}: must be 1 to {}", 1 << 24)));
        }
        Ok(size)
    }

    /// A field, or `None` where it is missing or null.
    pub(crate) fn find<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, ModelError> {
        let value = self.fields.get(field).unwrap_or(&Value::Null);
        Option::deserialize(value).map_err(|error| self.refuse(field, error.to_string()))
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// The error that a field cannot be used.
    pub(crate) fn refuse(&self, field: &str, reason: String) -> ModelError {
        ModelError::Field {
            file: self.file.into(),
            field: field.into(),
            reason,
        }
    }
}

/// Whether a folder has the file. A broken link counts: reading it then fails,
/// where passing over it would give another model.
pub(crate) fn is_there(file: &Path) -> bool {
    file.symlink_metadata().is_ok()
}

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

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, ModelError> {
    serde_json::from_str(&read_text(file)?).map_err(|error| ModelError::Format {
        file: file.into(),
        reason: error.to_string(),
    })
}
