//! The texts that plans are measured on, and what a plan loses on them.
//!
//! All that the search knows of tasks is here.

use std::path::Path;

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Head, Output, Precision};
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::counted::CountedMetric;
use dtatrans_tasks::task::cosine;
use dtatrans_tasks::{Error, Task, TaskKind, task};

use crate::args::{SearchArguments, TaskArgument, TextArguments};
use crate::{console, texts};

/// The 97.5 % quantile of the standard normal distribution: an interval of 95 %
/// is twice as many standard errors wide.
const NORMAL_975: f64 = 1.959_964;

/// What plans are measured against.
enum Objective {
    /// A task's metric; at f32.
    Task(Box<dyn Task>, Box<dyn CountedMetric>),
    /// The outputs at f32 themselves.
    Agreement,
}

/// Texts, and what the model says of them at f32.
pub(super) struct Sample {
    pub(super) inputs: Vec<Encoding>,
    float: Vec<Output>,
    objective: Objective,
    guide: Guide,
}

/// The smooth measure that leads the search.
enum Guide {
    /// Of sentence pairs: 1 - the correlation of their cosines with those at
    /// f32. What moves all embeddings alike changes no ranking of pairs, and
    /// does not count.
    Pairs,
    /// The mean of each output's own deviation from f32.
    Outputs,
}

/// What a plan loses.
pub(super) struct Measured {
    /// In points; below 0 where it gains.
    pub(super) loss: f64,
    /// The 95 % interval of the loss.
    pub(super) interval: (f64, f64),
    /// The standard error of the loss.
    pub(super) standard_error: f64,
    /// The deviation of the outputs from f32, without unit: of sentence pairs
    /// 1 - the correlation of their cosines, else the mean of 1 - cosine, or of
    /// the Kullback-Leibler divergence of the labels' probabilities in nats.
    pub(super) guide: f64,
}

impl Sample {
    /// Reads a file as the arguments say, and runs the model on it at f32.
    pub(super) fn open(
        arguments: &SearchArguments,
        file: &Path,
        checkpoint: &Checkpoint,
        isa: Isa,
    ) -> Result<Sample> {
        let task = match arguments.task {
            Some(name) => Some(task::open(kind(name), file)?),
            None => None,
        };
        let texts = match &task {
            Some(task) => task.texts().into_iter().map(str::to_owned).collect(),
            None => texts::read(&TextArguments {
                texts: Vec::new(),
                file: Some(file.into()),
            })?,
        };
        let inputs = texts::encode(checkpoint.tokenizer()?, &texts)?;
        let engine = Engine::new(checkpoint, &Precision::F32, isa)?;
        let bar = console::count_bar("f32", inputs.len(), "texts");
        let float = engine.run(&inputs, Detail::Value, &|done| bar.inc(done as u64))?;
        bar.finish_and_clear();
        let objective = match task {
            Some(task) => {
                let metric = task.score(&float, &checkpoint.head)?;
                if metric.points(&vec![1; metric.items()]).is_none() {
                    bail!("{}: the metric is undefined at f32", file.display());
                }
                Objective::Task(task, metric)
            }
            None => Objective::Agreement,
        };
        Ok(Sample {
            inputs,
            float,
            objective,
            guide: match arguments.task {
                Some(TaskArgument::Stsb) => Guide::Pairs,
                _ => Guide::Outputs,
            },
        })
    }

    /// Number of labelled items, or of texts.
    pub(super) fn items(&self) -> usize {
        match &self.objective {
            Objective::Task(_, metric) => metric.items(),
            Objective::Agreement => self.inputs.len(),
        }
    }

    /// What is lost, for people.
    pub(super) fn what(&self) -> String {
        match &self.objective {
            Objective::Task(task, _) => format!("{} ({})", task.name(), task.metric()),
            Objective::Agreement => "agreement with f32".into(),
        }
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
            Objective::Task(task, float) => {
                let metric = task.score(outputs, head)?;
                match bootstrap::compare(&metric, float, &options) {
                    // Outputs without any order or label have lost everything.
                    Err(Error::Undefined) => None,
                    outcome => Some(negative(&outcome?)),
                }
            }
            Objective::Agreement => {
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
            (None, Objective::Task(_, float)) => {
                let all = float.points(&vec![1; float.items()]).unwrap_or(100.0);
                (all, all, all)
            }
            (None, Objective::Agreement) => (100.0, 100.0, 100.0),
        };
        Ok(Measured {
            loss,
            interval: (low, high),
            standard_error: (high - low) / (2.0 * NORMAL_975),
            guide: self.guide(outputs, head),
        })
    }

