//! Bytes between DRAM and chip.

/// Bytes that a product moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Bytes read.
    pub(crate) read_bytes: u64,
    /// Bytes written.
    pub(crate) write_bytes: u64,
    /// Bytes of the operands that lie in DRAM, each once: the least that must
    /// be read.
    pub(crate) unique_read_bytes: u64,
}
