//! Do the products that a run implies cost what the definition says?

mod by_hand;

use std::sync::Arc;

use dtatrans_precision::cache::CachePlan;
use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::workload::{
    ElementCycles, LayerWork, Operation, Product, RightBits, Saved, VectorWork, Workload,
};
use dtatrans_precision::{Bits, ModelShape, Plan, Ratio, Tier, compensation, importance};
use proptest::prelude::*;
use proptest::sample::select;

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
    for (name, queries, keys) in [
        ("drop", 2, 2),
        ("carry", 2, 2),
        ("keys-values", 2, 4),
        // One more row for the average.
        ("fused", 3, 3),
        ("keys-values+fused", 3, 4),
        ("predict-diagonal", 2, 2),
        ("predict-low-rank", 2, 2),
        ("keys-values+predict", 2, 4),
        ("attention+predict", 4, 4),
    ] {
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 2]).unwrap();
        plan.compensation = compensation::find(name).unwrap();
        plan.protected_bits = ProtectedBits::Four;
        let workload = Workload::under_plan(&shape, &plan, &tiers);
        let find = |operation| find(&workload.layers[1], operation).unwrap();
        assert_eq!(find(Operation::Query).m(), queries, "{name}");
        assert_eq!(find(Operation::KeyValue).m(), keys, "{name}");
        assert_eq!(find(Operation::Score).n, keys, "{name}");
        assert_eq!(find(Operation::Context).k, keys, "{name}");
    }
}

fn find(layer: &LayerWork, operation: Operation) -> Option<&Product> {
    let mut products = layer.products.iter();
    products.find(|product| product.operation == operation)
}

fn names() -> Vec<&'static str> {
    compensation::ALL.iter().map(|form| form.name()).collect()
}

/// Widths that 32 channels do not divide, and no two alike.
fn uneven() -> ModelShape {
    ModelShape {
        name: String::new(),
        layers: 3,
        hidden: 48,
        heads: 3,
        key_value_heads: 3,
        head_dim: 16,
        intermediate: 80,
        ..ModelShape::bert_base()
    }
}

/// A plan, and tiers that a run under it may have.
fn runs() -> impl Strategy<Value = (Plan, Vec<Vec<Tier>>)> {
    let tiers = (1usize..8).prop_flat_map(|n| {
        let layer = prop::collection::vec(select(Tier::ALL.to_vec()), n);
        prop::collection::vec(layer, 3)
    });
    let widths = || select(vec![Bits::Four, Bits::Eight]);
    (
        tiers,
        prop::array::uniform3(select(names())),
        prop::array::uniform5(prop::bool::ANY),
        select(vec![0usize, 32]),
        widths(),
        prop::option::of(widths()),
        select(vec![8usize, 40, 100]),
    )
        .prop_map(
            |(mut tiers, names, flags, group, weights, probabilities, rank)| {
                let ratios = vec![Ratio::ALL_EIGHT; 3];
                let mut plan = match flags[3] {
                    true => Plan::with_prior(ratios),
                    false => Plan::new(ratios),
                }
                .unwrap();
                for (layer, name) in names.into_iter().enumerate() {
                    plan.set_compensation_at(layer, compensation::find(name).unwrap());
                }
                plan.rotation = flags[0];
                plan.balance = flags[1];
                plan.clipping = flags[2];
                if flags[4] {
                    plan.importance = importance::find("value-weighted").unwrap();
                }
                plan.group = group;
                plan.weight_bits = weights;
                plan.probability_bits = match probabilities {
                    Some(bits) => ProbabilityBits::Fixed(bits),
                    None => ProbabilityBits::Tier,
                };
                plan.rank = rank;
                // Who left for good stays away.
                for layer in 1..3 {
                    for token in 0..tiers[0].len() {
                        let mut before = names[..layer].iter().zip(&tiers);
                        if before.any(|(name, tiers)| *name == "drop" && tiers[token] == Tier::Zero)
                        {
                            tiers[layer][token] = Tier::Zero;
                        }
                    }
                }
                (plan, tiers)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A straightforward count, token by token, gives the same.
    #[test]
    fn a_run_costs_what_a_count_by_hand_finds((plan, tiers) in runs()) {
        let shape = uneven();
        let workload = Workload::under_plan(&shape, &plan, &tiers);
        let count = by_hand::count(&shape, &plan, &tiers);
        let want = ElementCycles {
            attention: count.attention_cycles,
            encoder: count.attention_cycles + count.other_cycles,
        };
        prop_assert_eq!(workload.element_cycles(), want);
        let mut vector = VectorWork::default();
        for product in workload.products() {
            vector.add(&product.vector());
        }
        prop_assert_eq!(vector, count.vector);
        let ranked: u64 = workload.layers.iter().map(|layer| layer.ranked_tokens).sum();
        prop_assert_eq!(ranked, count.ranked_tokens);
    }
}

/// From the layer after on, the work is that of the tokens that are left.
#[test]
fn a_dropped_token_costs_nothing_afterwards() {
    let shape = ModelShape {
        layers: 3,
        ..shape()
    };
    for after in names() {
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 3]).unwrap();
        plan.compensation = compensation::find(after).unwrap();
        plan.set_compensation_at(0, &compensation::Drop);
        let work = |tiers: [&str; 3]| {
            let tiers = tiers.map(|tiers| tiers.chars().filter_map(Tier::from_digit).collect());
            Workload::under_plan(&shape, &plan, &tiers)
        };
        let dropped = work(["80480", "80040", "80840"]);
        let never_there = work(["848", "804", "884"]);
        assert_eq!(dropped.layers[1..], never_there.layers[1..], "{after}");
        assert!(dropped.layers[0].ranked_tokens == 0);
    }
}

