//! DRAM: a bandwidth.

use serde::Deserialize;

use crate::AccelError;
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

/// Consecutive bytes that are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Address of the first byte.
    pub address: u64,
    /// Number of bytes.
    pub bytes: u64,
    /// Whether they are written.
    pub write: bool,
}

/// What a DRAM did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DramCounts {
    /// Counted.
    pub read_bytes: u64,
    /// Counted.
    pub write_bytes: u64,
    /// Counted.
    pub row_hits: u64,
    /// Counted.
    pub row_misses: u64,
    /// Counted.
    pub row_conflicts: u64,
}

/// Temporary.
#[derive(Debug)]
pub struct Controller {
    cycles_per_byte: f64,
    free: f64,
    counts: DramCounts,
}

impl Dram {
    /// Temporary.
    pub fn controller(&self, clock_ghz: f64) -> Controller {
        Controller {
            cycles_per_byte: clock_ghz / self.bandwidth_gbps,
            free: 0.0,
            counts: DramCounts::default(),
        }
    }
    /// Temporary.
    pub fn peak_gbps(&self) -> f64 {
        self.bandwidth_gbps
    }
}

impl Controller {
    /// Temporary.
    pub fn serve(&mut self, at: u64, batch: &[Request]) -> u64 {
        let mut bytes = 0;
        for request in batch {
            bytes += request.bytes;
            match request.write {
                true => self.counts.write_bytes += request.bytes,
                false => self.counts.read_bytes += request.bytes,
            }
        }
        self.free = self.free.max(at as f64) + bytes as f64 * self.cycles_per_byte;
        self.free.ceil() as u64
    }
    /// Temporary.
    pub fn counts(&self) -> DramCounts {
        self.counts
    }
}
