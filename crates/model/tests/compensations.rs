//! Does a compensation change the outcome where tokens are left out, and only
//! there?

mod support;

use dtatrans_model::{Detail, Encoding, Output, Precision};
use dtatrans_precision::importance::Waiting;
use dtatrans_precision::{Plan, Ratio};
use proptest::prelude::*;
use support::batches;
use support::plans::{
    LAYERS, calibrated, choices, compensations, find, names_of_compensations, of_ratios,
};

/// The bits of everything that is computed.
fn numbers(plan: Plan, inputs: &[Encoding]) -> Vec<Vec<u32>> {
    let precision = Precision::Plan(plan);
    let outputs = |detail| support::run("tiny-bert", &precision, inputs, detail);
    let traces = outputs(Detail::Trace);
    let bits = |(states, traced): (Output, Output)| -> Vec<u32> {
        let importance = traced.trace.iter().flat_map(|layer| &layer.importance);
        let states = states
            .value
            .iter()
            .chain(states.hidden_states.iter().flatten());
        states
            .chain(importance)
            .map(|number| number.to_bits())
            .collect()
    };
    let states = outputs(Detail::HiddenStates);
    states.into_iter().zip(traces).map(bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_agree_where_no_token_is_left_out(
        eights in prop::array::uniform3(0u16..=1000),
        prior in prop::bool::ANY,
        choices in choices(),
        exceptions in prop::array::uniform3(compensations()),
        inputs in batches(),
        seed in any::<u64>(),
    ) {
        let mut ratios = eights.map(|eight| Ratio::from_thousandths(eight, 1000 - eight).unwrap());
        if !prior {
            ratios[0] = [Ratio::ALL_EIGHT, Ratio::ALL_FOUR][usize::from(eights[0] % 2)];
        }
        let mut plan = of_ratios(ratios, prior);
        choices.apply(&mut plan);
        // Without a prior there is nothing to calibrate.
        prop_assert_eq!(plan.needs_calibration(), prior);
        let mut exceptional = plan.clone();
        for (layer, name) in exceptions.into_iter().enumerate() {
            exceptional.set_compensation_at(layer, find(name));
        }
        let run = |plan| match prior {
            true => numbers(calibrated(plan, seed), &inputs),
            false => numbers(plan, &inputs),
        };
        let want = run(exceptional);
        for name in names_of_compensations() {
            plan.compensation = find(name);
            prop_assert!(run(plan.clone()) == want, "{}", name);
        }
    }
}

#[test]
fn no_two_agree_where_tokens_are_left_out() {
    let inputs = support::tiny_inputs("tiny-bert");
    let ratio = Ratio::from_thousandths(200, 300).unwrap();
    let outcomes: Vec<_> = names_of_compensations()
        .into_iter()
        .map(|name| {
            let mut plan = of_ratios([Ratio::ALL_EIGHT, ratio, ratio], false);
            plan.compensation = find(name);
            // So that tokens come back, unless they are gone for good.
            plan.importance = &Waiting;
            (name, numbers(calibrated(plan, 5), &inputs))
        })
        .collect();
    for (place, (name, numbers)) in outcomes.iter().enumerate() {
        for (other, others) in &outcomes[..place] {
            for (one, two) in numbers.iter().zip(others) {
                assert!(one != two, "{name} and {other}");
            }
        }
    }
}

/// An exception is the compensation of its layer, and of no other.
#[test]
fn an_exception_stands_for_its_layer_alone() {
    let inputs = support::tiny_inputs("tiny-bert");
    let ratio = Ratio::from_thousandths(200, 300).unwrap();
    let plan = || {
        let mut plan = of_ratios([Ratio::ALL_EIGHT, ratio, ratio], false);
        plan.compensation = find("carry");
        plan
    };
    let want = numbers(plan(), &inputs);
    for layer in 0..LAYERS {
        let mut excepted = plan();
        excepted.set_compensation_at(layer, find("keys-values"));
        let got = numbers(excepted, &inputs);
        // What comes before the value: all layers' states, in order.
        for ((got, want), input) in got.iter().zip(&want).zip(&inputs) {
            let width = support::plans::WIDTH;
            let state = |numbers: &[u32], layer: usize| {
                let size = input.len() * width;
                numbers[width..][layer * size..(layer + 1) * size].to_vec()
            };
            for after in 1..=LAYERS {
                let same = state(got, after) == state(want, after);
                let changed = layer > 0 && after > layer;
                assert_eq!(same, !changed, "exception at {layer}, after {after}");
            }
        }
    }
}
