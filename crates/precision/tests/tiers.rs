//! Do the tiers obey the plan, whatever the scores?

use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::plan::ProtectedBits;
use dtatrans_precision::{Ratio, Tier};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Case {
    scores: Vec<f32>,
    protected: Vec<bool>,
    gone: Vec<bool>,
    ratio: Ratio,
    protected_bits: ProtectedBits,
    round_to: usize,
}

fn cases() -> impl Strategy<Value = Case> {
    (1usize..80).prop_flat_map(|n| {
        (
            prop::collection::vec(prop_oneof![-1.0f32..1.0, Just(0.25), Just(0.0)], n),
            prop::collection::vec(prop::bool::weighted(0.1), n),
            prop::collection::vec(prop::bool::weighted(0.2), n),
            (0u16..=1000).prop_flat_map(|eight| (Just(eight), 0..=1000 - eight)),
            prop::bool::ANY,
            1usize..20,
        )
            .prop_map(
                |(scores, protected, mut gone, (eight, four), at_eight, round_to)| {
                    for (gone, protected) in gone.iter_mut().zip(&protected) {
                        *gone &= !protected;
                    }
                    Case {
                        scores,
                        protected,
                        gone,
                        ratio: Ratio::from_thousandths(eight, four).unwrap(),
                        protected_bits: if at_eight {
                            ProtectedBits::Eight
                        } else {
                            ProtectedBits::Four
                        },
                        round_to,
                    }
                },
            )
    })
}

fn tiers(case: &Case) -> Vec<Tier> {
    assign(
        &case.scores,
        Rule {
            ratio: case.ratio,
            protected: &case.protected,
            protected_bits: case.protected_bits,
            gone: &case.gone,
            round_to: case.round_to,
        },
    )
}

fn count(tiers: &[Tier], tier: Tier) -> usize {
    tiers.iter().filter(|&&t| t == tier).count()
}

proptest! {
    #[test]
    fn tiers_sum_to_n(case in cases()) {
        let tiers = tiers(&case);
        let sum: usize = Tier::ALL.iter().map(|&tier| count(&tiers, tier)).sum();
        prop_assert_eq!(sum, case.scores.len());
    }

    #[test]
    fn protected_tokens_are_computed_at_their_bits(case in cases()) {
        for (tier, protected) in tiers(&case).iter().zip(&case.protected) {
            prop_assert!(!protected || *tier >= case.protected_bits.tier());
        }
    }

    #[test]
    fn tokens_that_left_stay_away(case in cases()) {
        for (tier, gone) in tiers(&case).iter().zip(&case.gone) {
            prop_assert!(!gone || *tier == Tier::Zero);
        }
    }

    #[test]
    fn counts_are_those_of_the_ratio(mut case in cases()) {
        case.round_to = 1;
        let n = case.scores.len();
        let alive = n - case.gone.iter().filter(|&&gone| gone).count();
        let protected = case.protected.iter().filter(|&&flag| flag).count();
        let (eight, four) = case.ratio.counts(n);
        let tiers = tiers(&case);
        let wanted = match case.protected_bits {
            ProtectedBits::Eight => eight.max(protected),
            ProtectedBits::Four => eight,
        };
        prop_assert_eq!(count(&tiers, Tier::Eight), wanted.min(alive));
        prop_assert!(count(&tiers, Tier::Four) >= four.min(alive - wanted.min(alive)));
    }

    /// Among unprotected tokens a better one never gets less, and of equal
    /// ones the earlier never gets less.
    #[test]
    fn order_follows_the_scores(case in cases()) {
        let tiers = tiers(&case);
        let free = |i: usize| !case.protected[i] && !case.gone[i];
        for i in (0..tiers.len()).filter(|&i| free(i)) {
            for j in (0..i).filter(|&j| free(j)) {
                match case.scores[j].total_cmp(&case.scores[i]) {
                    std::cmp::Ordering::Less => prop_assert!(tiers[j] <= tiers[i]),
                    _ => prop_assert!(tiers[j] >= tiers[i]),
                }
            }
        }
    }

    /// Rounding only promotes, and leaves whole tiles or nobody behind.
    #[test]
    fn rounding_promotes_to_whole_tiles(case in cases()) {
        let rounded = tiers(&case);
        let plain = tiers(&Case { round_to: 1, ..case.clone() });
        for (rounded, plain) in rounded.iter().zip(&plain) {
            prop_assert!(rounded >= plain);
        }
        let alive = case.gone.iter().filter(|&&gone| !gone).count();
        let eight = count(&rounded, Tier::Eight);
        let computed = eight + count(&rounded, Tier::Four);
        prop_assert!(eight.is_multiple_of(case.round_to) || eight == alive);
        prop_assert!(computed.is_multiple_of(case.round_to) || computed == alive);
    }
}

#[test]
fn ties_go_to_the_earlier_token() {
    let tiers = assign(
        &[0.5, 0.5, 0.5, 0.5],
        Rule {
            ratio: Ratio::from_thousandths(250, 250).unwrap(),
            protected: &[false; 4],
            protected_bits: ProtectedBits::Eight,
            gone: &[false; 4],
            round_to: 1,
        },
    );
    assert_eq!(tiers, [Tier::Eight, Tier::Four, Tier::Zero, Tier::Zero]);
}
