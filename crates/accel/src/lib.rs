//! Accelerator models: the variable-speed systolic array and its baselines.
//!
//! A [`Machine`] is read from a TOML file and fed a precision trace
//! (`dtatrans_precision::trace`); it answers with a [`RunReport`]: cycles, and
//! for each cycle of each element whether it worked or why not, DRAM traffic
//! and energy. No model walks over cycles: timing is in closed form, or computed a
//! wave of steps at a time and looked up from then on; tests hold it against models
//! that do walk, against published tables, and against RTL.
//!
//! Reading order: [`machine`] (the file), [`accelerator`] (what an accelerator
//! is, and the list of all), one folder for each accelerator ([`vssa`],
//! [`systolic`], [`eyeriss`], [`spatten`]), and what stands around the arrays,
//! the same for all: [`mapping`] (how products are cut), [`memory`], [`vector`],
//! [`sort`], [`schedule`] (what overlaps), [`energy`], [`area`], [`node`] (other technologies),
//! [`report`], [`recording`] (when each
//! unit did what). [`products`] runs products without a model.
//!
//! To try an accelerator, implement [`accelerator::Accelerator`] and hand it to
//! [`Machine::of`]: `examples/own_accelerator.rs` is one in one file. To add it for
//! machine files, write a folder beside these and name it in [`accelerator::ALL`].
//!
//! Machine files and results are described in `docs/machines.md`. The crate does
//! no input or output of its own.

pub mod accelerator;
pub mod area;
pub mod array_shape;
pub mod blocks;
pub mod energy;
mod error;
pub mod eyeriss;
pub mod machine;
pub mod mapping;
pub mod memory;
pub mod node;
pub mod products;
pub mod recording;
pub mod report;
pub mod scalesim;
pub mod schedule;
mod scope;
pub mod sort;
pub mod spatten;
#[cfg(test)]
mod synthesis;
pub mod systolic;
pub mod table;
pub mod vector;
pub mod vssa;

pub use error::AccelError;
pub use machine::Machine;
pub use products::GemmReport;
pub use report::{DecodingReport, RunReport, ScopeReport};
