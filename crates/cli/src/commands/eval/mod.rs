//! `dtatrans eval`: a model's accuracy on a labelled data set.

mod decoders;
mod language;
mod needle;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::error::ErrorKind;
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Head, Output, Precision};
use dtatrans_precision::workload::Saved;
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::counted::CountedMetric;
use dtatrans_tasks::deviation::{Deviation, Measure};
use dtatrans_tasks::{Prepared, TierShares, Work};
use serde::Serialize;

use crate::args::{EvalArguments, TaskArgument};
use crate::{console, model, output, precision, task, texts};

#[derive(Serialize)]
struct Report {
    model: String,
    task: &'static str,
    /// The metric that counts: the first of `metrics`.
    metric: &'static str,
    /// In points.
    value: f64,
    /// Labelled items.
    n: usize,
    /// Texts that the model ran on.
    inputs: usize,
    /// Tokens of a text, special ones included.
    tokens_mean: f64,
    plan: String,
    /// All metrics of the task.
    metrics: Vec<Metric>,
    /// One entry per layer; null at f32.
    tier_shares: Option<Vec<TierShares>>,
    /// Shares of the dense 8-bit model's element-cycles; null at f32.
    saved: Option<Saved>,
    /// Wall-clock seconds of the run, without loading.
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_f32: Option<Against>,
    /// Of the outputs from those at f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<Deviation>,
}

#[derive(Serialize)]
struct Metric {
    name: &'static str,
    /// In points.
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_f32: Option<Against>,
}

/// The comparison with f32 on the same items.
#[derive(Serialize, Clone)]
struct Against {
    f32_value: f64,
    /// max(0, f32 - plan), in points.
    loss: f64,
    difference: Interval,
}

pub(crate) fn run(arguments: &EvalArguments, isa: Isa, json: bool) -> Result<()> {
    if let Err((kind, message)) = check(arguments) {
        task::wrong_usage("eval", kind, message);
    }
    match arguments.task {
        TaskArgument::Lm => return language::run(arguments, isa, json),
        TaskArgument::Needle => return needle::run(arguments, isa, json),
        _ => {}
    }
    let task = task::source(arguments)?.open()?;
    let checkpoint = model::open(&arguments.model)?;
    let precisions = precision::asked_of_eval(&arguments.precisions, &checkpoint)?;
    let tokenizer = checkpoint.tokenizer()?;
    let mut prepared = task.prepare(tokenizer, &checkpoint.head)?;
    texts::warn_of_cuts(tokenizer, prepared.inputs());

    let runner = Runner {
        checkpoint: &checkpoint,
        isa,
        task: task.name(),
    };
    if !prepared.training_inputs().is_empty() {
        texts::warn_of_cuts(tokenizer, prepared.training_inputs());
        let (outputs, _) = runner.run(&Precision::F32, prepared.training_inputs())?;
        prepared.train(&outputs)?;
    }
    let reference = match arguments.against_f32 {
        true => Some(Reference::new(&runner, prepared.as_ref(), arguments.seed)?),
        false => None,
    };
    for precision in &precisions {
        let (outputs, seconds) = runner.run(precision, prepared.inputs())?;
        let work = match precision {
            Precision::F32 => None,
            Precision::Plan(plan) => Some(Work::of(&checkpoint.shape(), plan, &outputs)),
        };
        let scores = prepared.score(&outputs)?;
        let metrics = metrics(task.metrics(), &scores, reference.as_ref())?;
        let deviation = reference
            .as_ref()
            .map(|reference| reference.deviation(&outputs, &checkpoint.head, prepared.as_ref()));
        let report = Report {
            model: checkpoint.name.clone(),
            task: task.name(),
            metric: metrics[0].name,
            value: metrics[0].value,
            n: prepared.items(),
            inputs: prepared.inputs().len(),
            tokens_mean: mean_tokens(prepared.inputs()),
            plan: precision::name(precision),
            against_f32: metrics[0].against_f32.clone(),
            metrics,
            saved: work.as_ref().map(Work::saved),
            tier_shares: work.map(|work| work.tier_shares),
            seconds,
            deviation: deviation.transpose()?,
        };
        match json {
            true => output::print_json(&report)?,
            false => print(&report)?,
        }
    }
    Ok(())
}

