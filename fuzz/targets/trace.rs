//! A trace may hold anything: it is read or refused, and what was read can be
//! simulated.

#![no_main]

use std::sync::LazyLock;

use dtatrans_accel::Machine;
use dtatrans_precision::trace::Reader;
use libfuzzer_sys::fuzz_target;

static MACHINE: LazyLock<Machine> =
    LazyLock::new(|| Machine::builtin("vssa-512").expect("is built in"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let header = reader.header().clone();
    while let Ok(Some(input)) = reader.read() {
        let mut replay = input.replay();
        while replay.step().is_some() {}
        let _ = MACHINE.simulate(&header, &input);
    }
});
