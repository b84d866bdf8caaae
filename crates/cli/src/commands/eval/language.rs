//! `dtatrans eval --task lm`: how well a decoder foresees a text.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::error::ErrorKind;
use dtatrans_kernels::Isa;
use dtatrans_model::{Decoder, Precision};
use dtatrans_tasks::bootstrap::{BootstrapOptions, Interval};
use dtatrans_tasks::language::{self, Scores};
use serde::Serialize;

use super::decoders::{self, Subject};
use crate::args::EvalArguments;
use crate::{console, output, precision, texts};

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
    /// With --against-f32.
    against_f32: Option<Against>,
    /// Bytes of the cache at the end of a window, a mean; null where whole windows
    /// are read.
    cache_bytes: Option<f64>,
    /// The same as a share of what all tokens at 8 bits take.
    cache_share: Option<f64>,
    /// Sums over each window, in nats, for comparisons of plans with each other.
    window_losses: Vec<f64>,
    window_divergences: Vec<f64>,
    /// Wall-clock seconds, without loading; of several plans that read a context
    /// once, of all of them.
    seconds: f64,
}

/// How a plan compares with f32 on the same windows.
#[derive(Serialize)]
struct Against {
    f32: f64,
    /// Higher perplexity, in per cent of f32's.
    perplexity_percent: Interval,
    /// Mean Kullback-Leibler divergence of the prediction from f32's, in nats.
    divergence: f64,
}

pub(super) fn run(arguments: &EvalArguments, isa: Isa, json: bool) -> Result<()> {
    let Subject {
        text,
        checkpoint,
        precisions,
    } = decoders::open(arguments, check)?;
    if arguments.context.is_none()
        && let Some(name) = precisions
            .iter()
            .find(|&p| sees_ahead(p))
            .map(precision::name)
    {
        bail!(
            "{name}: its tiers depend on later tokens, which must not be scored then: say --context N --score M"
        );
    }
    let ids = checkpoint.tokenizer()?.ids(&text)?;
    let part = texts::half(&ids, arguments.files.part);
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
    let reference = match arguments.against_f32 {
        false => None,
        true => Some(Decoder::new(&checkpoint, &Precision::F32, isa)?),
    };
    for together in decoders::group(precisions, checkpoint.config.layers) {
        let decoder = Decoder::new(&checkpoint, &together.precision, isa)?;
        let scored = windows.len() * (length - arguments.context.unwrap_or(1));
        let what = format!("reading at {}", together.names.join(", "));
        let bar = console::count_bar(&what, scored, "tokens");
        let done = |tokens: usize| bar.inc(tokens as u64);
        let start = Instant::now();
        let reference = reference.as_ref();
        let scores: Vec<Scores> = match arguments.context {
            Some(context) => language::step_by_step(
                &decoder,
                &together.caches,
                &windows,
                context,
                reference,
                &done,
            )?,
            None => {
                let scores = language::read_through(&decoder, &windows, reference, &done)?;
                vec![scores; together.names.len()]
            }
        };
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        for (plan, scores) in together.names.into_iter().zip(scores) {
            let cache_bytes = scores.mean_cache_bytes();
            let sums = |windows: &[Vec<f64>]| windows.iter().map(|w| w.iter().sum()).collect();
            let report = Report {
                model: checkpoint.name.clone(),
                task: "lm",
                metric: "perplexity",
                value: scores.perplexity(),
                n: scores.tokens(),
                windows: windows.len(),
                window_tokens: length,
                context: arguments.context,
                tokens_in_text: ids.len(),
                tokens_in_part: part.len(),
                mean_loss: scores.mean_loss(),
                plan,
                against_f32: against(&scores)?,
                cache_bytes,
                cache_share: cache_bytes
                    .map(|bytes| bytes / decoder.full_cache(length - 1).at_8_bits as f64),
                window_losses: sums(&scores.losses),
                window_divergences: sums(&scores.divergences),
                seconds,
            };
            match json {
                true => output::print_json(&report)?,
                false => print(&report)?,
            }
        }
    }
    Ok(())
}

/// Whether a token's tier may depend on those behind it while a text is read.
fn sees_ahead(precision: &Precision) -> bool {
    match precision {
        Precision::F32 => false,
        Precision::Plan(plan) => !plan.layers().iter().all(|ratio| ratio.is_uniform()),
    }
}

fn against(scores: &Scores) -> Result<Option<Against>> {
    let (Some(f32), Some(divergence)) = (scores.known_perplexity(), scores.mean_divergence())
    else {
        return Ok(None);
    };
    Ok(Some(Against {
        f32,
        perplexity_percent: scores.against_f32(&BootstrapOptions::default())?,
        divergence,
    }))
}

/// Whether the options fit the task.
fn check(arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    let conflict = |message: &str| Err((ErrorKind::ArgumentConflict, message.into()));
    let files = &arguments.files;
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
    if let Some(against) = &report.against_f32 {
        output::print_line(format!(
            "  f32 {:.3}: {}; divergence {:.5} nats",
            against.f32,
            output::interval(&against.perplexity_percent, 2, " %"),
            against.divergence
        ))?;
    }
    if let (Some(bytes), Some(share)) = (report.cache_bytes, report.cache_share) {
        output::print_line(format!(
            "  cache {:.0} KiB at the end, {:.1} % of all tokens at 8 bits",
            bytes / 1024.0,
            100.0 * share
        ))?;
    }
    let how = match report.context {
        Some(context) => format!("{context} read at once, the others step by step"),
        None => "read through".into(),
    };
    output::print_line(format!(
        "  {} windows of {} tokens, {how}; {:.1} s",
        report.windows, report.window_tokens, report.seconds
    ))
}
