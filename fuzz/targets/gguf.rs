//! A GGUF file may hold anything: it is read or refused.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use dtatrans_kernels::Isa;
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision};
use libfuzzer_sys::fuzz_target;

/// A model is opened from a file, for which memory is the fastest place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    };
    folder.join(format!("dtatrans-fuzz-{}.gguf", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).expect("a writable folder");
    if let Ok(checkpoint) = DecoderCheckpoint::open(&FILE) {
        if let Ok(tokenizer) = checkpoint.tokenizer() {
            let _ = tokenizer.encode("A text <|im_start|> of bytes \u{e9}\n");
        }
        let _ = Decoder::new(&checkpoint, &Precision::F32, Isa::best());
    }
});
