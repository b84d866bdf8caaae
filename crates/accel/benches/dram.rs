//! Time to serve 100 MiB of DRAM traffic.

use criterion::{Criterion, criterion_group, criterion_main};
use dtatrans_accel::memory::{Device, Dram, Request};

const BYTES: u64 = 100 << 20;

fn serve(c: &mut Criterion) {
    for (device, channels) in [
        (Device::Hbm2, 2),
        (Device::Ddr4_2400, 2),
        (Device::Lpddr4_2400, 2),
    ] {
        let dram = Dram::device(device, channels, None);
        for (name, bytes, scattered) in [
            ("one stream", BYTES, false),
            ("streams of 1 MiB", 1 << 20, true),
            ("streams of 64 KiB", 1 << 16, true),
            ("batches of 64 random 64-byte requests", 64, true),
        ] {
            let requests: Vec<Request> = (0..BYTES / bytes)
                .map(|index| Request {
                    address: match scattered {
                        true => index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30 & !(bytes - 1),
                        false => 0,
                    },
                    bytes,
                    write: false,
                })
                .collect();
            let batch = if bytes == 64 { 64 } else { 1 };
            c.bench_function(
                &format!("{} x {channels}, {name}", device.name()),
                |bench| {
                    bench.iter(|| {
                        let mut controller = dram.controller(1.0);
                        (requests.chunks(batch)).fold(0, |at, batch| controller.serve(at, batch))
                    });
                },
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = serve
}
criterion_main!(benches);
