//! GGUF: the one-file checkpoints of llama.cpp, metadata and weights together.
//!
//! The format is that of ggml's `docs/gguf.md`, versions 2 and 3, little-endian:
//! a header with typed key-value pairs and a list of tensors, then their data.
//! Nothing in the header is believed: counts and lengths are held against the
//! bytes that are left, offsets against the file's end.

mod blocks;
mod metadata;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use self::blocks::Encoding;
use self::metadata::Cursor;
pub use self::metadata::Value;
use crate::ModelError;
use crate::mapped::{self, check_finite, check_shape};

/// What a file begins with.
const MAGIC: &[u8] = b"GGUF";
/// Versions that this program reads.
const VERSIONS: [u32; 2] = [2, 3];
/// Tensors begin at multiples of this unless `general.alignment` says otherwise.
const ALIGNMENT: usize = 32;
/// The most dimensions of a tensor.
const MOST_DIMENSIONS: u32 = 4;

/// A GGUF file, its header read and checked.
pub struct Gguf {
    file: PathBuf,
    bytes: Box<dyn Deref<Target = [u8]> + Send + Sync>,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

/// Where a tensor lies in the file, and how it is encoded.
struct Tensor {
    encoding: Encoding,
    /// Rows last: the order of ggml is turned around.
    shape: Vec<usize>,
    begin: usize,
    end: usize,
}

impl Gguf {
    /// Maps a file and checks its header.
    ///
    /// # Errors
    /// [`ModelError::Io`], [`ModelError::Format`], or [`ModelError::Tensor`]
    /// naming a tensor whose type is not supported or that does not lie within
    /// the file.
    pub fn open(file: &Path) -> Result<Gguf, ModelError> {
        Gguf::read(file, Box::new(mapped::map(file)?))
    }

    /// As [`Gguf::open`], from bytes that are in memory; `file` names them in
    /// errors.
    ///
    /// # Errors
    /// As [`Gguf::open`].
    pub fn from_bytes(file: &Path, bytes: Vec<u8>) -> Result<Gguf, ModelError> {
        Gguf::read(file, Box::new(bytes))
    }

    fn read(
        file: &Path,
        bytes: Box<dyn Deref<Target = [u8]> + Send + Sync>,
    ) -> Result<Gguf, ModelError> {
        let format = |reason: String| ModelError::Format {
            file: file.into(),
            reason,
        };
        let mut cursor = Cursor::new(&bytes);
        let magic = cursor.bytes(MAGIC.len()).map_err(format)?;
        if magic != MAGIC {
            return Err(format("is no GGUF file: does not begin with `GGUF`".into()));
        }
        let version = cursor.u32("version").map_err(format)?;
        if !VERSIONS.contains(&version) {
            let swapped = VERSIONS.contains(&version.swap_bytes());
            let reason = match swapped {
                true => "is a big-endian GGUF file: must be little-endian".into(),
                false => format!("GGUF version {version}: this program reads 2 and 3"),
            };
            return Err(format(reason));
        }
        let tensor_count = cursor.u64("tensor_count").map_err(format)?;
        let pair_count = cursor.u64("metadata_kv_count").map_err(format)?;

        let mut metadata = BTreeMap::new();
        for index in 0..pair_count {
            let key = cursor
                .string()
                .map_err(|reason| format(format!("key {index} of {pair_count}: {reason}")))?;
            let key = key.to_owned();
            let value = cursor
                .value()
                .map_err(|reason| format(format!("{key}: {reason}")))?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(format(format!("{key}: stands there twice")));
            }
        }

        let mut listed = Vec::new();
        for index in 0..tensor_count {
            let what = |reason| format(format!("tensor {index} of {tensor_count}: {reason}"));
            let name = cursor.string().map_err(what)?.to_owned();
            let refuse = |reason: String| ModelError::Tensor {
                file: file.into(),
                tensor: name.clone(),
                reason,
            };
            let dimensions = cursor.u32("dimensions").map_err(refuse)?;
            if dimensions == 0 || dimensions > MOST_DIMENSIONS {
                let reason = format!("{dimensions} dimensions: must be 1 to {MOST_DIMENSIONS}");
                return Err(refuse(reason));
            }
            let mut shape = Vec::new();
            for _ in 0..dimensions {
                let size = cursor.u64("dimension").map_err(refuse)?;
                let size = usize::try_from(size).map_err(|error| refuse(error.to_string()))?;
                shape.push(size);
            }
            shape.reverse();
            let kind = cursor.u32("type").map_err(refuse)?;
            let encoding = Encoding::of(kind).map_err(refuse)?;
            let offset = cursor.u64("offset").map_err(refuse)?;
            listed.push((name, shape, encoding, offset));
        }

