//! Sentiment by a probe: trained on embeddings at f32, tested on those of the run.

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use super::{Part, Prepared, ProbeFiles, Task, check_encoder, check_outputs, encode};
use crate::counted::{CountedLabels, CountedMetric, LabelMetric};
use crate::data::movie_reviews::{self, Snippet};
use crate::data::{labelled, read_all};
use crate::probe::{Features, Probe, ProbeOptions};
use crate::split::{SplitSizes, split};
use crate::{Error, Result};

const NAME: &str = "probe";

pub(super) struct Probed {
    train: Texts,
    test: Texts,
}

#[derive(Default)]
struct Texts {
    texts: Vec<String>,
    labels: Vec<bool>,
}

impl Texts {
    fn of(rows: impl IntoIterator<Item = (String, bool)>) -> Texts {
        let (texts, labels) = rows.into_iter().unzip();
        Texts { texts, labels }
    }

    fn encode(&self, tokenizer: &TextTokenizer) -> Result<Vec<Encoding>> {
        encode(tokenizer, self.texts.iter().map(String::as_str))
    }
}

impl Probed {
    pub(super) fn read(files: &ProbeFiles) -> Result<Probed> {
        Ok(match files {
            ProbeFiles::MovieReviews { file, part } => {
                let snippets = movie_reviews::read(file)?;
                let split = split(&snippets, SplitSizes::default())?;
                let texts = |snippets: &[&Snippet]| {
                    Texts::of(snippets.iter().map(|s| (s.text.clone(), s.positive())))
                };
                Probed {
                    train: texts(&split.train),
                    test: texts(match part {
                        Part::Choosing => &split.rest,
                        Part::Reporting => &split.test,
                    }),
                }
            }
            ProbeFiles::Labelled { train, test } => {
                let texts = |files| -> Result<Texts> {
                    let rows = read_all(files, labelled::read)?.into_iter();
                    Ok(Texts::of(rows.map(|row| (row.text, row.positive))))
                };
                Probed {
                    train: texts(train)?,
                    test: texts(test)?,
                }
            }
        })
    }
}

impl Task for Probed {
    fn name(&self) -> &'static str {
        NAME
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["accuracy"]
    }

    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>> {
        check_encoder(NAME, head)?;
        Ok(Box::new(Embedded {
            task: self,
            training_inputs: self.train.encode(tokenizer)?,
            inputs: self.test.encode(tokenizer)?,
            probe: None,
        }))
    }
}

struct Embedded<'t> {
    task: &'t Probed,
    training_inputs: Vec<Encoding>,
    inputs: Vec<Encoding>,
    probe: Option<Probe>,
}

impl Prepared for Embedded<'_> {
    fn items(&self) -> usize {
        self.inputs.len()
    }

    fn inputs(&self) -> &[Encoding] {
        &self.inputs
    }

    fn training_inputs(&self) -> &[Encoding] {
        &self.training_inputs
    }

    fn train(&mut self, outputs: &[Output]) -> Result<()> {
        check_outputs(outputs, &self.training_inputs)?;
        let (values, width) = rows(outputs);
        let features = Features::new(&values, width)?;
        let labels = &self.task.train.labels;
        self.probe = Some(Probe::train(features, labels, &ProbeOptions::default())?);
        Ok(())
    }

    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>> {
        check_outputs(outputs, &self.inputs)?;
        let probe = self.probe.as_ref().ok_or(Error::Untrained { task: NAME })?;
        let (values, width) = rows(outputs);
        let predicted = probe.labels(Features::new(&values, width)?)?;
        let labels = &self.task.test.labels;
        let counted = CountedLabels::new(LabelMetric::Accuracy, &predicted, labels)?;
        Ok(vec![Box::new(counted)])
    }
}

/// The embeddings one after the other, and their width.
fn rows(outputs: &[Output]) -> (Vec<f32>, usize) {
    let values = outputs.iter().flat_map(|out| out.value.iter().copied());
    (
        values.collect(),
        outputs.first().map_or(0, |out| out.value.len()),
    )
}
