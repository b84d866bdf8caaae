//! What can go wrong with data, metrics and probes.

use std::io;
use std::path::PathBuf;

use dtatrans_model::ModelError;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why data could not be read, or a number not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A data file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A data file is not UTF-8.
    #[error("{}:{line}:{column}: not UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Character within the line, from 1.
        column: usize,
    },
    /// A data file has no rows.
    #[error("{}: no rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// The first line is not the format's header.
    #[error("{}:1: expected the header {expected:?}, found {found:?}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The format's header.
        expected: &'static str,
        /// The first line.
        found: String,
    },
    /// A row has too few or too many columns.
    #[error(
        "{}:{line}: expected {expected} tab-separated columns, found {found}",
        path.display()
    )]
    Columns {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Columns of the format.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// A field is not a number within the format's range.
    #[error(
        "{}:{line}: expected a {field} from {low} to {high}, found {found:?}",
        path.display()
    )]
    Number {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The column's name.
        field: &'static str,
        /// The least number allowed.
        low: f64,
        /// The largest number allowed.
        high: f64,
        /// The field's text.
        found: String,
    },
    /// A label is neither 0 nor 1.
    #[error("{}:{line}: expected the label 0 or 1, found {found:?}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The field's text.
        found: String,
    },
    /// A line is not what its format has there.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What was expected, and what was found.
        reason: String,
    },
    /// A JSON file does not have its format's fields.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The field, and its line and column.
        source: serde_json::Error,
    },
    /// A field of a JSON file has a value that makes no sense.
    #[error("{}: {field}: {reason}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field, from the outermost object on.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two rows carry the same identifier.
    #[error("{}:{line}: the id {id:?} was used before", path.display())]
    DuplicateId {
        /// The file.
        path: PathBuf,
        /// Line of the second use, from 1.
        line: usize,
        /// The identifier.
        id: String,
    },
    /// A sample is larger than what it is drawn from.
    #[error("a sample of {wanted} items needs more than the {available} available")]
    PoolTooSmall {
        /// Items asked for.
        wanted: usize,
        /// Items that qualify.
        available: usize,
    },
    /// Two sequences that belong together differ in length.
    #[error("{what}: {left} against {right}")]
    Lengths {
        /// What was paired.
        what: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// A metric, interval or probe needs at least one item.
    #[error("no items")]
    NoItems,
    /// A value is NaN or infinite.
    #[error("item {item} is not a finite number")]
    NotFinite {
        /// Its position, from 0.
        item: usize,
    },
    /// All values are equal, which leaves a correlation undefined.
    #[error("a correlation is undefined: all {items} values are equal")]
    Constant {
        /// The number of values.
        items: usize,
    },
    /// A bootstrap's settings cannot be used.
    #[error("bootstrap: {reason}")]
    BootstrapOptions {
        /// Which, and why.
        reason: &'static str,
    },
    /// A compared metric has no value on the items, or on more than half of the resamples.
    #[error("the compared metric is undefined on the items or on most resamples")]
    Undefined,
    /// The number of feature values is no multiple of the dimension.
    #[error("{values} feature values are not rows of {dimension}")]
    FeatureShape {
        /// Values given.
        values: usize,
        /// Values per row.
        dimension: usize,
    },
    /// The features differ in dimension from those that the probe was trained on.
    #[error("the probe was trained on {expected} features, not {found}")]
    Dimension {
        /// The probe's dimension.
        expected: usize,
        /// The dimension given.
        found: usize,
    },
    /// The training labels are all equal.
    #[error("a probe needs training examples of both classes")]
    OneClass,
    /// A penalty that is not a positive number.
    #[error("the L2 penalty must be a positive number, not {l2}")]
    Penalty {
        /// The penalty given.
        l2: f64,
    },
    /// Training stopped before the gradient vanished.
    #[error("the probe did not converge: gradient {gradient:e} after {iterations} iterations")]
    NotConverged {
        /// Newton steps made.
        iterations: usize,
        /// Largest absolute component of the gradient.
        gradient: f64,
    },
    /// Every text of a task occurs in the files that it excludes.
    #[error("no text is left: all {items} occur in the excluded files")]
    AllExcluded {
        /// The number of texts.
        items: usize,
    },
    /// Windows that the model cannot take, or too short to hold a token.
    #[error("windows of {tokens} tokens: must be {least} to {most} for this model")]
    WindowLength {
        /// Tokens asked for, special ones included.
        tokens: usize,
        /// The least possible.
        least: usize,
        /// The model's limit.
        most: usize,
    },
    /// No article is long enough to have a passage and its continuation.
    #[error("none of the {articles} {part} articles has two windows of {tokens} tokens")]
    NoContinuation {
        /// Articles of the part.
        articles: usize,
        /// The part's name.
        part: &'static str,
        /// Tokens of a window.
        tokens: usize,
    },
    /// A text cannot be encoded.
    #[error("text {number}: {source}")]
    Encode {
        /// Its number, from 1.
        number: usize,
        /// Why.
        source: ModelError,
    },
    /// A task that learns from outputs was scored before it did.
    #[error("task {task}: must be trained before it is scored")]
    Untrained {
        /// The task.
        task: &'static str,
    },
    /// The model gives something else than the task needs.
    #[error("task {task}: the model must be {needed}")]
    Head {
        /// The task.
        task: &'static str,
        /// What it needs.
        needed: &'static str,
    },
}