        let alignment = match metadata.get("general.alignment") {
            None => ALIGNMENT,
            Some(value) => match value.integer() {
                Some(size) if size.is_power_of_two() && (8..=1 << 20).contains(&size) => {
                    size as usize
                }
                _ => {
                    let reason = "general.alignment: must be a power of two from 8 on";
                    return Err(format(reason.into()));
                }
            },
        };
        let start = cursor.place().next_multiple_of(alignment);
        let mut tensors = BTreeMap::new();
        for (name, shape, encoding, offset) in listed {
            let refuse = |reason: String| ModelError::Tensor {
                file: file.into(),
                tensor: name.clone(),
                reason,
            };
            let (begin, end) =
                place(&shape, encoding, offset, start, alignment, bytes.len()).map_err(refuse)?;
            let tensor = Tensor {
                encoding,
                shape,
                begin,
                end,
            };
            if tensors.insert(name.clone(), tensor).is_some() {
                return Err(ModelError::Tensor {
                    file: file.into(),
                    tensor: name,
                    reason: "stands there twice".into(),
                });
            }
        }
        Ok(Gguf {
            file: file.into(),
            bytes,
            metadata,
            tensors,
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A value of the metadata that must be there, as `wanted` takes it from
    /// [`Value`]; `kind` names what it must be.
    ///
    /// # Errors
    /// [`ModelError::Field`] if it is missing or something else.
    pub fn get<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        wanted: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<T, ModelError> {
        self.find(key, kind, wanted)?
            .ok_or_else(|| self.refuse(key, "is missing".into()))
    }

    /// As [`get`](Gguf::get), or `None` where there is no such key.
    ///
    /// # Errors
    /// [`ModelError::Field`] if it is something else.
    pub fn find<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        wanted: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        let Some(value) = self.metadata.get(key) else {
            return Ok(None);
        };
        match wanted(value) {
            Some(found) => Ok(Some(found)),
            None => Err(self.refuse(key, format!("must be {kind}"))),
        }
    }

    /// The strings of an array that must be there.
    ///
    /// # Errors
    /// [`ModelError::Field`] if it is missing, something else, or not UTF-8.
    pub fn strings(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let array = self.get(key, "an array of strings", Value::array)?;
        array
            .strings(&self.bytes)
            .map_err(|reason| self.refuse(key, reason))
    }

    /// The integers of an array, or `None` where there is no such key.
    ///
    /// # Errors
    /// [`ModelError::Field`] if it is something else.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, ModelError> {
        let Some(array) = self.find(key, "an array of integers", Value::array)? else {
            return Ok(None);
        };
        let integers = array
            .integers(&self.bytes)
            .map_err(|reason| self.refuse(key, reason))?;
        Ok(Some(integers))
    }

    /// The error that a key's value cannot be used.
    pub(crate) fn refuse(&self, key: &str, reason: String) -> ModelError {
        ModelError::Field {
            file: self.file.clone(),
            field: key.into(),
            reason,
        }
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor of that name and shape as f32, row after row.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if it is missing, of another shape, or holds a
    /// number that is not finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let refuse = |reason: String| ModelError::Tensor {
            file: self.file.clone(),
            tensor: name.into(),
            reason,
        };
        let tensor = self
            .tensors
            .get(name)
            .ok_or_else(|| refuse("is missing".into()))?;
        check_shape(&tensor.shape, shape).map_err(refuse)?;
        let values = tensor
            .encoding
            .decode(&self.bytes[tensor.begin..tensor.end]);
        check_finite(&values).map_err(refuse)?;
        Ok(values)
    }
}

/// Where a tensor's data begins and ends in the file.
fn place(
    shape: &[usize],
    encoding: Encoding,
    offset: u64,
    start: usize,
    alignment: usize,
    file: usize,
) -> Result<(usize, usize), String> {
    let row = shape.last().copied().unwrap_or(1);
    if !row.is_multiple_of(encoding.block) {
        return Err(format!(
            "rows of {row} values: {} has blocks of {}",
            encoding.name, encoding.block
        ));
    }
    let offset = usize::try_from(offset).map_err(|error| format!("offset {offset}: {error}"))?;
    if !offset.is_multiple_of(alignment) {
        return Err(format!(
            "offset {offset}: must be a multiple of {alignment}"
        ));
    }
    let values = shape
        .iter()
        .try_fold(1, |all: usize, &n| all.checked_mul(n));
    let length = values.and_then(|values| (values / encoding.block).checked_mul(encoding.bytes));
    let begin = start.checked_add(offset);
    let end = begin
        .zip(length)
        .and_then(|(begin, n)| begin.checked_add(n));
    match begin.zip(end) {
        Some((begin, end)) if end <= file => Ok((begin, end)),
        _ => Err(format!(
            "shape {shape:?} at offset {offset}: ends behind the file's {file} bytes"
        )),
    }
}
