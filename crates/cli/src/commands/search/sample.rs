//! The texts that plans are measured on, and what a plan loses on them.
//!
//! All that the search knows of tasks is here.

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Head, Output, Precision};
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::counted::CountedMetric;
use dtatrans_tasks::deviation::{Deviation, disagreement};
use dtatrans_tasks::{Error, Prepared};

use crate::{console, texts};

use super::subject::Material;

/// What plans are measured against.
enum Objective<'m> {
    /// A task's metric that counts.
    Task {
        prepared: Box<dyn Prepared + 'm>,
        /// The metric at f32.
        float: Box<dyn CountedMetric>,
    },
    /// The outputs at f32 themselves, on these texts.
    Agreement(Vec<Encoding>),
}

/// Texts, and what the model says of them at f32.
pub(super) struct Sample<'m> {
    /// What is lost, for people.
    what: String,
    float: Vec<Output>,
    objective: Objective<'m>,
    /// The pairs of texts whose cosines the metric ranks, if it ranks any.
    ranked_pairs: Vec<(usize, usize)>,
}

/// What a plan loses.
pub(super) struct Measured {
    /// In points; below 0 where it gains.
    pub(super) loss: f64,
    /// The 95 % interval of the loss.
    pub(super) interval: (f64, f64),
    /// The standard error of the loss.
    pub(super) standard_error: f64,
    /// The deviation of the outputs from f32 ([`Deviation`]): smooth, so that it
    /// can lead the search.
    pub(super) guide: f64,
}

impl<'m> Sample<'m> {
    /// Encodes the texts and runs the model on them at f32.
    pub(super) fn open(
        material: &'m Material,
        checkpoint: &Checkpoint,
        isa: Isa,
    ) -> Result<Sample<'m>> {
        let tokenizer = checkpoint.tokenizer()?;
        let engine = Engine::new(checkpoint, &Precision::F32, isa)?;
        let run = |inputs: &[Encoding]| {
            let bar = console::count_bar("f32", inputs.len(), "texts");
            let outputs = engine.run(inputs, Detail::Value, &|done| bar.inc(done as u64))?;
            bar.finish_and_clear();
            anyhow::Ok(outputs)
        };
        let task = match material {
            Material::Task(task) => task,
            Material::Texts(texts) => {
                let inputs = texts::encode(tokenizer, texts)?;
                return Ok(Sample {
                    what: "agreement with f32".into(),
                    float: run(&inputs)?,
                    objective: Objective::Agreement(inputs),
                    ranked_pairs: Vec::new(),
                });
            }
        };
        let mut prepared = task.prepare(tokenizer, &checkpoint.head)?;
        texts::warn_of_cuts(tokenizer, prepared.inputs());
        if !prepared.training_inputs().is_empty() {
            texts::warn_of_cuts(tokenizer, prepared.training_inputs());
            let outputs = run(prepared.training_inputs())?;
            prepared.train(&outputs)?;
        }
        let float = run(prepared.inputs())?;
        let metric = counting(prepared.as_ref(), &float)?;
        if metric.points(&vec![1; metric.items()]).is_none() {
            bail!("{}: {} is undefined at f32", task.name(), task.metric());
        }
        Ok(Sample {
            what: format!("{} ({})", task.name(), task.metric()),
            ranked_pairs: prepared.ranked_pairs(),
            float,
            objective: Objective::Task {
                prepared,
                float: metric,
            },
        })
    }

    /// What to run a plan on.
    pub(super) fn inputs(&self) -> &[Encoding] {
        match &self.objective {
            Objective::Task { prepared, .. } => prepared.inputs(),
            Objective::Agreement(inputs) => inputs,
        }
    }

    /// Number of labelled items, or of texts.
    pub(super) fn items(&self) -> usize {
        match &self.objective {
            Objective::Task { prepared, .. } => prepared.items(),
            Objective::Agreement(inputs) => inputs.len(),
        }
    }

    /// What is lost, for people.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// What a plan loses whose outputs are these.
    pub(super) fn measure(
        &self,
        outputs: &[Output],
        head: &Head,
        resamples: usize,
    ) -> Result<Measured> {
        let options = BootstrapOptions {
            resamples,
            ..BootstrapOptions::default()
        };
        let interval = match &self.objective {
            Objective::Task { prepared, float } => {
                let metric = counting(prepared.as_ref(), outputs)?;
                match bootstrap::compare(metric.as_ref(), float.as_ref(), &options) {
                    // Outputs without any order or label have lost everything.
                    Err(Error::Undefined) => None,
                    outcome => Some(negative(&outcome?)),
                }
            }
            Objective::Agreement(_) => {
                let pairs = outputs.iter().zip(&self.float);
                let losses: Vec<f64> = pairs
                    .map(|(output, float)| disagreement(output, float, head))
                    .collect();
                let mean = |counts: &[u32]| {
                    let terms = losses.iter().zip(counts);
                    let sum: f64 = terms.map(|(loss, &count)| loss * f64::from(count)).sum();
                    Some(sum / losses.len() as f64)
                };
                let interval = bootstrap::interval(losses.len(), mean, &options)?;
                Some((interval.difference, interval.low, interval.high))
            }
        };
        let (loss, low, high) = match (interval, &self.objective) {
            (Some(interval), _) => interval,
            (None, Objective::Task { float, .. }) => {
                let all = float.points(&vec![1; float.items()]).unwrap_or(100.0);
                (all, all, all)
            }
            (None, Objective::Agreement(_)) => (100.0, 100.0, 100.0),
        };
        let deviation = Deviation::between(outputs, &self.float, head, &self.ranked_pairs)?;
        Ok(Measured {
            loss,
            interval: (low, high),
            standard_error: bootstrap::standard_error(low, high),
            guide: deviation.value,
        })
    }
}

/// The metric that counts.
fn counting(prepared: &dyn Prepared, outputs: &[Output]) -> Result<Box<dyn CountedMetric>> {
    match prepared.score(outputs)?.into_iter().next() {
        Some(metric) => Ok(metric),
        None => bail!("the task has no metric"),
    }
}

/// The loss and its interval, from the interval of plan - f32.
fn negative(interval: &Interval) -> (f64, f64, f64) {
    (-interval.difference, -interval.high, -interval.low)
}
