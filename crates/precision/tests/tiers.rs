//! Do the tiers obey the plan, whatever the scores?

use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::compensation::{self, Compensation};
use dtatrans_precision::importance::{self, Importance, LayerGain};
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

/// A run of several layers without a model: what the keys receive is drawn.
#[derive(Debug, Clone)]
struct Layers {
    /// With a single tier the tokens have no scores yet.
    first: Case,
    /// Of the layers after the first.
    ratios: Vec<Ratio>,
    /// Numbers between 0 and 1 to draw from.
    received: Vec<f32>,
    /// Places in the list of compensations, one a layer.
    compensations: Vec<usize>,
}

fn layers() -> impl Strategy<Value = Layers> {
    let ratio = (0u16..=1000)
        .prop_flat_map(|eight| (Just(eight), 0..=1000 - eight))
        .prop_map(|(eight, four)| Ratio::from_thousandths(eight, four).unwrap());
    let uniform = prop::sample::select(vec![Ratio::ALL_EIGHT, Ratio::ALL_FOUR, Ratio::ALL_ZERO]);
    (
        cases(),
        prop::option::of(uniform),
        prop::collection::vec(ratio, 4),
        prop::collection::vec(0.0f32..1.0, 31),
        prop::collection::vec(0..compensation::ALL.len(), 5),
    )
        .prop_map(|(mut first, uniform, ratios, received, compensations)| {
            first.gone.fill(false);
            if let Some(ratio) = uniform {
                first.ratio = ratio;
                first.scores.fill(0.0);
            }
            Layers {
                first,
                ratios,
                received,
                compensations,
            }
        })
}

/// The tiers of each layer, by the functions that a model calls.
fn run(layers: &Layers, importance: &dyn Importance) -> Vec<Vec<Tier>> {
    let mut case = layers.first.clone();
    let n = case.scores.len();
    let mut received = layers.received.iter().cycle().copied();
    let mut all = Vec::new();
    for (layer, &compensation) in layers.compensations.iter().enumerate() {
        let compensation: &dyn Compensation = compensation::ALL[compensation];
        if layer > 0 {
            case.ratio = layers.ratios[layer - 1];
        }
        let tiers = tiers(&case);
        let keys: Vec<usize> = (0..n)
            .filter(|&token| {
                let offers = compensation.key_value_bits().is_some();
                tiers[token].is_computed() || (offers && !case.gone[token])
            })
            .collect();
        if !compensation.may_return() {
            for (gone, tier) in case.gone.iter_mut().zip(&tiers) {
                *gone |= !tier.is_computed();
            }
        }
        let gain = LayerGain {
            received: &received.by_ref().take(keys.len()).collect::<Vec<f32>>(),
            keys: &keys,
            summed: &vec![3; keys.len()],
            tiers: &tiers,
        };
        importance.add_layer(&mut case.scores, &gain);
        all.push(tiers);
    }
    all
}

proptest! {
    /// At every layer, whatever ranks the tokens: as many tokens are computed as
    /// the ratio asks for, protected ones at their bits, and none that has left.
    #[test]
    fn every_importance_leaves_tiers_that_obey_the_plan(layers in layers()) {
        let case = &layers.first;
        let n = case.scores.len();
        let protected = case.protected.iter().filter(|&&flag| flag).count();
        for importance in importance::ALL {
            let mut left = 0;
            for (layer, tiers) in run(&layers, *importance).iter().enumerate() {
                let name = importance.name();
                let [zero, four, eight] = Tier::ALL.map(|tier| count(tiers, tier));
                prop_assert_eq!(zero + four + eight, n);
                for (tier, protected) in tiers.iter().zip(&case.protected) {
                    prop_assert!(!protected || *tier >= case.protected_bits.tier(), "{}", name);
                }
                let ratio = match layer {
                    0 => case.ratio,
                    _ => layers.ratios[layer - 1],
                };
                let (eights, fours) = ratio.counts(n);
                let alive = n - left;
                prop_assert!(eight >= eights.min(alive), "{} at layer {}", name, layer);
                prop_assert!(eight + four >= (eights + fours).min(alive), "{}", name);
                // No more than protection and two tiles' rounding ask for.
                let most = eights.max(protected) + fours.max(protected);
                prop_assert!(eight + four <= most + 2 * (case.round_to - 1), "{}", name);
                if !compensation::ALL[layers.compensations[layer]].may_return() {
                    left = zero;
                }
            }
        }
    }

    /// Tokens without scores all get the tier of the first layer, but for the
    /// protected ones.
    #[test]
    fn a_first_layer_without_scores_has_one_tier(
        mut case in cases(),
        tier in prop::sample::select(Tier::ALL.to_vec()),
    ) {
        case.round_to = 1;
        case.scores.fill(0.0);
        case.gone.fill(false);
        case.ratio = match tier {
            Tier::Eight => Ratio::ALL_EIGHT,
            Tier::Four => Ratio::ALL_FOUR,
            Tier::Zero => Ratio::ALL_ZERO,
        };
        for (got, protected) in tiers(&case).into_iter().zip(&case.protected) {
            let want = match protected {
                true => tier.max(case.protected_bits.tier()),
                false => tier,
            };
            prop_assert_eq!(got, want);
        }
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
