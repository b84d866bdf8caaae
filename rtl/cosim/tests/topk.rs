//! Does the top-k unit give each token the tier that the method gives it, and its
//! place in the order of the text, in the cycles that the model says?

use dtatrans_accel::sort::Sorter;
use dtatrans_cosim::topk::{Kind, Ranked, UNITS};
use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::plan::ProtectedBits;
use dtatrans_precision::{Ratio, Tier};
use proptest::prelude::*;

/// Scores: spread, in a few values only, and with extremes.
fn scores() -> impl Strategy<Value = Vec<u16>> {
    let value = prop_oneof![
        Just((0u16, u16::MAX)),
        Just((0, 3)),
        Just((0x7ff0, 0x8010)),
        Just((u16::MAX - 1, u16::MAX)),
    ];
    (value, prop_oneof![1usize..70, 1usize..1025])
        .prop_flat_map(|((low, high), count)| prop::collection::vec(low..=high, count))
}

fn expected(scores: &[u16], ratio: Ratio) -> Vec<Ranked> {
    let none = vec![false; scores.len()];
    let values: Vec<f32> = scores.iter().map(|&score| f32::from(score)).collect();
    let rule = Rule {
        ratio,
        protected: &none,
        protected_bits: ProtectedBits::Eight,
        gone: &none,
        round_to: 1,
    };
    let mut places = [0; 3];
    let tiers = assign(&values, rule);
    let ranked = tiers.iter().map(|tier| {
        let tier = match tier {
            Tier::Eight => 2,
            Tier::Four => 1,
            Tier::Zero => 0,
        };
        places[usize::from(tier)] += 1;
        (tier, places[usize::from(tier)] - 1)
    });
    ranked.collect()
}

fn model(kind: &Kind) -> Sorter {
    Sorter {
        lanes: kind.lanes as u64,
        score_bits: 16,
        digit_bits: 4,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn tiers_places_and_cycles_are_the_models(scores in scores(), r8 in 0u16..=1000, part in 0u16..=1000) {
        let r4 = (u32::from(1000 - r8) * u32::from(part) / 1000) as u16;
        let ratio = Ratio::from_thousandths(r8, r4).unwrap();
        let (eight, four) = ratio.counts(scores.len());
        for kind in UNITS {
            let mut unit = kind.build(i32::from(r8));
            // Twice: nothing of a run is left for the next.
            for _ in 0..2 {
                let (ranked, cycles) = unit.rank(&scores, [eight, eight + four]);
                prop_assert_eq!(&ranked, &expected(&scores, ratio));
                prop_assert_eq!(cycles as u64, model(kind).cycles(scores.len() as u64));
            }
        }
    }
}
