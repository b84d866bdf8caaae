//! One probe, trained on f32 embeddings, tested on the embeddings of every
//! variant.

use anyhow::Result;
use dtatrans_model::Output;
use dtatrans_report::{Accuracy, Difference};
use dtatrans_tasks::bootstrap::{self, BootstrapOptions};
use dtatrans_tasks::counted::{CountedLabels, LabelMetric};
use dtatrans_tasks::metrics;
use dtatrans_tasks::probe::{Features, Probe, ProbeOptions};
use dtatrans_tasks::task::cosine;

use super::Variant;

/// The probe and the labels that it is tested against.
pub(super) struct Scores<'a> {
    probe: Probe,
    labels: &'a [bool],
}

impl<'a> Scores<'a> {
    /// Trains the probe.
    pub(super) fn new(
        train: &[Output],
        train_labels: &[bool],
        test_labels: &'a [bool],
    ) -> Result<Scores<'a>> {
        let values = rows(train);
        let features = Features::new(&values, train[0].value.len())?;
        Ok(Scores {
            probe: Probe::train(features, train_labels, &ProbeOptions::default())?,
            labels: test_labels,
        })
    }

    /// The accuracy of each variant; the first is the one that the others are
    /// compared with.
    pub(super) fn of(&self, variants: &[Variant]) -> Result<Vec<Accuracy>> {
        let predictions = variants
            .iter()
            .map(|variant| {
                let values = rows(&variant.outputs);
                let features = Features::new(&values, variant.outputs[0].value.len())?;
                Ok(self.probe.labels(features)?)
            })
            .collect::<Result<Vec<Vec<bool>>>>()?;
        let counted =
            |predicted: &[bool]| CountedLabels::new(LabelMetric::Accuracy, predicted, self.labels);
        let baseline = counted(&predictions[0])?;
        variants
            .iter()
            .zip(&predictions)
            .enumerate()
            .map(|(index, (variant, predicted))| {
                let difference = if index == 0 {
                    None
                } else {
                    let options = BootstrapOptions::default();
                    let interval = bootstrap::compare(&counted(predicted)?, &baseline, &options)?;
                    Some(Difference {
                        points: interval.difference,
                        low: interval.low,
                        high: interval.high,
                        resolved: interval.resolved,
                    })
                };
                Ok(Accuracy {
                    variant: variant.name.clone(),
                    accuracy: metrics::accuracy(predicted, self.labels)?,
                    difference,
                    mean_cosine: (index > 0).then(|| {
                        let pairs = variants[0].outputs.iter().zip(&variant.outputs);
                        let sum: f64 = pairs.map(|(a, b)| cosine(&a.value, &b.value)).sum();
                        sum / variant.outputs.len() as f64
                    }),
                    texts_per_second: variant.texts_per_second,
                })
            })
            .collect()
    }
}

fn rows(outputs: &[Output]) -> Vec<f32> {
    outputs
        .iter()
        .flat_map(|output| output.value.iter().copied())
        .collect()
}
