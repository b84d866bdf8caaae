//! Is every malformed checkpoint an error that names the file and what is wrong
//! in it, never a panic and never memory that the file does not justify?

mod support;

use dtatrans_model::{Detail, Encoding, Precision};
use dtatrans_precision::Plan;
use half::{bf16, f16};
use proptest::prelude::*;
use proptest::sample::Index;
use safetensors::Dtype;
use serde_json::{Value, json};
use support::allocations::Watched;
use support::folder::{Folder, set, split_header, tokenizer, with_header};
use support::{assert_close, run, tiny_inputs};

#[global_allocator]
static MEMORY: Watched = Watched::new();

/// Far above what any of these checkpoints, of half a megabyte, justifies.
const MOST_BYTES: usize = 16 << 20;

const WEIGHTS: &str = "model.safetensors";

fn eight() -> Precision {
    Precision::Plan(Plan::dense_eight(3))
}

/// That the folder is refused, in words that include all these.
fn assert_refused(folder: &Folder, words: &[&str]) {
    for precision in [Precision::F32, eight()] {
        let refusal = match folder.engine(&precision) {
            Ok(_) => panic!("accepted, where the error should name {words:?}"),
            Err(error) => error.to_string(),
        };
        for word in words {
            assert!(refusal.contains(word), "{refusal}: should name {word}");
        }
    }
    let largest = MEMORY.largest();
    assert!(largest < MOST_BYTES, "{words:?}: {largest} bytes at once");
}

/// As [`assert_refused`], for one changed place of a JSON file.
fn assert_value_refused(name: &str, pointer: &str, value: Option<Value>, words: &[&str]) {
    let folder = Folder::sentence("pooling_mode_mean_tokens", true);
    folder.set(name, pointer, value);
    assert_refused(&folder, &[&[name], words].concat());
}

#[test]
fn the_checkpoints_to_damage_are_in_order() {
    for folder in [
        Folder::new("tiny-bert"),
        Folder::new("tiny-bert-classifier"),
        Folder::sentence("pooling_mode_mean_tokens", true),
    ] {
        let before = folder.bytes(WEIGHTS).len();
        folder.edit_tensors(|_| {});
        folder.edit_header(|_| {});
        assert!(folder.bytes(WEIGHTS).len().abs_diff(before) < 1000);
        for precision in [Precision::F32, eight()] {
            folder.engine(&precision).unwrap();
        }
    }
}

#[test]
fn files_that_are_missing_empty_or_folders() {
    for name in [
        "config.json",
        WEIGHTS,
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
    ] {
        let folder = Folder::sentence("pooling_mode_mean_tokens", true);
        folder.write(name, "");
        assert_refused(&folder, &[name, "empty"]);
        folder.remove(name);
        // A folder without the two others is one of another kind.
        match name {
            "tokenizer.json" => assert!(folder.open().unwrap().tokenizer.is_none()),
            "modules.json" => assert!(folder.open().is_ok()),
            _ => assert_refused(&folder, &[name]),
        }
        std::fs::create_dir(folder.path(name)).unwrap();
        assert_refused(&folder, &[name]);
    }
}

#[cfg(unix)]
#[test]
fn a_broken_link_is_not_taken_for_a_file_that_is_not_there() {
    for name in ["tokenizer.json", "modules.json"] {
        let folder = Folder::sentence("pooling_mode_mean_tokens", true);
        folder.remove(name);
        std::os::unix::fs::symlink("nowhere", folder.path(name)).unwrap();
        assert_refused(&folder, &[name]);
    }
}

#[test]
fn json_files_that_are_no_json() {
    for name in [
        "config.json",
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
    ] {
        let folder = Folder::sentence("pooling_mode_mean_tokens", true);
        let whole = folder.bytes(name);
        let deep = "[".repeat(100_000);
        for bytes in [
            b"\xff\xfe{}",
            &[&whole[..], b"\xc3"].concat(),
            b"no JSON",
            b"{",
            b"null",
            b"7",
            b"[7]",
            b"\"text\"",
            &whole[..whole.len() / 2],
            &[&whole[..], b"}"].concat(),
            deep.as_bytes(),
            &[0; 1000],
        ] as [&[u8]; 12]
        {
            folder.write(name, bytes);
            assert_refused(&folder, &[name]);
        }
    }
}

