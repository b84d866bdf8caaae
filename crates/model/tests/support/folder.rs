//! Checkpoint folders to damage: a tiny model and a small WordPiece tokenizer
//! in a temporary folder.

use std::path::PathBuf;

use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Engine, ModelError, Precision, TextTokenizer};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A checkpoint in a temporary folder.
pub struct Folder(TempDir);

/// A tensor as its file has it.
#[derive(Clone)]
pub struct Stored {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub data: Vec<u8>,
}

impl Folder {
    /// A copy of a tiny model, with [`tokenizer`].
    pub fn new(model: &str) -> Folder {
        let folder = Folder(TempDir::new().unwrap());
        for name in ["config.json", "model.safetensors"] {
            let bytes = std::fs::read(super::data(model).join(name)).unwrap();
            folder.write(name, bytes);
        }
        folder.write("tokenizer.json", tokenizer().to_string());
        folder
    }

    /// `tiny-bert` with one of the heads that read out every token, as a
    /// checkpoint of this class.
    pub fn head(architecture: &str) -> Folder {
        let folder = Folder::new("tiny-bert");
        folder.set("config.json", "/architectures", Some(json!([architecture])));
        let labels = json!({"0": "O", "1": "B-x", "2": "I-x", "3": "B-y", "4": "I-y"});
        folder.set("config.json", "/id2label", Some(labels));
        let heads = super::data("tiny-bert-heads").join("heads.safetensors");
        let heads = stored(&std::fs::read(heads).unwrap());
        folder.edit_tensors(|tensors| tensors.extend(heads));
        folder
    }

    /// `tiny-bert` as a sentence encoder with this pooling mode.
    pub fn sentence(mode: &str, normalize: bool) -> Folder {
        let folder = Folder::new("tiny-bert");
        folder.write("modules.json", modules(normalize).to_string());
        let pooling = json!({"word_embedding_dimension": 64, mode: true});
        folder.write("1_Pooling/config.json", pooling.to_string());
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Sets the value at a JSON pointer, or removes it.
    pub fn set(&self, name: &str, pointer: &str, value: Option<Value>) {
        let mut json: Value = serde_json::from_slice(&self.bytes(name)).unwrap();
        set(&mut json, pointer, value);
        self.write(name, json.to_string());
    }

    /// Changes the header of the weights, and nothing else.
    pub fn edit_header(&self, edit: impl FnOnce(&mut Value)) {
        let (mut header, data) = split_header(&self.bytes("model.safetensors"));
        edit(&mut header);
        self.write("model.safetensors", with_header(&header.to_string(), &data));
    }

    /// Rewrites the weights as a whole file.
    pub fn edit_tensors(&self, edit: impl FnOnce(&mut Vec<Stored>)) {
        let mut tensors = stored(&self.bytes("model.safetensors"));
        edit(&mut tensors);
        self.write("model.safetensors", file_of(tensors, None));
    }

    /// Changes one tensor.
    pub fn edit_tensor(&self, name: &str, edit: impl FnOnce(&mut Stored)) {
        self.edit_tensors(|tensors| {
            edit(
                tensors
                    .iter_mut()
                    .find(|tensor| tensor.name == name)
                    .unwrap(),
            );
        });
    }

    pub fn tensor_names(&self) -> Vec<String> {
        let bytes = self.bytes("model.safetensors");
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        tensors.names().into_iter().map(Into::into).collect()
    }

    pub fn open(&self) -> Result<Checkpoint, ModelError> {
        Checkpoint::open(self.0.path())
    }

    pub fn engine(&self, precision: &Precision) -> Result<Engine, ModelError> {
        Engine::new(&self.open()?, precision, Isa::best())
    }

    pub fn tokenizer(&self) -> TextTokenizer {
        self.open().unwrap().tokenizer.unwrap()
    }
}

impl Stored {
    /// The same numbers in another type, made by `convert`.
    pub fn convert<const N: usize>(&mut self, dtype: Dtype, convert: impl Fn(f32) -> [u8; N]) {
        assert_eq!(self.dtype, Dtype::F32);
        self.dtype = dtype;
        let numbers = self.data.as_chunks().0.iter();
        self.data = numbers
            .flat_map(|&bytes| convert(f32::from_le_bytes(bytes)))
            .collect();
    }
}

/// A safetensors file of these tensors.
pub fn file_of(tensors: Vec<Stored>, metadata: Option<Value>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    if let Some(metadata) = metadata {
        header.insert("__metadata__".into(), metadata);
    }
    let mut data = Vec::new();
    for tensor in tensors {
        let start = data.len();
        data.extend(tensor.data);
        let info = json!({
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [start, data.len()],
        });
        header.insert(tensor.name, info);
    }
    with_header(&Value::Object(header).to_string(), &data)
}

/// The tensors of a safetensors file.
pub fn stored(file: &[u8]) -> Vec<Stored> {
    SafeTensors::deserialize(file)
        .unwrap()
        .iter()
        .map(|(name, view)| Stored {
            name: name.into(),
            dtype: view.dtype(),
            shape: view.shape().into(),
            data: view.data().into(),
        })
        .collect()
}

/// Header and data of a safetensors file.
pub fn split_header(file: &[u8]) -> (Value, Vec<u8>) {
    let (length, rest) = file.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).unwrap(), data.into())
}

