//! What can be wrong with a sweep, its tables or its shares.

use std::path::PathBuf;

use dtatrans_accel::AccelError;
use dtatrans_precision::{PlanError, ReplanError, TraceError};
use thiserror::Error;

/// Why a sweep, a table or a share was refused.
#[derive(Debug, Error)]
pub enum SweepError {
    /// Reading or writing failed.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sweep's file is not TOML, lacks a key, or has one that is not known.
    #[error("{}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key of the sweep's file whose value cannot be.
    #[error("{}: {key}: {reason}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A machine that cannot be, with the settings that it was given.
    #[error("{}: machine {machine}: {source}", file.display())]
    Machine {
        /// The sweep's file.
        file: PathBuf,
        /// The machine with its settings.
        machine: String,
        /// What is wrong with it.
        source: AccelError,
    },
    /// A trace that cannot be read.
    #[error("{}: {source}", file.display())]
    Trace {
        /// The trace's file.
        file: PathBuf,
        /// What is wrong with it.
        source: TraceError,
    },
    /// A trace without inputs.
    #[error("{}: has a header but no inputs", file.display())]
    EmptyTrace {
        /// The trace's file.
        file: PathBuf,
    },
    /// A plan that cannot be read.
    #[error("{}: {source}", file.display())]
    Plan {
        /// The plan's file.
        file: PathBuf,
        /// What is wrong with it.
        source: PlanError,
    },
    /// A plan that cannot be applied to a trace.
    #[error("plan {plan} on trace {trace}: {source}")]
    Replan {
        /// The plan, as the sweep's file names it.
        plan: String,
        /// The trace, as the sweep's file names it.
        trace: String,
        /// Why not.
        source: ReplanError,
    },
    /// Two points that are the same.
    #[error("{}: two points are the same: {one}, and {other}", file.display())]
    Twice {
        /// The sweep's file.
        file: PathBuf,
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// A point that could not be simulated.
    #[error("{point}: {source}")]
    Simulation {
        /// The point.
        point: String,
        /// What the simulator said.
        source: AccelError,
    },
    /// A share that is none.
    #[error("share `{0}`: must be I/N with I from 1 to N, such as 1/3")]
    Share(String),
    /// Another process has the table open.
    #[error("{}: another sweep is writing it", file.display())]
    Busy {
        /// The table.
        file: PathBuf,
    },
    /// A file that is no table of a sweep.
    #[error("{}: {reason}", file.display())]
    Table {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A table of another sweep.
    #[error(
        "{}: is of another sweep: {reason}; give this one another file with --out, or delete that", file.display()
    )]
    Foreign {
        /// The table.
        file: PathBuf,
        /// What is not of this sweep.
        reason: String,
    },
    /// A share that is of another sweep than the first.
    #[error(
        "{}: is of sweep {found}, and {} of sweep {wanted}", file.display(), first.display()
    )]
    ForeignShare {
        /// The share.
        file: PathBuf,
        /// Its sweep.
        found: String,
        /// The first share.
        first: PathBuf,
        /// The first one's sweep.
        wanted: String,
    },
    /// A share that nobody gave.
    #[error("share {missing} is missing: none of the files has it")]
    MissingShare {
        /// Which.
        missing: String,
    },
    /// A share that was given twice.
    #[error("{}: is share {share}, and so is {}", file.display(), first.display())]
    ShareTwice {
        /// The second file.
        file: PathBuf,
        /// Which share.
        share: String,
        /// The first file.
        first: PathBuf,
    },
    /// A share that is not complete.
    #[error("{}: share {share} is not finished: run its sweep again to go on", file.display())]
    Unfinished {
        /// The file.
        file: PathBuf,
        /// Which share.
        share: String,
    },
}

impl SweepError {
    /// For reading and writing a file.
    pub(crate) fn io(file: &std::path::Path) -> impl FnOnce(std::io::Error) -> SweepError {
        let file = file.to_owned();
        move |source| SweepError::Io { file, source }
    }
}
