//! DRAMsim3, driven as the DRAM model of dtatrans-accel is.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use dramsim3::MemorySystem;
use dtatrans_accel::memory::{Device, Request};

/// A device, its file in DRAMsim3's folder `configs`, and the bytes of its bursts.
#[derive(Clone, Copy, Debug)]
pub struct DeviceFile {
    /// The model's.
    pub device: Device,
    file: &'static str,
    /// Bus width times burst length.
    pub burst_bytes: u64,
}

/// The devices of both.
pub const DEVICES: [DeviceFile; 3] = [
    DeviceFile {
        device: Device::Hbm2,
        file: "HBM2_8Gb_x128.ini",
        burst_bytes: 64,
    },
    DeviceFile {
        device: Device::Ddr4_2400,
        file: "DDR4_8Gb_x8_2400.ini",
        burst_bytes: 64,
    },
    DeviceFile {
        device: Device::Lpddr4_2400,
        file: "LPDDR4_8Gb_x16_2400.ini",
        burst_bytes: 128,
    },
];

/// DRAMsim3 with an endless queue in front of each channel.
pub struct DramSim3 {
    system: MemorySystem,
    burst_bytes: u64,
    channels: usize,
    channel_low: u32,
    cycle: u64,
    waiting: Vec<VecDeque<(u64, bool)>>,
    on_their_way: u64,
    last_done: u64,
    _files: tempfile::TempDir,
}

impl DramSim3 {
    /// A device of `channels` channels. Its file is the one of the crate, with the
    /// number of channels and the mapping replaced, and reports turned off.
    pub fn new(device: DeviceFile, channels: usize, mapping: &str) -> DramSim3 {
        let text = fs::read_to_string(configs().join(device.file)).expect("the file is there");
        let mut lines: Vec<String> = Vec::new();
        let mut replaced = 0;
        for line in text.lines() {
            let key = line.split('=').next().unwrap_or_default().trim();
            lines.push(match key {
                "channels" => format!("channels = {channels}"),
                "address_mapping" => format!("address_mapping = {mapping}"),
                "epoch_period" => "epoch_period = 2000000000".to_owned(),
                _ => {
                    lines.push(line.to_owned());
                    continue;
                }
            });
            replaced += 1;
        }
        assert_eq!(replaced, 3, "{}", device.file);
        let files = tempfile::tempdir().expect("a folder for files");
        let config = files.path().join("config.ini");
        fs::write(&config, lines.join("\n")).expect("it can be written");
        let system = MemorySystem::new(&config, files.path()).expect("paths have no zero byte");
        let bytes = system.bus_bits() as u64 / 8 * system.burst_length() as u64;
        assert_eq!(bytes, device.burst_bytes);
        DramSim3 {
            system,
            burst_bytes: bytes,
            channels,
            channel_low: channel_low(&text, mapping),
            cycle: 0,
            waiting: vec![VecDeque::new(); channels],
            on_their_way: 0,
            last_done: 0,
            _files: files,
        }
    }

    /// Period of its clock, in ns.
    pub fn clock_ns(&self) -> f64 {
        self.system.tck()
    }

    /// Hands a batch over in cycle `at`, without waiting for it.
    pub fn hand_over(&mut self, at: u64, batch: &[Request]) {
        while self.cycle < at {
            self.tick();
        }
        for request in batch {
            let first = request.address / self.burst_bytes;
            let end = (request.address + request.bytes).div_ceil(self.burst_bytes);
            for burst in first..end {
                let channel = (burst >> self.channel_low) as usize % self.channels;
                self.waiting[channel].push_back((burst * self.burst_bytes, request.write));
                self.on_their_way += 1;
            }
        }
    }

    /// Waits for all that was handed over; the cycle in which the last was done.
    pub fn finish(&mut self) -> u64 {
        while self.on_their_way > 0 {
            self.tick();
        }
        self.last_done
    }

    /// Hands a batch over and waits for it.
    pub fn serve(&mut self, at: u64, batch: &[Request]) -> u64 {
        self.hand_over(at, batch);
        self.finish()
    }

    fn tick(&mut self) {
        for waiting in &mut self.waiting {
            while let Some(&(address, write)) = waiting.front() {
                if !self.system.can_add(address, write) {
                    break;
                }
                assert!(self.system.add(address, write));
                waiting.pop_front();
            }
        }
        let mut done = 0;
        self.system.tick(|_, _| done += 1);
        if done > 0 {
            self.on_their_way -= done;
            self.last_done = self.cycle;
        }
        self.cycle += 1;
    }
}

/// Lowest bit of the channel in the number of a burst.
fn channel_low(text: &str, mapping: &str) -> u32 {
    let value = |key: &str| -> Option<u64> {
        let line = text
            .lines()
            .find(|line| line.split('=').next().map(str::trim) == Some(key));
        line.map(|line| {
            line.split('=')
                .nth(1)
                .unwrap()
                .trim()
                .parse()
                .expect("a number")
        })
    };
    let number = |key: &str| value(key).unwrap_or_else(|| panic!("the file has {key}"));
    let hbm = text.contains("protocol = HBM");
    let columns = number("columns") * if hbm { 2 } else { 1 };
    let page_bytes = columns * number("device_width") / 8;
    let banks = number("bankgroups") * number("banks_per_group");
    let devices = number("bus_width") / number("device_width");
    let rank_mib = page_bytes * number("rows") * banks * devices >> 20;
    let mut low = 0;
    for field in (0..6).rev().map(|index| &mapping[2 * index..2 * index + 2]) {
        low += match field {
            "ch" => return low,
            "ra" => number("channel_size") / rank_mib,
            "bg" => number("bankgroups"),
            "ba" => number("banks_per_group"),
            "ro" => number("rows"),
            "co" => columns / number("BL"),
            other => panic!("field {other}"),
        }
        .ilog2();
    }
    panic!("{mapping} has no channel")
}

/// DRAMsim3's folder of devices, in the source of the crate that binds it.
fn configs() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let package = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .find(|package| package["name"] == "dramsim3")
        .expect("it is a dependency");
    let manifest = PathBuf::from(package["manifest_path"].as_str().expect("a path"));
    manifest.with_file_name("DRAMsim3/configs")
}
