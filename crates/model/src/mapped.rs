//! What the two file formats of weights share: a mapped file, and the check of
//! what was read from it.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::ModelError;

/// Maps a file that is not empty.
pub(crate) fn map(file: &Path) -> Result<Mmap, ModelError> {
    let io = |source| ModelError::Io {
        file: file.into(),
        source,
    };
    let handle = File::open(file).map_err(io)?;
    if handle.metadata().map_err(io)?.len() == 0 {
        return Err(ModelError::Format {
            file: file.into(),
            reason: "is empty".into(),
        });
    }
    // SAFETY: the map is only read. Another process that truncates the file
    // meanwhile ends this one, as with every memory-mapped checkpoint.
    unsafe { Mmap::map(&handle) }.map_err(io)
}

/// What is wrong with a tensor of another shape than the configuration asks for.
pub(crate) fn check_shape(found: &[usize], wanted: &[usize]) -> Result<(), String> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!(
            "has the shape {found:?}, the configuration asks for {wanted:?}"
        )),
    }
}

/// What is wrong with values of which one is no finite number.
pub(crate) fn check_finite(values: &[f32]) -> Result<(), String> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(place) => Err(format!("holds {} at position {place}", values[place])),
        None => Ok(()),
    }
}
