//! What can go wrong between a machine file and a report.

use thiserror::Error;

/// Why a machine, a table or a trace was refused.
#[derive(Debug, Error, PartialEq)]
pub enum AccelError {
    /// The text is not TOML, lacks a key, or has one that is not known.
    #[error("machine: {0}")]
    Syntax(String),
    /// Another version of the machine format.
    #[error(
        "machine: format = {found}: this program reads format {}",
        crate::machine::FORMAT
    )]
    Format {
        /// The version that the file states.
        found: u32,
    },
    /// A key whose value cannot be.
    #[error("machine: {key} = {value}: must be {allowed}")]
    Value {
        /// The key, with its table.
        key: String,
        /// What stands there.
        value: String,
        /// What may stand there.
        allowed: String,
    },
    /// A change to a machine file that cannot be read.
    #[error("setting `{setting}`: {reason}")]
    Setting {
        /// The change.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No machine of that name comes with the program.
    #[error("no machine `{name}`: there are {known}")]
    UnknownMachine {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A table of energies that is not as it should be.
    #[error("{table}: line {line}: {reason}")]
    Table {
        /// Which table.
        table: &'static str,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An action was counted whose energy no table has.
    #[error("energy table: has no row for `{action}`, which {machine} counts")]
    NoEnergy {
        /// The action.
        action: &'static str,
        /// The machine that counted it.
        machine: String,
    },
    /// A trace that does not fit its header, or is beyond what is simulated.
    #[error("trace: input `{input}`: {reason}")]
    Input {
        /// The input.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A trace whose plan a machine cannot run.
    #[error("{machine}: {reason}")]
    Unfit {
        /// The machine.
        machine: String,
        /// What of the plan does not fit it.
        reason: String,
    },
    /// A trace of SpAtten's public release that is not as it should be.
    #[error("line {line}: {column}: {reason}")]
    PublicTrace {
        /// Number of the line, from 1.
        line: usize,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A machine that is none of SpAtten's.
    #[error("{machine}: SpAtten's public traces run on machines of kind spatten, not {kind}")]
    NoPublicTraces {
        /// The machine.
        machine: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A machine so slow that its cycles cannot be counted.
    #[error("{machine}: takes more cycles than can be counted")]
    TooLong {
        /// The machine.
        machine: String,
    },
    /// A machine that runs models only.
    #[error(
        "{machine}: has no engine for products of their own: machines of kind {kind} run models, on traces"
    )]
    NoProducts {
        /// The machine.
        machine: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A product whose element-cycles cannot be counted.
    #[error("{machine}: `{product}` may take more element-cycles than can be counted")]
    ProductTooLarge {
        /// The machine.
        machine: String,
        /// The product.
        product: String,
    },
    /// A run that breaks a conservation law: a defect of this crate.
    #[error("{machine}: {law}: {found} where at least {expected} must be")]
    Conservation {
        /// The machine.
        machine: String,
        /// The law.
        law: &'static str,
        /// What the run has.
        found: u64,
        /// What it must have.
        expected: u64,
    },
    /// Two reports that are not of the same machine.
    #[error("cannot add a report of {right} to one of {left}")]
    Mixed {
        /// The machine added to.
        left: String,
        /// The machine added.
        right: String,
    },
}
