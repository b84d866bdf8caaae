//! What the tests of the program share.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::AtomicBool;

use assert_cmd::Command;
use dtatrans_assets::{Asset, Cache};
use serde_json::{Value, json};
use tempfile::TempDir;

pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtatrans"));
    command.args(arguments);
    command
}

pub fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exit code and standard error of a call that must fail and print nothing
/// to standard output.
pub fn failure(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    (output.status.code().unwrap(), errors)
}

/// Makes sure that all-MiniLM-L6-v2 is cached; says so loudly where it cannot be
/// had.
pub fn has_minilm() -> bool {
    has("minilm")
}

/// As [`has_minilm`], SmolLM2-135M-Instruct.
pub fn has_smollm2() -> bool {
    has("smollm2")
}

/// As [`has_minilm`], all that `headline` runs.
pub fn has_all_of_headline() -> bool {
    ["minilm", "smollm2", "editorials"].into_iter().all(has)
}

fn has(name: &str) -> bool {
    let cancel = AtomicBool::new(false);
    let found =
        Asset::find(name).and_then(|asset| Cache::user()?.ensure(asset, &mut |_| {}, &cancel));
    if let Err(error) = &found {
        eprintln!("SKIPPED: {name} cannot be had: {error}");
    }
    found.is_ok()
}

/// A checkpoint of the model crate's tests.
pub fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/data")
        .join(name)
}

/// A plan or a machine of the repository.
pub fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    path.to_str().unwrap().to_owned()
}

/// A copy of `tiny-bert` with a tokenizer whose words are the letters, so that
/// the program can run it on text.
pub fn tiny_with_tokenizer() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(tiny("tiny-bert").join(name), folder.path().join(name)).unwrap();
    }
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
    let letters = ('a'..='z').flat_map(|letter| [format!("{letter}"), format!("##{letter}")]);
    let tokens = special.map(String::from).into_iter().chain(letters);
    let vocabulary: serde_json::Map<String, Value> = tokens
        .zip(0..)
        .map(|(token, id): (String, u32)| (token, id.into()))
        .collect();
    let added: Vec<Value> = special
        .iter()
        .zip(0..)
        .map(|(token, id): (_, u32)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            })
        })
        .collect();
    let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    let special = |id: &str, kind: u32| json!({"SpecialToken": {"id": id, "type_id": kind}});
    let single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)];
    let pair = [&single[..], &[text("B", 1), special("[SEP]", 1)]].concat();
    let tokenizer = json!({
        "version": "1.0",
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
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    folder
}
