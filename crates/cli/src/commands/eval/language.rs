//! `dtatrans eval --task lm`: how well a decoder foresees a text.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use dtatrans_kernels::Isa;
use dtatrans_model::{AnyCheckpoint, Decoder};
use dtatrans_tasks::language::{self, Likelihoods};
use serde::Serialize;

use crate::args::{EvalArguments, PartArgument};
use crate::{console, model, output, precision, task};

/// Tokens of a window unless the user says otherwise, or the model takes fewer.
const WINDOW_TOKENS: usize = 1024;

#[derive(Serialize)]
struct Report {
    model: String,
    task: &'static str,
    metric: &'static str,
    value: f64,
    /// Scored tokens.
    n: usize,
    windows: usize,
    window_tokens: usize,
    /// Tokens that are read at once before the first is scored; null where whole
    /// windows are read.
    context: Option<usize>,
    /// Tokens of the text, and of the part of it that counts.
    tokens_in_text: usize,
    tokens_in_part: usize,
    /// Mean negative log-likelihood, in nats.
    mean_loss: f64,
    plan: String,
    /// Wall-clock seconds, without loading.
    seconds: f64,
}

pub(super) fn run(arguments: &EvalArguments, isa: Isa, json: bool) -> Result<()> {
    if let Err((kind, message)) = check(arguments) {
        task::wrong_usage("eval", kind, message);
    }
    let mut text = String::new();
    for file in &arguments.files.data {
        let what = || file.display().to_string();
        let bytes = std::fs::read(file).with_context(what)?;
        let part = String::from_utf8(bytes)
            .map_err(|error| anyhow::anyhow!("is not UTF-8: {}", error.utf8_error()));
        text.push_str(&part.with_context(what)?);
    }
    let checkpoint = match model::open_any(&arguments.model)? {
        AnyCheckpoint::Decoder(checkpoint) => *checkpoint,
        AnyCheckpoint::Encoder(_) => bail!(
            "--model {}: is an encoder, and --task lm needs a decoder",
            arguments.model.model
        ),
    };
    let precisions = precision::asked_of_eval(&arguments.precisions, &checkpoint)?;
    let ids = checkpoint.tokenizer()?.ids(&text)?;
    let middle = ids.len() / 2;
    let part = match arguments.files.part {
        None => &ids[..],
        Some(PartArgument::Choosing) => &ids[..middle],
        Some(PartArgument::Reporting) => &ids[middle..],
    };
    let limit = checkpoint.config.context;
    let length = match (arguments.context, arguments.score) {
        (Some(context), Some(score)) => context.saturating_add(score),
        _ => match arguments.files.window_tokens {
            Some(length) => length.into(),
            None => WINDOW_TOKENS.min(limit),
        },
    };
    if length < 2 || length > limit {
        bail!("windows of {length} tokens: must be 2 to {limit} for this model");
    }
    let windows = language::windows(part, length, arguments.windows);
    if windows.is_empty() {
        bail!(
            "the text has {} tokens: fewer than a window of {length}",
            part.len()
        );
    }
    for precision in &precisions {
        let plan = precision::name(precision);
        let decoder = Decoder::new(&checkpoint, precision, isa)?;
        let scored = windows.len() * (length - arguments.context.unwrap_or(1));
        let bar = console::count_bar(&format!("reading at {plan}"), scored, "tokens");
        let done = |tokens: usize| bar.inc(tokens as u64);
        let start = Instant::now();
        let likelihoods: Likelihoods = match arguments.context {
            Some(context) => language::step_by_step(&decoder, &windows, context, &done)?,
            None => language::read_through(&decoder, &windows, &done)?,
        };
        bar.finish_and_clear();
        let report = Report {
            model: checkpoint.name.clone(),
            task: "lm",
            metric: "perplexity",
            value: likelihoods.perplexity(),
            n: likelihoods.tokens(),
            windows: windows.len(),
            window_tokens: length,
            context: arguments.context,
            tokens_in_text: ids.len(),
            tokens_in_part: part.len(),
            mean_loss: likelihoods.mean(),
            plan,
            seconds: start.elapsed().as_secs_f64(),
        };
        match json {
            true => output::print_json(&report)?,
            false => print(&report)?,
        }
    }
    Ok(())
}

/// Whether the options fit the task.
fn check(arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    let conflict = |message: &str| Err((ErrorKind::ArgumentConflict, message.into()));
    let files = &arguments.files;
    if files.data.is_empty() {
        let message = "--task lm needs --data FILE".into();
        return Err((ErrorKind::MissingRequiredArgument, message));
    }
    if !files.exclude.is_empty() || !files.train.is_empty() {
        return conflict("--exclude and --train are not for --task lm");
    }
    if arguments.against_f32 {
        return conflict("--against-f32 is not for --task lm");
    }
    if arguments.context.is_some() && files.window_tokens.is_some() {
        return conflict("--window-tokens says what --context and --score say together");
    }
    if arguments.context == Some(0) || arguments.score == Some(0) || arguments.windows == Some(0) {
        let message = "--context, --score and --windows must be at least 1".into();
        return Err((ErrorKind::ValueValidation, message));
    }
    Ok(())
}

fn print(report: &Report) -> Result<()> {
    output::print_line(format!("{} on lm, {}", report.model, report.plan))?;
    output::print_line(format!(
        "  perplexity {:.3} ({:.4} nats) over {} tokens",
        report.value, report.mean_loss, report.n
    ))?;
    let how = match report.context {
        Some(context) => format!("{context} read at once, the others step by step"),
        None => "read through".into(),
    };
    output::print_line(format!(
        "  {} windows of {} tokens, {how}; {:.1} s",
        report.windows, report.window_tokens, report.seconds
    ))
}
