//! The arguments of `dtatrans search`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dtatrans_accel::machine::Setting;

use super::{ModelArguments, TaskArgument, TaskFiles};

#[derive(Args, Debug)]
pub(crate) struct SearchArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// Lose little of this task's metric on calibration data
    #[arg(
        long,
        value_enum,
        value_name = "TASK",
        conflicts_with = "objective",
        required_unless_present = "objective"
    )]
    pub(crate) task: Option<TaskArgument>,

    #[command(flatten)]
    pub(crate) files: TaskFiles,

    /// Lose little of what can be measured on unlabelled texts; needs --texts
    #[arg(long, value_enum, value_name = "WHAT", requires = "texts")]
    pub(crate) objective: Option<ObjectiveArgument>,

    /// Calibration texts, one a line
    #[arg(long, value_name = "FILE", requires = "objective")]
    pub(crate) texts: Option<PathBuf>,

    /// The loss that the plan may have against f32, in points, for lm in per cent of the perplexity
    #[arg(long, value_name = "POINTS", value_parser = not_negative,
        required_unless_present = "cost_budget")]
    pub(crate) budget: Option<f64>,

    /// Instead: the cost that the plan may have, as a share of what all tokens at 8 bits cost; the
    /// plan of least harm is chosen then
    #[arg(long, value_name = "SHARE", value_parser = not_negative, conflicts_with = "budget")]
    pub(crate) cost_budget: Option<f64>,

    /// Standard errors of the measured loss by which the plan stays below the budget
    #[arg(long, value_name = "N", default_value_t = 0.5, value_parser = not_negative)]
    pub(crate) margin: f64,

    /// What is to become least [default: element-cycles, of lm cache-bytes]
    #[arg(long, value_enum, value_name = "COST")]
    pub(crate) cost: Option<CostArgument>,

    /// For lm: how many tokens of each window to read at once [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<usize>,

    /// For lm: how many tokens to score step by step [default: 128]
    #[arg(long, value_name = "M")]
    pub(crate) score: Option<usize>,

    /// For lm: the most windows [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) windows: Option<usize>,

    /// The part of the model whose cost counts [default: attention; cpu-time: all of
    /// it]
    #[arg(long, value_enum, value_name = "PART")]
    pub(crate) scope: Option<ScopeArgument>,

    /// The machine of --cost cycles and energy: a built-in one's name or a machine file
    #[arg(long, value_name = "NAME|FILE", default_value = "vssa-512")]
    pub(crate) machine: String,

    /// A change to the machine's file, such as `pruning.source=trace`; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<Setting>,

    /// Plans to evaluate
    #[arg(long, short = 'n', value_name = "N", default_value_t = 150,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) evaluations: u32,

    /// Decides all draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// The plan whose keys are kept and whose ratios are among the first tried; `default` is the
    /// model's default plan [default: the keys of --bits 4; for lm 8 bits, balanced, and a cache at
    /// tiers by attention]
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,

    /// Also choose these keys of the plan: KEY,KEY tries the values worth trying, KEY=VALUE,VALUE
    /// those given; layer-compensation, heads and values (shares that stay, as SpAtten prunes them)
    /// are each layer's own; may be given several times
    #[arg(long, value_name = "KEYS")]
    pub(crate) vary: Vec<String>,

    /// Shares of tokens are multiples of this
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) step: f64,

    /// Texts, one a line, from which the parameters of plans that need a calibration are found
    /// [default: those of the data or --texts]
    #[arg(long, value_name = "FILE")]
    pub(crate) calibration_texts: Option<PathBuf>,

    /// Tokens of them that are used for each plan that is tried; the plan that is written gets all
    #[arg(long, value_name = "N", default_value_t = 20_000,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calibration_tokens: u32,

    /// Keep each evaluation here; the same command goes on where it was stopped
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Write the plan that was found here; my.toml gets its calibration beside it as
    /// my.safetensors, if it needs one
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Measure the plan that was found on this file as well, which the search does not see; may be
    /// given several times, and is read as one
    #[arg(long, value_name = "FILE")]
    pub(crate) validate: Vec<PathBuf>,

    /// The task of the files of --validate [default: that of --task]
    #[arg(
        long,
        value_enum,
        value_name = "TASK",
        requires = "validate",
        requires = "task"
    )]
    pub(crate) validate_task: Option<TaskArgument>,

    /// Also let uniform and linear schedules and random search find a plan, with as many
    /// evaluations each
    #[arg(long)]
    pub(crate) compare: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectiveArgument {
    /// Sentence encoders: 100 x (1 - cosine to f32); classifiers: % of texts with another label
    /// than at f32
    Agreement,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CostArgument {
    /// Element-cycles of the matrix products
    ElementCycles,
    /// Cycles on the simulated machine
    Cycles,
    /// Energy on the simulated machine
    Energy,
    /// Time on this processor: not the same in each run
    CpuTime,
    /// Bytes of a decoder's cache after the last token of a window
    CacheBytes,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeArgument {
    /// Q x K^T and P x V
    Attention,
    /// All products of the layers
    Encoder,
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("must be a number from 0 on".into()),
    }
}
