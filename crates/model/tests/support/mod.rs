//! What several test files need: the tiny models, their expected outputs, and
//! random inputs.

#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod allocations;
pub mod folder;
pub mod plans;

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
    assert_eq!(tensor.dtype(), safetensors::Dtype::I64);
    let (values, rest) = tensor.data().as_chunks();
    assert!(rest.is_empty());
    values
        .iter()
        .map(|&value| i64::from_le_bytes(value) as u32)
        .collect()
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

pub fn assert_close(got: &[f32], want: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let worst = got
        .iter()
        .zip(want)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: differs by {worst}");
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
    let cancel = AtomicBool::new(false);
    let folder =
        Asset::find("minilm").and_then(|asset| Cache::user()?.ensure(asset, &mut |_| {}, &cancel));
    folder
        .inspect_err(|error| eprintln!("SKIPPED: all-MiniLM-L6-v2 cannot be had: {error}"))
        .ok()
}
