//! From the command line to a decoder and the way it goes on with a text.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Sampling, Settings};
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision};
use dtatrans_precision::cache::CachePlan;

use crate::args::{GenerationArguments, RunArguments};
use crate::precision;

/// The decoder that the arguments ask for, and what it computes in.
pub(crate) fn open(
    checkpoint: &DecoderCheckpoint,
    arguments: &RunArguments,
    generation: &GenerationArguments,
    isa: Isa,
) -> Result<(Decoder, Precision)> {
    let mut precision = match precision::asked(&arguments.precision, checkpoint)? {
        Some(precision) => precision,
        None => Precision::Plan(precision::default_plan(checkpoint)?),
    };
    if let (Precision::Plan(plan), Some(_)) = (&mut precision, generation.kv_budget) {
        let layers = checkpoint.config.layers;
        plan.cache
            .get_or_insert_with(|| Arc::new(CachePlan::by_attention(layers)));
    }
    let decoder = Decoder::new(checkpoint, &precision, isa)?;
    let decoder = match generation.kv_budget {
        Some(budget) => decoder.bounded(budget).context("--kv-budget")?,
        None => decoder,
    };
    Ok((decoder, precision))
}

pub(crate) fn settings(
    checkpoint: &DecoderCheckpoint,
    generation: &GenerationArguments,
) -> Settings {
    Settings {
        max_new_tokens: generation.max_new_tokens,
        sampling: Sampling {
            temperature: generation.temperature,
            top_k: generation.top_k,
            top_p: generation.top_p,
            repetition_penalty: generation.repetition_penalty,
            seed: generation.seed,
        },
        stop: generation.stop.clone(),
        ends: checkpoint.ends.clone(),
    }
}

/// The tokens of a prompt; an empty one begins with the token that texts begin
/// with.
pub(crate) fn encode(checkpoint: &DecoderCheckpoint, text: &str) -> Result<Vec<u32>> {
    begun(checkpoint, checkpoint.tokenizer()?.encode(text)?.ids)
}

/// The first tokens of a text, as a prompt, so many at most; the text may be longer than
/// the model takes.
pub(crate) fn encode_first(
    checkpoint: &DecoderCheckpoint,
    text: &str,
    most: usize,
) -> Result<Vec<u32>> {
    let mut ids = begun(checkpoint, checkpoint.tokenizer()?.ids(text)?)?;
    ids.truncate(most);
    Ok(ids)
}

/// Tokens behind the one that texts begin with, where there is one.
fn begun(checkpoint: &DecoderCheckpoint, mut ids: Vec<u32>) -> Result<Vec<u32>> {
    if let Some(begin) = checkpoint.begin
        && (ids.is_empty() || checkpoint.adds_begin && ids[0] != begin)
    {
        ids.insert(0, begin);
    }
    if ids.is_empty() {
        bail!("is empty, and the model has no token to begin a text with");
    }
    Ok(ids)
}