    fn guide(&self, outputs: &[Output], head: &Head) -> f64 {
        match self.guide {
            Guide::Pairs => {
                // Where one of the two has no spread, nothing is left to go by.
                let correlation = correlation(&cosines(outputs), &cosines(&self.float));
                (1.0 - correlation.unwrap_or(0.0)).max(0.0)
            }
            Guide::Outputs => {
                let pairs = outputs.iter().zip(&self.float);
                let deviations = pairs.map(|(output, float)| deviation(output, float, head));
                deviations.sum::<f64>() / outputs.len() as f64
            }
        }
    }
}

/// The cosine of each pair of outputs.
fn cosines(outputs: &[Output]) -> Vec<f64> {
    let (pairs, _) = outputs.as_chunks::<2>();
    pairs
        .iter()
        .map(|[a, b]| cosine(&a.value, &b.value))
        .collect()
}

/// Pearson's correlation; `None` where one side has no spread.
fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - mean_x, y - mean_y);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    let correlation = xy / (xx * yy).sqrt();
    correlation.is_finite().then_some(correlation)
}

fn kind(name: TaskArgument) -> TaskKind {
    match name {
        TaskArgument::Stsb => TaskKind::StsB,
        TaskArgument::Sst2 => TaskKind::Sst2,
        TaskArgument::Cola => TaskKind::Cola,
    }
}

/// The loss and its interval, from the interval of plan - f32.
fn negative(interval: &Interval) -> (f64, f64, f64) {
    (-interval.difference, -interval.high, -interval.low)
}

/// What one text loses of its agreement with f32, in points.
fn disagreement(output: &Output, float: &Output, head: &Head) -> f64 {
    match head {
        Head::Classifier { .. } => 100.0 * f64::from(u8::from(label(output) != label(float))),
        _ => 100.0 * (1.0 - cosine(&output.value, &float.value)),
    }
}

/// How far one text's output is from f32.
fn deviation(output: &Output, float: &Output, head: &Head) -> f64 {
    match head {
        Head::Classifier { .. } => {
            let (p, q) = (log_probabilities(float), log_probabilities(output));
            let terms = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q));
            terms.sum::<f64>().max(0.0)
        }
        _ => (1.0 - cosine(&output.value, &float.value)).max(0.0),
    }
}

fn label(output: &Output) -> usize {
    let scores = &output.value;
    let best = (0..scores.len())
        .rev()
        .max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    best.unwrap_or(0)
}

fn log_probabilities(output: &Output) -> Vec<f64> {
    let scores = output.value.iter().map(|&score| f64::from(score));
    let highest = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.clone().map(|score| (score - highest).exp()).sum();
    scores.map(|score| score - highest - sum.ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(value: &[f32]) -> Output {
        Output {
            value: value.to_vec(),
            tiers: Vec::new(),
            trace: Vec::new(),
            hidden_states: Vec::new(),
        }
    }

    #[test]
    fn a_classifiers_deviation_is_the_divergence() {
        let labels = vec!["no".into(), "yes".into()];
        let head = Head::Classifier { labels };
        let (even, sure) = (output(&[0.0, 0.0]), output(&[0.0, 3.0_f32.ln()]));
        assert_eq!(deviation(&even, &even, &head), 0.0);
        // From (1/2, 1/2) to (1/4, 3/4): ln 2 / 2 + ln(2/3) / 2.
        let want = (2.0_f64.ln() + (2.0_f64 / 3.0).ln()) / 2.0;
        assert!((deviation(&sure, &even, &head) - want).abs() < 1e-6);
        // Shifted scores are the same probabilities.
        let shifted = output(&[7.0, 7.0 + 3.0_f32.ln()]);
        assert!(deviation(&shifted, &sure, &head) < 1e-6);
        assert_eq!(disagreement(&sure, &shifted, &head), 0.0);
        assert_eq!(disagreement(&output(&[1.0, 0.0]), &sure, &head), 100.0);
        // A tie is the first label, on both sides.
        assert_eq!(label(&even), 0);
    }

    #[test]
    fn correlation_sees_through_shift_and_scale() {
        let x = [0.1, 0.5, 0.2, 0.9];
        let y = x.map(|x| 0.3 + 0.5 * x);
        assert!((correlation(&x, &y).unwrap() - 1.0).abs() < 1e-12);
        assert!((correlation(&x, &y.map(|y| -y)).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&[1.0, 2.0], &[2.0, 2.0]), None);
    }
}
