//! Is energy what the counts and the tables say?

mod setup;

use dtatrans_accel::energy::{EnergyTable, Part};
use dtatrans_accel::memory::Sram;
use dtatrans_accel::{AccelError, Machine, ScopeReport};
use dtatrans_precision::trace::Header;
use dtatrans_precision::{ModelShape, Tier};
use setup::run;

#[test]
fn elements_spend_as_a_naive_netlist_does() {
    // Array energy per product without padding: 4 b x 4 b below the plain
    // 8-bit element, 4 b x 8 b above it, 8 b x 8 b more than twice it (1.18,
    // 2.45, 4.44 against 1.82 pJ in Nangate45, zero delay).
    let model = ModelShape::bert_base();
    let array = |scope: &ScopeReport| {
        let energy = &scope.energy;
        (energy.of_pj(Part::Arithmetic) + energy.of_pj(Part::Registers))
            / scope.macs_executed as f64
    };
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
    let (netlist, composed) = (4.44 / 1.82, eight_eight / plain);
    assert!((composed / netlist - 1.0_f64).abs() < 0.25, "{composed}");
    let (netlist, composed) = (1.18 / 1.82, four_four / plain);
    assert!((composed / netlist - 1.0_f64).abs() < 0.25, "{composed}");
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
        "rows = 8\ncolumns = 16\narrays = 4",
        "rows = 16\ncolumns = 32\narrays = 1",
    );
    let input = setup::uniform(&header, 16, Tier::Eight);
    let report = machine.simulate(&header, &input).unwrap();
    let energy = &report.attention.energy;
    let close = |part, expected: f64| {
        let ratio = energy.of_pj(part) / expected;
        assert!((ratio - 1.0).abs() < 1e-9, "{part:?}: {ratio}");
    };

    // 2 heads x 16 x 16 x 32 products, twice, at four nibble steps each.
    let macs = 2.0 * 2.0 * 16.0 * 16.0 * 32.0;
    close(Part::Arithmetic, 4.0 * macs * (0.078125 + 0.1));
    // Scores pad 16 of 32 columns of the one tile for 32 steps.
    let padding = 2.0 * 16.0 * 16.0 * 32.0;
    let results = 2.0 * (16.0 * 16.0 + 16.0 * 32.0);
    let bits = 4.0 * macs * 32.0 + macs * 18.0 + padding * 42.0 + results * 32.0 * 9.0;
    close(Part::Registers, bits * 0.01035);

    // Array: q, k, P and v once each; scores once; the context on its way out.
    let head = 4096.0 + 4096.0 + 2048.0 + 4096.0;
    let (scores, context) = (2.0 * 16.0 * 16.0 * 16.0, 16.0 * 64.0 * 8.0);
    let read = 2.0 * head + scores + context;
    // q, k, v on their way in; scores, P and context.
    let written = 3.0 * 16.0 * 64.0 * 8.0 + scores + 2.0 * 2048.0 + context;
    let sram = Sram::new(131_072, 8, 128).unwrap();
    close(
        Part::Buffer,
        read * sram.read_pj_per_bit() + written * sram.write_pj_per_bit(),
    );

    // Softmax and importance of 512 scores; the quantizer for them and for the
    // context.
    let (softmax, quantized) = (512.0, 512.0 + 16.0 * 64.0);
    let multiply_adds = 4.0 * softmax + quantized;
    let clocked = 32.0 * 0.01035;
    close(
        Part::Vector,
        multiply_adds * (0.8 + 0.1 + clocked) + softmax * (0.1 + clocked),
    );
    assert_eq!(energy.of_pj(Part::Sort), 0.0);
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
        }
    }
}

#[test]
fn a_table_without_an_action_stops_the_run() {
    let table = "action,energy_pj,node_nm,source\nadd_32b,0.1,45,somewhere\n";
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
