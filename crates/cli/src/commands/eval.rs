//! `dtatrans eval`: a model's accuracy on a labelled data set.

use std::time::Instant;

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision};
use dtatrans_precision::workload::Saved;
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::counted::CountedMetric;
use dtatrans_tasks::{Task, TaskKind, TierShares, Work, task};
use serde::Serialize;

use crate::args::{EvalArguments, TaskArgument};
use crate::{console, model, output, precision, texts};

#[derive(Serialize)]
struct Report {
    model: String,
    task: &'static str,
    metric: &'static str,
    /// In points.
    value: f64,
    /// Labelled items.
    n: usize,
    plan: String,
    /// One entry per layer; null at f32.
    tier_shares: Option<Vec<TierShares>>,
    /// Shares of the dense 8-bit model's element-cycles; null at f32.
    saved: Option<Saved>,
    /// Wall-clock seconds of the run, without loading.
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    against_f32: Option<Against>,
}

/// The comparison with f32 on the same items.
#[derive(Serialize)]
struct Against {
    f32_value: f64,
    /// max(0, f32 - plan), in points.
    loss: f64,
    difference: Interval,
}

pub(crate) fn run(arguments: &EvalArguments, isa: Isa, json: bool) -> Result<()> {
    let kind = match arguments.task {
        TaskArgument::Stsb => TaskKind::StsB,
        TaskArgument::Sst2 => TaskKind::Sst2,
        TaskArgument::Cola => TaskKind::Cola,
    };
    let task = task::open(kind, &arguments.data)?;
    let checkpoint = model::open(&arguments.model)?;
    let precision = precision::asked(&arguments.precision, &checkpoint)?.unwrap_or(Precision::F32);
    let texts: Vec<String> = task.texts().into_iter().map(str::to_owned).collect();
    let inputs = texts::encode(checkpoint.tokenizer()?, &texts)?;

    let run = Run::new(&checkpoint, &precision, isa, &inputs, task.as_ref())?;
    let work = match &precision {
        Precision::F32 => None,
        Precision::Plan(plan) => Some(Work::of(&checkpoint.shape(), plan, &run.outputs)),
    };
    let against_f32 = if arguments.against_f32 {
        let float = Run::new(&checkpoint, &Precision::F32, isa, &inputs, task.as_ref())?;
        let options = BootstrapOptions::default();
        Some(Against {
            f32_value: float.value()?,
            loss: (float.value()? - run.value()?).max(0.0),
            difference: bootstrap::compare(&run.metric, &float.metric, &options)?,
        })
    } else {
        None
    };
    let report = Report {
        model: checkpoint.name.clone(),
        task: task.name(),
        metric: task.metric(),
        value: run.value()?,
        n: task.items(),
        plan: precision::name(&precision),
        saved: work.as_ref().map(Work::saved),
        tier_shares: work.map(|work| work.tier_shares),
        seconds: run.seconds,
        against_f32,
    };
    if json {
        return output::print_json(&report);
    }
    print(&report)
}

/// A model run on a task's texts.
struct Run {
    outputs: Vec<Output>,
    metric: Box<dyn CountedMetric>,
    seconds: f64,
}

impl Run {
    fn new(
        checkpoint: &Checkpoint,
        precision: &Precision,
        isa: Isa,
        inputs: &[Encoding],
        task: &dyn Task,
    ) -> Result<Run> {
        let engine = Engine::new(checkpoint, precision, isa)?;
        let title = format!("{} at {}", task.name(), precision::name(precision));
        let bar = console::count_bar(&title, inputs.len(), "texts");
        let start = Instant::now();
        let outputs = engine.run(inputs, Detail::Value, &|done| bar.inc(done as u64))?;
        let seconds = start.elapsed().as_secs_f64();
        bar.finish_and_clear();
        Ok(Run {
            metric: task.score(&outputs, &checkpoint.head)?,
            outputs,
            seconds,
        })
    }

    fn value(&self) -> Result<f64> {
        match self.metric.points(&vec![1; self.metric.items()]) {
            Some(value) => Ok(value),
            None => bail!("the metric is undefined on these outputs"),
        }
    }
}

fn print(report: &Report) -> Result<()> {
    output::print_line(format!(
        "{} on {}: {} {:.2} (n = {}, {}, {:.1} s)",
        report.model,
        report.task,
        report.metric,
        report.value,
        report.n,
        report.plan,
        report.seconds
    ))?;
    if let Some(against) = &report.against_f32 {
        let difference = &against.difference;
        let resolved = if difference.resolved {
            ""
        } else {
            ", not resolved"
        };
        output::print_line(format!(
            "f32: {:.2}; loss {:.2}; difference {:+.2}, 95 % interval {:+.2} to {:+.2}{resolved}",
            against.f32_value, against.loss, difference.difference, difference.low, difference.high
        ))?;
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
