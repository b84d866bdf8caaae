//! The sections of the page that compares machines.

pub(crate) mod breakdown;
pub(crate) mod figures;
pub(crate) mod machines;
pub(crate) mod roofline;
