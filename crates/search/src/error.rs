//! What can be wrong with a space or a journal.

use std::path::PathBuf;

use thiserror::Error;

/// Why a space of plans was refused.
#[derive(Debug, Error, PartialEq)]
pub enum SpaceError {
    /// A step that does not divide 1 in whole thousandths.
    #[error("step {step}: must be a whole number of thousandths that divides 1, such as 0.1")]
    Step {
        /// What was asked for.
        step: f64,
    },
    /// A key that no plan has, or whose values are not known.
    #[error("cannot vary `{key}`: must be {allowed}")]
    Key {
        /// The key of the plan's file.
        key: String,
        /// What may be varied.
        allowed: String,
    },
    /// A key that is varied twice, or one value given twice.
    #[error("`{key}` is varied twice, or by the same value twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// The compensation is varied for the whole plan and for each layer.
    #[error("cannot vary both `compensation` and `layer_compensation`: choose one")]
    Both,
    /// A value that the plan does not take.
    #[error("{key} = {value}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What the plan says.
        reason: String,
    },
    /// No layers at all.
    #[error("a plan needs at least one layer")]
    NoLayers,
    /// A template that says nothing of the cache.
    #[error("the plan has no [cache]")]
    NoCache,
}

/// Why a journal was refused.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error("{}: another search is writing it", file.display())]
    Busy {
        /// The file.
        file: PathBuf,
    },
    /// A line that is not what should stand there.
    #[error("{}: line {line}: {reason}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by a search with other settings.
    #[error("{}: is of another search: {field} is {found} there, and {wanted} here", file.display())]
    Differs {
        /// The file.
        file: PathBuf,
        /// The first setting that differs.
        field: String,
        /// What the journal says.
        found: String,
        /// What this search says.
        wanted: String,
    },
}
