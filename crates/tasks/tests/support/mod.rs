//! What the tests of tasks share: a tokenizer, heads, and outputs made by hand.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};

use dtatrans_model::{Checkpoint, Head, Output, Pooling, SentenceHead, TextTokenizer};
use dtatrans_tasks::counted::CountedMetric;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A WordPiece tokenizer of letters, digits and full stops, each a token; up to
/// 48 tokens a text.
pub fn tokenizer() -> TextTokenizer {
    let folder = tempfile::tempdir().unwrap();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/tiny-bert");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(tiny.join(name), folder.path().join(name)).unwrap();
    }
    let letters = || ('a'..='z').chain('0'..='9');
    let vocabulary: serde_json::Map<String, Value> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "."]
        .map(String::from)
        .into_iter()
        .chain(letters().map(String::from))
        .chain(letters().map(|letter| format!("##{letter}")))
        .zip(0..)
        .map(|(token, id): (String, u32)| (token, id.into()))
        .collect();
    let text = |id: &str, kind: u32| json!({"Sequence": {"id": id, "type_id": kind}});
    let special = |id: &str, kind: u32| json!({"SpecialToken": {"id": id, "type_id": kind}});
    let single = [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)];
    let pair = [&single[..], &[text("B", 1), special("[SEP]", 1)]].concat();
    let file = json!({
        "version": "1.0", "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    });
    std::fs::write(folder.path().join("tokenizer.json"), file.to_string()).unwrap();
    Checkpoint::open(folder.path()).unwrap().tokenizer.unwrap()
}

pub fn encoder() -> Head {
    Head::Sentence(SentenceHead {
        pooling: Pooling::Mean,
        normalize: true,
    })
}

/// An output of these values.
pub fn output(value: Vec<f32>) -> Output {
    Output {
        value,
        tiers: Vec::new(),
        trace: Vec::new(),
        hidden_states: Vec::new(),
    }
}

/// Metrics on the items as they are.
pub fn values(metrics: &[Box<dyn CountedMetric>]) -> Vec<f64> {
    let all = |metric: &dyn CountedMetric| metric.points(&vec![1; metric.items()]).unwrap();
    metrics.iter().map(|metric| all(metric.as_ref())).collect()
}

/// Files of these contents.
pub fn files<const N: usize>(contents: [&str; N]) -> (TempDir, [PathBuf; N]) {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    let paths = contents.map(|content| {
        number += 1;
        let path = folder.path().join(format!("file-{number}"));
        std::fs::write(&path, content).unwrap();
        path
    });
    (folder, paths)
}
