//! What can be wrong with a plan, a trace, or the two together.

use thiserror::Error;

/// Why a plan was refused.
#[derive(Debug, Error, PartialEq)]
pub enum PlanError {
    /// The text is not TOML, lacks a key, or has one that is not known.
    #[error("plan: {0}")]
    Syntax(String),
    /// Another version of the plan format.
    #[error(
        "plan: format = {found}: this program reads format {}",
        crate::plan::FORMAT
    )]
    Format {
        /// The version that the plan states.
        found: u32,
    },
    /// A share that is no whole thousandth between 0 and 1.
    #[error("{field} = {value}: must be a whole number of thousandths between 0 and 1")]
    Share {
        /// `r8`, `r4`, `r0`, `heads` or `values`.
        field: &'static str,
        /// What stands there.
        value: f64,
    },
    /// Shares that do not sum to 1.
    #[error("r8 + r4 + r0 = {sum}: must be 1")]
    RatioSum {
        /// The sum found.
        sum: f64,
    },
    /// A mistake in one layer.
    #[error("plan: layer {layer}: {source}")]
    Layer {
        /// Index of the layer, from 0.
        layer: usize,
        /// What is wrong there.
        source: Box<PlanError>,
    },
    /// The first layer mixes tiers although it has no scores.
    #[error(
        "plan: layer 0 must give all tokens one tier (r8 = 1, r4 = 1 or r0 = 1): without a prior no token has a score yet"
    )]
    FirstLayer,
    /// No layers at all.
    #[error("plan: has no [[layer]]")]
    NoLayers,
    /// A key whose value is not among those allowed.
    #[error("plan: {field} = {value}: must be {allowed}")]
    Value {
        /// The key.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        allowed: String,
    },
    /// A cache that may not be as large as what it must keep.
    #[error(
        "the {protected} tokens that a cache always keeps take {least} {unit}: more than the budget"
    )]
    CacheBudget {
        /// Tokens that are always kept.
        protected: usize,
        /// What they take.
        least: usize,
        /// The budget's unit.
        unit: &'static str,
    },
    /// The plan is for a model of another depth.
    #[error("plan: has {plan} layers, but the model has {model}")]
    Depth {
        /// Layers of the plan.
        plan: usize,
        /// Layers of the model.
        model: usize,
    },
}

impl PlanError {
    /// A name that is none of the known ones.
    pub(crate) fn unknown_name<'a>(
        field: &'static str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> PlanError {
        let known: Vec<String> = known.map(|name| format!("\"{name}\"")).collect();
        PlanError::Value {
            field,
            value: format!("\"{name}\""),
            allowed: known.join(" or "),
        }
    }
}

/// Why a trace was refused.
#[derive(Debug, Error)]
pub enum TraceError {
    /// Reading or writing failed.
    #[error("trace: {0}")]
    Io(#[from] std::io::Error),
    /// The stream is empty.
    #[error("trace: is empty: the first line must be its header")]
    Empty,
    /// A line that is no JSON, or has other fields than it should.
    #[error("trace: line {line}: {reason}")]
    Syntax {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Another file format, or another version of this one.
    #[error(
        "trace: line 1: format `{format}` version {version}: this program reads `{}` versions {} to {}",
        crate::trace::FORMAT,
        crate::trace::OLDEST_VERSION,
        crate::trace::VERSION
    )]
    Version {
        /// The format that the header states.
        format: String,
        /// The version that the header states.
        version: u32,
    },
    /// A field whose value cannot be.
    #[error("trace: line {line}: {field}: {reason}")]
    Field {
        /// Number of the line, from 1.
        line: usize,
        /// The field, with its place in the record.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a plan cannot be applied to what another plan's run recorded.
#[derive(Debug, Error, PartialEq)]
pub enum ReplanError {
    /// The plan is of another depth.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It ranks tokens by another form of importance.
    #[error("plan: ranks by importance \"{plan}\", and the trace recorded \"{recorded}\"")]
    Importance {
        /// What the plan ranks by.
        plan: &'static str,
        /// What the trace has.
        recorded: &'static str,
    },
    /// Scores begin with a prior under one plan only.
    #[error("plan: prior = {plan}, and the trace was recorded with prior = {recorded}")]
    Prior {
        /// Whether the plan has one.
        plan: bool,
        /// Whether the trace's plan has one.
        recorded: bool,
    },
    /// The first layer ranks by scores that no trace has.
    #[error(
        "plan: layer 0 mixes tiers by scores from before the first layer, which a trace does not have: it can only keep the shares that were recorded"
    )]
    FirstLayer,
    /// A decoder cannot average over tokens.
    #[error("plan: layer {layer} averages over tokens, which in a decoder would see later ones")]
    Average {
        /// The layer.
        layer: usize,
    },
    /// A cache has its tiers from attention that a trace does not have.
    #[error(
        "trace: input `{input}` has tokens that came one by one, whose cache depends on the plan"
    )]
    Generation {
        /// The input.
        input: String,
    },
    /// The plan of the trace does not give the tiers of the trace: other tokens than the
    /// first and the last are protected, or it was not written by this program.
    #[error(
        "trace: input `{input}`: layer {layer} has other tiers than its own plan gives by the recorded importance, with the first and the last token protected"
    )]
    NotReproduced {
        /// The input.
        input: String,
        /// The layer.
        layer: usize,
    },
}