#[test]
fn weights_cut_short_or_longer() {
    let folder = Folder::new("tiny-bert");
    let whole = folder.bytes(WEIGHTS);
    let header = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in [
        0,
        1,
        7,
        8,
        9,
        8 + header / 2,
        8 + header - 1,
        8 + header,
        9 + header,
        (header + whole.len()) / 2,
        whole.len() - 1,
    ] {
        folder.write(WEIGHTS, &whole[..length]);
        assert_refused(&folder, &[WEIGHTS]);
    }
    folder.write(WEIGHTS, [&whole[..], b"\0"].concat());
    assert_refused(&folder, &[WEIGHTS, "no safetensors file"]);
}

#[test]
fn weights_that_are_no_safetensors() {
    let folder = Folder::new("tiny-bert");
    let (header, data) = split_header(&folder.bytes(WEIGHTS));
    let header = header.to_string();
    let with_length = |length: u64| [&length.to_le_bytes(), header.as_bytes(), &data].concat();
    let length = header.len() as u64;
    for bytes in [
        b"PK\x03\x04 another kind of file altogether".to_vec(),
        vec![0; 1 << 16],
        vec![255; 1 << 16],
        with_length(0),
        with_length(1),
        with_length(length - 1),
        with_length(length + 1),
        with_length(length + data.len() as u64),
        with_length(length + data.len() as u64 + 1),
        with_length(100_000_001),
        with_length(u64::MAX - 7),
        with_length(u64::MAX),
        with_header("", &data),
        with_header("{", &data),
        with_header("no JSON", &data),
        with_header("[]", &data),
        with_header("{}", &data),
        with_header(&format!("{header}{header}"), &data),
        with_header(&"[".repeat(100_000), &data),
        with_header(&"\0".repeat(1000), &data),
        [&2u64.to_le_bytes()[..], b"\xff\xfe"].concat(),
    ] {
        folder.write(WEIGHTS, bytes);
        assert_refused(&folder, &[WEIGHTS, "no safetensors file"]);
    }
    // In order, but without any tensor.
    folder.write(WEIGHTS, with_header("{}", b""));
    assert_refused(&folder, &[WEIGHTS, "word_embeddings.weight", "missing"]);
}

#[test]
fn headers_that_lie() {
    let name = "embeddings.token_type_embeddings.weight";
    let (start, end) = {
        let (header, _) = split_header(&Folder::new("tiny-bert").bytes(WEIGHTS));
        let offsets = &header[name]["data_offsets"];
        (offsets[0].as_u64().unwrap(), offsets[1].as_u64().unwrap())
    };
    for (field, value) in [
        ("data_offsets", json!([start + 4, end])),
        ("data_offsets", json!([start, end - 4])),
        ("data_offsets", json!([start, end + 4])),
        ("data_offsets", json!([start - 4, end])),
        ("data_offsets", json!([end, start])),
        ("data_offsets", json!([0, u64::MAX])),
        ("data_offsets", json!([u64::MAX, u64::MAX])),
        ("data_offsets", json!([start])),
        ("data_offsets", json!([start, end, end])),
        ("data_offsets", json!([-1, end])),
        ("data_offsets", json!(null)),
        ("shape", json!([u64::MAX, 64])),
        ("shape", json!([1u64 << 32, 1u64 << 32])),
        ("shape", json!([1u64 << 61, 8])),
        ("shape", json!([2, 65])),
        ("shape", json!([])),
        ("shape", json!([2.0, 64])),
        ("shape", json!([-2, -64])),
        ("shape", json!("2 x 64")),
        ("dtype", json!("F33")),
        ("dtype", json!("F64")),
        ("dtype", json!("F16")),
        ("dtype", json!("F4")),
        ("dtype", json!(null)),
        ("extra", json!({"nested": []})),
    ] {
        let folder = Folder::new("tiny-bert");
        folder.edit_header(|header| header[name][field] = value);
        match field {
            "extra" => assert!(folder.engine(&Precision::F32).is_ok()),
            _ => assert_refused(&folder, &[WEIGHTS, "no safetensors file"]),
        }
    }
    for field in ["data_offsets", "shape", "dtype"] {
        let folder = Folder::new("tiny-bert");
        folder.edit_header(|header| set(&mut header[name], &format!("/{field}"), None));
        assert_refused(&folder, &[WEIGHTS, "no safetensors file"]);
    }
    // Two tensors over the same bytes.
    let folder = Folder::new("tiny-bert");
    folder.edit_header(|header| header["another"] = header[name].clone());
    assert_refused(&folder, &[WEIGHTS, "no safetensors file"]);
}

