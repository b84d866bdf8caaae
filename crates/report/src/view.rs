//! What a report shows: plain data, filled by the program, units in the names.

mod comparison;

use serde::{Deserialize, Serialize};

pub use comparison::*;

/// Everything that one page shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// What ran.
    pub run: Run,
    /// The accuracy of each variant, f32 first.
    pub accuracy: Vec<Accuracy>,
    /// Which variant is the plan: the page's headline figures are its own.
    pub plan_variant: String,
    /// Tiers given, one entry per layer, as shares of all tokens of the test texts.
    pub tier_shares: Vec<TierShares>,
    /// Shares of the dense 8-bit model's element-cycles that each variant saves.
    pub savings: Vec<Savings>,
    /// One sentence's tokens through the layers.
    pub heat_map: HeatMap,
    /// Simulated machines on attention alone (Q x K^T, P x V and what lies between).
    pub attention: Simulation,
    /// Simulated machines on all products of the encoder.
    pub encoder: Simulation,
    /// What the first machine's elements did over time while it ran one text.
    #[serde(default)]
    pub over_time: Option<OverTime>,
    /// The way from published accelerators to the first machine.
    #[serde(default)]
    pub ladder: Option<Ladder>,
    /// The plan's file.
    pub plan_toml: String,
    /// Remarks on how figures came about, one paragraph each.
    pub notes: Vec<String>,
}

/// The way from published accelerators to the variable-speed array.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ladder {
    /// What it was climbed on, in a few words.
    pub texts: String,
    /// The machines that it starts from: its first rungs.
    pub starts: Vec<String>,
    /// What the rungs' accuracy is.
    pub accuracy_measure: String,
    /// From the starts upwards.
    pub rungs: Vec<Rung>,
}

/// A rung of it, on the attention.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rung {
    /// What is new.
    pub cause: String,
    /// The machine's name.
    pub machine: String,
    /// Operations of the dense model over the time taken.
    pub effective_gops: f64,
    /// By start: its time over this one's.
    pub speed: Vec<f64>,
    /// By start: its energy over this one's, DRAM included.
    pub energy_gain: Vec<f64>,
    /// Higher is better.
    pub accuracy: f64,
}

/// What a machine's elements did in equal parts of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OverTime {
    /// The machine's name.
    pub machine: String,
    /// What it ran, in a few words.
    pub of: String,
    /// Cycles of the run.
    pub cycles: u64,
    /// What elements do, work first.
    pub causes: Vec<String>,
    /// For each part of the run the share of all elements for each cause.
    pub shares: Vec<Vec<f64>>,
}

/// What ran, where and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The model's name.
    pub model: String,
    /// Layers, hidden width and heads of the model.
    pub layers: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Heads per layer.
    pub heads: usize,
    /// The data set's name and what it is, in one sentence.
    pub data: String,
    /// Texts that trained the probe.
    pub train_texts: usize,
    /// Texts that were tested.
    pub test_texts: usize,
    /// Tokens of the tested texts.
    pub test_tokens: usize,
    /// Version of the program.
    pub version: String,
    /// Date of the run, ISO 8601.
    pub date: String,
    /// Processor, as the system names it.
    pub processor: String,
    /// Instruction set in use.
    pub instruction_set: String,
    /// Threads used.
    pub threads: usize,
    /// Operating system.
    pub system: String,
    /// Wall-clock seconds of each phase, in order.
    pub phases: Vec<Phase>,
}

/// One phase of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// The accuracy of one variant on the tested texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accuracy {
    /// `f32`, `8 bits`, the plan's name, ...
    pub variant: String,
    /// Accuracy in points (0 to 100).
    pub accuracy: f64,
    /// Paired difference to f32; `None` for f32 itself.
    pub difference: Option<Difference>,
    /// Mean cosine of the embeddings to f32's; `None` for f32 itself.
    pub mean_cosine: Option<f64>,
    /// Texts per second on this machine.
    pub texts_per_second: f64,
}

/// A paired difference to f32, in points.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// Variant minus f32.
    pub points: f64,
    /// Lower end of the 95 % bootstrap interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the interval leaves out 0.
    pub resolved: bool,
}

/// Shares of a layer's tokens, summing to 1.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TierShares {
    /// At 8 bits.
    pub eight: f64,
    /// At 4 bits.
    pub four: f64,
    /// At 0 bits.
    pub zero: f64,
}

/// What one variant saves of the dense 8-bit model's element-cycles, 0 to 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Savings {
    /// The variant.
    pub variant: String,
    /// Of Q x K^T and P x V.
    pub attention: f64,
    /// Of all products.
    pub encoder: f64,
}

/// One sentence's tokens through the layers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeatMap {
    /// The sentence.
    pub text: String,
    /// Its tokens, special ones included.
    pub tokens: Vec<String>,
    /// `tiers[layer][token]`: 8, 4 or 0 bits.
    pub tiers: Vec<Vec<u32>>,
    /// `importance[layer][token]`: the scores after that layer.
    pub importance: Vec<Vec<f32>>,
}

/// Simulated machines over the same texts; the first machine is the one that the
/// others are compared with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Simulation {
    /// One entry per machine.
    pub machines: Vec<Machine>,
}

/// What one machine needed for all tested texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The machine's name.
    pub name: String,
    /// What it is and what it was fed, in one sentence.
    pub description: String,
    /// Multipliers and their width, for example `512 x 4 bits`.
    pub multipliers: String,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// Cycles.
    pub cycles: u64,
    /// Time in microseconds.
    pub time_us: f64,
    /// Energy in microjoules, DRAM included.
    pub energy_uj: f64,
    /// Energy by part, in microjoules.
    pub energy_parts_uj: Vec<Part>,
    /// Dense-equivalent operations (2 per product of the unpruned model) per second, in 10^9.
    pub effective_gops: f64,
    /// Cycles by cause: the first is active work, the others are what kept the array idle.
    pub cycles_by_cause: Vec<Part>,
    /// The first machine's gains over this one; `None` where they should not be compared.
    pub first_speedup: Option<f64>,
    /// This machine's energy over the first machine's.
    pub first_energy_gain: Option<f64>,
}

/// A named part of a sum.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its value, in the unit of the sum.
    pub value: f64,
}
