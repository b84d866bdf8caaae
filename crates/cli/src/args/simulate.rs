//! The arguments of `simulate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dtatrans_accel::machine::Setting;
use dtatrans_precision::Bits;

use super::ShapeArguments;

/// Bits of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OperandBits {
    /// 8 bits
    #[value(name = "8")]
    Eight,
    /// 4 bits
    #[value(name = "4")]
    Four,
}

impl From<OperandBits> for Bits {
    fn from(bits: OperandBits) -> Bits {
        match bits {
            OperandBits::Eight => Bits::Eight,
            OperandBits::Four => Bits::Four,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct SimulateArguments {
    /// The trace; `-` is standard input
    #[arg(value_name = "TRACE", required_unless_present_any = ["gemm", "spatten_trace"])]
    pub(crate) trace: Option<PathBuf>,

    /// Instead of a trace a list of matrix products, SCALE-Sim's GEMM file: `Layer, M, N, K` a
    /// line, M x K times K x N; they run one after the other on the machines' arrays
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["trace", "shape", "perfetto", "scalesim"],
        requires = "machine"
    )]
    pub(crate) gemm: Option<PathBuf>,

    /// Instead of a trace one of the public release of SpAtten (`summary-*.csv` of
    /// mit-han-lab/spatten): its own pruning and quantization, on machines of kind spatten
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["trace", "gemm", "perfetto", "scalesim"],
        requires = "machine"
    )]
    pub(crate) spatten_trace: Option<PathBuf>,

    /// Bits of the products' left operands
    #[arg(long, value_enum, requires = "gemm", default_value = "8")]
    pub(crate) left_bits: OperandBits,

    /// Bits of the products' right operands
    #[arg(long, value_enum, requires = "gemm", default_value = "8")]
    pub(crate) right_bits: OperandBits,

    /// A built-in machine's name or a machine file; may be given several times [default: all that
    /// are built in]
    #[arg(long, short, value_name = "NAME|FILE")]
    pub(crate) machine: Vec<String>,

    /// A change to the machines' files, such as `array.rows=64`; may be given several times
    #[arg(long, value_name = "KEY=VALUE", requires = "machine")]
    pub(crate) set: Vec<Setting>,

    #[command(flatten)]
    pub(crate) shape: ShapeArguments,

    /// Write a table of comma-separated values: a row for each machine, scope, layer and operation,
    /// or for each machine and product
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// Write when each unit of the machine did what, as a trace for ui.perfetto.dev or
    /// chrome://tracing; of one input on one machine
    #[arg(long, value_name = "FILE")]
    pub(crate) perfetto: Option<PathBuf>,

    /// The layer that --perfetto shows, from 0 [default: all]
    #[arg(long, value_name = "N", requires = "perfetto")]
    pub(crate) layer: Option<usize>,

    /// Write COMPUTE_REPORT.csv, BANDWIDTH_REPORT.csv and DETAILED_ACCESS_REPORT.csv with
    /// SCALE-Sim's columns into a folder; of one input on one machine
    #[arg(long, value_name = "FOLDER")]
    pub(crate) scalesim: Option<PathBuf>,

    /// The id of the input that --perfetto and --scalesim show [default: the first one]
    #[arg(long, value_name = "ID")]
    pub(crate) input: Option<String>,
}
