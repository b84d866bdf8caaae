//! Labelled data sets as tasks: which texts a model runs on, and how its outputs
//! are scored.
//!
//! A new task is a type that implements [`Task`] and an entry of [`open`].

use std::path::Path;

use dtatrans_model::{Head, Output};

use crate::counted::{CountedLabels, CountedMetric, CountedSpearman, LabelMetric};
use crate::data::{cola, sst2, stsb};
use crate::{Error, Result};

/// The built-in tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// STS-B, sentence similarity.
    StsB,
    /// SST-2, sentiment.
    Sst2,
    /// CoLA, acceptability.
    Cola,
}

/// A labelled data set.
pub trait Task {
    /// Its short name.
    fn name(&self) -> &'static str;

    /// The name of its metric, which is in points (x 100).
    fn metric(&self) -> &'static str;

    /// Number of labelled items.
    fn items(&self) -> usize;

    /// The texts to run a model on.
    fn texts(&self) -> Vec<&str>;

    /// The metric of a model's outputs, one per text of [`texts`](Task::texts).
    ///
    /// # Errors
    ///
    /// [`Error::Head`] if the model gives something else than the task needs.
    fn score(&self, outputs: &[Output], head: &Head) -> Result<Box<dyn CountedMetric>>;
}

/// Reads a task's data from a file in its public format.
///
/// # Errors
///
/// What [`crate::data`]'s readers refuse.
pub fn open(kind: TaskKind, file: &Path) -> Result<Box<dyn Task>> {
    Ok(match kind {
        TaskKind::StsB => Box::new(Similarity(stsb::read(file)?)),
        TaskKind::Sst2 => Box::new(Labels {
            name: "sst2",
            metric: LabelMetric::Accuracy,
            rows: sst2::read(file)?
                .into_iter()
                .map(|row| (row.sentence, row.positive))
                .collect(),
        }),
        TaskKind::Cola => Box::new(Labels {
            name: "cola",
            metric: LabelMetric::Matthews,
            rows: cola::read(file)?
                .into_iter()
                .map(|row| (row.sentence, row.acceptable))
                .collect(),
        }),
    })
}

/// Cosine of two sentences' embeddings against people's scores, by rank.
struct Similarity(Vec<stsb::SentencePair>);

impl Task for Similarity {
    fn name(&self) -> &'static str {
        "stsb"
    }

    fn metric(&self) -> &'static str {
        "spearman"
    }

    fn items(&self) -> usize {
        self.0.len()
    }

    fn texts(&self) -> Vec<&str> {
        self.0
            .iter()
            .flat_map(|pair| [pair.first.as_str(), pair.second.as_str()])
            .collect()
    }

    fn score(&self, outputs: &[Output], head: &Head) -> Result<Box<dyn CountedMetric>> {
        let Head::Sentence(_) = head else {
            return Err(Error::Head {
                task: self.name(),
                needed: "a sentence encoder",
            });
        };
        let (pairs, _) = outputs.as_chunks::<2>();
        let predicted: Vec<f64> = pairs
            .iter()
            .map(|[a, b]| cosine(&a.value, &b.value))
            .collect();
        let truth: Vec<f64> = self.0.iter().map(|pair| pair.score).collect();
        Ok(Box::new(CountedSpearman::new(&predicted, &truth)?))
    }
}

/// A classifier's more probable label against the true one, 0 or 1.
struct Labels {
    name: &'static str,
    metric: LabelMetric,
    rows: Vec<(String, bool)>,
}

impl Task for Labels {
    fn name(&self) -> &'static str {
        self.name
    }

    fn metric(&self) -> &'static str {
        match self.metric {
            LabelMetric::Accuracy => "accuracy",
            LabelMetric::F1 => "f1",
            LabelMetric::Matthews => "matthews",
        }
    }

    fn items(&self) -> usize {
        self.rows.len()
    }

    fn texts(&self) -> Vec<&str> {
        self.rows.iter().map(|(text, _)| text.as_str()).collect()
    }

    fn score(&self, outputs: &[Output], head: &Head) -> Result<Box<dyn CountedMetric>> {
        match head {
            Head::Classifier { labels } if labels.len() == 2 => {}
            _ => {
                return Err(Error::Head {
                    task: self.name,
                    needed: "a classifier of two labels",
                });
            }
        }
        let predicted: Vec<bool> = outputs
            .iter()
            .map(|out| out.value[1] > out.value[0])
            .collect();
        let truth: Vec<bool> = self.rows.iter().map(|&(_, label)| label).collect();
        Ok(Box::new(CountedLabels::new(
            self.metric,
            &predicted,
            &truth,
        )?))
    }
}

/// The cosine of two vectors, 0 if one of them has no length.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 {
        dot(a, b) / lengths
    } else {
        0.0
    }
}
