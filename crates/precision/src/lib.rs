//! The DTATrans method, free of files and models.
//!
//! Each token of a transformer gets, at each layer, its own precision: the
//! [`Tier`]s 8, 4 or 0 bits. Which tokens get which is decided while the model
//! runs, from the attention probability that they have received
//! ([`importance`], [`assignment`]), in shares that a [`Plan`] prescribes.
//! What a 0-bit token still does is its [`compensation`]. A run leaves a
//! [`trace`], and a trace implies a [`workload`]: the matrix products with the
//! bits of their operands, whose element-cycles say what the plan saves.
//!
//! The method follows Yang et al., *DTATrans*, IEEE TCAD 42(2), 2023; where its
//! text is not public the decision is ours and says so.

pub mod assignment;
pub mod cache;
pub mod calibration;
pub mod compensation;
mod error;
pub mod importance;
pub mod plan;
mod pruning;
pub mod random;
mod ratio;
mod shape;
mod tier;
pub mod trace;
pub mod workload;

pub use calibration::Calibration;
pub use error::{PlanError, ReplanError, TraceError};
pub use plan::Plan;
pub use pruning::{HeadCascade, Pruning};
pub use ratio::Ratio;
pub use shape::{Ends, ModelShape, Reads};
pub use tier::{Bits, Tier};
