//! STS-B: cosine of two sentences' embeddings against people's scores, by rank.

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use super::{Prepared, Task, check_encoder, check_outputs, encode};
use crate::Result;
use crate::counted::{CountedMetric, CountedSpearman};
use crate::data::stsb::SentencePair;

pub(super) struct Similarity(Vec<SentencePair>);

impl Similarity {
    pub(super) fn new(pairs: Vec<SentencePair>) -> Similarity {
        Similarity(pairs)
    }

    /// Two texts per pair.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter();
        pairs.flat_map(|pair| [pair.first.as_str(), pair.second.as_str()])
    }

    fn spearman(&self, outputs: &[Output]) -> Result<Box<dyn CountedMetric>> {
        let (pairs, _) = outputs.as_chunks::<2>();
        let predicted: Vec<f64> = pairs
            .iter()
            .map(|[a, b]| cosine(&a.value, &b.value))
            .collect();
        let truth: Vec<f64> = self.0.iter().map(|pair| pair.score).collect();
        Ok(Box::new(CountedSpearman::new(&predicted, &truth)?))
    }
}

impl Task for Similarity {
    fn name(&self) -> &'static str {
        "stsb"
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["spearman"]
    }

    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>> {
        check_encoder(self.name(), head)?;
        Ok(Box::new(Pairs {
            task: self,
            inputs: encode(tokenizer, self.texts())?,
        }))
    }
}

/// The pairs, encoded.
struct Pairs<'t> {
    task: &'t Similarity,
    /// Two per pair.
    inputs: Vec<Encoding>,
}

impl Prepared for Pairs<'_> {
    fn items(&self) -> usize {
        self.task.0.len()
    }

    fn inputs(&self) -> &[Encoding] {
        &self.inputs
    }

    fn ranked_pairs(&self) -> Vec<(usize, usize)> {
        let pairs = 0..self.items();
        pairs.map(|pair| (2 * pair, 2 * pair + 1)).collect()
    }

    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>> {
        check_outputs(outputs, &self.inputs)?;
        Ok(vec![self.task.spearman(outputs)?])
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
