//! `dtatrans eval --task needle`: does a decoder find a fact again in a long text?

use std::time::Instant;

use anyhow::{Result, bail};
use clap::error::ErrorKind;
use dtatrans_kernels::Isa;
use dtatrans_model::{Decoder, Precision};
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::needle::{self, Options};
use serde::Serialize;
use serde_json::json;

use super::decoders::{self, Subject, Together};
use crate::args::EvalArguments;
use crate::{console, output};

#[derive(Serialize)]
struct Report {
    model: String,
    task: &'static str,
    metric: &'static str,
    /// In per cent.
    value: f64,
    /// Prompts.
    n: usize,
    /// Tokens of a prompt, a mean.
    tokens_mean: f64,
    plan: String,
    /// With --against-f32.
    against_f32: Option<Against>,
    /// Whether each prompt was answered, for comparisons of plans with each other.
    answered: Vec<bool>,
    /// Tokens of each prompt, and where the fact stands, from 0 to 1.
    tokens: Vec<usize>,
    depths: Vec<f64>,
    /// Wall-clock seconds, without loading; of several plans that read a prompt once,
    /// of all of them.
    seconds: f64,
}

#[derive(Serialize)]
struct Against {
    f32: f64,
    /// Plan - f32, in points.
    difference: Interval,
}

pub(super) fn run(arguments: &EvalArguments, isa: Isa, json: bool) -> Result<()> {
    let Subject {
        text,
        checkpoint,
        precisions,
    } = decoders::open(arguments, check)?;
    let least = arguments.least_tokens.unwrap_or(1000);
    let most = arguments.most_tokens.unwrap_or(4000);
    let limit = checkpoint.config.context;
    if least > most || most > limit {
        bail!("prompts of {least} to {most} tokens: must be at most {limit} for this model");
    }
    let tokenizer = checkpoint.tokenizer()?;
    let options = Options {
        prompts: arguments.prompts.unwrap_or(400),
        least_tokens: least,
        most_tokens: most,
        seed: arguments.seed,
    };
    let text = decoders::part(&text, arguments.files.part);
    let prompts = needle::prompts(text, tokenizer, &options)?;
    if let Some(file) = &arguments.save_prompts {
        output::write_file(file, |out| {
            for prompt in &prompts {
                let needle::Prompt { ids, answer, depth } = prompt;
                let prompt = json!({"ids": ids, "answer": answer, "depth": depth});
                output::write_json_line(out, &prompt)?;
            }
            Ok(())
        })?;
    }
    let tokens: Vec<usize> = prompts.iter().map(|prompt| prompt.ids.len()).collect();
    let mut groups = decoders::group(precisions, checkpoint.config.layers);
    if arguments.against_f32 {
        groups.retain(|group| group.precision != Precision::F32);
        groups.insert(0, Together::f32());
    }
    let mut known: Option<Vec<bool>> = None;
    for together in groups {
        let decoder = Decoder::new(&checkpoint, &together.precision, isa)?;
        let what = format!("reading at {}", together.names.join(", "));
        let bar = console::count_bar(&what, prompts.len(), "prompts");
        let start = Instant::now();
        let done = || bar.inc(1);
        let answers = needle::answers(&decoder, &together.caches, tokenizer, &prompts, &done)?;
        bar.finish_and_clear();
        if arguments.against_f32 && known.is_none() {
            known = answers.first().cloned();
        }
        for (plan, answered) in together.names.into_iter().zip(answers) {
            let report = Report {
                model: checkpoint.name.clone(),
                task: "needle",
                metric: "answered",
                value: share(&answered),
                n: answered.len(),
                tokens_mean: tokens.iter().sum::<usize>() as f64 / tokens.len().max(1) as f64,
                plan,
                against_f32: known
                    .as_ref()
                    .map(|known| against(&answered, known, arguments.seed))
                    .transpose()?,
                answered,
                tokens: tokens.clone(),
                depths: prompts.iter().map(|prompt| prompt.depth).collect(),
                seconds: start.elapsed().as_secs_f64(),
            };
            match json {
                true => output::print_json(&report)?,
                false => print(&report)?,
            }
        }
    }
    Ok(())
}

/// Per cent of the answers.
fn share(answered: &[bool]) -> f64 {
    let count = answered.iter().filter(|&&right| right).count();
    100.0 * count as f64 / answered.len().max(1) as f64
}

fn against(answered: &[bool], known: &[bool], seed: u64) -> Result<Against> {
    let difference = |counts: &[u32]| {
        let terms = counts.iter().zip(answered.iter().zip(known));
        let sum: f64 = terms
            .map(|(&count, (&own, &other))| f64::from(count) * (f64::from(own) - f64::from(other)))
            .sum();
        Some(100.0 * sum / answered.len() as f64)
    };
    let options = BootstrapOptions {
        seed,
        ..BootstrapOptions::default()
    };
    Ok(Against {
        f32: share(known),
        difference: bootstrap::interval(answered.len(), difference, &options)?,
    })
}

/// Whether the options fit the task.
fn check(arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    if arguments.files.window_tokens.is_some() {
        let message = "--window-tokens is not for --task needle".into();
        return Err((ErrorKind::ArgumentConflict, message));
    }
    if arguments.prompts == Some(0) || arguments.least_tokens == Some(0) {
        let message = "--prompts and --least-tokens must be at least 1".into();
        return Err((ErrorKind::ValueValidation, message));
    }
    Ok(())
}

fn print(report: &Report) -> Result<()> {
    output::print_line(format!("{} on needle, {}", report.model, report.plan))?;
    output::print_line(format!(
        "  {:.1} % of {} prompts of {:.0} tokens answered; {:.1} s",
        report.value, report.n, report.tokens_mean, report.seconds
    ))?;
    if let Some(against) = &report.against_f32 {
        output::print_line(format!(
            "  f32 {:.1} %: {}",
            against.f32,
            output::interval(&against.difference, 1, " points")
        ))?;
    }
    Ok(())
}
