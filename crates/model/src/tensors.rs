//! The weights of a checkpoint: one memory-mapped safetensors file.

use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};

use crate::ModelError;
use crate::mapped::{self, check_finite, check_shape};

/// A file begins with the length of its header, a u64.
const LENGTH_BYTES: usize = 8;

/// A memory-mapped safetensors file.
#[derive(Debug)]
pub struct Tensors {
    file: PathBuf,
    map: Mmap,
    header: Metadata,
    /// Where the data begins in the file.
    start: usize,
}

impl Tensors {
    /// Maps the file and checks its header against its length.
    ///
    /// # Errors
    /// [`ModelError::Io`] or [`ModelError::Format`].
    pub fn open(file: &Path) -> Result<Tensors, ModelError> {
        let map = mapped::map(file)?;
        let (length, header) =
            SafeTensors::read_metadata(&map).map_err(|error| ModelError::Format {
                file: file.into(),
                reason: format!("is no safetensors file: {error}"),
            })?;
        Ok(Tensors {
            file: file.into(),
            map,
            header,
            start: LENGTH_BYTES + length,
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// The tensor of that name and shape as f32, row after row.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if it is missing, of another shape, of a type
    /// other than F32, F16 and BF16, or holds a number that is not finite.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let refuse = |reason: String| ModelError::Tensor {
            file: self.file.clone(),
            tensor: name.into(),
            reason,
        };
        let tensor = self
            .header
            .info(name)
            .ok_or_else(|| refuse("is missing".into()))?;
        check_shape(&tensor.shape, shape).map_err(refuse)?;
        let (begin, end) = tensor.data_offsets;
        let data = &self.map[self.start..][begin..end];
        let values: Vec<f32> = match tensor.dtype {
            Dtype::F32 => data
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| f32::from_le_bytes(bytes))
                .collect(),
            Dtype::F16 => data
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| f16::from_le_bytes(bytes).to_f32())
                .collect(),
            Dtype::BF16 => data
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| bf16::from_le_bytes(bytes).to_f32())
                .collect(),
            other => {
                return Err(refuse(format!(
                    "is of type {other:?}: must be F32, F16 or BF16"
                )));
            }
        };
        check_finite(&values).map_err(refuse)?;
        Ok(values)
    }
}