/// Names of the tensors that a model needs.
fn needed(folder: &Folder, classifier: bool) -> Vec<String> {
    let names = folder.tensor_names().into_iter();
    let needed = |name: &String| classifier || !name.starts_with("pooler.");
    names.filter(needed).collect()
}

#[test]
fn every_tensor_must_be_there_with_its_shape_and_type() {
    for (model, classifier) in [("tiny-bert", false), ("tiny-bert-classifier", true)] {
        let names = needed(&Folder::new(model), classifier);
        assert!(names.len() > 50);
        for name in &names {
            let folder = Folder::new(model);
            folder.edit_tensor(name, |tensor| tensor.shape.push(1));
            assert_refused(&folder, &[WEIGHTS, name, "shape"]);

            let folder = Folder::new(model);
            folder.edit_tensor(name, |tensor| tensor.dtype = Dtype::I32);
            assert_refused(&folder, &[WEIGHTS, name, "I32"]);

            let folder = Folder::new(model);
            folder.edit_tensors(|tensors| tensors.retain(|tensor| tensor.name != *name));
            // Without it nothing says that the names begin with `bert.`.
            let first = name == "bert.embeddings.word_embeddings.weight";
            let name = if first { &name["bert.".len()..] } else { name };
            assert_refused(&folder, &[WEIGHTS, name, "missing"]);
        }
    }
}

#[test]
fn shapes_of_other_models() {
    for (name, shape) in [
        ("embeddings.word_embeddings.weight", vec![64, 200]),
        ("embeddings.word_embeddings.weight", vec![200 * 64]),
        ("embeddings.position_embeddings.weight", vec![1, 48, 64]),
        ("encoder.layer.0.intermediate.dense.weight", vec![64, 160]),
        ("encoder.layer.2.output.LayerNorm.bias", vec![8, 8]),
    ] {
        let folder = Folder::new("tiny-bert");
        folder.edit_tensor(name, |tensor| tensor.shape = shape);
        assert_refused(&folder, &[WEIGHTS, name, "shape"]);
    }
    let name = "encoder.layer.1.attention.self.key.bias";
    let folder = Folder::new("tiny-bert");
    folder.edit_tensor(name, |tensor| {
        tensor.shape = vec![0];
        tensor.data.clear();
    });
    assert_refused(&folder, &[WEIGHTS, name, "shape"]);
}

#[test]
fn types_that_are_not_f32_f16_or_bf16() {
    let name = "encoder.layer.1.output.dense.bias";
    for (dtype, bits) in [
        (Dtype::BOOL, 8),
        (Dtype::F4, 4),
        (Dtype::U8, 8),
        (Dtype::I8, 8),
        (Dtype::F8_E4M3, 8),
        (Dtype::F8_E5M2, 8),
        (Dtype::I16, 16),
        (Dtype::U16, 16),
        (Dtype::I32, 32),
        (Dtype::U32, 32),
        (Dtype::F64, 64),
        (Dtype::I64, 64),
        (Dtype::U64, 64),
    ] {
        let folder = Folder::new("tiny-bert");
        folder.edit_tensor(name, |tensor| {
            tensor.dtype = dtype;
            tensor.data = vec![0; 64 * bits / 8];
        });
        assert_refused(&folder, &[WEIGHTS, name, &format!("{dtype:?}")]);
    }
}

