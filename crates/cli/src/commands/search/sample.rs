//! The texts that plans are measured on, and what a plan loses on them.
//!
//! All that the search knows of tasks is here.

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Head, Output, Precision};
use dtatrans_tasks::bootstrap::{self, BootstrapOptions, Interval};
use dtatrans_tasks::counted::CountedMetric;
use dtatrans_tasks::task::cosine;
use dtatrans_tasks::{Error, Prepared};

use crate::{console, texts};

use super::subject::Material;

/// The 97.5 % quantile of the standard normal distribution: an interval of 95 %
/// is twice as many standard errors wide.
const NORMAL_975: f64 = 1.959_964;

/// How many of the windows behind it each window of a long text is compared
/// with.
const WINDOWS_BEHIND: usize = 8;

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
    guide: Guide,
}

/// The smooth measure that leads the search.
enum Guide {
    /// Of tasks that rank pairs of these outputs: 1 - the correlation of the
    /// pairs' cosines with those at f32. What moves all embeddings alike changes
    /// no ranking, and does not count.
    Pairs(Vec<(usize, usize)>),
    /// The mean of each output's own deviation from f32.
    Outputs,
}

impl Guide {
    /// That of a task with this name and number of outputs.
    fn of(task: &str, outputs: usize) -> Guide {
        match task {
            "stsb" => Guide::Pairs(
                (0..outputs / 2)
                    .map(|pair| (2 * pair, 2 * pair + 1))
                    .collect(),
            ),
            "long-text" => {
                let behind = |a: usize| (a + 1..=a + WINDOWS_BEHIND).map(move |b| (a, b));
                let pairs = (0..outputs).flat_map(behind);
                Guide::Pairs(pairs.filter(|&(_, b)| b < outputs).collect())
            }
            _ => Guide::Outputs,
        }
    }
}

/// What a plan loses.
pub(super) struct Measured {
    /// In points; below 0 where it gains.
    pub(super) loss: f64,
    /// The 95 % interval of the loss.
    pub(super) interval: (f64, f64),
    /// The standard error of the loss.
    pub(super) standard_error: f64,
    /// The deviation of the outputs from f32, without unit: of ranked pairs 1 -
    /// the correlation of their cosines, else the mean of 1 - cosine, or of the
    /// Kullback-Leibler divergence of the labels' probabilities in nats.
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
                    guide: Guide::Outputs,
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
            guide: Guide::of(task.name(), float.len()),
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
        Ok(Measured {
            loss,
            interval: (low, high),
            standard_error: (high - low) / (2.0 * NORMAL_975),
            guide: self.guide(outputs, head),
        })
    }

    fn guide(&self, outputs: &[Output], head: &Head) -> f64 {
        match &self.guide {
            Guide::Pairs(pairs) => {
                let cosines = |outputs: &[Output]| -> Vec<f64> {
                    let pairs = pairs.iter();
                    pairs
                        .map(|&(a, b)| cosine(&outputs[a].value, &outputs[b].value))
                        .collect()
                };
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

/// The metric that counts.
fn counting(prepared: &dyn Prepared, outputs: &[Output]) -> Result<Box<dyn CountedMetric>> {
    match prepared.score(outputs)?.into_iter().next() {
        Some(metric) => Ok(metric),
        None => bail!("the task has no metric"),
    }
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

/// The loss and its interval, from the interval of plan - f32.
fn negative(interval: &Interval) -> (f64, f64, f64) {
    (-interval.difference, -interval.high, -interval.low)
}

/// What one text loses of its agreement with f32, in points.
fn disagreement(output: &Output, float: &Output, head: &Head) -> f64 {
    match (scores(output, head), scores(float, head)) {
        (Some(own), Some(float)) => {
            let pairs = own.iter().zip(&float);
            let other = pairs.filter(|(own, float)| label(own) != label(float));
            100.0 * other.count() as f64 / float.len() as f64
        }
        _ => 100.0 * (1.0 - cosine(&output.value, &float.value)),
    }
}

/// How far one text's output is from f32.
fn deviation(output: &Output, float: &Output, head: &Head) -> f64 {
    match (scores(output, head), scores(float, head)) {
        (Some(own), Some(float)) => {
            let pairs = own.iter().zip(&float);
            let sum: f64 = pairs.map(|(own, float)| divergence(float, own)).sum();
            sum / float.len() as f64
        }
        _ => (1.0 - cosine(&output.value, &float.value)).max(0.0),
    }
}

/// The scores of each choice that a head makes: of the text's label, of each
/// token's label, or of the first and the last token of an answer. `None` of a
/// sentence encoder.
fn scores(output: &Output, head: &Head) -> Option<Vec<Vec<f64>>> {
    let value = || output.value.iter().map(|&score| f64::from(score));
    match head {
        Head::Sentence(_) => None,
        Head::Classifier { .. } => Some(vec![value().collect()]),
        Head::Tokens { labels } => {
            let all: Vec<f64> = value().collect();
            let tokens = all.chunks(labels.len().max(1));
            Some(tokens.map(<[f64]>::to_vec).collect())
        }
        Head::Span => {
            let every_other = |first| value().skip(first).step_by(2).collect();
            Some(vec![every_other(0), every_other(1)])
        }
    }
}

/// The place of the highest score, the first of equal ones.
fn label(scores: &[f64]) -> usize {
    let best = (0..scores.len())
        .rev()
        .max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    best.unwrap_or(0)
}

/// The Kullback-Leibler divergence of the probabilities of `q` from those of
/// `p`, in nats.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let (p, q) = (log_probabilities(p), log_probabilities(q));
    let terms = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q));
    terms.sum::<f64>().max(0.0)
}

fn log_probabilities(scores: &[f64]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
    let log = |score: &f64| score - highest - sum.ln();
    scores.iter().map(log).collect()
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
        assert_eq!(label(&[0.0, 0.0]), 0);
    }

    #[test]
    fn heads_that_read_out_every_token_agree_token_by_token() {
        let labels = vec!["O".into(), "B-PER".into()];
        let head = Head::Tokens { labels };
        let float = output(&[1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0]);
        let other = output(&[1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 2.0]);
        assert_eq!(disagreement(&other, &float, &head), 25.0);
        // One token of four, from (1/(1+e), e/(1+e)) to its mirror image.
        let e = 1.0_f64.exp();
        let want = (e - 1.0) / (e + 1.0) / 4.0;
        assert!((deviation(&other, &float, &head) - want).abs() < 1e-6);
        // As a span both begin at the third token, and the ends differ.
        assert_eq!(disagreement(&other, &float, &Head::Span), 0.0);
        let ends = output(&[1.0, 9.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0]);
        assert_eq!(disagreement(&ends, &float, &Head::Span), 50.0);
    }

    #[test]
    fn windows_are_compared_with_those_behind_them() {
        let Guide::Pairs(pairs) = Guide::of("long-text", 10) else {
            panic!("embeddings are ranked");
        };
        assert_eq!(pairs.len(), 8 + 8 + 7 + 6 + 5 + 4 + 3 + 2 + 1);
        assert_eq!(pairs[8], (1, 2));
        let Guide::Pairs(pairs) = Guide::of("stsb", 4) else {
            panic!("pairs are ranked");
        };
        assert_eq!(pairs, [(0, 1), (2, 3)]);
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
