//! The modules of `rtl/src` as Verilator runs them, cycle by cycle, to be held
//! against the models of `dtatrans-accel`.

pub mod array;
mod object;
pub mod plain;
pub mod topk;
