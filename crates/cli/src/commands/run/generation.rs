//! `dtatrans run` with a decoder: what comes next.

use std::io::Write;

use anyhow::{Context, Result};
use dtatrans_kernels::Isa;
use dtatrans_model::DecoderCheckpoint;
use dtatrans_model::decoder::{Finish, Generated, Prompt};
use serde::Serialize;

use super::watch::{TextStats, Watch};
use crate::args::RunCommandArguments;
use crate::{decoder, interrupt, output, precision, texts};

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
    arguments: &RunCommandArguments,
    isa: Isa,
    json: bool,
) -> Result<()> {
    let RunCommandArguments {
        run: arguments,
        generation,
        dialogue,
    } = arguments;
    let prompts = texts::read(&arguments.texts)?;
    let (decoder, precision) = decoder::open(checkpoint, arguments, generation, isa)?;
    let plan = precision::name(&precision);
    let settings = decoder::settings(checkpoint, generation);
    let starts = prompts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let ids =
                decoder::encode(checkpoint, text).with_context(|| format!("text {}", index + 1))?;
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
        let mut watch = Watch::new(&decoder, streams, dialogue.stats, cancel);
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
