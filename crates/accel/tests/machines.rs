//! Is a machine file read as it stands, and refused by name where it is wrong?

use dtatrans_accel::{AccelError, Machine};

/// The file of a machine with one line replaced.
fn edited(name: &str, from: &str, to: &str) -> String {
    let text = Machine::builtin_toml(name).unwrap();
    assert!(text.contains(from), "{name} has no `{from}`");
    text.replacen(from, to, 1)
}

fn refusal(name: &str, from: &str, to: &str) -> String {
    Machine::from_toml(&edited(name, from, to))
        .expect_err(&format!("{name}: {to}"))
        .to_string()
}

#[test]
fn the_machines_of_the_program_are_read() {
    for name in Machine::builtin_names() {
        let machine = Machine::builtin(name).unwrap();
        assert_eq!(machine.name(), name);
    }
    let elements = |name| Machine::builtin(name).unwrap().elements();
    assert_eq!(elements("vssa-512"), 512);
    assert_eq!(elements("vssa-4096"), 4096);
    assert_eq!(elements("systolic-128"), 128);
    assert_eq!(elements("eyeriss"), 168);
    assert_eq!(elements("spatten"), 1024);
    assert_eq!(elements("spatten-eighth"), 128);
    assert_eq!(Machine::builtin("eyeriss").unwrap().clock_ghz(), 0.2);
}

#[test]
fn an_unknown_machine_is_refused_with_the_known_ones() {
    let error = Machine::builtin("vssa").unwrap_err().to_string();
    assert!(
        error.contains("`vssa`") && error.contains("vssa-512"),
        "{error}"
    );
}

#[test]
fn unknown_keys_are_refused_by_name() {
    for (name, table) in [
        ("vssa-512", "[array]"),
        ("vssa-512", "[sort]"),
        ("vssa-512", "[buffer]"),
        ("vssa-512", "[vector]"),
        ("systolic-128", "[array]"),
        ("eyeriss", "[chip]"),
        ("eyeriss", "[dram]"),
        ("spatten-eighth", "[engine]"),
        ("spatten-eighth", "[quantization]"),
        ("spatten-eighth", "[pruning]"),
        ("spatten-eighth", "[top_k]"),
    ] {
        let error = refusal(name, table, &format!("{table}\nspare_wheels = 4"));
        assert!(error.contains("spare_wheels"), "{error}");
    }
    for name in Machine::builtin_names() {
        let error = refusal(name, "format = 1", "format = 1\nspare_wheels = 4");
        assert!(error.contains("spare_wheels"), "{error}");
    }
}

