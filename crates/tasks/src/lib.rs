//! Data sets, metrics and the evaluation loop.
//!
//! A [`TaskSource`] names a task and its files, and opens it. A [`Task`] is made ready for
//! a model ([`Task::prepare`]), which gives the inputs to run; of the outputs [`Prepared::score`] makes
//! the task's metrics, which the paired [`bootstrap`] compares between two runs; [`deviation`] compares
//! the outputs themselves.

pub mod answers;
pub mod bootstrap;
pub mod counted;
pub mod data;
pub mod deviation;
pub mod entities;
mod error;
pub mod language;
pub mod metrics;
pub mod needle;
pub mod probe;
pub mod retrieval;
pub mod spans;
pub mod split;
pub mod task;
mod work;

pub use error::{Error, Result};
pub use task::{Part, Prepared, ProbeFiles, Task, TaskSource};
pub use work::{TierShares, Work};
