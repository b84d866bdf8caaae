//! Do products that belong to no model take the cycles that they should?

use dtatrans_accel::machine::Setting;
use dtatrans_accel::{AccelError, GemmReport, Machine};
use dtatrans_precision::Bits;
use dtatrans_precision::workload::gemm::{Gemm, parse};

fn machine(name: &str, settings: &[&str]) -> Machine {
    let settings: Vec<Setting> = settings.iter().map(|text| text.parse().unwrap()).collect();
    Machine::from_toml_with(Machine::builtin_toml(name).unwrap(), &settings).unwrap()
}

fn run(machine: &Machine, list: &str, left: Bits, right: Bits) -> Vec<GemmReport> {
    let reports = machine
        .simulate_products(&parse(list).unwrap(), left, right)
        .unwrap();
    for report in &reports {
        assert_eq!(
            report.element_cycles.total(),
            report.cycles * machine.elements()
        );
    }
    reports
}

/// SCALE-Sim's closed form, worked out in 128 bits.
fn output_stationary(rows: u128, columns: u128, gemm: &Gemm) -> u128 {
    let [m, n, k, batch] = [gemm.m, gemm.n, gemm.k, gemm.batch].map(u128::from);
    batch * m.div_ceil(rows) * n.div_ceil(columns) * (rows + columns + k - 2)
}

#[test]
fn a_plain_array_takes_scale_sims_cycles_whatever_the_size() {
    let settings = [
        "array.rows=32",
        "array.columns=16",
        "array.overlap=\"serial\"",
    ];
    let machine = machine("systolic-128", &settings);
    let list =
        "small, 3, 5, 7\nquery, 128, 768, 768\nbatch, 64, 64, 64, 12\ntall, 9000000000, 16, 64";
    let gemms = parse(list).unwrap();
    for (gemm, report) in gemms
        .iter()
        .zip(run(&machine, list, Bits::Eight, Bits::Eight))
    {
        assert_eq!(
            u128::from(report.cycles),
            output_stationary(32, 16, gemm),
            "{}",
            gemm.name
        );
        assert_eq!(report.element_cycles.active, gemm.macs());
    }
}

/// Where all operands have one width, tiles take their products' cycles one after the
/// other, and 2 R + C + 1 for fill and drain.
#[test]
fn a_variable_speed_array_takes_the_closed_forms_cycles() {
    let machine = machine("vssa-512", &["array.rows=8", "array.arrays=2"]);
    let list =
        "small, 3, 5, 100\neven, 128, 64, 64\nbatch, 16, 16, 64, 5\ntall, 8589934592, 16, 64";
    let gemms = parse(list).unwrap();
    for (left, right) in [
        (Bits::Four, Bits::Four),
        (Bits::Four, Bits::Eight),
        (Bits::Eight, Bits::Eight),
    ] {
        let cost = u64::from(left.nibbles() * right.nibbles());
        let reports = run(&machine, list, left, right);
        for (gemm, report) in gemms.iter().zip(reports) {
            assert_eq!(report.element_cycles.active, cost * gemm.macs());
            if gemm.name == "small" {
                // Zeros of 4 bits fill the tile: they hold nobody up.
                assert!(report.cycles >= cost * gemm.k);
                continue;
            }
            let strips = (gemm.batch * gemm.n.div_ceil(16)).div_ceil(2);
            let tiles = strips * gemm.m.div_ceil(8);
            assert_eq!(
                report.cycles,
                tiles * cost * gemm.k + 2 * 8 + 16 + 1,
                "{}",
                gemm.name
            );
        }
    }
}

#[test]
fn machines_that_run_models_only_say_so() {
    let gemms = parse("a, 1, 2, 3").unwrap();
    for name in ["eyeriss", "spatten-eighth"] {
        let machine = machine(name, &[]);
        let error = machine
            .simulate_products(&gemms, Bits::Eight, Bits::Eight)
            .unwrap_err();
        assert!(matches!(error, AccelError::NoProducts { .. }));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_product_beyond_what_can_be_counted_is_refused_by_name() {
    let gemms = parse("fits, 1, 1, 1\nhuge, 1, 1, 1000000, 1000000000").unwrap();
    let machine = machine(
        "vssa-512",
        &["array.rows=128", "array.columns=256", "array.arrays=1"],
    );
    let error = machine
        .simulate_products(&gemms, Bits::Eight, Bits::Eight)
        .unwrap_err();
    assert!(error.to_string().contains("`huge`"), "{error}");
}
