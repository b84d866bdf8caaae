//! A plan may hold anything: it is read or refused, and what was read is written
//! such that it is read again.

#![no_main]

use dtatrans_precision::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(plan) = Plan::from_toml(text) {
        let again = Plan::from_toml(&plan.to_toml()).expect("its own text");
        assert_eq!(again.to_toml(), plan.to_toml());
    }
});
