//! A machine file may hold anything: it is a machine or refused.

#![no_main]

use dtatrans_accel::Machine;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Machine::from_toml(text);
    }
});
