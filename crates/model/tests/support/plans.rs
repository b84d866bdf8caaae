//! Plans of every kind for the tiny models, with calibrations of random numbers.

use std::sync::Arc;

use dtatrans_precision::calibration::{ChangeMap, LayerMaps};
use dtatrans_precision::compensation::{self, Change, Compensation};
use dtatrans_precision::importance;
use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::{Bits, Calibration, Plan, Pruning, Ratio};
use proptest::prelude::*;
use proptest::sample::select;

/// The tiny models' sizes.
pub const LAYERS: usize = 3;
pub const WIDTH: usize = 64;
pub const VOCABULARY: usize = 200;

/// Random numbers that a seed fixes (SplitMix64, Steele et al., OOPSLA 2014).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// One of the numbers below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// So many numbers between -1 and 1.
    pub fn signed(&mut self, count: usize) -> Vec<f32> {
        let unit = |x: u64| (x >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..count).map(|_| unit(self.next())).collect()
    }
}

/// A calibration of random numbers that a plan for the tiny models runs with:
/// the maps that it asks for, and a prior if it has one.
pub fn random_calibration(plan: &Plan, seed: u64) -> Calibration {
    let mut numbers = Numbers(seed);
    let mut scaled = |count: usize, scale: f32| -> Vec<f32> {
        let signed = numbers.signed(count);
        signed.iter().map(|number| scale * number).collect()
    };
    let mut layers = vec![LayerMaps::default(); plan.layers().len()];
    for (layer, maps) in layers.iter_mut().enumerate() {
        if !plan.predicts_at(layer) {
            continue;
        }
        let compensation = plan.compensation_at(layer);
        let map = match compensation.change() {
            Change::Diagonal => ChangeMap::Diagonal {
                gain: scaled(WIDTH, 1.0),
                offset: scaled(WIDTH, 1.0),
            },
            _ => {
                let rank = plan.rank.min(WIDTH);
                ChangeMap::LowRank {
                    down: scaled(rank * WIDTH, 0.3),
                    up: scaled(WIDTH * rank, 0.3),
                    offset: scaled(WIDTH, 1.0),
                }
            }
        };
        *maps.of_mut(compensation) = Some(map);
    }
    let prior = match plan.prior() {
        true => scaled(VOCABULARY, 0.9).iter().map(|x| 1.0 + x).collect(),
        false => Vec::new(),
    };
    Calibration { layers, prior }
}

/// The plan with a [`random_calibration`].
pub fn calibrated(mut plan: Plan, seed: u64) -> Plan {
    plan.parameters = Some(Arc::new(random_calibration(&plan, seed)));
    plan
}

/// The scores that tokens have before the first layer. A prior is in units of the
/// mean, which is 1/n of the attention.
pub fn first_scores(plan: &Plan, ids: &[u32]) -> Vec<f32> {
    let prior = match &plan.parameters {
        Some(calibration) if plan.prior() => &calibration.prior,
        _ => return vec![0.0; ids.len()],
    };
    let score = |&id: &u32| prior[id as usize] / ids.len() as f32;
    ids.iter().map(score).collect()
}

/// A plan of these ratios; the first may mix tiers only with a prior.
pub fn of_ratios(ratios: [Ratio; LAYERS], prior: bool) -> Plan {
    match prior {
        true => Plan::with_prior(ratios.into()).unwrap(),
        false => Plan::new(ratios.into()).unwrap(),
    }
}

/// Shares at 8 and 4 bits; the rest is at 0.
pub fn ratios() -> impl Strategy<Value = Ratio> {
    (0u16..=1000)
        .prop_flat_map(|eight| (Just(eight), 0..=1000 - eight))
        .prop_map(|(eight, four)| Ratio::from_thousandths(eight, four).unwrap())
}

/// The ratios of all layers, and whether a prior lets the first mix tiers.
fn all_ratios() -> impl Strategy<Value = ([Ratio; LAYERS], bool)> {
    let uniform = select(vec![Ratio::ALL_EIGHT, Ratio::ALL_FOUR, Ratio::ALL_ZERO]);
    let first = prop_oneof![(uniform, Just(false)), (ratios(), Just(true))];
    (first, ratios(), ratios())
        .prop_map(|((first, prior), second, third)| ([first, second, third], prior))
}

