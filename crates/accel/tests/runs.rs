//! Do runs cost what the definitions say, conserve what must be conserved, and
//! stay within what is possible?

mod setup;

use dtatrans_accel::{AccelError, Machine, RunReport, ScopeReport};
use dtatrans_precision::workload::Workload;
use dtatrans_precision::{Bits, ModelShape, Tier};
use setup::{edited, encoder, run, some_inputs};

#[test]
fn the_elements_of_the_vssa_work_the_defined_element_cycles() {
    let model = setup::minilm();
    for (header, input, each_attention, each_linear) in [
        {
            let header = setup::header(model.clone());
            let input = setup::uniform(&header, 48, Tier::Eight);
            (header, input, 4, 4)
        },
        {
            let header = setup::header_tier_probabilities(model.clone());
            let input = setup::uniform(&header, 48, Tier::Four);
            (header, input, 1, 2)
        },
        {
            let header = setup::header_weights(model.clone(), Bits::Four);
            let input = setup::uniform(&header, 48, Tier::Four);
            (header, input, 1, 1)
        },
    ] {
        let report = run("vssa-512", &header, &input);
        let attention = &report.attention;
        assert_eq!(attention.macs_executed, attention.macs_dense);
        assert_eq!(
            attention.element_cycles.active,
            each_attention * attention.macs_dense
        );
        let encoder = encoder(&report);
        let linear = encoder.macs_dense - attention.macs_dense;
        assert_eq!(
            encoder.element_cycles.active - attention.element_cycles.active,
            each_linear * linear
        );
        assert_eq!(encoder.element_cycles.speed_mismatch, 0);
    }
}

#[test]
fn what_works_and_what_waits_sums_to_the_whole() {
    for name in Machine::builtin_names() {
        for (header, input) in some_inputs() {
            let report = run(name, &header, &input);
            let scopes = [Some(&report.attention), report.encoder.as_ref()];
            for scope in scopes.into_iter().flatten() {
                assert_eq!(scope.element_cycles.total(), scope.cycles * scope.elements);
                let operations: u64 = scope.operation_cycles.values().sum();
                assert_eq!(operations, scope.cycles);
                assert!(scope.utilisation() > 0.0 && scope.utilisation() <= 1.0);
                assert!(scope.energy.on_chip_pj() > 0.0);
            }
        }
    }
}

#[test]
fn the_products_computed_are_the_workloads() {
    for (header, input) in some_inputs() {
        let work = input.workload(&header);
        let macs: u64 = work.products().map(|product| product.macs()).sum();
        let vssa = run("vssa-512", &header, &input);
        assert_eq!(encoder(&vssa).macs_executed, macs);
        let cycles = work.element_cycles();
        assert_eq!(encoder(&vssa).element_cycles.active, cycles.encoder);
        assert_eq!(vssa.attention.element_cycles.active, cycles.attention);

        let dense = Workload::dense(&header.model, input.tokens.len(), Bits::Eight);
        let macs: u64 = dense.products().map(|product| product.macs()).sum();
        for name in ["systolic-128", "eyeriss", "eyeriss-1ghz"] {
            let report = run(name, &header, &input);
            assert_eq!(encoder(&report).macs_executed, macs, "{name}");
            assert_eq!(encoder(&report).macs_dense, macs, "{name}");
        }
    }
}

#[test]
fn grouping_never_costs_cycles() {
    let grouped = Machine::builtin("vssa-512").unwrap();
    let arrival = edited("vssa-512", "order = \"grouped\"", "order = \"arrival\"");
    let mut faster = 0;
    for (header, input) in some_inputs() {
        let grouped = grouped.simulate(&header, &input).unwrap();
        let arrival = arrival.simulate(&header, &input).unwrap();
        let (ours, other) = (encoder(&grouped).cycles, encoder(&arrival).cycles);
        // Where nothing is mixed, the table of positions still takes room.
        let table = other / 1000;
        assert!(
            ours <= other + table,
            "{} tokens: {ours} and {other}",
            input.tokens.len()
        );
        assert!(grouped.attention.cycles <= arrival.attention.cycles);
        assert!(
            encoder(&grouped).element_cycles.speed_mismatch
                <= encoder(&arrival).element_cycles.speed_mismatch
        );
        faster += u32::from(encoder(&grouped).cycles < encoder(&arrival).cycles);
    }
    assert!(faster >= 4, "grouping helped {faster} inputs");
}

