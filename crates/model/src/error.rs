//! What can be wrong with a checkpoint or with an input.

use std::path::PathBuf;

use dtatrans_precision::PlanError;
use thiserror::Error;

/// Why a model could not be loaded or run.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file is missing or cannot be read.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says: no JSON, no safetensors, no tokenizer.
    #[error("{}: {reason}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A field of a JSON file that cannot be used.
    #[error("{}: {field}: {reason}", file.display())]
    Field {
        /// The file.
        file: PathBuf,
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor that is missing, or of another shape, type or content than the
    /// model needs.
    #[error("{}: tensor `{tensor}`: {reason}", file.display())]
    Tensor {
        /// The file.
        file: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text of more tokens than the model or the user allows, where cutting
    /// was not allowed.
    #[error("text of {tokens} tokens: the limit is {limit}")]
    TooLong {
        /// Tokens of the text, special ones included.
        tokens: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A limit that leaves no room for text, or is above the model's own.
    #[error("maximum length {asked}: must be {least} to {most} for this model")]
    Limit {
        /// What was asked for.
        asked: usize,
        /// The least possible.
        least: usize,
        /// The model's own limit.
        most: usize,
    },
    /// A text that the tokenizer refused.
    #[error("tokenizer: {0}")]
    Text(String),
    /// A chat template that refused a conversation, or failed.
    #[error("chat template: {0}")]
    Template(String),
    /// An encoded text that the model cannot take.
    #[error("input: {0}")]
    Input(String),
    /// A result that is no number: the weights are too large for f32.
    #[error("the model computes a number that is not finite: its weights are unfit")]
    NotFinite,
    /// A calibration that is missing or does not fit, or texts that it cannot be
    /// made from.
    #[error("calibration: {0}")]
    Calibration(String),
    /// A plan that does not fit the model.
    #[error(transparent)]
    Plan(#[from] PlanError),
}