/// Any of the compensations, by name.
pub fn compensations() -> impl Strategy<Value = &'static str> {
    select(names_of_compensations())
}

pub fn names_of_compensations() -> Vec<&'static str> {
    compensation::ALL.iter().map(|form| form.name()).collect()
}

pub fn names_of_importances() -> Vec<&'static str> {
    importance::ALL.iter().map(|form| form.name()).collect()
}

/// Everything that says how a plan computes what its ratios and compensations
/// ask for.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    pub importance: &'static str,
    pub rotation: bool,
    pub balance: bool,
    pub group: usize,
    pub clipping: bool,
    pub weight_bits: Bits,
    pub probability_bits: ProbabilityBits,
    pub protected_bits: ProtectedBits,
    pub round_to: usize,
    pub rank: usize,
}

impl Choices {
    pub fn apply(self, plan: &mut Plan) {
        plan.importance = importance::find(self.importance).unwrap();
        plan.rotation = self.rotation;
        plan.balance = self.balance;
        plan.group = self.group;
        plan.clipping = self.clipping;
        plan.weight_bits = self.weight_bits;
        plan.probability_bits = self.probability_bits;
        plan.protected_bits = self.protected_bits;
        plan.round_to = self.round_to;
        plan.rank = self.rank;
    }
}

pub fn choices() -> impl Strategy<Value = Choices> {
    let widths = || select(vec![Bits::Four, Bits::Eight]);
    (
        select(names_of_importances()),
        prop::array::uniform3(prop::bool::ANY),
        // 48 leaves a narrower group at the end of every row.
        select(vec![0usize, 32, 48]),
        widths(),
        prop::option::of(widths()),
        select(vec![ProtectedBits::Four, ProtectedBits::Eight]),
        1usize..9,
        // 40 makes two groups, and 1,000 is more than the width.
        select(vec![3usize, 8, 40, 1000]),
    )
        .prop_map(
            |(importance, flags, group, weights, probabilities, protected, round_to, rank)| {
                Choices {
                    importance,
                    rotation: flags[0],
                    balance: flags[1],
                    group,
                    clipping: flags[2],
                    weight_bits: weights,
                    probability_bits: match probabilities {
                        Some(bits) => ProbabilityBits::Fixed(bits),
                        None => ProbabilityBits::Tier,
                    },
                    protected_bits: protected,
                    round_to,
                    rank,
                }
            },
        )
}

/// Plans for the tiny models: all that can be said in one, and the calibration
/// that it may need.
pub fn plans() -> impl Strategy<Value = Plan> {
    let exceptions = prop::array::uniform3(prop::option::weighted(0.3, compensations()));
    let seed = any::<u64>();
    let compensations = (compensations(), exceptions);
    (all_ratios(), choices(), compensations, prunings(), seed).prop_map(
        |((ratios, prior), choices, (name, exceptions), prunings, seed)| {
            let mut plan = of_ratios(ratios, prior);
            choices.apply(&mut plan);
            plan.compensation = compensation::find(name).unwrap();
            for (layer, exception) in exceptions.into_iter().enumerate() {
                if let Some(name) = exception {
                    plan.set_compensation_at(layer, compensation::find(name).unwrap());
                }
            }
            for (layer, pruning) in prunings.into_iter().enumerate() {
                plan.set_pruning_at(layer, pruning).unwrap();
            }
            calibrated(plan, seed)
        },
    )
}

/// What the layers keep of heads and values: all, or some.
fn prunings() -> impl Strategy<Value = Vec<Pruning>> {
    let share = || (1u16..=1000).prop_map(|thousandths| f64::from(thousandths) / 1000.0);
    let some = prop::collection::vec((share(), share()), LAYERS).prop_map(|shares| {
        let pruning = |(layer, (heads, values))| {
            let heads = if layer == 0 { 1.0 } else { heads };
            Pruning::from_shares(heads, values).unwrap()
        };
        shares.into_iter().enumerate().map(pruning).collect()
    });
    prop_oneof![2 => Just(vec![Pruning::NONE; LAYERS]), 1 => some]
}

/// The compensation of that name.
pub fn find(name: &str) -> &'static dyn Compensation {
    compensation::find(name).unwrap()
}
