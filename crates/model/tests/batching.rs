//! Does a sequence give the same bits alone and in any batch, in any order, on
//! any number of threads and on every instruction set?

mod support;

use dtatrans_kernels::Isa;
use dtatrans_model::{AttentionHead, Checkpoint, Detail, Encoding, Engine, Precision};
use dtatrans_precision::trace::Operands;
use dtatrans_precision::{Plan, Ratio, Tier, importance};
use proptest::prelude::*;
use proptest::sample::select;
use support::plans::{
    Numbers, calibrated, find, names_of_compensations, names_of_importances, of_ratios, plans,
};
use support::{batches, data};

const MODELS: [&str; 2] = ["tiny-bert", "tiny-bert-classifier"];

fn engine(model: &str, precision: &Precision, isa: Isa) -> Engine {
    let checkpoint = Checkpoint::open(&data(model)).unwrap();
    Engine::new(&checkpoint, precision, isa).unwrap()
}

/// All that a run gives for one input.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    /// The bits of the value, of all hidden states and of all importances.
    numbers: Vec<u32>,
    tiers: Vec<Vec<Tier>>,
    /// Of some heads.
    operands: Vec<Operands>,
}

fn run(engine: &Engine, inputs: &[Encoding]) -> Vec<Outcome> {
    let outputs = |detail| engine.run(inputs, detail, &|_| {}).unwrap();
    let states = outputs(Detail::HiddenStates);
    let heads = [(0, 3), (1, 0), (2, 2)].map(|(layer, head)| AttentionHead { layer, head });
    let traces = outputs(Detail::Operands(&heads));
    states
        .into_iter()
        .zip(traces)
        .map(|(states, traced)| {
            assert_eq!(states.value, traced.value);
            assert_eq!(states.tiers, traced.tiers);
            let importance = traced.trace.iter().flat_map(|layer| &layer.importance);
            let numbers = states
                .value
                .iter()
                .chain(states.hidden_states.iter().flatten())
                .chain(importance);
            Outcome {
                numbers: numbers.map(|number| number.to_bits()).collect(),
                tiers: traced.tiers,
                operands: traced
                    .trace
                    .into_iter()
                    .flat_map(|layer| layer.operands)
                    .collect(),
            }
        })
        .collect()
}

/// As long as the tiny models allow: in a padded batch all others would be
/// padded to it.
fn longest() -> Encoding {
    support::tiny_inputs("tiny-bert").swap_remove(0)
}