#[test]
fn numbers_that_are_not_finite() {
    let name = "encoder.layer.0.attention.output.dense.weight";
    for (bad, word) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
    ] {
        for (dtype, size, bytes) in [
            (Dtype::F32, 4, bad.to_le_bytes().to_vec()),
            (Dtype::F16, 2, f16::from_f32(bad).to_le_bytes().to_vec()),
            (Dtype::BF16, 2, bf16::from_f32(bad).to_le_bytes().to_vec()),
        ] {
            for place in [0, 64 * 64 - 1] {
                let folder = Folder::new("tiny-bert");
                folder.edit_tensor(name, |tensor| {
                    tensor.dtype = dtype;
                    tensor.data = vec![0; 64 * 64 * size];
                    tensor.data[place * size..][..size].copy_from_slice(&bytes);
                });
                let place = format!("position {place}");
                assert_refused(&folder, &[WEIGHTS, name, word, &place]);
            }
        }
    }
}

#[test]
fn weights_too_large_to_compute_with_give_no_result() {
    for (name, value) in [
        ("embeddings.word_embeddings.weight", 3e38),
        ("encoder.layer.0.attention.self.query.weight", 3e38),
        ("encoder.layer.1.intermediate.dense.weight", 1e38),
        ("encoder.layer.2.output.LayerNorm.weight", 3e38),
    ] {
        let folder = Folder::new("tiny-bert");
        folder.edit_tensor(name, |tensor| {
            // Signs differ, so that sums are sometimes differences.
            let numbers = tensor.data.as_chunks_mut::<4>().0;
            for bytes in numbers {
                *bytes = f32::from_le_bytes(*bytes)
                    .signum()
                    .mul_add(value, 0.0)
                    .to_le_bytes();
            }
        });
        for precision in [Precision::F32, eight()] {
            let engine = folder.engine(&precision).unwrap();
            match engine.run(&tiny_inputs("tiny-bert"), Detail::Trace, &|_| {}) {
                Ok(outputs) => {
                    let mut values = outputs.iter().flat_map(|output| &output.value);
                    assert!(values.all(|value| value.is_finite()), "{name}");
                }
                Err(error) => assert!(error.to_string().contains("not finite"), "{error}"),
            }
        }
    }
    let folder = Folder::new("tiny-bert");
    folder.edit_tensor("encoder.layer.2.output.LayerNorm.weight", |tensor| {
        tensor.data = 3e38f32.to_le_bytes().repeat(64);
    });
    for precision in [Precision::F32, eight()] {
        let engine = folder.engine(&precision).unwrap();
        let result = engine.run(&tiny_inputs("tiny-bert"), Detail::Value, &|_| {});
        let error = result.unwrap_err().to_string();
        assert!(error.contains("not finite"), "{error}");
    }
}

#[test]
fn half_precision_weights_give_nearly_the_same() {
    for model in ["tiny-bert", "tiny-bert-classifier"] {
        let inputs = tiny_inputs(model);
        let want = run(model, &Precision::F32, &inputs, Detail::Value);
        for (dtype, tolerance) in [(Dtype::F16, 0.02), (Dtype::BF16, 0.2)] {
            let folder = Folder::new(model);
            folder.edit_tensors(|tensors| {
                for tensor in tensors {
                    match dtype {
                        Dtype::F16 => tensor.convert(dtype, |x| f16::from_f32(x).to_le_bytes()),
                        _ => tensor.convert(dtype, |x| bf16::from_f32(x).to_le_bytes()),
                    }
                }
            });
            let engine = folder.engine(&Precision::F32).unwrap();
            let got = engine.run(&inputs, Detail::Value, &|_| {}).unwrap();
            for (got, want) in got.iter().zip(&want) {
                assert_ne!(got.value, want.value);
                assert_close(&got.value, &want.value, tolerance, &format!("{dtype:?}"));
            }
        }
    }
}

