//! Labelled data sets as tasks: which inputs a model runs on, and how its outputs
//! are scored.
//!
//! A new task is a file of this folder with a type that implements [`Task`], and an entry of
//! [`TaskSource`].

mod continuation;
mod labels;
mod probed;
mod questions;
mod similarity;
mod tags;

use std::path::PathBuf;

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use self::continuation::Continuation;
use self::labels::Labels;
use self::probed::Probed;
use self::questions::Questions;
use self::similarity::Similarity;
use self::tags::Tags;
use crate::counted::CountedMetric;
use crate::data::{conll, movie_reviews, read_all, squad, stsb, wikitext};
use crate::{Error, Result};

pub use self::similarity::cosine;

/// A task and where its data is. Where several files are given, they are taken as one, one after
/// the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskSource {
    /// STS-B: the similarity of sentences.
    StsB(Vec<PathBuf>),
    /// SST-2: sentiment.
    Sst2(Vec<PathBuf>),
    /// CoLA: acceptability.
    Cola(Vec<PathBuf>),
    /// Sentiment of movie-review snippets, none of which is in SST-2's files.
    MovieSnippets {
        /// Files of [`movie_reviews`].
        snippets: Vec<PathBuf>,
        /// SST-2 files whose sentences are left out.
        exclude: Vec<PathBuf>,
    },
    /// Sentiment by a probe on embeddings.
    Probe(ProbeFiles),
    /// WikiText: find the continuation of a passage.
    LongText {
        /// WikiText files.
        articles: Vec<PathBuf>,
        /// Which half of the articles.
        part: Part,
        /// The most tokens of a window, special ones included.
        window_tokens: usize,
    },
    /// CoNLL-2003: named entities.
    Conll(Vec<PathBuf>),
    /// SQuAD: answers as spans of a text.
    Squad(Vec<PathBuf>),
}

/// Where a probe's texts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeFiles {
    /// A file of [`movie_reviews`], from which [`split`](crate::split::split) draws a sample.
    MovieReviews {
        /// The file.
        file: PathBuf,
        /// What to test on: the sample's test items to report, what is in neither of its parts to
        /// choose. The training items are the same.
        part: Part,
    },
    /// Files of [`labelled`](crate::data::labelled) texts.
    Labelled {
        /// Texts to train on.
        train: Vec<PathBuf>,
        /// Texts to test on.
        test: Vec<PathBuf>,
    },
}

/// Part of a set that has no split of its own: choose on one, report the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// To choose plans and thresholds on.
    Choosing,
    /// For results.
    Reporting,
}

impl Part {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Choosing => "choosing",
            Part::Reporting => "reporting",
        }
    }

    /// Half of the items: 0, 2, 4, ... to choose on, 1, 3, 5, ... to report.
    pub fn of<T>(self, items: Vec<T>) -> Vec<T> {
        let skipped = match self {
            Part::Choosing => 0,
            Part::Reporting => 1,
        };
        items.into_iter().skip(skipped).step_by(2).collect()
    }
}

/// A labelled data set.
pub trait Task: Sync {
    /// Its short name.
    fn name(&self) -> &'static str;

    /// The names of its metrics, which are in points (x 100); the first is the one that counts.
    fn metrics(&self) -> &'static [&'static str];

    /// The name of the metric that counts.
    fn metric(&self) -> &'static str {
        self.metrics()[0]
    }

    /// Encodes the task's texts for a model with this tokenizer and head.
    ///
    /// # Errors
    ///
    /// [`Error::Head`] if the model gives something else than the task needs, [`Error::Encode`] if
    /// a text cannot be encoded, and what the task itself says.
    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>>;
}

/// A task made ready for a model.
pub trait Prepared: Sync {
    /// Number of labelled items: what the metrics are means over.
    fn items(&self) -> usize;

    /// What to run the model on.
    fn inputs(&self) -> &[Encoding];

    /// What to run the model on at f32 before anything is scored, for [`train`](Prepared::train);
    /// for most tasks nothing.
    fn training_inputs(&self) -> &[Encoding] {
        &[]
    }

    /// Learns from the outputs of [`training_inputs`](Prepared::training_inputs).
    ///
    /// # Errors
    ///
    /// Where nothing can be learned from them.
    fn train(&mut self, _outputs: &[Output]) -> Result<()> {
        Ok(())
    }

    /// Pairs of inputs whose cosines the metric ranks, a fair sample where these are many; empty
    /// where it ranks none.
    fn ranked_pairs(&self) -> Vec<(usize, usize)> {
        Vec::new()
    }

    /// The metrics of a model's outputs, one output per input, in the order of [`Task::metrics`].
    /// Their items are what is drawn together in a resample.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] for another number of outputs, [`Error::Untrained`].
    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>>;
}

impl TaskSource {
    /// Reads the task's data from files in its public format.
    ///
    /// # Errors
    ///
    /// What [`crate::data`]'s readers refuse, and [`Error::AllExcluded`].
    pub fn open(&self) -> Result<Box<dyn Task>> {
        Ok(match self {
            TaskSource::StsB(files) => Box::new(Similarity::new(read_all(files, stsb::read)?)),
            TaskSource::Sst2(files) => Box::new(Labels::sst2(files)?),
            TaskSource::Cola(files) => Box::new(Labels::cola(files)?),
            TaskSource::MovieSnippets { snippets, exclude } => {
                let snippets = read_all(snippets, movie_reviews::read)?;
                Box::new(Labels::movie_snippets(snippets, exclude)?)
            }
            TaskSource::Probe(files) => Box::new(Probed::read(files)?),
            TaskSource::LongText {
                articles,
                part,
                window_tokens,
            } => Box::new(Continuation::new(
                read_all(articles, wikitext::read)?,
                *part,
                *window_tokens,
            )),
            TaskSource::Conll(files) => Box::new(Tags::new(read_all(files, conll::read)?)),
            TaskSource::Squad(files) => Box::new(Questions::new(read_all(files, squad::read)?)),
        })
    }
}

/// Encodes each text.
fn encode<'t>(
    tokenizer: &TextTokenizer,
    texts: impl IntoIterator<Item = &'t str>,
) -> Result<Vec<Encoding>> {
    let encode = |(text, number)| {
        tokenizer
            .encode(text)
            .map_err(|source| Error::Encode { number, source })
    };
    texts.into_iter().zip(1..).map(encode).collect()
}

/// That there is one output per input.
fn check_outputs(outputs: &[Output], inputs: &[Encoding]) -> Result<()> {
    crate::metrics::check_lengths("outputs against inputs", outputs.len(), inputs.len())
}

/// That the model is a sentence encoder.
fn check_encoder(task: &'static str, head: &Head) -> Result<()> {
    match head {
        Head::Sentence(_) => Ok(()),
        _ => Err(Error::Head {
            task,
            needed: "a sentence encoder",
        }),
    }
}
