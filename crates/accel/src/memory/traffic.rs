//! Bytes between DRAM and chip.

/// Bytes that a product moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Bytes of the operands that lie in DRAM, each once: the least that must
    /// be read.
    pub unique_read_bytes: u64,
}
