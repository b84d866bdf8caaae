//! Is a GGUF file the same model as the folder that it was made from, and is
//! every damaged one refused by file and field?

mod support;

use std::path::Path;

use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Extension, Message};
use dtatrans_model::{Decoder, DecoderCheckpoint, Gguf, ModelError, Precision};
use proptest::prelude::*;
use support::gguf::{File, Value};
use support::{assert_close, tiny_llama};
use tempfile::TempDir;

fn open(file: &File) -> Result<DecoderCheckpoint, ModelError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tiny.gguf");
    std::fs::write(&path, file.bytes()).unwrap();
    DecoderCheckpoint::open(&path)
}

/// What opening a file says, which must not work.
fn refusal(change: impl FnOnce(&mut File)) -> String {
    let mut file = tiny_llama::gguf();
    change(&mut file);
    match open(&file) {
        Ok(checkpoint) => match Decoder::new(&checkpoint, &Precision::F32, Isa::best()) {
            Ok(_) => panic!("was read"),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    }
}

fn logits(checkpoint: &DecoderCheckpoint, ids: &[u32]) -> Vec<f32> {
    let decoder = Decoder::new(checkpoint, &Precision::F32, Isa::best()).unwrap();
    let mut context = decoder.context();
    let extension = Extension {
        context: &mut context,
        ids,
    };
    decoder.logits(&decoder.extend(&mut [extension]).unwrap())
}

#[test]
fn a_gguf_file_is_the_folder_that_it_was_made_from() {
    let folder = TempDir::new().unwrap();
    tiny_llama::write_folder(folder.path());
    let a = DecoderCheckpoint::open(folder.path()).unwrap();
    let b = open(&tiny_llama::gguf()).unwrap();
    assert_eq!(a.config, b.config);
    let ids: Vec<u32> = (0..40).map(|i| 3 + i * 7 % 250).collect();
    assert_close(&logits(&a, &ids), &logits(&b, &ids), 0.0, "logits");
}

#[test]
fn texts_are_tokens_and_tokens_texts() {
    let checkpoint = open(&tiny_llama::gguf()).unwrap();
    assert_eq!(
        (checkpoint.begin, &checkpoint.ends[..]),
        (Some(1), &[2][..])
    );
    let tokenizer = checkpoint.tokenizer().unwrap();
    let text = "<|im_start|>déjà 42 ☕<|im_end|>";
    let ids = tokenizer.encode(text).unwrap().ids;
    assert_eq!((ids[0], ids[ids.len() - 1]), (1, 2));
    assert_eq!(ids.len(), 2 + "déjà 42 ☕".len());
    assert_eq!(tokenizer.decode(&ids).unwrap(), "déjà 42 ☕");

    // Byte by byte: characters come once they are whole.
    let mut stream = tokenizer.stream();
    let parts: Vec<String> = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
    assert_eq!(parts.concat(), "déjà 42 ☕");
    assert!(parts.iter().all(|part| part.chars().count() <= 1));
    assert_eq!(stream.finish().unwrap(), "");

    // One that never becomes whole is not lost.
    let mut stream = tokenizer.stream();
    let cut = tokenizer.encode("a☕").unwrap().ids;
    let parts: Vec<String> = cut[..3]
        .iter()
        .map(|&id| stream.push(id).unwrap())
        .collect();
    assert_eq!(parts.concat(), "a");
    assert_eq!(stream.finish().unwrap(), "\u{fffd}");
}

#[test]
fn conversations_follow_the_template() {
    let say = |role: &str, content: &str| Message {
        role: role.into(),
        content: content.into(),
    };
    let checkpoint = open(&tiny_llama::gguf()).unwrap();
    let prompt = checkpoint
        .chat
        .unwrap()
        .render(&[say("system", "Be brief."), say("user", "Hi")]);
    assert_eq!(
        prompt.unwrap(),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
         <|im_start|>assistant\n"
    );

    let with = |template: &str| {
        let mut file = tiny_llama::gguf();
        file.set("tokenizer.chat_template", Value::String(template.into()));
        open(&file).map(|checkpoint| checkpoint.chat.unwrap())
    };
    let broken = with("{% for %}").err().unwrap().to_string();
    assert!(
        broken.contains("tokenizer.chat_template: line 1"),
        "{broken}"
    );
    for (template, what) in [
        ("{{ raise_exception('no system') }}", "no system"),
        ("{{ 1 + {} }}", "line 1"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
            "fuel",
        ),
    ] {
        let error = with(template).unwrap().render(&[say("user", "Hi")]);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("chat template: "), "{error}");
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let text = |text: &str| Value::String(text.into());
    for (key, value, what) in [
        (
            "general.architecture",
            text("qwen2"),
            "`qwen2`: must be llama",
        ),
        ("general.architecture", Value::U32(7), "must be a string"),
        (
            "tokenizer.ggml.model",
            text("llama"),
            "`llama`: must be gpt2",
        ),
        ("tokenizer.ggml.pre", text("qwen2"), "`qwen2`: must be"),
        ("llama.block_count", Value::U32(0), "0: must be 1 to"),
        ("llama.block_count", Value::F32(2.0), "must be an integer"),
        (
            "llama.attention.head_count_kv",
            Value::U32(3),
            "does not divide",
        ),
        ("llama.expert_count", Value::U32(8), "8: must be 0"),
        ("llama.rope.scaling.type", text("yarn"), "`yarn`"),
        (
            "tokenizer.ggml.eos_token_id",
            Value::U32(999),
            "999: there are 259",
        ),
        ("general.alignment", Value::U32(33), "power of two"),
        (
            "tokenizer.ggml.token_type",
            Value::I32s(vec![1]),
            "1 types for 259",
        ),
        ("any.bool", Value::Bool(7), "a bool of 7"),
        ("any.kind", Value::Raw(13, vec![]), "type 13: is not known"),
        (
            "any.nested",
            Value::Raw(9, [9u32.to_le_bytes().to_vec(), vec![0; 8]].concat()),
            "an array of arrays",
        ),
        (
            "any.long",
            Value::Raw(8, u64::MAX.to_le_bytes().to_vec()),
            "is cut short",
        ),
        (
            "any.many",
            Value::Raw(9, [8u32.to_le_bytes().to_vec(), vec![255; 8]].concat()),
            "is cut short",
        ),
    ] {
        let error = refusal(|file| file.set(key, value));
        assert!(error.contains("tiny.gguf: "), "{error}");
        assert!(
            error.contains(key) && error.contains(what),
            "{key}: {error}"
        );
    }
    for key in [
        "general.architecture",
        "llama.block_count",
        "tokenizer.ggml.tokens",
    ] {
        let error = refusal(|file| file.remove(key));
        assert!(error.contains(&format!("{key}: is missing")), "{error}");
    }
    let error = refusal(|file| file.version = 1);
    assert!(error.contains("GGUF version 1"), "{error}");
    let error = refusal(|file| file.version = 3u32.swap_bytes());
    assert!(error.contains("big-endian"), "{error}");
    let error = refusal(|file| {
        file.metadata
            .extend([("a".into(), Value::U32(1)), ("a".into(), Value::U32(1))]);
    });
    assert!(error.contains("a: stands there twice"), "{error}");
}

#[test]
fn tensors_that_are_not_there_or_not_right_are_refused_by_name() {
    let name = "blk.1.ffn_up.weight";
    type Change = Box<dyn Fn(&mut support::gguf::Tensor)>;
    let changes: [(Change, &str); 8] = [
        (Box::new(|t| t.kind = 14), "is of type Q6_K"),
        (Box::new(|t| t.kind = 77), "is of type number 77"),
        (Box::new(|t| t.shape = vec![32, 64]), "has the shape"),
        (Box::new(|t| t.shape = vec![u64::MAX, 32]), "ends behind"),
        (Box::new(|t| t.shape = vec![2, 2, 2, 2, 2]), "5 dimensions"),
        (Box::new(|t| t.lie = 1), "must be a multiple of 32"),
        (Box::new(|t| t.lie = 1 << 40), "ends behind"),
        (
            Box::new(|t| t.bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes())),
            "holds NaN at position 1",
        ),
    ];
    for (change, what) in changes {
        let error = refusal(|file| change(file.tensors.get_mut(name).unwrap()));
        assert!(error.contains(&format!("tensor `{name}`")), "{error}");
        assert!(error.contains(what), "{error}");
    }
    let error = refusal(|file| drop(file.tensors.remove(name)));
    assert!(
        error.contains(&format!("tensor `{name}`: is missing")),
        "{error}"
    );
}

#[test]
fn every_beginning_of_a_file_is_refused() {
    let bytes = tiny_llama::gguf().bytes();
    let whole = bytes.len();
    for length in (0..2000).chain((2000..whole).step_by(997)) {
        let error = Gguf::from_bytes(Path::new("cut.gguf"), bytes[..length].to_vec());
        let error = error.err().expect("is cut short").to_string();
        assert!(error.starts_with("cut.gguf: "), "{error}");
    }
}

proptest! {
    /// Whatever a damaged byte does, nothing panics.
    #[test]
    fn damaged_files_are_read_or_refused(
        damage in prop::collection::vec((0usize..6000, any::<u8>()), 1..6),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("damaged.gguf");
        let mut bytes = tiny_llama::gguf().bytes();
        for (place, byte) in damage {
            bytes[place] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        if let Ok(checkpoint) = DecoderCheckpoint::open(&path) {
            // Sizes may be anything now; only what fits is read.
            let _ = Decoder::new(&checkpoint, &Precision::F32, Isa::best());
        }
    }
}
