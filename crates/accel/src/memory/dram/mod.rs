//! DRAM: an ideal memory, which is a bandwidth, or a device with channels, ranks,
//! banks, rows and refresh.
//!
//! Reading order: [`Device`] (sizes and timing), [`Mapping`] (which address lies
//! where), `channel` (the rules by which bursts are served, DRAMsim3's), `bank`
//! (when a command may come), `segments` and `episodes` (the fast paths),
//! [`Controller`] (what the chip talks to).

mod bank;
mod channel;
mod controller;
mod delays;
mod device;
mod episodes;
mod mapping;
mod segments;
mod waiting;

pub use controller::{Controller, DramCounts, Request};
pub use device::Device;
pub use mapping::Mapping;

use serde::Deserialize;

use self::mapping::Layout;
use crate::AccelError;
use crate::machine::check;

/// The table `[dram]` of a machine file: `bandwidth_gbps` alone is an ideal memory,
/// without latency and rows; `device`, `channels` and optionally `mapping` are a
/// device.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dram {
    /// Bandwidth of an ideal memory, in 10^9 bytes per second.
    bandwidth_gbps: Option<f64>,
    device: Option<Device>,
    channels: Option<u32>,
    /// None for the device's own.
    mapping: Option<Mapping>,
}

impl Dram {
    /// An ideal memory.
    pub fn ideal(bandwidth_gbps: f64) -> Dram {
        Dram {
            bandwidth_gbps: Some(bandwidth_gbps),
            device: None,
            channels: None,
            mapping: None,
        }
    }

    /// Channels of a device, and the order of its address fields or that in which a
    /// stream is fastest.
    pub fn device(device: Device, channels: u32, mapping: Option<Mapping>) -> Dram {
        Dram {
            bandwidth_gbps: None,
            device: Some(device),
            channels: Some(channels),
            mapping,
        }
    }

    /// That the values can be.
    ///
    /// # Errors
    /// [`AccelError::Value`] naming the key.
    pub fn check(&self) -> Result<(), AccelError> {
        let alone = "only there without dram.bandwidth_gbps";
        match (self.bandwidth_gbps, self.device, self.channels) {
            (Some(_), Some(device), _) => Err(check::refuse("dram.device", device.name(), alone)),
            (Some(_), _, Some(channels)) => Err(check::refuse("dram.channels", channels, alone)),
            (Some(_), None, None) if self.mapping.is_some() => {
                Err(check::refuse("dram.mapping", "given", alone))
            }
            (Some(gbps), None, None) => check::positive("dram.bandwidth_gbps", gbps, 1e5),
            (None, None, _) => Err(check::refuse(
                "dram",
                "neither",
                "a bandwidth_gbps, or a device and its channels",
            )),
            (None, Some(_), None) => Err(check::refuse("dram.channels", "none", CHANNELS)),
            (None, Some(_), Some(channels)) => match channels {
                1..=64 if channels.is_power_of_two() => Ok(()),
                _ => Err(check::refuse("dram.channels", channels, CHANNELS)),
            },
        }
    }

    /// The highest bandwidth that there can be, in 10^9 bytes per second.
    pub fn peak_gbps(&self) -> f64 {
        match (self.bandwidth_gbps, self.device) {
            (Some(gbps), _) => gbps,
            (None, Some(device)) => {
                device.parameters().channel_gbps() * f64::from(self.channels.unwrap_or(1))
            }
            (None, None) => 0.0,
        }
    }

    /// A controller for a chip of a clock: its times are in the chip's cycles. All
    /// rows are closed, and the first refresh is one interval away.
    pub fn controller(&self, clock_ghz: f64) -> Controller {
        let Some(device) = self.device else {
            return Controller::ideal(self.peak_gbps(), clock_ghz);
        };
        let parameters = device.parameters();
        let channels = self.channels.unwrap_or(1);
        let mapping = self.mapping.unwrap_or(device.default_mapping());
        let layout = Layout::new(mapping, &parameters, channels);
        Controller::channels(parameters, layout, channels, clock_ghz)
    }
}

const CHANNELS: &str = "a power of two from 1 to 64";
