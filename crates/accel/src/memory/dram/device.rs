//! The DRAM devices that a machine may have: their organisation and timing.

use serde::Deserialize;

use super::mapping::{Field, Mapping};

/// A kind of DRAM. All numbers are those that DRAMsim3 (MIT, as in the crate
/// `dramsim3` 0.2.2) computes with when it reads the file of its folder `configs`
/// that is named at each. Their names are those of the standards: JESD79-4 (DDR4),
/// JESD209-4 (LPDDR4), JESD235 (HBM).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Device {
    /// `HBM2_8Gb_x128.ini`: a channel of 128 bits, 32 GB/s.
    #[serde(rename = "hbm2")]
    Hbm2,
    /// `DDR4_8Gb_x8_2400.ini`: a channel of 64 bits, two ranks, 19.3 GB/s.
    #[serde(rename = "ddr4-2400")]
    Ddr4_2400,
    /// `LPDDR4_8Gb_x16_2400.ini`: a channel of 64 bits (four x16 dies side by
    /// side), two ranks, 19.3 GB/s.
    #[serde(rename = "lpddr4-2400")]
    Lpddr4_2400,
}

/// How a channel of a device is built, and its timing in cycles of its clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parameters {
    /// Period of the clock, in ns; data moves at both edges.
    pub(crate) clock_ns: f64,
    pub(crate) ranks: u32,
    pub(crate) bank_groups: u32,
    /// Banks of a group.
    pub(crate) banks: u32,
    pub(crate) rows: u32,
    /// Bursts of a row.
    pub(crate) columns: u32,
    /// Bytes of a burst.
    pub(crate) burst_bytes: u64,
    /// Cycles that a burst holds the data bus: half the burst length.
    pub(crate) burst: u64,
    /// Whether a column command and a row command may be issued in one cycle
    /// (HBM has a bus for each).
    pub(crate) two_commands: bool,
    /// Column to column command, same bank group and other.
    pub(crate) ccd: Within,
    /// Activate to activate of another bank.
    pub(crate) rrd: Within,
    /// End of written data to read.
    pub(crate) wtr: Within,
    pub(crate) read_latency: u64,
    pub(crate) write_latency: u64,
    /// Row to column delay.
    pub(crate) rcd: u64,
    pub(crate) rp: u64,
    pub(crate) ras: u64,
    /// Read to precharge.
    pub(crate) rtp: u64,
    /// End of written data to precharge.
    pub(crate) wr: u64,
    /// Gap between the bursts of two ranks, and between read and write.
    pub(crate) rtrs: u64,
    /// Window in which four rows may be activated.
    pub(crate) faw: u64,
    /// Precharge to precharge of another bank (LPDDR4).
    pub(crate) ppd: u64,
    pub(crate) rfc: u64,
    /// Interval of a rank's refreshes.
    pub(crate) refi: u64,
}

/// A delay within a bank group and across groups of a rank: JEDEC's _L and _S.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Within {
    pub(crate) group: u64,
    pub(crate) rank: u64,
}

const fn within(group: u64, rank: u64) -> Within {
    Within { group, rank }
}

impl Device {
    pub(crate) const fn parameters(self) -> Parameters {
        match self {
            // A row has 64 columns of two bursts of 128 bits x 2. tRTP and tRTRS are
            // DRAMsim3's defaults: its file names tRTP_L, which it does not read.
            Device::Hbm2 => Parameters {
                clock_ns: 1.0,
                ranks: 1,
                bank_groups: 4,
                banks: 4,
                rows: 32768,
                columns: 64 * 2 / 4,
                burst_bytes: 64,
                burst: 2,
                two_commands: true,
                ccd: within(2, 1),
                rrd: within(6, 4),
                wtr: within(8, 6),
                read_latency: 14,
                write_latency: 4,
                rcd: 14,
                rp: 14,
                ras: 34,
                rtp: 5,
                wr: 16,
                rtrs: 2,
                faw: 30,
                ppd: 0,
                rfc: 260,
                refi: 3900,
            },
            Device::Ddr4_2400 => Parameters {
                clock_ns: 0.83,
                ranks: 2,
                bank_groups: 4,
                banks: 4,
                rows: 65536,
                columns: 1024 / 8,
                burst_bytes: 64,
                burst: 4,
                two_commands: false,
                ccd: within(6, 4),
                rrd: within(6, 4),
                wtr: within(9, 3),
                read_latency: 17,
                write_latency: 12,
                rcd: 17,
                rp: 17,
                ras: 39,
                rtp: 9,
                wr: 18,
                rtrs: 1,
                faw: 26,
                ppd: 0,
                rfc: 420,
                refi: 9360,
            },
            Device::Lpddr4_2400 => Parameters {
                clock_ns: 0.83,
                ranks: 2,
                bank_groups: 2,
                banks: 4,
                rows: 65536,
                columns: 1024 / 16,
                burst_bytes: 128,
                burst: 8,
                two_commands: false,
                ccd: within(6, 4),
                rrd: within(8, 8),
                wtr: within(16, 8),
                read_latency: 17,
                write_latency: 14,
                rcd: 15,
                rp: 15,
                ras: 32,
                rtp: 12,
                wr: 30,
                rtrs: 1,
                faw: 32,
                ppd: 2,
                rfc: 392,
                refi: 8660,
            },
        }
    }

    /// The order of address fields where a machine file names none: a long stream
    /// keeps each of its rows open until it has used it, and changes bank groups
    /// (DDR4) or banks (LPDDR4) with each burst. Measured: `docs/machines.md`.
    pub(crate) const fn default_mapping(self) -> Mapping {
        use Field::{Bank, Channel, Column, Group, Rank, Row};
        match self {
            Device::Hbm2 => Mapping::new([Row, Rank, Bank, Group, Column, Channel]),
            Device::Ddr4_2400 => Mapping::new([Row, Rank, Bank, Column, Group, Channel]),
            Device::Lpddr4_2400 => Mapping::new([Row, Rank, Group, Column, Bank, Channel]),
        }
    }

    /// The name in a machine file.
    pub fn name(self) -> &'static str {
        match self {
            Device::Hbm2 => "hbm2",
            Device::Ddr4_2400 => "ddr4-2400",
            Device::Lpddr4_2400 => "lpddr4-2400",
        }
    }
}

impl Parameters {
    /// Bytes per ns of one channel at its peak.
    pub(crate) fn channel_gbps(&self) -> f64 {
        self.burst_bytes as f64 / (self.burst as f64 * self.clock_ns)
    }

    /// Banks of a channel.
    pub(crate) fn all_banks(&self) -> usize {
        (self.ranks * self.bank_groups * self.banks) as usize
    }
}
