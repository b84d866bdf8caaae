//! Does the top-k unit give each token the tier that the method gives it, and its
//! place in the order of the text, in the cycles that the model says?

use dtatrans_accel::sort::Sorter;
use dtatrans_cosim::topk::{Kind, Ranked, UNITS};
use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::plan::ProtectedBits;
use dtatrans_precision::{Ratio, Tier};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

/// Random texts that each width ranks.
const CASES: u32 = 1000;

/// Scores: spread, in a few values only, with extremes, and of digits that take two
/// neighbouring values, one more often than the other, so that thresholds stand where
/// many agree.
fn scores() -> impl Strategy<Value = Vec<u16>> {
    let range = prop_oneof![
        Just((0u16, u16::MAX)),
        Just((0, 3)),
        Just((0x7ff0, 0x8010)),
        Just((u16::MAX - 1, u16::MAX)),
    ];
    let ranges = range.prop_map(|(low, high)| (low..=high).boxed());
    let digits = (prop::array::uniform4(0u16..15), 1u32..10).prop_map(|(least, tenths)| {
        let more = prop::array::uniform4(prop::bool::weighted(f64::from(tenths) / 10.0));
        let score = more.prop_map(move |more| {
            let digits = least.iter().zip(more);
            digits.fold(0, |score, (digit, more)| {
                (score << 4) + digit + u16::from(more)
            })
        });
        score.boxed()
    });
    let count = prop_oneof![1usize..70, 1usize..1025, 1025usize..2048];
    (prop_oneof![ranges, digits], count)
        .prop_flat_map(|(score, count)| prop::collection::vec(score, count))
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

/// Ranks tokens twice, so that nothing of a run may be left for the next.
fn compare(kind: &Kind, scores: &[u16], r8: u16, part: u16) -> TestCaseResult {
    let r4 = (u32::from(1000 - r8) * u32::from(part) / 1000) as u16;
    let ratio = Ratio::from_thousandths(r8, r4).unwrap();
    let (eight, four) = ratio.counts(scores.len());
    let mut unit = kind.build(i32::from(r8));
    for _ in 0..2 {
        let told = unit.rank(scores, [eight, eight + four]);
        let cycles = model(kind).cycles(scores.len() as u64);
        prop_assert_eq!(told, Some((expected(scores, ratio), cycles as i64)));
    }
    Ok(())
}

/// Runs CASES texts, or returns the first difference.
pub(crate) fn judge(kind: &Kind, runner: &mut TestRunner) -> Result<(), String> {
    runner
        .run(
            &(
                scores(),
                prop_oneof![0u16..=1000, 900u16..=1000],
                0u16..=1000,
            ),
            |(scores, r8, part)| compare(kind, &scores, r8, part),
        )
        .map_err(|error| error.to_string())
}

pub(crate) fn configuration() -> ProptestConfig {
    ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn tiers_places_and_cycles_are_the_models() {
    for kind in UNITS {
        judge(kind, &mut TestRunner::new(configuration()))
            .unwrap_or_else(|difference| panic!("{kind:?}: {difference}"));
    }
}