/// A safetensors file of this header and data.
pub fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), data].concat()
}

/// Sets the value at a JSON pointer, or removes it.
pub fn set(json: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match (json.pointer_mut(parent).unwrap(), value) {
        (Value::Array(items), Some(value)) => items[key.parse::<usize>().unwrap()] = value,
        (Value::Object(fields), Some(value)) => {
            fields.insert(key.into(), value);
        }
        (Value::Object(fields), None) => {
            fields.remove(key).unwrap();
        }
        _ => panic!("no such place: {pointer}"),
    }
}

/// The modules of a sentence encoder.
pub fn modules(normalize: bool) -> Value {
    let module = |name: &str, path: &str| json!({"path": path, "type": format!("sentence_transformers.models.{name}")});
    let mut modules = vec![module("Transformer", ""), module("Pooling", "1_Pooling")];
    if normalize {
        modules.push(module("Normalize", "2_Normalize"));
    }
    Value::Array(modules)
}

pub const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
pub const UNK: u32 = 1;
pub const CLS: u32 = 2;
pub const SEP: u32 = 3;

/// A WordPiece tokenizer of 75 tokens: [`SPECIAL`], letters as words and as
/// parts of words, digits, and a few words. Its truncation to 8 tokens and
/// padding to 8 are to be ignored.
pub fn tokenizer() -> Value {
    let letters = || ('a'..='z').map(String::from);
    let vocabulary: serde_json::Map<String, Value> = SPECIAL
        .map(String::from)
        .into_iter()
        .chain(letters())
        .chain(letters().map(|letter| format!("##{letter}")))
        .chain(('0'..='9').map(String::from))
        .chain([".", "!", "hello", "world", "##able", "read", "bad", "text"].map(String::from))
        .zip(0..)
        .map(|(token, id): (String, u32)| (token, id.into()))
        .collect();
    let added: Vec<Value> = SPECIAL
        .iter()
        .enumerate()
        .map(|(id, token)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            })
        })
        .collect();
    let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    let special = |id: &str, kind: u32| json!({"SpecialToken": {"id": id, "type_id": kind}});
    let single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)];
    let mut pair = single.to_vec();
    pair.extend([text("B", 1), special("[SEP]", 1)]);
    json!({
        "version": "1.0",
        "truncation": {
            "direction": "Left", "max_length": 8, "strategy": "LongestFirst", "stride": 0,
        },
        "padding": {
            "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        },
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [CLS], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [SEP], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    })
}
