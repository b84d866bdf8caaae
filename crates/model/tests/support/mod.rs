//! What several test files need: the tiny models, their expected outputs, and
//! random inputs.

#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod allocations;
pub mod folder;
pub mod gguf;
pub mod plans;
pub mod tiny_llama;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use dtatrans_assets::{Asset, Cache};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision, Tensors};
use proptest::prelude::*;

pub const LENGTHS: [usize; 3] = [48, 17, 5];

pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

pub fn expected(model: &str) -> Tensors {
    Tensors::open(&data(model).join("expected.safetensors")).unwrap()
}

/// An integer tensor of the expected outputs.
pub fn integers(model: &str, name: &str) -> Vec<u32> {
    let bytes = std::fs::read(data(model).join("expected.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    match tensor.dtype() {
        safetensors::Dtype::I64 => {
            let values = tensor.data().as_chunks().0.iter();
            values
                .map(|&value| i64::from_le_bytes(value) as u32)
                .collect()
        }
        safetensors::Dtype::I32 => {
            let values = tensor.data().as_chunks().0.iter();
            values
                .map(|&value| i32::from_le_bytes(value) as u32)
                .collect()
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// The inputs of the tiny models, without their padding.
pub fn tiny_inputs(model: &str) -> Vec<Encoding> {
    let ids = integers(model, "input_ids");
    let kinds = integers(model, "token_type_ids");
    LENGTHS
        .iter()
        .enumerate()
        .map(|(i, &n)| {
            let place = i * 48..i * 48 + n;
            Encoding::from_ids(ids[place.clone()].to_vec(), kinds[place].to_vec())
        })
        .collect()
}

pub fn run(model: &str, precision: &Precision, inputs: &[Encoding], detail: Detail) -> Vec<Output> {
    let checkpoint = Checkpoint::open(&data(model)).unwrap();
    let engine = Engine::new(&checkpoint, precision, Isa::best()).unwrap();
    engine.run(inputs, detail, &|_| {}).unwrap()
}

/// That values differ by at most `tolerance`, or, where they are so large that
/// f32 itself is coarser, by a millionth of them.
pub fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (place, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        assert!(
            error <= tolerance.max(want.abs() * 1e-6),
            "{what}: {got} at {place}, not {want}"
        );
    }
}

/// Ragged batches for the tiny models. Here and there a token between the first
/// and the last is protected too.
pub fn batches() -> impl Strategy<Value = Vec<Encoding>> {
    let input = (1usize..40).prop_flat_map(|n| {
        (
            prop::collection::vec(0u32..200, n),
            prop::collection::vec(0u32..2, n),
            prop::collection::vec(prop::bool::weighted(0.05), n),
        )
            .prop_map(|(ids, kinds, protected)| {
                let mut input = Encoding::from_ids(ids, kinds);
                for (flag, protected) in input.protected.iter_mut().zip(protected) {
                    *flag |= protected;
                }
                input
            })
    });
    prop::collection::vec(input, 1..9)
}

/// The folder of all-MiniLM-L6-v2, fetched if need be; says so loudly where it
/// cannot be had.
pub fn minilm() -> Option<PathBuf> {
    asset("minilm")
}

/// As [`minilm`], SmolLM2-135M-Instruct.
pub fn smollm2() -> Option<PathBuf> {
    asset("smollm2")
}

fn asset(name: &str) -> Option<PathBuf> {
    let cancel = AtomicBool::new(false);
    let folder =
        Asset::find(name).and_then(|asset| Cache::user()?.ensure(asset, &mut |_| {}, &cancel));
    folder
        .inspect_err(|error| eprintln!("SKIPPED: {name} cannot be had: {error}"))
        .ok()
}