#[test]
fn no_machine_beats_what_its_multipliers_and_savings_allow() {
    for (header, input) in some_inputs() {
        let work = input.workload(&header).element_cycles();
        let dense = Workload::dense(&header.model, input.tokens.len(), Bits::Eight);
        let dense = dense.element_cycles();
        for (name, multipliers) in [("vssa-512", 128.0), ("vssa-4096", 1024.0)] {
            let report = run(name, &header, &input);
            let peak = 2.0 * multipliers;
            let limit = peak * dense.attention as f64 / work.attention as f64;
            assert!(report.attention.effective_gops() <= limit * (1.0 + 1e-12));
            let limit = peak * dense.encoder as f64 / work.encoder as f64;
            assert!(encoder(&report).effective_gops() <= limit * (1.0 + 1e-12));
        }
        let systolic = run("systolic-128", &header, &input);
        assert!(encoder(&systolic).effective_gops() <= 256.0);
        let eyeriss = run("eyeriss", &header, &input);
        assert!(encoder(&eyeriss).effective_gops() <= 2.0 * 168.0 * 0.2);
        let spatten = run("spatten-eighth", &header, &input).attention;
        let saved = spatten.macs_dense as f64 / spatten.macs_executed as f64;
        assert!(spatten.effective_gops() <= 256.0 * saved);
    }
}

#[test]
fn equal_work_takes_equal_time_on_the_vssa_and_the_plain_array() {
    // Dense 8-bit tokens: four cycles on four times the elements.
    let header = setup::header(ModelShape::bert_base());
    let input = setup::uniform(&header, 384, Tier::Eight);
    let vssa = run("vssa-512", &header, &input);
    let systolic = run("systolic-128", &header, &input);
    let ratio = encoder(&vssa).cycles as f64 / encoder(&systolic).cycles as f64;
    assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    // Four-bit tokens gain on the one, nothing on the other.
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    let four = setup::uniform(&header, 384, Tier::Four);
    assert!(run("vssa-512", &header, &four).attention.cycles * 3 < vssa.attention.cycles);
    assert_eq!(
        run("systolic-128", &header, &four).attention.cycles,
        systolic.attention.cycles
    );
}

#[test]
fn a_slow_softmax_is_charged_to_the_vector_unit() {
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    let input = setup::uniform(&header, 384, Tier::Four);
    let fast = run("vssa-512", &header, &input);
    let slow = edited("vssa-512", "softmax_per_cycle = 8", "softmax_per_cycle = 1");
    let slow = slow.simulate(&header, &input).unwrap();
    assert!(slow.attention.cycles > fast.attention.cycles * 3 / 2);
    assert!(slow.attention.element_cycles.vector > fast.attention.element_cycles.vector);
}

#[test]
fn only_the_last_tiles_softmax_is_exposed() {
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    let input = setup::uniform(&header, 384, Tier::Four);
    let report = run("vssa-512", &header, &input).attention;
    // At most 8 rows of 384 scores, 8 a cycle, once a layer.
    let once = 12 * 8 * 384 / 8 * 512;
    assert!(report.element_cycles.vector > 0 && report.element_cycles.vector <= once);
    // The first operands of each layer.
    assert!(report.element_cycles.dram * 1000 < report.element_cycles.total());
}

#[test]
fn the_sort_hides_in_the_encoder_and_not_in_the_attention() {
    let header = setup::header(ModelShape::bert_base());
    let input = setup::uniform(&header, 384, Tier::Eight);
    let report = run("vssa-512", &header, &input);
    // No ranking before the first layer; before the others four passes over 24
    // words, and one that tells.
    assert_eq!(
        report.attention.element_cycles.sort,
        512 * 11 * (4 * (24 + 2) + 24 + 3)
    );
    assert_eq!(encoder(&report).element_cycles.sort, 0);
}

#[test]
fn reports_add_up() {
    let header = setup::header(setup::minilm());
    let inputs = [25, 31, 7].map(|n| setup::scattered(&header, n, 20, 40));
    for name in Machine::builtin_names() {
        let reports = inputs.each_ref().map(|input| run(name, &header, input));
        let sum = RunReport::sum(&reports).unwrap().unwrap();
        assert_eq!((sum.inputs, sum.tokens), (3, 63));
        let cycles: u64 = reports.iter().map(|report| report.attention.cycles).sum();
        assert_eq!(sum.attention.cycles, cycles);
        let energy: f64 = reports
            .iter()
            .map(|report| report.attention.energy.total_pj())
            .sum();
        assert!((sum.attention.energy.total_pj() / energy - 1.0).abs() < 1e-12);
    }
    let mut report = run("vssa-512", &header, &inputs[0]);
    let other = run("eyeriss", &header, &inputs[0]);
    assert!(matches!(report.add(&other), Err(AccelError::Mixed { .. })));
    assert_eq!(RunReport::sum([]).unwrap(), None);
}

#[test]
fn the_same_input_gives_the_same_report() {
    for name in Machine::builtin_names() {
        for (header, input) in some_inputs() {
            let text = |report: RunReport| serde_json::to_string(&report).unwrap();
            let machine = Machine::builtin(name).unwrap();
            let first = text(machine.simulate(&header, &input).unwrap());
            assert_eq!(first, text(machine.simulate(&header, &input).unwrap()));
            assert_eq!(first, text(run(name, &header, &input)));
        }
    }
}