#[test]
fn configurations_that_cannot_be_used() {
    let sizes = [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
        "type_vocab_size",
    ];
    let bad_sizes = [
        json!(0),
        json!(-1),
        json!((1 << 24) + 1),
        json!(u64::MAX),
        json!(1e300),
        json!(64.0),
        json!("64"),
        json!([64]),
        json!({}),
        json!(true),
        json!(null),
    ];
    for field in sizes {
        for value in &bad_sizes {
            let pointer = format!("/{field}");
            assert_value_refused("config.json", &pointer, Some(value.clone()), &[field]);
        }
    }
    for field in sizes
        .iter()
        .chain(&["layer_norm_eps", "hidden_act", "model_type"])
    {
        assert_value_refused(
            "config.json",
            &format!("/{field}"),
            None,
            &[field, "missing"],
        );
    }
    for (field, value) in [
        ("num_attention_heads", json!(3)),
        ("num_attention_heads", json!(128)),
        ("layer_norm_eps", json!(-1e-12)),
        ("layer_norm_eps", json!(1.0)),
        ("layer_norm_eps", json!("small")),
        ("layer_norm_eps", json!(null)),
        ("hidden_act", json!("gelu_new")),
        ("hidden_act", json!("relu")),
        ("hidden_act", json!(7)),
        ("position_embedding_type", json!("relative_key")),
        ("position_embedding_type", json!(7)),
        ("is_decoder", json!(true)),
        ("is_decoder", json!("no")),
        ("model_type", json!("roberta")),
        ("model_type", json!("BERT")),
        ("model_type", json!(7)),
        ("architectures", json!(["BertForMaskedLM"])),
        ("architectures", json!(["BertModel", "BertModel"])),
        ("architectures", json!("BertModel")),
        ("architectures", json!([7])),
    ] {
        assert_value_refused("config.json", &format!("/{field}"), Some(value), &[field]);
    }
}

#[test]
fn sizes_that_the_weights_do_not_have() {
    for (field, value, tensor) in [
        ("vocab_size", 1 << 24, "word_embeddings"),
        ("vocab_size", 199, "word_embeddings"),
        ("hidden_size", 1 << 24, "word_embeddings"),
        ("hidden_size", 32, "word_embeddings"),
        ("num_hidden_layers", 4, "encoder.layer.3."),
        ("num_hidden_layers", 1 << 24, "encoder.layer.3."),
        ("intermediate_size", 1 << 24, "intermediate.dense"),
        ("max_position_embeddings", 512, "position_embeddings"),
        ("type_vocab_size", 1, "token_type_embeddings"),
    ] {
        let folder = Folder::new("tiny-bert");
        folder.set("config.json", &format!("/{field}"), Some(json!(value)));
        let refusal = folder.engine(&Precision::F32).err().unwrap().to_string();
        assert!(
            refusal.contains(WEIGHTS) && refusal.contains(tensor),
            "{refusal}"
        );
    }
    assert!(MEMORY.largest() < MOST_BYTES);
}

