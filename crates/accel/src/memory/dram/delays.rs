//! Delays between the commands of a channel.

use super::device::{Parameters, Within};

/// Delays between commands, in cycles, and the rules by which they follow from
/// a device's parameters: DRAMsim3's `timing.cc`.
#[derive(Clone, Debug)]
pub(crate) struct Delays {
    pub(crate) read_to_read: Within,
    pub(crate) write_to_write: Within,
    pub(crate) write_to_read: Within,
    pub(crate) read_to_write: u64,
    pub(crate) read_to_precharge: u64,
    pub(crate) write_to_precharge: u64,
    pub(crate) other_rank_read_to_read: u64,
    pub(crate) other_rank_read_to_write: u64,
    pub(crate) other_rank_write_to_read: u64,
    pub(crate) other_rank_write_to_write: u64,
    pub(crate) activate_to_activate: u64,
    pub(crate) parameters: Parameters,
}

impl Delays {
    pub(crate) fn new(parameters: &Parameters) -> Delays {
        let p = *parameters;
        let both = |within: Within, f: &dyn Fn(u64) -> u64| Within {
            group: f(within.group),
            rank: f(within.rank),
        };
        let write_end = p.write_latency + p.burst;
        let read_end = p.read_latency + p.burst;
        Delays {
            read_to_read: both(p.ccd, &|ccd| ccd.max(p.burst)),
            write_to_write: both(p.ccd, &|ccd| ccd.max(p.burst)),
            write_to_read: both(p.wtr, &|wtr| write_end + wtr),
            read_to_write: read_end + p.rtrs - p.write_latency,
            read_to_precharge: p.rtp,
            write_to_precharge: write_end + p.wr,
            other_rank_read_to_read: p.burst + p.rtrs,
            other_rank_read_to_write: read_end + p.burst + p.rtrs - write_end,
            other_rank_write_to_read: (write_end + p.burst + p.rtrs).saturating_sub(read_end),
            other_rank_write_to_write: p.burst,
            activate_to_activate: p.ras + p.rp,
            parameters: p,
        }
    }
}
