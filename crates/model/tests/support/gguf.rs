//! Writes GGUF files: whole ones, and such as tests damage.

use std::collections::BTreeMap;

/// A value of the metadata.
#[derive(Clone)]
pub enum Value {
    U32(u32),
    F32(f32),
    Bool(u8),
    String(String),
    Strings(Vec<String>),
    I32s(Vec<i32>),
    /// A type's number and bytes, whatever they are.
    Raw(u32, Vec<u8>),
}

/// A tensor: its shape, rows first, its type's number, and its bytes.
#[derive(Clone)]
pub struct Tensor {
    pub shape: Vec<u64>,
    pub kind: u32,
    pub bytes: Vec<u8>,
    /// Added to the offset that the header states.
    pub lie: u64,
}

#[derive(Clone)]
pub struct File {
    pub version: u32,
    pub metadata: Vec<(String, Value)>,
    pub tensors: BTreeMap<String, Tensor>,
}

impl File {
    pub fn set(&mut self, key: &str, value: Value) {
        self.remove(key);
        self.metadata.push((key.into(), value));
    }

    pub fn remove(&mut self, key: &str) {
        self.metadata.retain(|(name, _)| name != key);
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            string(&mut out, key);
            match value {
                Value::U32(value) => {
                    out.extend(4u32.to_le_bytes());
                    out.extend(value.to_le_bytes());
                }
                Value::F32(value) => {
                    out.extend(6u32.to_le_bytes());
                    out.extend(value.to_le_bytes());
                }
                Value::Bool(value) => {
                    out.extend(7u32.to_le_bytes());
                    out.push(*value);
                }
                Value::String(text) => {
                    out.extend(8u32.to_le_bytes());
                    string(&mut out, text);
                }
                Value::Strings(texts) => {
                    out.extend(9u32.to_le_bytes());
                    out.extend(8u32.to_le_bytes());
                    out.extend((texts.len() as u64).to_le_bytes());
                    for text in texts {
                        string(&mut out, text);
                    }
                }
                Value::I32s(values) => {
                    out.extend(9u32.to_le_bytes());
                    out.extend(5u32.to_le_bytes());
                    out.extend((values.len() as u64).to_le_bytes());
                    for value in values {
                        out.extend(value.to_le_bytes());
                    }
                }
                Value::Raw(kind, bytes) => {
                    out.extend(kind.to_le_bytes());
                    out.extend(bytes);
                }
            }
        }
        let mut data = Vec::new();
        for (name, tensor) in &self.tensors {
            string(&mut out, name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            for size in tensor.shape.iter().rev() {
                out.extend(size.to_le_bytes());
            }
            out.extend(tensor.kind.to_le_bytes());
            out.extend((data.len() as u64).wrapping_add(tensor.lie).to_le_bytes());
            data.extend(&tensor.bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(data);
        out
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