#[test]
fn labels_that_do_not_fit() {
    let names = |count: usize| -> Value {
        let label = |id: usize| (id.to_string(), json!(format!("label {id}")));
        (0..count)
            .map(label)
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (value, words) in [
        (None, ["config.json", "id2label"]),
        (Some(json!(null)), ["config.json", "id2label"]),
        (Some(json!({})), ["config.json", "id2label"]),
        (Some(json!(["a", "b", "c"])), ["config.json", "id2label"]),
        (
            Some(json!({"0": "a", "1": "b", "3": "c"})),
            ["config.json", "id2label"],
        ),
        (
            Some(json!({"1": "a", "2": "b", "3": "c"})),
            ["config.json", "id2label"],
        ),
        (
            Some(json!({"a": 0, "b": 1, "c": 2})),
            ["config.json", "id2label"],
        ),
        (
            Some(json!({"0": "a", "1": null, "2": "c"})),
            ["config.json", "id2label"],
        ),
        (
            Some(json!({"0": "a", "1": ["b"], "2": "c"})),
            ["config.json", "id2label"],
        ),
        (Some(names(2)), [WEIGHTS, "classifier.weight"]),
        (Some(names(4)), [WEIGHTS, "classifier.weight"]),
        (Some(names(10_000)), [WEIGHTS, "classifier.weight"]),
    ] {
        let folder = Folder::new("tiny-bert-classifier");
        folder.set("config.json", "/id2label", value);
        assert_refused(&folder, &words);
    }
}

#[test]
fn tokenizers_that_cannot_be_used() {
    let special = "/post_processor/special_tokens/[SEP]";
    for (pointer, value, words) in [
        ("/model", None, ["no tokenizer", ""]),
        (
            "/model/type",
            Some(json!("Sentences")),
            ["no tokenizer", ""],
        ),
        (
            "/model/vocab",
            Some(json!({"[UNK]": -1})),
            ["no tokenizer", ""],
        ),
        (
            "/model/vocab",
            Some(json!({"[UNK]": 1u64 << 32})),
            ["no tokenizer", ""],
        ),
        ("/model/vocab", Some(json!("words")), ["no tokenizer", ""]),
        ("/version", Some(json!("9.0")), ["no tokenizer", ""]),
        (
            "/normalizer",
            Some(json!({"type": "Unknown"})),
            ["no tokenizer", ""],
        ),
        (
            "/normalizer",
            Some(
                json!({"type": "Sequence", "normalizers": [{"type": "Precompiled", "precompiled_charsmap": "/////w=="}]}),
            ),
            ["normalizer", "precompiled_charsmap"],
        ),
        ("/model/vocab/hello", Some(json!(200)), ["vocab", "id 200"]),
        (
            "/model/vocab/hello",
            Some(json!(u32::MAX)),
            ["vocab", "4294967295"],
        ),
        (
            "/added_tokens/0/content",
            Some(json!("[NEW]")),
            ["added_tokens", "[NEW]"],
        ),
        (
            "/added_tokens/4/id",
            Some(json!(7)),
            ["added_tokens", "[MASK]"],
        ),
        (
            "/post_processor/single/0/SpecialToken/id",
            Some(json!("[X]")),
            ["post_processor", "[X]"],
        ),
        (
            "/post_processor/pair/4/SpecialToken/id",
            Some(json!("[X]")),
            ["post_processor", "[X]"],
        ),
        (special, None, ["post_processor", "[SEP]"]),
        (
            "/post_processor/single/1/Sequence/id",
            Some(json!("B")),
            ["post_processor", "single"],
        ),
        (
            "/post_processor/pair/3/Sequence/id",
            Some(json!("A")),
            ["post_processor", "pair"],
        ),
        (
            "/post_processor/single",
            Some(json!([])),
            ["post_processor", "single"],
        ),
        (
            "/post_processor/pair",
            Some(json!([])),
            ["post_processor", "pair"],
        ),
        (
            "/post_processor/special_tokens/[SEP]/ids",
            Some(json!([200])),
            ["post_processor", "id 200"],
        ),
        (
            "/post_processor/special_tokens/[SEP]/ids",
            Some(json!([3, 3])),
            ["post_processor", "[SEP]"],
        ),
        (
            "/post_processor/special_tokens/[SEP]",
            Some(json!({"id": "[SEP]", "ids": vec![3; 30], "tokens": vec!["[SEP]"; 30]})),
            ["post_processor", "62 tokens"],
        ),
        (
            "/post_processor",
            Some(json!({"type": "BertProcessing", "sep": ["[SEP]", 200], "cls": ["[CLS]", 2]})),
            ["post_processor", "id 200"],
        ),
        (
            "/post_processor",
            Some(json!({
                "type": "Sequence",
                "processors": [
                    tokenizer()["post_processor"].clone(),
                    tokenizer()["post_processor"].clone(),
                ],
            })),
            ["post_processor", "more than one"],
        ),
    ] {
        assert_value_refused("tokenizer.json", pointer, value, &words);
    }
    // Larger than the embedding: one token too many.
    let more: serde_json::Map<String, Value> = (0..201)
        .map(|id| (format!("word{id}"), id.into()))
        .collect();
    let more = Some(Value::Object(more));
    assert_value_refused("tokenizer.json", "/model/vocab", more, &["vocab"]);
}

#[test]
fn a_tokenizer_without_unknown_token_refuses_the_text_that_needs_it() {
    let folder = Folder::new("tiny-bert");
    folder.set("tokenizer.json", "/model/unk_token", Some(json!("[GONE]")));
    let tokenizer = folder.tokenizer();
    assert!(tokenizer.encode("hello").is_ok());
    let error = tokenizer.encode("中").unwrap_err().to_string();
    assert!(
        error.contains("[GONE]") || error.contains("[UNK]"),
        "{error}"
    );
}

#[test]
fn a_normalizer_that_cannot_be_run_refuses_the_text() {
    // A table of one entry, which leads out of the table.
    let table = json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAA="});
    let folder = Folder::new("tiny-bert");
    folder.set("tokenizer.json", "/normalizer", Some(table));
    let error = folder.tokenizer().encode("hello").unwrap_err().to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

#[test]
fn sentence_modules_that_are_not_supported() {
    let module = |kind: &str| json!({"path": "", "type": format!("x.{kind}")});
    let pooling = json!({"path": "1_Pooling", "type": "x.Pooling"});
    for (modules, words) in [
        (json!([]), ["type", "Transformer, Pooling"]),
        (
            json!([module("Transformer")]),
            ["type", "Transformer, Pooling"],
        ),
        (json!([pooling]), ["type", "Transformer, Pooling"]),
        (
            json!([pooling, module("Transformer")]),
            ["type", "Transformer, Pooling"],
        ),
        (
            json!([module("Transformer"), pooling, pooling]),
            ["type", "Transformer, Pooling"],
        ),
        (
            json!([module("Transformer"), module("Normalize"), pooling]),
            ["type", "Transformer, Pooling"],
        ),
        (
            json!([module("Transformer"), pooling, module("Dense")]),
            ["type", "Dense"],
        ),
        (json!([module("CLIPModel")]), ["type", "CLIPModel"]),
        (json!([{"path": "", "type": 7}]), ["type", "string"]),
        (json!([{"path": ""}]), ["type", "missing"]),
        (json!([{"type": "x.Transformer"}]), ["path", "missing"]),
        (
            json!([{"path": "0_Transformer", "type": "x.Transformer"}]),
            ["path", "0_Transformer"],
        ),
    ] {
        let folder = Folder::sentence("pooling_mode_mean_tokens", true);
        folder.write("modules.json", modules.to_string());
        assert_refused(&folder, &[&["modules.json"][..], &words].concat());
    }
    let folder = Folder::sentence("pooling_mode_mean_tokens", true);
    folder.set("modules.json", "/1/path", Some(json!("nowhere")));
    assert_refused(&folder, &["nowhere"]);
}

#[test]
fn pooling_modes_that_are_not_supported() {
    for (config, word) in [
        (json!({}), "pooling_mode_"),
        (json!({"pooling_mode_mean_tokens": false}), "pooling_mode_"),
        (
            json!({"pooling_mode_max_tokens": true}),
            "pooling_mode_max_tokens",
        ),
        (
            json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}),
            "pooling_mode_cls_token",
        ),
        (
            json!({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}),
            "pooling_mode_max_tokens",
        ),
        (
            json!({"pooling_mode_mean_tokens": true, "pooling_mode_yet_unknown": true}),
            "pooling_mode_yet_unknown",
        ),
        (
            json!({"pooling_mode_mean_tokens": "yes"}),
            "pooling_mode_mean_tokens",
        ),
        (
            json!({"pooling_mode_mean_tokens": 1}),
            "pooling_mode_mean_tokens",
        ),
    ] {
        let folder = Folder::sentence("pooling_mode_mean_tokens", true);
        folder.write("1_Pooling/config.json", config.to_string());
        assert_refused(&folder, &["1_Pooling/config.json", word]);
    }
}

