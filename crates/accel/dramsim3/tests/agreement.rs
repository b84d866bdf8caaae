//! Does the DRAM model complete what DRAMsim3 completes, in the same cycle?

use dtatrans_accel::memory::{Controller, Dram, Mapping, Request};
use dtatrans_dramsim3::{DEVICES, DeviceFile, DramSim3};

const MAPPINGS: [&str; 6] = [
    "rorabgbachco",
    "rorabacobgch",
    "rochrababgco",
    "rorabgbacoch",
    "chrobabgraco",
    "rocobabgrach",
];

/// Small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// The model at DRAM's own clock, so that cycles are the same.
fn model(device: DeviceFile, channels: usize, mapping: &str, clock_ns: f64) -> Controller {
    let mapping = Mapping::try_from(mapping.to_owned()).unwrap();
    let dram = Dram::device(device.device, channels as u32, Some(mapping));
    dram.check().unwrap();
    dram.controller(1.0 / clock_ns)
}

/// Batches of streams and scattered bursts, reads and writes, with pauses.
fn batches(random: &mut Random, number: usize) -> Vec<(u64, Vec<Request>)> {
    (0..number)
        .map(|_| {
            let (longest, most) =
                [(64, 200), (2048, 20), (65_536, 3), (400_000, 2)][random.below(4) as usize];
            let writes = [0, 0, 1, 3][random.below(4) as usize];
            // A small space makes requests meet one another.
            let space = [1 << 14, 1 << 22, 1 << 30][random.below(3) as usize];
            let pause = [0, 0, 30, 1000, 50_000][random.below(5) as usize];
            let batch = (0..=random.below(most))
                .map(|_| Request {
                    address: random.below(space),
                    bytes: 1 + random.below(longest),
                    write: random.below(3) < writes,
                })
                .collect();
            (random.below(pause + 1), batch)
        })
        .collect()
}

#[test]
fn every_batch_is_done_in_the_same_cycle() {
    for device in DEVICES {
        for (seed, mapping) in (1..).zip(MAPPINGS) {
            for channels in [1, 2, 4] {
                let mut reference = DramSim3::new(device, channels, mapping);
                let mut model = model(device, channels, mapping, reference.clock_ns());
                let mut at = 0;
                let mut random = Random(seed * 77 + channels as u64);
                for (index, (pause, batch)) in batches(&mut random, 20).into_iter().enumerate() {
                    at += pause;
                    let expected = reference.serve(at, &batch);
                    let found = model.serve(at, &batch);
                    assert_eq!(
                        found,
                        expected,
                        "{:?} x {channels}, {mapping}: batch {index} of {} requests from {at}",
                        device.device,
                        batch.len(),
                    );
                    at = expected + 1;
                }
            }
        }
    }
}
