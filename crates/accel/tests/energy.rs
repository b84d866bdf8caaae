//! Is energy what the counts and the tables say?

mod setup;

use dtatrans_accel::energy::{Action, EnergyTable, Part};
use dtatrans_accel::memory::Sram;
use dtatrans_accel::node::{Cells, Technology};
use dtatrans_accel::report::Cause;
use dtatrans_accel::{AccelError, Machine, ScopeReport};
use dtatrans_precision::trace::Header;
use dtatrans_precision::{ModelShape, Tier};
use setup::run;

fn price_pj(action: Action) -> f64 {
    EnergyTable::builtin().price_of(action).unwrap().energy_pj
}

/// What a machine's part leaks in a scope's time, in pJ.
fn leakage_pj(machine: &Machine, part: Part, scope: &ScopeReport) -> f64 {
    let components = machine.area().components().iter();
    let leakage_mw: f64 = components
        .filter(|own| own.part == part)
        .map(|own| own.count * own.leakage_mw)
        .sum();
    leakage_mw * scope.time_us() * 1e3
}

#[test]
fn an_array_spends_what_its_elements_do() {
    // On long texts waiting and draining hide behind the products: an element's energy a
    // product is its netlist's, and so are ratios between elements.
    let model = ModelShape::bert_base();
    let array = |scope: &ScopeReport| scope.energy.of_pj(Part::Array) / scope.macs_executed as f64;
    let on = |name: &str, header: &Header, tier| {
        array(&run(name, header, &setup::uniform(header, 384, tier)).attention)
    };
    let tiers = setup::header_tier_probabilities(model.clone());
    let eights = setup::header(model);
    let plain = on("systolic-128", &eights, Tier::Eight);
    let four_four = on("vssa-512", &tiers, Tier::Four);
    // Probabilities at 8 bits, q, k and v at 4: the mean of both.
    let mixed = on("vssa-512", &eights, Tier::Four);
    let four_eight = 2.0 * mixed - four_four;
    let eight_eight = on("vssa-512", &tiers, Tier::Eight);
    println!("pJ: {four_four:.3} {four_eight:.3} {eight_eight:.3}, plain {plain:.3}");
    assert!(four_four < plain && plain < four_eight && four_eight < eight_eight);
    for (own, action) in [
        (plain, Action::Plain8Product),
        (four_four, Action::VssaProduct4x4),
        (four_eight, Action::VssaProduct4x8),
        (eight_eight, Action::VssaProduct8x8),
    ] {
        let ratio = own / price_pj(action);
        assert!((1.0..1.25).contains(&ratio), "{action:?}: {ratio}");
    }
}