#[test]
fn a_plan_for_another_depth() {
    for layers in [1, 2, 4, 12] {
        let plan = Precision::Plan(Plan::dense_eight(layers));
        let refusal = Folder::new("tiny-bert").engine(&plan).err().unwrap();
        let refusal = refusal.to_string();
        let (layers, model) = (layers.to_string(), "3");
        assert!(
            refusal.contains(&layers) && refusal.contains(model),
            "{refusal}"
        );
    }
}

/// Something that happens to a file.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Overwrite(Index, Vec<u8>),
    /// Another value anywhere in the JSON.
    Value(Index, Value),
    /// A field or item of the JSON that is gone.
    Remove(Index),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let place = any::<Index>;
    let value = prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(199),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(0.5),
        json!(1e300),
        json!(""),
        json!("[SEP]"),
        json!("é"),
        json!(null),
        json!(true),
        json!([]),
        json!({}),
    ]);
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9),
        prop::collection::vec(
            prop::sample::select(b"0123456789-.eE,:{}[]\" ".to_vec()),
            1..9
        ),
    ];
    let damage = prop_oneof![
        2 => (place(), 0u8..8).prop_map(|(place, bit)| Damage::Flip(place, bit)),
        1 => place().prop_map(Damage::Cut),
        2 => (place(), bytes).prop_map(|(place, bytes)| Damage::Overwrite(place, bytes)),
        4 => (place(), value).prop_map(|(place, value)| Damage::Value(place, value)),
        2 => place().prop_map(Damage::Remove),
    ];
    prop::collection::vec(damage, 1..3)
}

