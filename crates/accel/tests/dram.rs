//! Does the DRAM model's fast path do what serving burst by burst does, and does a
//! machine file say what memory it is?

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
    #![proptest_config(ProptestConfig::with_cases(48))]
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
