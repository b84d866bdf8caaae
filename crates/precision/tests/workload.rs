//! Do the products that a run implies cost what the definition says?

use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::workload::{Operation, RightBits, Saved, Workload};
use dtatrans_precision::{Bits, ModelShape, Plan, Ratio, Tier, compensation};
use proptest::prelude::*;

fn shape() -> ModelShape {
    ModelShape {
        layers: 2,
        ..ModelShape::bert_base()
    }
}

/// The sum over all scalar products, one by one: the definition.
fn by_definition(workload: &Workload) -> (u64, u64) {
    let (mut attention, mut encoder) = (0, 0);
    for product in workload.products() {
        for &row in &product.rows {
            for t in 0..product.k {
                for c in 0..product.n {
                    let right = match &product.right {
                        RightBits::Uniform(bits) => *bits,
                        RightBits::Columns(columns) => columns[c],
                        RightBits::Steps(steps) => steps[t],
                    };
                    let cost = product.count as u64 * u64::from(row.bits() * right.bits() / 16);
                    encoder += cost;
                    if product.operation.is_attention() {
                        attention += cost;
                    }
                }
            }
        }
    }
    (attention, encoder)
}

#[test]
fn four_bits_everywhere_save_three_quarters_of_the_attention_and_half_of_the_rest() {
    let shape = shape();
    let n = 384;
    let mut plan = Plan::dense_four(2);
    plan.probability_bits = ProbabilityBits::Tier;
    let four = Workload::under_plan(&shape, &plan, &vec![vec![Tier::Four; n]; 2]);
    let dense = Workload::dense(&shape, n, Bits::Eight);
    let saved = Saved::new(four.element_cycles(), dense.element_cycles());
    assert_eq!(saved.attention, 0.75);
    assert!(saved.encoder > 0.5 && saved.encoder < 0.55);
}

#[test]
fn eight_bits_everywhere_save_nothing() {
    let shape = shape();
    let eight = Workload::under_plan(
        &shape,
        &Plan::dense_eight(2),
        &vec![vec![Tier::Eight; 31]; 2],
    );
    let dense = Workload::dense(&shape, 31, Bits::Eight);
    let saved = Saved::new(eight.element_cycles(), dense.element_cycles());
    assert_eq!((saved.attention, saved.encoder), (0.0, 0.0));
    // 12 d^2 per token and layer, and 2 n d in the attention.
    let macs: u64 = dense.products().map(|product| product.macs()).sum();
    assert_eq!(macs, 2 * 31 * (12 * 768 * 768 + 2 * 31 * 768));
}

#[test]
fn zero_bit_tokens_offer_keys_and_values_only_where_compensated() {
    let shape = shape();
    let tiers = vec![
        vec![Tier::Eight; 4],
        vec![Tier::Eight, Tier::Zero, Tier::Four, Tier::Zero],
    ];
    for (name, keys) in [("drop", 2), ("carry", 2), ("keys-values", 4)] {
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 2]).unwrap();
        plan.compensation = compensation::find(name).unwrap();
        plan.protected_bits = ProtectedBits::Four;
        let workload = Workload::under_plan(&shape, &plan, &tiers);
        let find = |operation| {
            workload.layers[1]
                .products
                .iter()
                .find(|product| product.operation == operation)
                .unwrap()
        };
        assert_eq!(find(Operation::Query).m(), 2);
        assert_eq!(find(Operation::KeyValue).m(), keys, "{name}");
        assert_eq!(find(Operation::Score).n, keys, "{name}");
        assert_eq!(find(Operation::Context).k, keys, "{name}");
    }
}

proptest! {
    #[test]
    fn element_cycles_are_the_sum_over_scalar_products(
        tiers in prop::collection::vec(prop_oneof![Just(Tier::Eight), Just(Tier::Four), Just(Tier::Zero)], 6),
        name in prop_oneof![Just("drop"), Just("carry"), Just("keys-values")],
        probability in prop_oneof![Just(ProbabilityBits::Tier), Just(ProbabilityBits::Fixed(Bits::Eight))],
    ) {
        let shape = ModelShape {
            name: String::new(), layers: 2, hidden: 8, heads: 2, head_dim: 4, intermediate: 16, causal: false,
        };
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 2]).unwrap();
        plan.compensation = compensation::find(name).unwrap();
        plan.probability_bits = probability;
        let workload = Workload::under_plan(&shape, &plan, &[vec![Tier::Eight; 6], tiers]);
        let sum = workload.element_cycles();
        prop_assert_eq!((sum.attention, sum.encoder), by_definition(&workload));
    }
}
