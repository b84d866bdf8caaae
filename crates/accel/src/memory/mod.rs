//! The memories around an array: DRAM, on-chip SRAM, and what moves between
//! them.

pub mod banks;
mod dram;
pub(crate) mod operands;
mod sram;
mod traffic;

pub use dram::{Controller, Device, Dram, DramCounts, Mapping, Request};
pub use sram::Sram;
pub(crate) use sram::SramFile;
pub use traffic::Traffic;
