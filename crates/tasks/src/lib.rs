//! Data sets, metrics and the evaluation loop.

pub mod bootstrap;
pub mod counted;
pub mod data;
mod error;
pub mod metrics;
pub mod probe;
pub mod split;
pub mod task;
mod work;

pub use error::{Error, Result};
pub use task::{Task, TaskKind};
pub use work::{TierShares, Work};