/// Of four tokens two are left out: their average is one more row of 8 bits in
/// every product, and a key unless they offer their own.
#[test]
fn the_average_is_one_row_of_every_product() {
    let shape = shape();
    let tiers = [
        vec![Tier::Eight; 4],
        "4080".chars().filter_map(Tier::from_digit).collect(),
    ];
    for (name, keys) in [
        ("fused", &[Bits::Four, Bits::Eight, Bits::Eight][..]),
        (
            "keys-values+fused",
            &[Bits::Four, Bits::Four, Bits::Eight, Bits::Four],
        ),
    ] {
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 2]).unwrap();
        plan.probability_bits = ProbabilityBits::Tier;
        plan.compensation = compensation::find(name).unwrap();
        let workload = Workload::under_plan(&shape, &plan, &tiers);
        let [first, second] = &workload.layers[..] else {
            panic!("two layers");
        };
        // Nobody is left out of the first.
        for product in &first.products {
            assert_eq!(product.m(), 4, "{name}");
        }
        for product in &second.products {
            match product.operation {
                Operation::KeyValue => assert_eq!(product.rows, keys, "{name}"),
                _ => assert_eq!(product.rows, [Bits::Four, Bits::Eight, Bits::Eight]),
            }
        }
        let score = find(second, Operation::Score).unwrap();
        assert_eq!(score.right, RightBits::Columns(keys.to_vec()), "{name}");
    }
}

/// A map of rank r is two products of each token that it stands in for, of d r
/// multiplications at 4 bits each, and none where nobody is left out.
#[test]
fn a_map_is_two_products_of_the_tokens_left_out() {
    let shape = shape();
    let tiers = [
        vec![Tier::Eight; 4],
        "4000".chars().filter_map(Tier::from_digit).collect(),
    ];
    for name in names() {
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 2]).unwrap();
        plan.compensation = compensation::find(name).unwrap();
        plan.rank = 64;
        let workload = Workload::under_plan(&shape, &plan, &tiers);
        let maps = [
            "predict-low-rank",
            "keys-values+predict",
            "attention+predict",
        ];
        for (layer, there) in workload.layers.iter().zip([false, maps.contains(&name)]) {
            for (operation, n, k) in [
                (Operation::PredictDown, 64, 768),
                (Operation::PredictUp, 768, 64),
            ] {
                let product = find(layer, operation);
                assert_eq!(product.is_some(), there, "{name}");
                if let Some(product) = product {
                    assert_eq!(product.rows, [Bits::Four; 3], "{name}");
                    assert_eq!((product.n, product.k), (n, k), "{name}");
                    // 8-bit weights take two cycles.
                    assert_eq!(product.element_cycles(), 3 * 64 * 768 * 2, "{name}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn element_cycles_are_the_sum_over_scalar_products(
        tiers in prop::collection::vec(prop_oneof![Just(Tier::Eight), Just(Tier::Four), Just(Tier::Zero)], 6),
        name in select(names()),
        probability in prop_oneof![Just(ProbabilityBits::Tier), Just(ProbabilityBits::Fixed(Bits::Eight))],
    ) {
        let shape = ModelShape {
            name: String::new(), layers: 2, hidden: 8, heads: 2, key_value_heads: 2, head_dim: 4, intermediate: 16, ..ModelShape::bert_base()
        };
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 2]).unwrap();
        plan.compensation = compensation::find(name).unwrap();
        plan.probability_bits = probability;
        let workload = Workload::under_plan(&shape, &plan, &[vec![Tier::Eight; 6], tiers]);
        let sum = workload.element_cycles();
        prop_assert_eq!((sum.attention, sum.encoder), by_definition(&workload));
    }
}