/// Pointers to all values inside a JSON value.
fn pointers(json: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match json {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| (i.to_string(), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.replace('~', "~0").replace('/', "~1"), field))
            .collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{name}");
        pointers(child, &pointer, found);
        found.push(pointer);
    }
}

impl Damage {
    /// The damaged text of a JSON file or header.
    fn apply(&self, mut text: Vec<u8>) -> Vec<u8> {
        if text.is_empty() {
            return text;
        }
        match self {
            Damage::Flip(place, bit) => *place.get_mut(&mut text) ^= 1 << bit,
            Damage::Cut(place) => text.truncate(place.index(text.len())),
            Damage::Overwrite(place, bytes) => {
                let place = place.index(text.len());
                let end = (place + bytes.len()).min(text.len());
                text[place..end].copy_from_slice(&bytes[..end - place]);
            }
            Damage::Value(place, _) | Damage::Remove(place) => {
                let Ok(mut json) = serde_json::from_slice::<Value>(&text) else {
                    return text;
                };
                let mut found = Vec::new();
                pointers(&json, "", &mut found);
                if found.is_empty() {
                    return text;
                }
                let pointer = &found[place.index(found.len())];
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                match (json.pointer_mut(parent), self) {
                    (Some(Value::Array(items)), Damage::Remove(_)) => {
                        items.remove(key.parse().unwrap());
                    }
                    (Some(Value::Object(fields)), Damage::Remove(_)) => {
                        fields.remove(key);
                    }
                    (_, Damage::Value(_, value)) => {
                        *json.pointer_mut(pointer).unwrap() = value.clone()
                    }
                    _ => {}
                }
                text = json.to_string().into_bytes();
            }
        }
        text
    }
}

/// Opens the folder, makes an engine and runs it, as far as that goes.
fn use_folder(folder: &Folder) -> Result<(), dtatrans_model::ModelError> {
    let checkpoint = folder.open()?;
    let mut inputs = vec![Encoding::from_ids(vec![2, 7, 3], vec![0; 3])];
    if let Ok(tokenizer) = checkpoint.tokenizer() {
        inputs.push(tokenizer.encode("hello [SEP] wörld 中 unreadable")?);
        inputs.push(tokenizer.encode_pair(&"bad ".repeat(100), "")?);
    }
    for precision in [Precision::F32, eight()] {
        let engine = folder.engine(&precision)?;
        for output in engine.run(&inputs, Detail::Trace, &|_| {})? {
            assert!(output.value.iter().all(|value| value.is_finite()));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_files_never_panic(
        which in 0usize..5,
        classifier in any::<bool>(),
        damages in damages(),
    ) {
        let folder = match classifier {
            true => Folder::new("tiny-bert-classifier"),
            false => Folder::sentence("pooling_mode_mean_tokens", true),
        };
        let damaged = |text: Vec<u8>| damages.iter().fold(text, |text, damage| damage.apply(text));
        match which {
            0 => {
                let bytes = folder.bytes(WEIGHTS);
                let (header, data) = split_header(&bytes);
                let header = damaged(header.to_string().into_bytes());
                let length = (header.len() as u64).to_le_bytes();
                folder.write(WEIGHTS, [&length[..], &header, &data].concat());
            }
            1 => {
                let bytes = folder.bytes(WEIGHTS);
                let start = damaged(bytes[..64].to_vec());
                folder.write(WEIGHTS, [&start, &bytes[64..]].concat());
            }
            2 => folder.write("config.json", damaged(folder.bytes("config.json"))),
            _ => folder.write("tokenizer.json", damaged(folder.bytes("tokenizer.json"))),
        }
        if let Err(error) = use_folder(&folder) {
            prop_assert!(!error.to_string().is_empty());
        }
        prop_assert!(MEMORY.largest() < MOST_BYTES, "{} bytes at once", MEMORY.largest());
    }
}
