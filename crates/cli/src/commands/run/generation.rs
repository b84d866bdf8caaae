//! `dtatrans run` with a decoder: what comes next.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Finish, Generated, Prompt, Sampling, Settings};
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision};
use dtatrans_precision::cache::CachePlan;
use serde::Serialize;

use super::watch::{TextStats, Watch};
use crate::args::{GenerationArguments, RunArguments};
use crate::{interrupt, output, precision, texts};

/// What was added to one prompt.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    pub(super) prompt: &'a str,
    pub(super) text: &'a str,
    pub(super) prompt_tokens: usize,
    pub(super) new_tokens: usize,
    /// Why it is over: `end`, `stop`, `length`, `context` or `cancelled`.
    pub(super) finish: &'static str,
    pub(super) plan: &'a str,
    /// With --stats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stats: Option<TextStats>,
}

pub(super) fn run(
    checkpoint: &DecoderCheckpoint,
    arguments: &RunArguments,
    generation: &GenerationArguments,
    isa: Isa,
    json: bool,
) -> Result<()> {
    let prompts = texts::read(&arguments.texts)?;
    let (decoder, plan) = decoder(checkpoint, arguments, generation, isa)?;
    let settings = settings(checkpoint, generation);
    let starts = prompts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let ids = encode(checkpoint, text).with_context(|| format!("text {}", index + 1))?;
            Ok(Prompt {
                context: decoder.context(),
                ids,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let lengths: Vec<usize> = starts.iter().map(|start| start.ids.len()).collect();
    // Of several texts none can be shown before the one above it is over.
    let streams = prompts.len() == 1 && !json && arguments.output.is_none();
    let (generated, stats) = interrupt::cooperate(|cancel| {
        let mut watch = Watch::new(&decoder, streams, generation.stats, cancel);
        let tokenizer = checkpoint.tokenizer()?;
        let generated = decoder.generate(tokenizer, starts, &settings, &mut watch)?;
        anyhow::Ok((generated, watch.stats()))
    })?;
    if streams {
        writeln!(std::io::stdout())?;
        stats.iter().flatten().for_each(TextStats::print);
        return Ok(());
    }
    output::write_to(arguments.output.as_deref(), |out| {
        for (index, (prompt, generated)) in prompts.iter().zip(&generated).enumerate() {
            if json {
                let stats = stats.as_ref().map(|stats| stats[index].clone());
                let answer = answer(prompt, lengths[index], generated, &plan, stats);
                output::write_json_line(out, &answer)?;
            } else {
                writeln!(out, "{prompt}{}", generated.text)?;
            }
        }
        Ok(())
    })?;
    if !json {
        stats.iter().flatten().for_each(TextStats::print);
    }
    Ok(())
}

/// The decoder that the arguments ask for, and the name of what it computes in.
pub(super) fn decoder(
    checkpoint: &DecoderCheckpoint,
    arguments: &RunArguments,
    generation: &GenerationArguments,
    isa: Isa,
) -> Result<(Decoder, String)> {
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
    Ok((decoder, precision::name(&precision)))
}

pub(super) fn settings(
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
fn encode(checkpoint: &DecoderCheckpoint, text: &str) -> Result<Vec<u32>> {
    let mut ids = checkpoint.tokenizer()?.encode(text)?.ids;
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

/// Shows a part of an answer at once.
pub(super) fn show(part: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(part.as_bytes())?;
    out.flush()
}

pub(super) fn answer<'a>(
    prompt: &'a str,
    prompt_tokens: usize,
    generated: &'a Generated,
    plan: &'a str,
    stats: Option<TextStats>,
) -> Answer<'a> {
    Answer {
        prompt,
        text: &generated.text,
        prompt_tokens,
        new_tokens: generated.ids.len(),
        finish: match &generated.finish {
            Finish::End => "end",
            Finish::Stop(_) => "stop",
            Finish::Length => "length",
            Finish::Context => "context",
            Finish::Cancelled => "cancelled",
        },
        plan,
        stats,
    }
}