/// That no mate and no order changes what each input gives.
fn check(engine: &Engine, inputs: &[Encoding]) -> Result<(), TestCaseError> {
    let alone = |input: &Encoding| run(engine, std::slice::from_ref(input)).swap_remove(0);
    let want: Vec<Outcome> = inputs.iter().map(alone).collect();
    prop_assert!(run(engine, inputs) == want, "together");
    let reversed: Vec<Encoding> = inputs.iter().rev().cloned().collect();
    let backwards = run(engine, &reversed);
    prop_assert!(backwards.iter().rev().eq(&want), "in reverse");
    for (input, want) in inputs.iter().zip(&want).take(2) {
        let beside = run(engine, &[longest(), input.clone(), longest()]);
        prop_assert!(beside[1] == *want, "beside the longest");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_plan_gives_the_same_bits_in_every_batch(
        plan in plans(),
        inputs in batches(),
        model in select(&MODELS),
    ) {
        check(&engine(model, &Precision::Plan(plan), Isa::best()), &inputs)?;
    }

    #[test]
    fn f32_gives_the_same_bits_in_every_batch(inputs in batches(), model in select(&MODELS)) {
        let engine = engine(model, &Precision::F32, Isa::best());
        let want: Vec<_> = inputs
            .iter()
            .map(|input| values(&engine, std::slice::from_ref(input)).swap_remove(0))
            .collect();
        prop_assert!(values(&engine, &inputs) == want, "together");
        let reversed: Vec<Encoding> = inputs.iter().rev().cloned().collect();
        prop_assert!(values(&engine, &reversed).iter().rev().eq(&want), "in reverse");
    }

    #[test]
    fn a_plan_gives_the_same_bits_on_every_instruction_set(
        plan in plans(),
        inputs in batches(),
        model in select(&MODELS),
    ) {
        let precision = Precision::Plan(plan);
        let want = run(&engine(model, &precision, Isa::SCALAR), &inputs);
        for isa in Isa::available() {
            prop_assert!(run(&engine(model, &precision, isa), &inputs) == want, "{:?}", isa);
        }
    }
}

/// The bits of value and hidden states at f32.
fn values(engine: &Engine, inputs: &[Encoding]) -> Vec<Vec<u32>> {
    let outputs = engine.run(inputs, Detail::HiddenStates, &|_| {}).unwrap();
    outputs
        .iter()
        .map(|output| {
            let numbers = output
                .value
                .iter()
                .chain(output.hidden_states.iter().flatten());
            numbers.map(|number| number.to_bits()).collect()
        })
        .collect()
}

/// A plan with this compensation and importance; `case` picks first layer,
/// prior, group, balance and exceptions.
fn varied(compensation: &str, importance: &str, case: u64) -> Plan {
    let mut numbers = Numbers(case);
    let mixed = |eight, four| Ratio::from_thousandths(eight, four).unwrap();
    let (first, prior) = [
        (Ratio::ALL_ZERO, false),
        (mixed(200, 300), true),
        (Ratio::ALL_EIGHT, false),
        (Ratio::ALL_ZERO, true),
        (Ratio::ALL_FOUR, false),
    ][numbers.below(5)];
    let mut plan = of_ratios([first, mixed(250, 250), mixed(150, 350)], prior);
    plan.compensation = find(compensation);
    plan.importance = importance::find(importance).unwrap();
    plan.rank = 8;
    plan.group = [0, 32][numbers.below(2)];
    plan.balance = numbers.below(2) == 1;
    if numbers.below(2) == 1 {
        let names = names_of_compensations();
        let other = names[numbers.below(names.len())];
        plan.set_compensation_at(numbers.below(3), find(other));
    }
    calibrated(plan, case)
}

#[test]
fn each_compensation_under_each_importance_gives_the_same_bits_in_every_batch() {
    let mut numbers = Numbers(1);
    let inputs: Vec<Encoding> = [3, 1, 17, 2, 9]
        .into_iter()
        .map(|n| {
            let ids = (0..n).map(|_| numbers.below(200) as u32).collect();
            Encoding::from_ids(ids, vec![0; n])
        })
        .collect();
    let mut case = 0;
    for compensation in names_of_compensations() {
        for importance in names_of_importances() {
            let precision = Precision::Plan(varied(compensation, importance, case));
            let engine = engine("tiny-bert", &precision, Isa::best());
            let outcome = check(&engine, &inputs);
            assert!(outcome.is_ok(), "{outcome:?}: {precision:?}");
            case += 1;
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let three = support::tiny_inputs("tiny-bert");
    // Several batches of several sequences.
    let inputs: Vec<Encoding> = three.iter().cycle().take(60).cloned().collect();
    let importances = names_of_importances();
    let plans = names_of_compensations()
        .into_iter()
        .zip(importances)
        .zip(0..)
        .map(|((compensation, importance), case)| varied(compensation, importance, case));
    let pools: Vec<rayon::ThreadPool> = [1, 2, 5]
        .into_iter()
        .map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads))
        .map(|builder| builder.build().unwrap())
        .collect();
    let in_each_pool = |work: &(dyn Fn() -> Vec<Vec<u32>> + Sync), what: &str| {
        let want = pools[0].install(work);
        for pool in &pools[1..] {
            let threads = pool.current_num_threads();
            assert!(pool.install(work) == want, "{threads} threads: {what}");
        }
    };
    let float = engine("tiny-bert", &Precision::F32, Isa::best());
    in_each_pool(&|| values(&float, &inputs), "f32");
    for plan in plans {
        let what = plan.to_toml();
        let engine = engine("tiny-bert", &Precision::Plan(plan), Isa::best());
        let numbers = || {
            let outcomes = run(&engine, &inputs);
            outcomes
                .into_iter()
                .map(|outcome| outcome.numbers)
                .collect()
        };
        in_each_pool(&numbers, &what);
    }
}
