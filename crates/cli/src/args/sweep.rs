//! The arguments of `dtatrans sweep` and `dtatrans merge`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dtatrans_sweep::Share;

#[derive(Args, Debug)]
pub(crate) struct SweepArguments {
    /// What to simulate: machines, traces and plans
    #[arg(value_name = "SWEEP.TOML")]
    pub(crate) sweep: PathBuf,

    /// The table to fill, or to go on with [default: the sweep's file with .csv, and with --shard
    /// 1/3 with .1-of-3.csv]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Simulate one share of N only, for `dtatrans merge`
    #[arg(long, value_name = "I/N", conflicts_with_all = ["plot", "scope"])]
    pub(crate) shard: Option<Share>,

    #[command(flatten)]
    pub(crate) front: FrontArguments,
}

#[derive(Args, Debug)]
pub(crate) struct MergeArguments {
    /// The table to write
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,

    /// All shares of one sweep, in any order
    #[arg(value_name = "SHARE", required = true)]
    pub(crate) shares: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) front: FrontArguments,
}

/// What becomes of a complete table.
#[derive(Args, Debug)]
pub(crate) struct FrontArguments {
    /// Draw time against energy with the Pareto front, as an SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,

    /// What of the model the plot and the printed front are about
    #[arg(long, value_enum, value_name = "SCOPE", default_value_t = SweepScopeArgument::Encoder)]
    pub(crate) scope: SweepScopeArgument,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepScopeArgument {
    /// Q x K^T, P x V and what lies between
    Attention,
    /// All products of the layers
    Encoder,
    /// These, with what stands before and behind the layers
    Model,
}

impl SweepScopeArgument {
    /// The name in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SweepScopeArgument::Attention => "attention",
            SweepScopeArgument::Encoder => "encoder",
            SweepScopeArgument::Model => "model",
        }
    }
}
