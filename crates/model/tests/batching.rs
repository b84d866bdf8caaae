//! Does a sequence give the same bits alone and in any batch, in any order, on
//! every instruction set?

mod support;

use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision};
use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::{Bits, Plan, Ratio, compensation};
use proptest::prelude::*;
use support::{batches, data};

fn plans() -> impl Strategy<Value = Plan> {
    let ratio = (0u16..=1000)
        .prop_flat_map(|eight| (Just(eight), 0..=1000 - eight))
        .prop_map(|(eight, four)| Ratio::from_thousandths(eight, four).unwrap());
    let first = prop_oneof![Just(Ratio::ALL_EIGHT), Just(Ratio::ALL_FOUR)];
    let flags = prop::collection::vec(prop::bool::ANY, 5);
    let name = prop_oneof![Just("drop"), Just("carry"), Just("keys-values")];
    (first, ratio.clone(), ratio, flags, name, 1usize..9).prop_map(
        |(first, second, third, flags, name, round_to)| {
            let mut plan = Plan::new(vec![first, second, third]).unwrap();
            plan.compensation = compensation::find(name).unwrap();
            plan.rotation = flags[0];
            plan.clipping = flags[4];
            if flags[1] {
                plan.weight_bits = Bits::Four;
            }
            if flags[2] {
                plan.probability_bits = ProbabilityBits::Tier;
            }
            if flags[3] {
                plan.protected_bits = ProtectedBits::Four;
            }
            plan.round_to = round_to;
            plan
        },
    )
}

fn engine(precision: &Precision, isa: Isa) -> Engine {
    let checkpoint = Checkpoint::open(&data("tiny-bert-classifier")).unwrap();
    Engine::new(&checkpoint, precision, isa).unwrap()
}

fn run(engine: &Engine, inputs: &[Encoding]) -> Vec<Output> {
    engine.run(inputs, Detail::Trace, &|_| {}).unwrap()
}

fn check(engine: &Engine, inputs: &[Encoding]) -> Result<(), TestCaseError> {
    let together = run(engine, inputs);
    let mut reversed: Vec<Encoding> = inputs.to_vec();
    reversed.reverse();
    let mut backwards = run(engine, &reversed);
    backwards.reverse();
    prop_assert_eq!(&together, &backwards);
    for (input, output) in inputs.iter().zip(&together) {
        prop_assert_eq!(&run(engine, std::slice::from_ref(input))[0], output);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_plan_gives_the_same_bits_in_every_batch(plan in plans(), inputs in batches()) {
        check(&engine(&Precision::Plan(plan), Isa::best()), &inputs)?;
    }

    #[test]
    fn f32_gives_the_same_bits_in_every_batch(inputs in batches()) {
        check(&engine(&Precision::F32, Isa::best()), &inputs)?;
    }

    #[test]
    fn a_plan_gives_the_same_bits_on_every_instruction_set(plan in plans(), inputs in batches()) {
        let precision = Precision::Plan(plan);
        let want = run(&engine(&precision, Isa::SCALAR), &inputs);
        for isa in Isa::available() {
            prop_assert_eq!(&run(&engine(&precision, isa), &inputs), &want, "{:?}", isa);
        }
    }

    #[test]
    fn tiers_sum_to_the_tokens_and_protected_ones_are_computed(
        plan in plans(),
        inputs in batches(),
    ) {
        let outputs = run(&engine(&Precision::Plan(plan.clone()), Isa::best()), &inputs);
        for (input, output) in inputs.iter().zip(&outputs) {
            prop_assert_eq!(output.tiers.len(), 3);
            prop_assert!(output.value.iter().all(|value| value.is_finite()));
            for tiers in &output.tiers {
                prop_assert_eq!(tiers.len(), input.len());
                for (tier, protected) in tiers.iter().zip(&input.protected) {
                    prop_assert!(!protected || *tier >= plan.protected_bits.tier());
                }
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let three = support::tiny_inputs("tiny-bert-classifier");
    let inputs: Vec<Encoding> = three.iter().cycle().take(60).cloned().collect();
    let plan = Plan::new(vec![
        Ratio::ALL_EIGHT,
        Ratio::from_thousandths(250, 400).unwrap(),
        Ratio::from_thousandths(100, 300).unwrap(),
    ])
    .unwrap();
    for precision in [Precision::F32, Precision::Plan(plan)] {
        let engine = engine(&precision, Isa::best());
        let want = run(&engine, &inputs);
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            assert_eq!(
                pool.install(|| run(&engine, &inputs)),
                want,
                "{threads} threads"
            );
        }
    }
}