#[test]
fn attention_energy_by_hand() {
    let model = ModelShape {
        name: "small".into(),
        layers: 1,
        hidden: 64,
        heads: 2,
        key_value_heads: 2,
        head_dim: 32,
        intermediate: 64,
        ..ModelShape::bert_base()
    };
    let header = setup::header(model);
    // One array of 16 x 32, so that a head is one tile of each product.
    let machine = setup::edited(
        "vssa-512",
        "rows = 4\ncolumns = 16\narrays = 8",
        "rows = 16\ncolumns = 32\narrays = 1",
    );
    let input = setup::uniform(&header, 16, Tier::Eight);
    let report = machine.simulate(&header, &input).unwrap();
    let energy = &report.attention.energy;
    let close = |part, expected: f64| {
        let expected = expected + leakage_pj(&machine, part, &report.attention);
        let ratio = energy.of_pj(part) / expected;
        assert!((ratio - 1.0).abs() < 1e-9, "{part:?}: {ratio}");
    };

    // 2 heads x 16 x 16 x 32 products, twice.
    let macs = 2.0 * 2.0 * 16.0 * 16.0 * 32.0;
    // Scores pad 16 of 32 columns of the one tile for 32 steps.
    let padding = 2.0 * 16.0 * 16.0 * 32.0;
    let results = 2.0 * (16.0 * 16.0 + 16.0 * 32.0);
    let spent = &report.attention.element_cycles;
    let of = |cause| spent.of(cause) as f64;
    let late = of(Cause::SpeedMismatch) + of(Cause::OperandWait) + of(Cause::SramConflict);
    let idle = spent.total() as f64 - 4.0 * macs - padding - late;
    assert!(idle > 0.0);
    close(
        Part::Array,
        macs * price_pj(Action::VssaProduct8x8)
            + padding * price_pj(Action::VssaZeros)
            + results * 9.0 * price_pj(Action::VssaShift)
            + late * price_pj(Action::VssaLateCycle)
            + idle * price_pj(Action::VssaIdleCycle),
    );

    // Array: q, k, P and v once each; scores once; the context on its way out.
    let head = 4096.0 + 4096.0 + 2048.0 + 4096.0;
    let (scores, context) = (2.0 * 16.0 * 16.0 * 16.0, 16.0 * 64.0 * 8.0);
    let read = 2.0 * head + scores + context;
    // q, k, v on their way in; scores, P and context.
    let written = 3.0 * 16.0 * 64.0 * 8.0 + scores + 2.0 * 2048.0 + context;
    let sram = Sram::new(131_072, 8, 128).unwrap();
    let here = Technology::default();
    close(
        Part::Buffer,
        read * sram.read_pj_per_bit(&here) + written * sram.write_pj_per_bit(&here),
    );

    // Softmax and importance of 512 scores; the quantizer for them and for the
    // context.
    let (softmax, quantized) = (512.0, 512.0 + 16.0 * 64.0);
    close(
        Part::Vector,
        (4.0 * softmax + quantized) * price_pj(Action::VectorMultiplyAdd)
            + softmax * price_pj(Action::VectorAdd32),
    );
    close(Part::Sort, 0.0);
    let leaked = [Part::Array, Part::Buffer, Part::Vector, Part::Sort]
        .map(|part| leakage_pj(&machine, part, &report.attention));
    assert!((energy.leakage_pj() / leaked.iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn products_of_mixed_bits_are_all_counted() {
    // Takes of 1, 2 and 4 cycles are the array's active element-cycles, whatever the mix.
    for (header, input) in setup::some_inputs() {
        let table = "action,energy_pj,node_nm,supply_v,kind,source\n\
            vssa_product_4x4,1,45,1.1,netlist,cycles\n\
            vssa_product_4x8,2,45,1.1,netlist,cycles\n\
            vssa_product_8x8,4,45,1.1,netlist,cycles\n";
        let others = Action::ALL.iter().filter(|action| {
            !matches!(
                action,
                Action::VssaProduct4x4 | Action::VssaProduct4x8 | Action::VssaProduct8x8
            )
        });
        // So little that it does not show.
        let others: String = others
            .map(|action| format!("{},1e-12,45,1.1,netlist,nothing\n", action.name()))
            .collect();
        let table = EnergyTable::from_csv(&format!("{table}{others}")).unwrap();
        let machine = Machine::builtin("vssa-512").unwrap();
        let machine = machine.with_energies(table);
        let report = machine.simulate(&header, &input).unwrap();
        let scope = setup::encoder(&report);
        let leaked = leakage_pj(&machine, Part::Array, scope);
        let ratio = (scope.energy.of_pj(Part::Array) - leaked) / scope.element_cycles.active as f64;
        assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
    }
}

#[test]
fn dram_energy_is_bits_times_pj() {
    let header = setup::header(setup::minilm());
    let input = setup::scattered(&header, 25, 20, 40);
    for name in Machine::builtin_names() {
        let report = run(name, &header, &input);
        let scopes = [Some(&report.attention), report.encoder.as_ref()];
        for scope in scopes.into_iter().flatten() {
            let bits = 8 * (scope.dram_read_bytes + scope.dram_write_bytes);
            let ratio = scope.energy.of_pj(Part::Dram) / (3.92 * bits as f64);
            assert!((ratio - 1.0).abs() < 1e-12, "{name}");
            assert!(scope.energy.on_chip_pj() < scope.energy.total_pj());
            // Every part says how it was priced.
            for (part, pj) in scope.energy.parts_pj() {
                let kinds: f64 = scope.energy.kinds_pj(part).map(|(_, pj)| pj).sum();
                assert!((kinds / pj - 1.0).abs() < 1e-12, "{name} {part:?}");
            }
        }
    }
}

#[test]
fn a_smaller_node_spends_less_on_the_chip_and_as_much_in_dram() {
    let header = setup::header(setup::minilm());
    let input = setup::scattered(&header, 25, 20, 40);
    for name in Machine::builtin_names() {
        let at = |node_nm, supply_v| {
            let machine = Machine::builtin(name).unwrap();
            let technology = Technology {
                node_nm,
                cells: Cells::HighPerformance,
                supply_v,
            };
            let machine = machine.with_technology(technology).unwrap();
            let report = machine.simulate(&header, &input).unwrap();
            assert_eq!(report.technology, technology);
            (report.attention.energy, report.area.total_mm2())
        };
        let nodes = [
            at(65, 1.1),
            at(45, 1.1),
            at(40, 1.1),
            at(40, 0.9),
            at(28, 0.9),
        ];
        for pair in nodes.windows(2) {
            let [(wide, wide_mm2), (narrow, narrow_mm2)] = pair else {
                unreachable!()
            };
            assert!(narrow.on_chip_pj() < wide.on_chip_pj(), "{name}");
            assert!(narrow_mm2 <= wide_mm2, "{name}");
            assert_eq!(narrow.of_pj(Part::Dram), wide.of_pj(Part::Dram));
        }
    }
}

#[test]
fn a_technology_is_told_in_full_or_refused() {
    let text = Machine::builtin_toml("vssa-512").unwrap();
    let with = |table: &str| Machine::from_toml(&format!("{text}\n[technology]\n{table}\n"));
    let machine = with("node_nm = 40\ncells = \"low-power\"").unwrap();
    assert_eq!(machine.technology().node_nm, 40);
    for (table, word) in [
        ("node_nm = 40", "cells"),
        ("cells = \"low-power\"", "node_nm"),
        ("node_nm = 40\ncells = \"fast\"", "cells"),
        ("node_nm = 3\ncells = \"low-power\"", "technology.node_nm"),
        (
            "node_nm = 40\ncells = \"low-power\"\nsupply_v = 0.2",
            "technology.supply_v",
        ),
        (
            "node_nm = 40\ncells = \"low-power\"\nvoltage = 1",
            "voltage",
        ),
    ] {
        let error = with(table).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_table_without_an_action_stops_the_run() {
    let table = "action,energy_pj,node_nm,supply_v,kind,source\n\
        add_32b,0.1,45,1.1,published,somewhere\n";
    let table = EnergyTable::from_csv(table).unwrap();
    let header = setup::header(setup::minilm());
    let input = setup::uniform(&header, 25, Tier::Four);
    for name in Machine::builtin_names() {
        let machine = Machine::builtin(name).unwrap().with_energies(table.clone());
        let error = machine.simulate(&header, &input).unwrap_err();
        assert!(
            matches!(error, AccelError::NoEnergy { .. }),
            "{name}: {error}"
        );
    }
}