#[test]
fn missing_keys_are_refused_by_name() {
    for (name, line, key) in [
        ("vssa-512", "rows = 4", "rows"),
        ("vssa-512", "clock_ghz = 1.0", "clock_ghz"),
        ("eyeriss", "psum_words = 24", "psum_words"),
        ("spatten-eighth", "value_keep = 1.0", "value_keep"),
    ] {
        let error = refusal(name, line, "");
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_by_key() {
    for (name, from, to, key) in [
        (
            "vssa-512",
            "clock_ghz = 1.0",
            "clock_ghz = 0.0",
            "clock_ghz",
        ),
        (
            "vssa-512",
            "clock_ghz = 1.0",
            "clock_ghz = -1.0",
            "clock_ghz",
        ),
        (
            "vssa-512",
            "clock_ghz = 1.0",
            "clock_ghz = nan",
            "clock_ghz",
        ),
        (
            "vssa-512",
            "clock_ghz = 1.0",
            "clock_ghz = inf",
            "clock_ghz",
        ),
        (
            "vssa-512",
            "bandwidth_gbps = 64.0",
            "bandwidth_gbps = nan",
            "dram.bandwidth_gbps",
        ),
        (
            "vssa-512",
            "bandwidth_gbps = 64.0",
            "bandwidth_gbps = 1e300",
            "dram.bandwidth_gbps",
        ),
        ("vssa-512", "rows = 4", "rows = 0", "array.rows"),
        ("vssa-512", "rows = 4", "rows = 1000000000000", "array.rows"),
        ("vssa-512", "arrays = 8", "arrays = 0", "array.arrays"),
        (
            "vssa-512",
            "rows = 4\ncolumns = 16",
            "rows = 256\ncolumns = 256",
            "array.rows x columns",
        ),
        ("vssa-512", "bytes = 131072", "bytes = 0", "buffer.bytes"),
        ("vssa-512", "bytes = 131072", "bytes = 128", "buffer.bytes"),
        ("vssa-512", "banks = 8", "banks = 0", "buffer.banks"),
        (
            "vssa-512",
            "access_bits = 128",
            "access_bits = 100",
            "buffer.access_bits",
        ),
        (
            "vssa-512",
            "softmax_per_cycle = 8",
            "softmax_per_cycle = 0",
            "vector.softmax_per_cycle",
        ),
        (
            "vssa-512",
            "digit_bits = 4",
            "digit_bits = 0",
            "sort.digit_bits",
        ),
        (
            "vssa-512",
            "digit_bits = 4",
            "digit_bits = 5",
            "sort.score_bits",
        ),
        (
            "systolic-128",
            "columns = 16",
            "columns = 0",
            "array.columns",
        ),
        (
            "eyeriss",
            "psum_words = 24",
            "psum_words = 0",
            "chip.psum_words",
        ),
        (
            "spatten-eighth",
            "static_bits = 8",
            "static_bits = 13",
            "quantization.static_bits",
        ),
        (
            "spatten-eighth",
            "key_lsb_bits = 4",
            "key_lsb_bits = 5",
            "quantization.key_lsb_bits",
        ),
        (
            "spatten-eighth",
            "softmax_per_cycle = 1",
            "softmax_per_cycle = 0",
            "engine.softmax_per_cycle",
        ),
        (
            "spatten-eighth",
            "value_keep = 1.0",
            "value_keep = 1.5",
            "pruning.value_keep",
        ),
        (
            "spatten-eighth",
            "token_keep_average = 0.77",
            "token_keep_average = 0.3",
            "pruning.token_keep_average",
        ),
    ] {
        let text = edited(name, from, to);
        match Machine::from_toml(&text) {
            Err(AccelError::Value { key: found, .. }) => {
                assert!(found.starts_with(key), "{to}: {found}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    // Negative sizes are no sizes at all.
    let error = refusal("vssa-512", "rows = 4", "rows = -4");
    assert!(error.contains("-4") && error.contains("array"), "{error}");
    let error = refusal("vssa-512", "order = \"grouped\"", "order = \"random\"");
    assert!(error.contains("random"), "{error}");
}

#[test]
fn other_formats_and_kinds_are_refused() {
    assert_eq!(
        Machine::from_toml(&edited("vssa-512", "format = 1", "format = 2")).unwrap_err(),
        AccelError::Format { found: 2 }
    );
    let error = refusal("vssa-512", "kind = \"vssa\"", "kind = \"abacus\"");
    assert!(
        error.contains("abacus") && error.contains("spatten"),
        "{error}"
    );
    assert!(Machine::from_toml("").is_err());
    assert!(Machine::from_toml("not a machine").is_err());
}

#[test]
fn an_unknown_key_comes_with_the_one_that_is_meant() {
    for (from, to, meant) in [
        ("rows = 4", "row = 4", "rows"),
        ("[array]", "[arrray]", "array"),
        ("bandwidth_gbps", "bandwith_gbps", "bandwidth_gbps"),
    ] {
        let error = refusal("vssa-512", from, to);
        assert!(
            error.ends_with(&format!("did you mean `{meant}`?")),
            "{error}"
        );
    }
    let error = refusal("vssa-512", "rows = 4", "rows = 4\nspare_wheels = 4");
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn settings_change_a_machine_and_its_name() {
    let text = Machine::builtin_toml("vssa-512").unwrap();
    let with = |settings: &[&str]| {
        let settings: Result<Vec<_>, _> = settings.iter().map(|setting| setting.parse()).collect();
        Machine::from_toml_with(text, &settings?)
    };
    let machine = with(&["array.rows=64", " array.order = arrival", "clock_ghz=0.5"]).unwrap();
    assert_eq!(machine.elements(), 64 * 16 * 8);
    assert_eq!(machine.clock_ghz(), 0.5);
    let changes = ", array.rows = 64, array.order = \"arrival\", clock_ghz = 0.5";
    assert_eq!(machine.name(), format!("vssa-512{changes}"));
    for (setting, part) in [
        ("array.rows", "is not KEY=VALUE"),
        ("=4", "empty key"),
        ("array..rows=4", "empty key"),
        ("array.rows=", "not TOML"),
        ("array.rows=[1", "not TOML"),
        ("name.first=1", "no table"),
        ("array.rwos=4", "did you mean `rows`?"),
        ("array.rows=\"many\"", "invalid type"),
        ("array.rows=0", "array.rows = 0"),
    ] {
        let error = with(&[setting]).expect_err(setting).to_string();
        assert!(error.contains(part), "{setting}: {error}");
    }
}
