//! The memories around an array: DRAM, on-chip SRAM, and what moves between
//! them.

mod dram;
pub(crate) mod operands;
mod sram;
pub mod traffic;

pub use dram::{Dram, Traffic};
pub use sram::Sram;
pub(crate) use sram::SramFile;
