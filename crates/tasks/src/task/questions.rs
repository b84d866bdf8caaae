//! SQuAD: the span of a text that answers a question.

use std::ops::Range;

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use super::{Prepared, Task, check_outputs};
use crate::answers::AnswerScore;
use crate::counted::{CountedMean, CountedMetric};
use crate::data::squad::Question;
use crate::spans::{self, Scored};
use crate::{Error, Result};

/// How many tokens of the context neighbouring windows share.
const STRIDE: usize = 128;

pub(super) struct Questions(Vec<Question>);

impl Questions {
    pub(super) fn new(questions: Vec<Question>) -> Questions {
        Questions(questions)
    }
}

impl Task for Questions {
    fn name(&self) -> &'static str {
        "squad"
    }

    fn metrics(&self) -> &'static [&'static str] {
        &["f1", "exact_match"]
    }

    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>> {
        if *head != Head::Span {
            return Err(Error::Head {
                task: self.name(),
                needed: "a span extractor (BertForQuestionAnswering)",
            });
        }
        let mut contexts = Contexts {
            questions: &self.0,
            inputs: Vec::new(),
            places: Vec::new(),
            windows: Vec::new(),
        };
        for (question, number) in self.0.iter().zip(1..) {
            let asked = question.question.trim_start();
            let windows = tokenizer
                .encode_windows(asked, &question.context, STRIDE)
                .map_err(|source| Error::Encode { number, source })?;
            let start = contexts.inputs.len();
            contexts.windows.push(start..start + windows.len());
            for window in windows {
                contexts.inputs.push(window.encoding);
                contexts.places.push(window.places);
            }
        }
        Ok(Box::new(contexts))
    }
}

struct Contexts<'t> {
    questions: &'t [Question],
    inputs: Vec<Encoding>,
    /// Per input: the bytes of the context that each token stands for.
    places: Vec<Vec<Option<Range<usize>>>>,
    /// Per question: its inputs.
    windows: Vec<Range<usize>>,
}

impl Prepared for Contexts<'_> {
    fn items(&self) -> usize {
        self.questions.len()
    }

    fn inputs(&self) -> &[Encoding] {
        &self.inputs
    }

    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>> {
        check_outputs(outputs, &self.inputs)?;
        let scores: Vec<AnswerScore> = self
            .questions
            .iter()
            .zip(&self.windows)
            .map(|(question, windows)| {
                let scored = outputs[windows.clone()]
                    .iter()
                    .zip(&self.places[windows.clone()]);
                let scored: Vec<Scored> = scored
                    .map(|(output, places)| Scored {
                        logits: &output.value,
                        places,
                    })
                    .collect();
                let span = spans::best_answer(&scored, question.may_lack_answer);
                let answer = question.context.get(span).unwrap_or_default();
                AnswerScore::best(answer, &question.answers)
            })
            .collect();
        let mean = |value: fn(&AnswerScore) -> f64| -> Result<Box<dyn CountedMetric>> {
            Ok(Box::new(CountedMean::new(
                scores.iter().map(|score| [value(score)]),
            )?))
        };
        Ok(vec![mean(|score| score.f1)?, mean(|score| score.exact)?])
    }
}
