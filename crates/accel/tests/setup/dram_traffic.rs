//! The traffic for which the DRAM model and DRAMsim3 are compared.

use dtatrans_accel::memory::Request;

/// What is compared: a device, its channels, and the order of address fields.
pub(crate) const MEMORIES: [(&str, usize, &str); 9] = [
    ("hbm2", 2, "rorababgcoch"),
    ("hbm2", 2, "rorabgbachco"),
    ("hbm2", 8, "rorabgbachco"),
    ("ddr4-2400", 1, "rorabacobgch"),
    ("ddr4-2400", 2, "rochrababgco"),
    ("ddr4-2400", 4, "robacorabgch"),
    ("lpddr4-2400", 1, "rorabgcobach"),
    ("lpddr4-2400", 2, "rochrababgco"),
    ("lpddr4-2400", 4, "rorabacobgch"),
];

/// The kinds of traffic.
pub(crate) const PATTERNS: [&str; 4] = [
    "stream, reads",
    "stream, 2:1",
    "random, reads",
    "random, 2:1",
];

/// Requests of 2 MiB a channel that are all handed over in cycle 0. A stream is
/// read in pieces of 4 KiB, with a third of them written elsewhere if it is mixed;
/// random requests are of 64 bytes, anywhere in 1 GiB, and take a quarter as many.
pub(crate) fn requests(pattern: &str, channels: usize) -> Vec<Request> {
    let random = pattern.starts_with("random");
    let mixed = pattern.ends_with("2:1");
    let bytes = if random { 64 } else { 4096 };
    let total = (channels as u64) << if random { 19 } else { 21 };
    let (mut state, mut read, mut written) = (1_u64, 0, 1 << 29);
    let mut next = |write: bool| {
        if random {
            // Knuth's MMIX.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            return (state >> 34) & !63;
        }
        let stream = if write { &mut written } else { &mut read };
        *stream += bytes;
        *stream - bytes
    };
    (0..total / bytes)
        .map(|index| {
            let write = mixed && index % 3 == 2;
            Request {
                address: next(write),
                bytes,
                write,
            }
        })
        .collect()
}
