//! DRAM: a bandwidth.

use serde::Deserialize;

use crate::AccelError;
use crate::energy::{Action, Actions, Part};
use crate::machine::check;

/// DRAM as a bandwidth; rows, banks and refresh come later.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dram {
    /// Bandwidth, in 10^9 bytes per second.
    pub bandwidth_gbps: f64,
}

impl Dram {
    /// That the values can be.
    ///
    /// # Errors
    /// [`AccelError::Value`] naming the key.
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::positive("dram.bandwidth_gbps", self.bandwidth_gbps, 1e5)
    }

    /// Cycles that a number of bytes takes at a clock.
    pub fn cycles(&self, bytes: u64, clock_ghz: f64) -> u64 {
        (bytes as f64 * clock_ghz / self.bandwidth_gbps).ceil() as u64
    }
}

/// Bytes between DRAM and chip.
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

impl Traffic {
    /// Bytes in both directions.
    pub fn bytes(&self) -> u64 {
        self.read_bytes + self.write_bytes
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Traffic) {
        self.read_bytes += other.read_bytes;
        self.write_bytes += other.write_bytes;
        self.unique_read_bytes += other.unique_read_bytes;
    }

    /// Counts the DRAM's energy.
    pub(crate) fn count(&self, actions: &mut Actions) {
        actions.count(Part::Dram, Action::DramBit, 8 * self.bytes());
    }

    /// Counts the DRAM's energy and that of the SRAM behind it: what is read is
    /// written there, what is written is read there.
    pub(crate) fn count_through_sram(&self, actions: &mut Actions) {
        self.count(actions);
        actions.count(Part::Buffer, Action::SramWriteBit, 8 * self.read_bytes);
        actions.count(Part::Buffer, Action::SramReadBit, 8 * self.write_bytes);
    }
}
