//! Does the DRAM model take the cycles that DRAMsim3 takes, does its fast path do
//! what serving burst by burst does, and does a machine file say what memory it is?

#[path = "setup/dram_traffic.rs"]
mod dram_traffic;

use dtatrans_accel::Machine;
use dtatrans_accel::memory::{Device, Dram, Mapping, Request};
use proptest::prelude::*;

const DEVICES: [Device; 3] = [Device::Hbm2, Device::Ddr4_2400, Device::Lpddr4_2400];

fn mapping() -> impl Strategy<Value = Mapping> {
    Just(["ch", "ra", "bg", "ba", "ro", "co"])
        .prop_shuffle()
        .prop_map(|fields| Mapping::try_from(fields.concat()).unwrap())
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let sizes = prop_oneof![
        2 => 1..300u64,
        2 => 1..20_000u64,
        3 => 1..400_000u64,
        1 => 1_000_000..3_000_000u64,
    ];
    let addresses = prop_oneof![0..50_000u64, 0..1u64 << 34];
    let request = (addresses, sizes, any::<bool>(), any::<bool>()).prop_map(
        |(address, bytes, coarse, write)| Request {
            address: if coarse { address & !0xffff } else { address },
            bytes,
            write,
        },
    );
    (prop::collection::vec(request, 1..6), 0..3u8).prop_map(|(mut requests, kind)| {
        // Streams of one kind only are where the fast path works.
        for request in &mut requests {
            match kind {
                0 => request.write = false,
                1 => request.write = true,
                _ => {}
            }
        }
        requests
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_fast_path_is_exact(
        device in prop::sample::select(DEVICES.to_vec()),
        channels in prop::sample::select(vec![1, 2, 4]),
        mapping in prop::option::of(mapping()),
        clock_ghz in prop::sample::select(vec![0.2, 1.0, 1.7]),
        batches in prop::collection::vec((0..60_000u64, any::<bool>(), requests()), 1..8),
    ) {
        let dram = Dram::device(device, channels, mapping);
        dram.check().unwrap();
        let mut fast = dram.controller(clock_ghz);
        let mut plain = dram.controller(clock_ghz).burst_by_burst();
        let (mut handed, mut done) = (0, 0);
        for (pause, wait, batch) in &batches {
            // Handed over when the batch before is done, or earlier.
            handed = if *wait { done } else { handed } + pause;
            done = plain.serve(handed, batch);
            prop_assert_eq!(fast.serve(handed, batch), done);
            prop_assert_eq!(fast.counts(), plain.counts());
        }
    }
}

/// Batches as a chip's loads and stores are: few sizes, at strides, that come to a
/// memory that rests, or soon after others.
fn traffic() -> impl Strategy<Value = Vec<(u64, Vec<Request>)>> {
    let stream = (
        0..1u64 << 22,
        // Where it begins anew: rows that were left open are found again.
        prop::sample::select(vec![1 << 11, 1 << 14, 1 << 17, 1 << 20, 1 << 26]),
        prop::sample::select(vec![64, 256, 512, 3072, 6144, 15_729, 98_304]),
        prop::sample::select(vec![0, 256, 4096, 6144, 15_729, 65_536, 1 << 20]),
        any::<bool>(),
        prop::sample::select(vec![1, 1, 1, 2, 8, 40]),
    )
        .prop_map(|(first, region, bytes, stride, write, requests)| {
            let requests = requests.min(1 + 32_768 / bytes);
            (first, region, 0, bytes, stride, write, requests)
        });
    let pause = prop::sample::select(vec![0, 0, 1, 64, 64, 400, 400, 1500]);
    let turns = prop::collection::vec((0..4usize, pause), 1..120);
    (prop::collection::vec(stream, 4), turns).prop_map(|(mut streams, turns)| {
        let batch = |(index, pause): (usize, u64)| {
            let (first, region, next, bytes, stride, write, requests) = &mut streams[index];
            let batch = (0..*requests).map(|_| {
                let address = *first + *next;
                *next = (*next + *stride) % *region;
                Request {
                    address,
                    bytes: *bytes,
                    write: *write,
                }
            });
            (pause, batch.collect())
        };
        turns.into_iter().map(batch).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_fast_path_is_exact_for_what_a_chip_asks(
        device in prop::sample::select(DEVICES.to_vec()),
        channels in prop::sample::select(vec![1, 2, 4]),
        mapping in prop::option::of(mapping()),
        clock_ghz in prop::sample::select(vec![0.2, 1.0, 1.7]),
        batches in traffic(),
    ) {
        let dram = Dram::device(device, channels, mapping);
        let mut fast = dram.controller(clock_ghz);
        let mut plain = dram.controller(clock_ghz).burst_by_burst();
        let mut at = 0;
        for (index, (pause, batch)) in batches.iter().enumerate() {
            at += pause;
            prop_assert_eq!(fast.serve(at, batch), plain.serve(at, batch), "{}", index);
            prop_assert_eq!(fast.counts(), plain.counts());
        }
    }
}

#[test]
fn every_row_of_dramsim3s_table() {
    let rows = include_str!("data/dramsim3_cycles.csv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1);
    let mut checked = 0;
    for row in rows {
        let fields: Vec<&str> = row.splitn(4, ',').collect();
        let device = DEVICES
            .into_iter()
            .find(|device| device.name() == fields[0]);
        let channels: usize = fields[1].parse().unwrap();
        let mapping = Mapping::try_from(fields[2].to_owned()).unwrap();
        let (pattern, cycles) = fields[3].rsplit_once(',').unwrap();
        let requests = dram_traffic::requests(pattern.trim_matches('"'), channels);
        let dram = Dram::device(device.unwrap(), channels as u32, Some(mapping));
        // In cycles of the device.
        let clock_ghz = match device.unwrap() {
            Device::Hbm2 => 1.0,
            _ => 1.0 / 0.83,
        };
        let done = dram.controller(clock_ghz).serve(0, &requests);
        assert_eq!(done, cycles.parse::<u64>().unwrap(), "{row}");
        checked += 1;
    }
    assert_eq!(
        checked,
        dram_traffic::MEMORIES.len() * dram_traffic::PATTERNS.len()
    );
}

#[test]
fn a_long_read_stream_of_two_hbm2_channels_reaches_nine_tenths_of_64_gbps() {
    let dram = Dram::device(Device::Hbm2, 2, None);
    assert_eq!(dram.peak_gbps(), 64.0);
    let mut controller = dram.controller(1.0);
    let bytes = 256 << 20;
    let stream = Request {
        address: 0,
        bytes,
        write: false,
    };
    let cycles = controller.serve(0, &[stream]);
    let share = bytes as f64 / cycles as f64 / 64.0;
    assert!((0.90..0.94).contains(&share), "{share}");
    let counts = controller.counts();
    assert_eq!((counts.read_bytes, counts.bursts), (bytes, bytes / 64));
    assert_eq!(
        counts.row_hits + counts.row_misses + counts.row_conflicts,
        counts.bursts
    );
    // One refresh of each channel in 3900 cycles.
    assert!(counts.refreshes.abs_diff(2 * cycles / 3900) <= 2);
    assert_eq!(counts.bus_cycles, 2 * counts.bursts);
}

#[test]
fn an_ideal_memory_is_a_bandwidth() {
    let dram = Dram::ideal(64.0);
    let mut controller = dram.controller(1.0);
    let read = |bytes| Request {
        address: 0,
        bytes,
        write: false,
    };
    assert_eq!(controller.serve(10, &[read(640)]), 20);
    // Parts of a cycle are not lost between batches, nor rounded up twice.
    assert_eq!(controller.serve(12, &[read(32)]), 21);
    assert_eq!(controller.serve(12, &[read(32)]), 21);
    assert_eq!(controller.serve(100, &[read(64), read(64)]), 102);
    assert_eq!(controller.counts().read_bytes, 832);
}

/// A machine with another table `[dram]`.
fn machine(table: &str) -> Result<Machine, String> {
    let text = Machine::builtin_toml("vssa-512").unwrap();
    let start = text.find("bandwidth_gbps").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let text = format!("{}{table}{}", &text[..start], &text[end..]);
    Machine::from_toml(&text).map_err(|error| error.to_string())
}

#[test]
fn a_machine_file_names_its_memory() {
    for table in [
        "bandwidth_gbps = 64",
        "device = \"hbm2\"\nchannels = 2",
        "device = \"ddr4-2400\"\nchannels = 1\nmapping = \"rochrababgco\"",
        "device = \"lpddr4-2400\"\nchannels = 4",
    ] {
        machine(table).expect(table);
    }
    for (table, part) in [
        ("", "dram = neither"),
        ("device = \"hbm2\"", "dram.channels = none"),
        ("channels = 2", "dram = neither"),
        ("device = \"hbm2\"\nchannels = 3", "dram.channels = 3"),
        ("device = \"hbm2\"\nchannels = 128", "dram.channels = 128"),
        ("device = \"hbm3\"\nchannels = 2", "hbm3"),
        ("device = \"hbm2\"\nchanels = 2", "did you mean `channels`?"),
        (
            "device = \"hbm2\"\nchannels = 2\nbandwidth_gbps = 64.0",
            "dram.device = hbm2",
        ),
        ("bandwidth_gbps = 64.0\nchannels = 2", "dram.channels = 2"),
        (
            "bandwidth_gbps = 64.0\nmapping = \"rorabgbachco\"",
            "dram.mapping",
        ),
        (
            "device = \"hbm2\"\nchannels = 2\nmapping = \"rorabgbaco\"",
            "rorabgbaco",
        ),
    ] {
        let error = machine(table).expect_err(table);
        assert!(error.contains(part), "{table}: {error}");
    }
}
