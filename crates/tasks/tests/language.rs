//! Are the likelihoods of a text the same however it is read?

use std::path::Path;

use dtatrans_kernels::Isa;
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision};
use dtatrans_tasks::language::{read_through, step_by_step, windows};

fn decoder() -> Decoder {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/tiny-gpt2");
    let checkpoint = DecoderCheckpoint::open(&folder).unwrap();
    Decoder::new(&checkpoint, &Precision::F32, Isa::best()).unwrap()
}

#[test]
fn step_by_step_scores_what_reading_through_scores() {
    let decoder = decoder();
    // More windows than go together, so that some start later.
    let ids: Vec<u32> = (0..48 * 11).map(|i| (i * i * 31 + i * 7) % 200).collect();
    let windows = windows(&ids, 48, None);
    let whole = read_through(&decoder, &windows, None, &|_| ()).unwrap();
    assert_eq!((whole.losses.len(), whole.tokens()), (11, 11 * 47));
    let scored = std::cell::Cell::new(0);
    let done = |tokens| scored.set(scored.get() + tokens);
    let steps = step_by_step(&decoder, &[], &windows, 20, None, &done)
        .unwrap()
        .remove(0);
    assert_eq!(steps.tokens(), 11 * 28);
    assert_eq!(scored.get(), 11 * 28);
    for (whole, steps) in whole.losses.iter().zip(&steps.losses) {
        for (whole, step) in whole[19..].iter().zip(steps) {
            assert!((whole - step).abs() < 1e-4, "{whole} {step}");
        }
    }
}

/// The mean loss that Hugging Face's model gives for the same 24 tokens.
#[test]
fn the_loss_is_that_of_hugging_face() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/data/tiny-gpt2/expected.safetensors");
    let expected = dtatrans_model::Tensors::open(&file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let stored = tensors.tensor("input_ids").unwrap();
    let values = stored.data().as_chunks().0.iter();
    let ids: Vec<u32> = values.map(|&id| i64::from_le_bytes(id) as u32).collect();
    let loss = read_through(&decoder(), &[&ids], None, &|_| ())
        .unwrap()
        .mean_loss();
    let want = f64::from(expected.read("loss", &[1]).unwrap()[0]);
    assert!((loss - want).abs() < 1e-4, "{loss} {want}");
}
