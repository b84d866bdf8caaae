//! The arguments of `eval`, and those of tasks, which others take too.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{BitsArgument, ModelArguments};

#[derive(Args, Debug)]
pub(crate) struct EvalArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    #[command(flatten)]
    pub(crate) precisions: EvalPrecisionArguments,

    /// The task, which says what the files hold and how they are scored
    #[arg(long, value_enum, value_name = "TASK")]
    pub(crate) task: TaskArgument,

    #[command(flatten)]
    pub(crate) files: TaskFiles,

    /// Also run at f32, once, and give the paired difference with its 95 % interval and the
    /// deviation of the outputs
    #[arg(long)]
    pub(crate) against_f32: bool,

    /// Decides which items the intervals' resamples draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// For lm: read the first N tokens of a window at once, then score the next ones step by step,
    /// as generation runs [default: read whole windows]
    #[arg(long, value_name = "N", requires = "score")]
    pub(crate) context: Option<usize>,

    /// For lm: how many tokens to score step by step
    #[arg(long, value_name = "M", requires = "context")]
    pub(crate) score: Option<usize>,

    /// For lm: the most windows [default: as many as the text has]
    #[arg(long, value_name = "N")]
    pub(crate) windows: Option<usize>,

    /// For needle: how many prompts [default: 400]
    #[arg(long, value_name = "N")]
    pub(crate) prompts: Option<usize>,

    /// For needle: the least tokens of a prompt [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) least_tokens: Option<usize>,

    /// For needle: the most tokens of a prompt [default: 4000]
    #[arg(long, value_name = "N")]
    pub(crate) most_tokens: Option<usize>,

    /// For needle: write the prompts here, for other programs: one JSON object a line with the
    /// tokens (`ids`), what the answer must begin with (`answer`) and `depth`
    #[arg(long, value_name = "FILE")]
    pub(crate) save_prompts: Option<PathBuf>,
}

/// What to compute in, one run each.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct EvalPrecisionArguments {
    /// A plan file, or `default` for the model's default plan; may be given several times, for one
    /// result each
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Vec<PathBuf>,

    /// The same for every token: 32 (floats), 8 or 4 bits
    #[arg(long, value_enum, value_name = "BITS")]
    pub(crate) bits: Option<BitsArgument>,
}

/// A task.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskArgument {
    /// Sentence similarity, Spearman; tab-separated: sentence1, sentence2, score; with a header
    Stsb,
    /// Sentiment, accuracy; tab-separated: sentence, label; with a header
    Sst2,
    /// Acceptability, Matthews; tab-separated: source, label, mark, sentence; no header
    Cola,
    /// Sentiment of movie-review snippets, accuracy; tab-separated: id, rating, text; no header
    MovieSnippets,
    /// Sentiment by a probe on f32 embeddings, accuracy; tab-separated: label, text; or as sst2
    Probe,
    /// Find a passage's continuation, mean reciprocal rank and recall@1; WikiText's plain text
    LongText,
    /// Named entities, F1, precision and recall; columns: word, ..., tag
    Conll2003,
    /// Answers in a text, F1 and exact match; SQuAD's JSON, version 1.1 or 2
    Squad,
    /// What comes next, perplexity of a decoder; any text
    Lm,
    /// A fact asked for at the end of a long text, share of a decoder's right answers; any text to
    /// hide it in
    Needle,
}

impl TaskArgument {
    /// The name that a user types.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// The files of a task, and what of them counts.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TaskFiles {
    /// A file of the data set, in the task's public format; may be given several times, and is read
    /// as one [default for movie-snippets and probe: the built-in movie reviews]
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Vec<PathBuf>,

    /// For movie-snippets: an SST-2 file whose sentences are left out; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Vec<PathBuf>,

    /// For probe: a file of texts to train on; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) train: Vec<PathBuf>,

    /// For long-text: which half of the articles; for the built-in probe: which of its texts; for
    /// lm and needle: which half of the text [default of eval: reporting, for lm all; of search and calibrate:
    /// choosing]
    #[arg(long, value_enum, value_name = "PART")]
    pub(crate) part: Option<PartArgument>,

    /// For long-text: the most tokens of a window, special ones included [default: 384]; for lm: the
    /// tokens of a window [default: 1024, or what the model takes]
    #[arg(long, value_name = "N")]
    pub(crate) window_tokens: Option<u16>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartArgument {
    /// Articles 0, 2, 4, ..., all texts outside the probe's sample, or the first half: to choose
    /// plans on
    Choosing,
    /// Articles 1, 3, 5, ..., the 2,000 texts of the sample, or the second half: to report
    Reporting,
}