/// That options of one task are not given for another.
fn check(arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    let (lm, needle) = (TaskArgument::Lm, TaskArgument::Needle);
    for (option, given, task) in [
        ("--context", arguments.context.is_some(), lm),
        ("--windows", arguments.windows.is_some(), lm),
        ("--prompts", arguments.prompts.is_some(), needle),
        ("--least-tokens", arguments.least_tokens.is_some(), needle),
        ("--most-tokens", arguments.most_tokens.is_some(), needle),
        ("--save-prompts", arguments.save_prompts.is_some(), needle),
    ] {
        if given && arguments.task != task {
            let (task, own) = (task.name(), arguments.task.name());
            let message = format!("{option} is for --task {task}, not for {own}");
            return Err((ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(())
}

/// The mean number of tokens of a text, special ones included.
fn mean_tokens(inputs: &[Encoding]) -> f64 {
    let tokens: usize = inputs.iter().map(|input| input.len()).sum();
    tokens as f64 / inputs.len().max(1) as f64
}

/// A model to run on a task's inputs.
struct Runner<'a> {
    checkpoint: &'a Checkpoint,
    isa: Isa,
    task: &'static str,
}

impl Runner<'_> {
    /// The outputs, and the seconds that they took.
    fn run(&self, precision: &Precision, inputs: &[Encoding]) -> Result<(Vec<Output>, f64)> {
        let engine = Engine::new(self.checkpoint, precision, self.isa)?;
        let title = format!("{} at {}", self.task, precision::name(precision));
        let bar = console::count_bar(&title, inputs.len(), "texts");
        let start = Instant::now();
        let outputs = engine.run(inputs, Detail::Value, &|done| bar.inc(done as u64))?;
        let seconds = start.elapsed().as_secs_f64();
        bar.finish_and_clear();
        Ok((outputs, seconds))
    }
}

/// The run at f32 that the others are compared with.
struct Reference {
    outputs: Vec<Output>,
    scores: Vec<Box<dyn CountedMetric>>,
    /// How the intervals are drawn.
    bootstrap: BootstrapOptions,
}

impl Reference {
    fn new(runner: &Runner, prepared: &dyn Prepared, seed: u64) -> Result<Reference> {
        let (outputs, _) = runner.run(&Precision::F32, prepared.inputs())?;
        Ok(Reference {
            scores: prepared.score(&outputs)?,
            outputs,
            bootstrap: BootstrapOptions {
                seed,
                ..BootstrapOptions::default()
            },
        })
    }

    /// The metric of that place and name, compared with this run's.
    fn compare(&self, index: usize, name: &str, score: &dyn CountedMetric) -> Result<Against> {
        let float = self.scores[index].as_ref();
        let f32_value = value(name, float)?;
        Ok(Against {
            f32_value,
            loss: (f32_value - value(name, score)?).max(0.0),
            difference: bootstrap::compare(score, float, &self.bootstrap)?,
        })
    }

    fn deviation(
        &self,
        outputs: &[Output],
        head: &Head,
        prepared: &dyn Prepared,
    ) -> Result<Deviation> {
        let pairs = prepared.ranked_pairs();
        Ok(Deviation::between(outputs, &self.outputs, head, &pairs)?)
    }
}

/// Names and values of a run's metrics, compared with those at f32 if there are any.
fn metrics(
    names: &[&'static str],
    scores: &[Box<dyn CountedMetric>],
    reference: Option<&Reference>,
) -> Result<Vec<Metric>> {
    names
        .iter()
        .zip(scores)
        .enumerate()
        .map(|(index, (&name, score))| {
            let against_f32 =
                reference.map(|reference| reference.compare(index, name, score.as_ref()));
            Ok(Metric {
                name,
                value: value(name, score.as_ref())?,
                against_f32: against_f32.transpose()?,
            })
        })
        .collect()
}

/// A metric on the items as they are.
fn value(name: &str, score: &dyn CountedMetric) -> Result<f64> {
    match score.points(&vec![1; score.items()]) {
        Some(value) => Ok(value),
        None => bail!("{name} is undefined on these outputs"),
    }
}

fn print(report: &Report) -> Result<()> {
    let values: Vec<String> = report
        .metrics
        .iter()
        .map(|metric| format!("{} {:.2}", metric.name, metric.value))
        .collect();
    output::print_line(format!(
        "{} on {}: {} (n = {}, {:.1} tokens a text, {}, {:.1} s)",
        report.model,
        report.task,
        values.join(", "),
        report.n,
        report.tokens_mean,
        report.plan,
        report.seconds
    ))?;
    for metric in &report.metrics {
        if let Some(against) = &metric.against_f32 {
            print_against(metric.name, against)?;
        }
    }
    if let Some(deviation) = &report.deviation {
        print_deviation(deviation)?;
    }
    if let Some(saved) = &report.saved {
        output::print_line(format!(
            "saved of the dense 8-bit model's element-cycles: {:.1} % of the attention, {:.1} % of the encoder",
            100.0 * saved.attention,
            100.0 * saved.encoder
        ))?;
    }
    if let Some(shares) = &report.tier_shares {
        let mut table = console::table(&["layer", "8 bits", "4 bits", "0 bits"]);
        for (layer, shares) in shares.iter().enumerate() {
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            table.add_row([
                layer.to_string(),
                percent(shares.r8),
                percent(shares.r4),
                percent(shares.r0),
            ]);
        }
        output::print_line(table)?;
    }
    Ok(())
}

fn print_against(metric: &str, against: &Against) -> Result<()> {
    let difference = &against.difference;
    let resolved = if difference.resolved {
        ""
    } else {
        ", not resolved"
    };
    output::print_line(format!(
        "{metric} at f32: {:.2}; loss {:.2}; difference {:+.2}, 95 % interval {:+.2} to {:+.2}{resolved}",
        against.f32_value, against.loss, difference.difference, difference.low, difference.high
    ))
}

fn print_deviation(deviation: &Deviation) -> Result<()> {
    let value = deviation.value;
    let what = match deviation.measure {
        Measure::PairCosines => format!("{value:.5} (1 - correlation of pair cosines)"),
        Measure::Cosine => format!("{value:.5} (mean of 1 - cosine)"),
        Measure::Divergence => format!("{value:.5} nats (divergence of probabilities)"),
    };
    // Said once where it is the measure itself.
    let distance = deviation.mean_cosine_distance;
    let distance = distance.filter(|_| deviation.measure != Measure::Cosine);
    let distance = distance.map_or(String::new(), |distance| {
        format!("; mean of 1 - cosine {distance:.5}")
    });
    output::print_line(format!("deviation from f32: {what}{distance}"))
}