/// Grouped key-value heads, a gate and rotary positions, by hand.
#[test]
fn a_token_behind_a_cache_meets_what_is_left() {
    let shape = ModelShape {
        name: "grouped".into(),
        layers: 1,
        hidden: 48,
        heads: 6,
        key_value_heads: 2,
        head_dim: 8,
        intermediate: 80,
        gated: true,
        rotary: true,
        causal: true,
        ends: None,
    };
    let mut plan = Plan::dense_eight(1);
    let mut cache = CachePlan::by_attention(1);
    cache.layers = vec![vec![Ratio::from_thousandths(200, 400).unwrap(); 2]];
    cache.lower.value = Bits::Eight;
    plan.cache = Some(Arc::new(cache));
    let [eight, four, zero] = [Tier::Eight, Tier::Four, Tier::Zero];
    let kept = vec![vec![
        vec![eight, four, zero, four, eight],
        vec![zero, zero, zero, zero, eight],
    ]];
    let work = Workload::step_under_plan(&shape, &plan, &kept);
    let sizes = |product: &Product| {
        (
            product.operation,
            product.count,
            product.m(),
            product.n,
            product.k,
        )
    };
    let got: Vec<_> = work.products().map(sizes).collect();
    let want = [
        (Operation::Query, 1, 1, 48, 48),
        (Operation::KeyValue, 1, 1, 32, 48),
        // Three query heads share a key-value head.
        (Operation::Score, 1, 3, 4, 8),
        (Operation::Context, 1, 3, 8, 4),
        (Operation::Score, 1, 3, 1, 8),
        (Operation::Context, 1, 3, 8, 1),
        (Operation::Output, 1, 1, 48, 48),
        (Operation::Up, 1, 1, 160, 48),
        (Operation::Down, 1, 1, 48, 80),
    ];
    assert_eq!(got, want);
    let products: Vec<&Product> = work.products().collect();
    let [high, low] = [Bits::Eight, Bits::Four];
    assert_eq!(
        products[2].right,
        RightBits::Columns(vec![high, low, low, high])
    );
    assert_eq!(products[3].right, RightBits::Steps(vec![high; 4]));
    assert_eq!(work.layers[0].ranked_tokens, 5);
    // Queries and keys are turned and rotated behind that: blocks of 8, 3 stages.
    assert_eq!(products[0].after.multiply_additions, 2 * 48);
    assert_eq!(products[0].after.hadamard_additions, 3 * 48);
    assert_eq!(products[1].vector().multiply_additions, 2 * 16);
    assert_eq!(products[7].vector().activation_elements, 80);
    assert_eq!(products[7].vector().multiply_additions, 80);
    assert_eq!(products[2].vector().importance_additions, 3 * 4);

    // What keeps everything ranks nothing, and a dense model sees all.
    plan.cache = None;
    let whole = Workload::step_under_plan(&shape, &plan, &[vec![vec![eight; 5]]]);
    assert_eq!(whole.layers[0].ranked_tokens, 0);
    assert_eq!(
        whole
            .products()
            .map(|p| p.vector().importance_additions)
            .sum::<u64>(),
        0
    );
    let dense = Workload::dense_step(&shape, 5, Bits::Eight);
    assert_eq!(whole.element_cycles(), dense.element_cycles());
    assert_eq!(dense.element_cycles().attention, 4 * 2 * 6 * 5 * 8);
}

/// A text read token by token takes as many products with weights as at once.
#[test]
fn steps_add_up_to_a_text() {
    let shape = ModelShape {
        causal: true,
        gated: true,
        key_value_heads: 4,
        ..shape()
    };
    let linear = |work: &Workload| -> u64 {
        let cycles = work.element_cycles();
        cycles.encoder - cycles.attention
    };
    let whole = Workload::dense(&shape, 7, Bits::Eight);
    let steps = (1..=7).map(|tokens| Workload::dense_step(&shape, tokens, Bits::Eight));
    let (mut sum, mut attention) = (0, 0);
    for step in steps {
        sum += linear(&step);
        attention += step.element_cycles().attention;
    }
    assert_eq!(sum, linear(&whole));
    // The lower triangle of the square, with its diagonal.
    assert_eq!(attention * 49, whole.element_cycles().attention * 28);
}
