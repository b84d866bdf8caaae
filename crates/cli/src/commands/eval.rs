//! `dtatrans eval`: a model's accuracy on a labelled data set.

use std::time::Instant;

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision};
use dtatrans_precision::workload::Saved;
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::counted::CountedMetric;
use dtatrans_tasks::{TierShares, Work};
use serde::Serialize;

use crate::args::EvalArguments;
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
    let task = task::source(arguments)?.open()?;
    let checkpoint = model::open(&arguments.model)?;
    let precision = precision::asked(&arguments.precision, &checkpoint)?.unwrap_or(Precision::F32);
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
    let (outputs, seconds) = runner.run(&precision, prepared.inputs())?;
    let work = match &precision {
        Precision::F32 => None,
        Precision::Plan(plan) => Some(Work::of(&checkpoint.shape(), plan, &outputs)),
    };
    let scores = prepared.score(&outputs)?;
    let float_scores = if arguments.against_f32 {
        let (outputs, _) = runner.run(&Precision::F32, prepared.inputs())?;
        Some(prepared.score(&outputs)?)
    } else {
        None
    };
    let metrics = metrics(task.metrics(), &scores, float_scores.as_deref())?;
    let report = Report {
        model: checkpoint.name.clone(),
        task: task.name(),
        metric: metrics[0].name,
        value: metrics[0].value,
        n: prepared.items(),
        inputs: prepared.inputs().len(),
        plan: precision::name(&precision),
        against_f32: metrics[0].against_f32.clone(),
        metrics,
        saved: work.as_ref().map(Work::saved),
        tier_shares: work.map(|work| work.tier_shares),
        seconds,
    };
    if json {
        return output::print_json(&report);
    }
    print(&report)
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

/// Names and values of a run's metrics, compared with those at f32 if there are any.
fn metrics(
    names: &[&'static str],
    scores: &[Box<dyn CountedMetric>],
    float_scores: Option<&[Box<dyn CountedMetric>]>,
) -> Result<Vec<Metric>> {
    names
        .iter()
        .zip(scores)
        .enumerate()
        .map(|(index, (&name, score))| {
            let float = float_scores.map(|scores| scores[index].as_ref());
            let against_f32 = float.map(|float| compare(name, score.as_ref(), float));
            Ok(Metric {
                name,
                value: value(name, score.as_ref())?,
                against_f32: against_f32.transpose()?,
            })
        })
        .collect()
}

/// A metric compared with that of a run at f32.
fn compare(name: &str, score: &dyn CountedMetric, float: &dyn CountedMetric) -> Result<Against> {
    let f32_value = value(name, float)?;
    Ok(Against {
        f32_value,
        loss: (f32_value - value(name, score)?).max(0.0),
        difference: bootstrap::compare(score, float, &BootstrapOptions::default())?,
    })
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
        "{} on {}: {} (n = {}, {}, {:.1} s)",
        report.model,
        report.task,
        values.join(", "),
        report.n,
        report.plan,
        report.seconds
    ))?;
    for metric in &report.metrics {
        if let Some(against) = &metric.against_f32 {
            print_against(metric.name, against)?;
        }
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
