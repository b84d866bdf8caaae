//! CoNLL-2003: the tag that the model gives each word, read at the word's first token, and the
//! entities that follow from the tags.

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use super::{Prepared, Task, check_outputs};
use crate::counted::{CountedEntities, CountedMetric, EntityMetric};
use crate::data::conll::TaggedSentence;
use crate::entities::{EntityCounts, Tag};
use crate::{Error, Result};

pub(super) struct Tags(Vec<TaggedSentence>);

impl Tags {
    pub(super) fn new(sentences: Vec<TaggedSentence>) -> Tags {
        Tags(sentences)
    }
}

impl Task for Tags {
    fn name(&self) -> &'static str {
        "conll2003"
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["f1", "precision", "recall"]
    }

    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>> {
        let unfit = Error::Head {
            task: self.name(),
            needed: "a token classifier whose labels are O, B-... and I-...",
        };
        let labels = match head {
            Head::Tokens { labels } if labels.iter().all(|label| Tag::parse(label).is_some()) => {
                labels.clone()
            }
            _ => return Err(unfit),
        };
        let mut inputs = Vec::with_capacity(self.0.len());
        let mut first_tokens = Vec::with_capacity(self.0.len());
        for (sentence, number) in self.0.iter().zip(1..) {
            let words: Vec<&str> = sentence.words.iter().map(String::as_str).collect();
            let encoded = tokenizer
                .encode_words(&words)
                .map_err(|source| Error::Encode { number, source })?;
            inputs.push(encoded.encoding);
            first_tokens.push(encoded.first_tokens);
        }
        Ok(Box::new(Sentences {
            truth: &self.0,
            labels,
            inputs,
            first_tokens,
        }))
    }
}

struct Sentences<'t> {
    truth: &'t [TaggedSentence],
    /// The model's labels, each of which is a tag.
    labels: Vec<String>,
    inputs: Vec<Encoding>,
    /// Per sentence and word.
    first_tokens: Vec<Vec<Option<usize>>>,
}

impl Sentences<'_> {
    /// The tag of each word; a word without a token is in no entity.
    fn tags(&self, output: &Output, first_tokens: &[Option<usize>]) -> Vec<Tag<'_>> {
        let labels = self.labels.len();
        let tag = |token: usize| {
            let logits = &output.value[token * labels..(token + 1) * labels];
            // Of equals the first, as argmax has it.
            let best = (0..labels)
                .rev()
                .max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
            best.and_then(|best| Tag::parse(&self.labels[best]))
        };
        let outside = Tag::Outside;
        first_tokens
            .iter()
            .map(|token| token.and_then(tag).unwrap_or(outside))
            .collect()
    }
}

impl Prepared for Sentences<'_> {
    fn items(&self) -> usize {
        self.truth.len()
    }

    fn inputs(&self) -> &[Encoding] {
        &self.inputs
    }

    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>> {
        check_outputs(outputs, &self.inputs)?;
        let counts: Vec<EntityCounts> = outputs
            .iter()
            .zip(&self.first_tokens)
            .zip(self.truth)
            .map(|((output, first_tokens), truth)| {
                let tags = truth.tags.iter().filter_map(|tag| Tag::parse(tag));
                EntityCounts::of(&self.tags(output, first_tokens), &tags.collect::<Vec<_>>())
            })
            .collect();
        [
            EntityMetric::F1,
            EntityMetric::Precision,
            EntityMetric::Recall,
        ]
        .into_iter()
        .map(|metric| -> Result<Box<dyn CountedMetric>> {
            Ok(Box::new(CountedEntities::new(metric, counts.clone())?))
        })
        .collect()
    }
}