#[test]
fn reports_are_serialized_with_units_and_derived_figures() {
    let header = setup::header(setup::minilm());
    let report = run(
        "vssa-512",
        &header,
        &setup::uniform(&header, 25, Tier::Four),
    );
    let json = serde_json::to_value(&report).unwrap();
    let scope = &json["encoder"];
    assert_eq!(scope["cycles"], encoder(&report).cycles);
    assert_eq!(scope["time_us"], encoder(&report).time_us());
    assert_eq!(scope["effective_gops"], encoder(&report).effective_gops());
    let parts: f64 = scope["energy_pj"]
        .as_object()
        .unwrap()
        .values()
        .map(|pj| pj.as_f64().unwrap())
        .sum();
    assert!((parts / encoder(&report).energy.total_pj() - 1.0).abs() < 1e-12);
    assert!(scope["operation_cycles"]["score"].as_u64().unwrap() > 0);
    assert_eq!(json["kind"], "vssa");
}

#[test]
fn traces_that_do_not_fit_are_refused() {
    let header = setup::header(setup::minilm());
    let good = setup::uniform(&header, 5, Tier::Eight);
    let machine = Machine::builtin("vssa-512").unwrap();
    let mut input = good.clone();
    input.layers.pop();
    assert!(matches!(
        machine.simulate(&header, &input),
        Err(AccelError::Input { .. })
    ));
    let mut input = good.clone();
    input.layers[3].tiers.pop();
    assert!(matches!(
        machine.simulate(&header, &input),
        Err(AccelError::Input { .. })
    ));
    let mut input = good.clone();
    input.layers[2].tiers = vec![Tier::Zero; 5];
    assert!(matches!(
        machine.simulate(&header, &input),
        Err(AccelError::Input { .. })
    ));
    let slow = edited(
        "vssa-512",
        "bandwidth_gbps = 64.0",
        "bandwidth_gbps = 1e-300",
    );
    assert!(matches!(
        slow.simulate(&header, &good),
        Err(AccelError::TooLong { .. })
    ));
    let mut header = header;
    header.model.hidden = usize::MAX;
    assert!(matches!(
        machine.simulate(&header, &good),
        Err(AccelError::Input { .. })
    ));
}

#[test]
fn spattens_schedule_is_a_plan_that_models_can_run() {
    let machine = Machine::builtin("spatten-eighth").unwrap();
    let plan = machine.own_plan(12).unwrap();
    assert_eq!(plan.compensation.name(), "drop");
    assert_eq!(plan.layers()[0].r8(), 1.0);
    assert_eq!(plan.layers()[1].r8(), 1.0);
    let kept: Vec<f64> = plan.layers().iter().map(|ratio| ratio.r8()).collect();
    assert!(kept.windows(2).all(|pair| pair[1] <= pair[0]));
    assert!(plan.layers().iter().all(|ratio| ratio.r4() == 0.0));
    let mean_square: f64 = kept.iter().map(|share| share * share).sum::<f64>() / 12.0;
    assert!((mean_square - 0.67).abs() < 0.015, "{mean_square}");
    assert!(Machine::builtin("vssa-512").unwrap().own_plan(12).is_none());
}

#[test]
fn more_arrays_share_the_heads() {
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    for n in [25, 384] {
        let input = setup::uniform(&header, n, Tier::Four);
        let one = run("vssa-512", &header, &input).attention;
        let eight = run("vssa-4096", &header, &input).attention;
        assert!(eight.cycles * 8 >= one.cycles);
        assert!(eight.cycles * 3 < one.cycles);
        assert_eq!(eight.element_cycles.active, one.element_cycles.active);
    }
}

/// Prints the figures that published ones are set beside.
#[test]
fn figures_on_bert_base() {
    let model = ModelShape::bert_base();
    let tiers = setup::header_tier_probabilities(model.clone());
    for n in [25, 40, 128, 384] {
        println!("BERT-base, {n} tokens: attention cycles, GOP/s, utilisation; encoder the same");
        for name in Machine::builtin_names() {
            for tier in [Tier::Eight, Tier::Four] {
                if tier == Tier::Four && !name.starts_with("vssa") {
                    continue;
                }
                let report = run(name, &tiers, &setup::uniform(&tiers, n, tier));
                let figures = |scope: &ScopeReport| {
                    format!(
                        "{:>10} {:>7.1} {:>5.1} % {:>9.1} uJ ({:>9.1} on chip)",
                        scope.cycles,
                        scope.effective_gops(),
                        100.0 * scope.utilisation(),
                        scope.energy.total_pj() * 1e-6,
                        scope.energy.on_chip_pj() * 1e-6,
                    )
                };
                println!(
                    "  {name:>14} {} bits: {} | {}",
                    tier.bits(),
                    figures(&report.attention),
                    report.encoder.as_ref().map_or("-".into(), figures),
                );
            }
        }
    }
    // Published for SpAtten-1/8: 360 GOP/s.
    let spatten = run(
        "spatten-eighth",
        &tiers,
        &setup::uniform(&tiers, 384, Tier::Eight),
    );
    assert!((spatten.attention.effective_gops() / 360.0 - 1.0).abs() < 0.15);
}
