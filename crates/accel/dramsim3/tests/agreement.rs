//! Does the DRAM model complete what DRAMsim3 completes, in the same cycle?

#[path = "../../tests/setup/dram_traffic.rs"]
mod dram_traffic;

use std::fmt::Write as _;
use std::{env, fs};

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

/// Where batches are handed over before those in front of them are done, the model
/// answers for each as if none came after it, but goes on as DRAMsim3 does: a batch
/// that waits for all others finds rows and refreshes as there.
#[test]
fn batches_that_overlap_leave_the_same_state() {
    for device in DEVICES {
        for (seed, mapping) in (1..).zip(MAPPINGS) {
            let mut reference = DramSim3::new(device, 2, mapping);
            let mut model = model(device, 2, mapping, reference.clock_ns());
            let mut random = Random(seed);
            let mut at = 0;
            for round in 0..6 {
                let mut done = 0;
                for (pause, batch) in batches(&mut random, 4) {
                    at += pause;
                    reference.hand_over(at, &batch);
                    done = model.serve(at, &batch).max(done);
                }
                at = reference.finish().max(done) + 1;
                let (_, last) = batches(&mut random, 1).remove(0);
                let expected = reference.serve(at, &last);
                let found = model.serve(at, &last);
                assert_eq!(
                    found, expected,
                    "{:?}, {mapping}: round {round}",
                    device.device
                );
                at = expected + 1;
            }
        }
    }
}

/// The table that the tests of the model read, and the document shows. The
/// environment variable REWRITE writes it anew.
#[test]
fn the_table_is_what_dramsim3_says() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/data/dramsim3_cycles.csv"
    );
    let mut table = String::from(
        "# Cycles in which DRAMsim3 (crate dramsim3 0.2.2) has done all requests of\n\
         # tests/setup/dram_traffic.rs. crates/accel/dramsim3 makes and checks it.\n\
         device,channels,mapping,pattern,cycles\n",
    );
    let mut rows = String::new();
    for (name, channels, mapping) in dram_traffic::MEMORIES {
        let device = DEVICES
            .into_iter()
            .find(|device| device.device.name() == name)
            .unwrap();
        for pattern in dram_traffic::PATTERNS {
            let requests = dram_traffic::requests(pattern, channels);
            let mut reference = DramSim3::new(device, channels, mapping);
            let cycles = reference.serve(0, &requests);
            let clock_ns = reference.clock_ns();
            let mut model = model(device, channels, mapping, clock_ns);
            let found = model.serve(0, &requests);
            let bytes: u64 = requests.iter().map(|request| request.bytes).sum();
            let gbps = |cycles: u64| bytes as f64 / (cycles as f64 * clock_ns);
            writeln!(table, "{name},{channels},{mapping},\"{pattern}\",{cycles}").unwrap();
            writeln!(
                rows,
                "| {name} x {channels} | `{mapping}` | {pattern} | {:.2} | {:.2} | {:.4} |",
                gbps(found),
                gbps(cycles),
                cycles as f64 / found as f64,
            )
            .unwrap();
        }
    }
    println!("{rows}");
    if env::var_os("REWRITE").is_some() {
        fs::write(path, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), table);
}
