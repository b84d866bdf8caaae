//! Does the engine multiply what its integers stand for, and nothing else?
//!
//! `reference` rounds to the same grids and multiplies in f64. Each layer is held
//! against it alone, on the states, tiers and scores that the engine itself had
//! before the layer, so that no difference adds up. What remains are the
//! roundings of f32, a few units in the last place of states around 1, and now
//! and then a value so near the middle between two codes that they decide which
//! it gets: then one step of one row differs, and with it the rows that attend
//! to it. Hence [`TOLERANCE`] for all rows but a few, and for those [`ONE_STEP`].

mod reference;
mod support;

use std::collections::BTreeMap;

use dtatrans_model::{AttentionHead, Detail, Encoding, Precision, Tensors};
use dtatrans_precision::compensation::Change;
use dtatrans_precision::importance::LayerGain;
use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::trace::{Head, OperandRows};
use dtatrans_precision::{Bits, Plan, Pruning, Ratio, Tier, importance};
use reference::{Before, OnGrid, Reference};
use support::assert_close;
use support::plans::{
    LAYERS, Numbers, VOCABULARY, WIDTH, calibrated, find, first_scores, names_of_compensations,
    of_ratios,
};

/// Within the roundings of f32: 16 units in the last place at 1.
const TOLERANCE: f32 = 2e-6;

/// The share of rows that one step may move further.
const MOVED: f64 = 0.08;

/// The share of rows of a head's operands that one step may concern.
const MOVED_CODES: f64 = 0.01;

/// How far it moves them at most: a step of a 4-bit row is a seventh of its
/// largest magnitude, and one of its 64 channels is concerned.
const ONE_STEP: f32 = 0.3;

/// Heads of the tiny model.
const HEADS: usize = 4;

/// What becomes of a row at a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Eight,
    Four,
    /// A 0-bit token whose change something stands in for.
    Estimated,
}

/// How far each row of all layers is from the reference, by its kind.
type Distances = BTreeMap<Kind, Vec<f32>>;

fn inputs() -> Vec<Encoding> {
    let mut numbers = Numbers(3);
    (0..16)
        .map(|i| {
            let n = 5 + i % 8;
            let mut draw = |end: usize| (0..n).map(|_| numbers.below(end) as u32).collect();
            Encoding::from_ids(draw(VOCABULARY), draw(2))
        })
        .collect()
}

fn rows(states: &[f32]) -> Vec<Vec<f32>> {
    states.chunks(WIDTH).map(<[f32]>::to_vec).collect()
}

/// Holds a run under `plan` against the reference under `other`. Rows that
/// nothing touches are the same in both.
fn distances(plan: &Plan, other: &Plan) -> Distances {
    let inputs = inputs();
    let tensors = Tensors::open(&support::data("tiny-bert").join("model.safetensors")).unwrap();
    let reference = Reference::new(&tensors, other);
    let precision = Precision::Plan(plan.clone());
    let run = |detail| support::run("tiny-bert", &precision, &inputs, detail);
    let heads = all_heads();
    let (outputs, traces) = (run(Detail::HiddenStates), run(Detail::Operands(&heads)));
    let same = plan == other;
    let mut distances = Distances::new();
    let mut moved_rows = MovedRows::default();
    for ((input, output), traced) in inputs.iter().zip(&outputs).zip(&traces) {
        let mut scores = first_scores(plan, &input.ids);
        let mut gone = vec![false; input.len()];
        let mut heads = Heads::default();
        let mut read_out = Vec::new();
        for (layer, tiers) in output.tiers.iter().enumerate() {
            let compensation = plan.compensation_at(layer);
            if !compensation.may_return() {
                for (gone, tier) in gone.iter_mut().zip(tiers) {
                    *gone |= *tier == Tier::Zero;
                }
            }
            let left = heads.left(plan, layer);
            let states = rows(&output.hidden_states[layer]);
            let after = reference.run(
                layer,
                &Before {
                    states: &states,
                    scores: &scores,
                    tiers,
                    gone: &gone,
                    heads: &left,
                },
            );
            read_out.clear();
            let got = rows(&output.hidden_states[layer + 1]);
            for (token, got) in got.into_iter().enumerate() {
                let kind = match tiers[token] {
                    Tier::Eight => Kind::Eight,
                    Tier::Four => Kind::Four,
                    Tier::Zero if gone[token] || compensation.change() == Change::None => {
                        assert_eq!(got, states[token]);
                        continue;
                    }
                    Tier::Zero => Kind::Estimated,
                };
                let want = &after.states[token];
                let apart = got.iter().zip(want).map(|(a, b)| (a - b).abs());
                let distance = apart.fold(0.0, f32::max);
                distances.entry(kind).or_default().push(distance);
                read_out.push(got);
            }
            let gain = LayerGain {
                keys: &after.keys,
                received: &after.received,
                summed: &vec![after.summed; after.keys.len()],
                tiers,
            };
            plan.importance.add_layer(&mut scores, &gain);
            let left_scores = &traced.trace[layer].importance;
            if same {
                // A step elsewhere moves few scores, and those by little.
                let what = format!("importance after layer {layer}");
                assert_close(&scores, left_scores, 1e-3, &what);
                let operands = &traced.trace[layer].operands;
                let of_heads: Vec<usize> = operands.iter().map(|of| of.head).collect();
                assert_eq!(of_heads, left);
                for (got, want) in operands.iter().zip(&after.heads) {
                    moved_rows.compare(&got.query, &want.query);
                    moved_rows.compare(&got.key, &want.key);
                    moved_rows.compare(&got.value, &want.value);
                    moved_rows.compare(&got.probability, &want.probability);
                }
            }
            scores.clone_from(left_scores);
            heads.add(&traced.trace[layer].heads);
        }
        let mean = |c: usize| -> f32 {
            let sum: f64 = read_out.iter().map(|row| f64::from(row[c])).sum();
            (sum / read_out.len() as f64) as f32
        };
        let mean: Vec<f32> = (0..WIDTH).map(mean).collect();
        assert_close(&output.value, &mean, TOLERANCE, "the read-out");
    }
    if same {
        assert!(moved_rows.share() <= MOVED_CODES, "{moved_rows:?}");
    }
    distances
}

/// Which heads have left by the magnitudes that the traces of earlier layers have.
#[derive(Default)]
struct Heads {
    sums: [f64; HEADS],
    gone: Vec<usize>,
}

impl Heads {
    /// Those that a plan leaves at a layer: the one of the least sum leaves first, of two
    /// alike the later.
    fn left(&mut self, plan: &Plan, layer: usize) -> Vec<usize> {
        let share = plan.pruning_at(layer).head_share();
        let kept = ((HEADS as f64 * share).round() as usize).max(1);
        while HEADS - self.gone.len() > kept {
            let left = (0..HEADS).rev().filter(|head| !self.gone.contains(head));
            let least = left.min_by(|&a, &b| self.sums[a].total_cmp(&self.sums[b]));
            self.gone.push(least.unwrap());
        }
        let left = (0..HEADS).filter(|head| !self.gone.contains(head));
        left.collect()
    }

    fn add(&mut self, heads: &[Head]) {
        for (head, record) in heads.iter().enumerate() {
            let gone = self.gone.contains(&head);
            assert_eq!(gone, record.magnitude == 0.0, "head {head}");
            assert!(!gone || record.unsure_queries == 0);
            self.sums[head] += f64::from(record.magnitude);
        }
    }
}

/// Every head of the tiny model.
fn all_heads() -> Vec<AttentionHead> {
    let layers = (0..LAYERS).flat_map(|layer| (0..HEADS).map(move |head| (layer, head)));
    layers
        .map(|(layer, head)| AttentionHead { layer, head })
        .collect()
}

/// Rows of operands, and those of them that do not stand for what the reference
/// multiplies, but for the roundings of f32.
#[derive(Debug, Default)]
struct MovedRows {
    rows: usize,
    moved: usize,
}

impl MovedRows {
    fn share(&self) -> f64 {
        self.moved as f64 / self.rows as f64
    }

    fn compare<C: Copy + Into<f64>>(&mut self, got: &OperandRows<C>, want: &[OnGrid]) {
        assert_eq!(got.codes.len(), want.len());
        for ((codes, scale), want) in got.codes.iter().zip(&got.scales).zip(want) {
            let as_wanted = codes
                .iter()
                .map(|&code| code.into())
                .eq(want.codes.iter().copied());
            let apart = (f64::from(*scale) - want.step).abs();
            self.rows += 1;
            self.moved += usize::from(!as_wanted || apart > 1e-5 * want.step);
        }
    }
}

/// The share of rows that are further apart than the tolerance.
fn moved(distances: &[f32]) -> f64 {
    let far = distances.iter().filter(|&&distance| distance > TOLERANCE);
    far.count() as f64 / distances.len() as f64
}

/// That the engine computes what the reference does.
fn check(plan: &Plan) {
    let what = plan.to_toml();
    for (kind, distances) in distances(plan, plan) {
        let furthest = distances.iter().copied().fold(0.0, f32::max);
        let moved = moved(&distances);
        assert!(moved <= MOVED, "{kind:?}: {moved} moved\n{what}");
        assert!(furthest <= ONE_STEP, "{kind:?}: {furthest} away\n{what}");
    }
}

/// Four ways to quantize, over four kinds of first layer.
fn plans(compensation: &str) -> [Plan; 4] {
    let mixed = |eight, four| Ratio::from_thousandths(eight, four).unwrap();
    let plan = |first: Ratio, prior: bool, importance: &str, edit: &dyn Fn(&mut Plan)| {
        let mut plan = of_ratios([first, mixed(250, 350), mixed(300, 250)], prior);
        plan.compensation = find(compensation);
        plan.importance = importance::find(importance).unwrap();
        plan.protected_bits = ProtectedBits::Four;
        plan.rank = 8;
        edit(&mut plan);
        calibrated(plan, 9)
    };
    [
        plan(Ratio::ALL_EIGHT, false, "waiting", &|_| {}),
        plan(Ratio::ALL_FOUR, false, "value-weighted", &|plan| {
            plan.balance = true;
            plan.group = 32;
            plan.rank = 40;
            plan.probability_bits = ProbabilityBits::Tier;
        }),
        plan(mixed(300, 300), true, "decayed", &|plan| {
            plan.rotation = false;
            plan.balance = true;
            plan.clipping = false;
            plan.weight_bits = Bits::Four;
            plan.probability_bits = ProbabilityBits::Fixed(Bits::Four);
        }),
        plan(Ratio::ALL_ZERO, false, "returning", &|plan| {
            plan.rotation = false;
            plan.group = 48;
            plan.weight_bits = Bits::Four;
            plan.probability_bits = ProbabilityBits::Tier;
        }),
    ]
}

#[test]
fn every_compensation_multiplies_what_its_codes_stand_for() {
    for name in names_of_compensations() {
        for plan in plans(name) {
            check(&plan);
        }
    }
}

/// Under `drop` it is what SpAtten does.
#[test]
fn heads_and_values_that_are_pruned_add_nothing() {
    for name in ["drop", "fused", "keys-values"] {
        for shares in [
            [(1.0, 0.5), (0.75, 0.3), (0.5, 1.0)],
            [(1.0, 1.0), (0.25, 0.1), (1.0, 0.7)],
        ] {
            for mut plan in plans(name) {
                for (layer, (heads, values)) in shares.into_iter().enumerate() {
                    let pruning = Pruning::from_shares(heads, values).unwrap();
                    plan.set_pruning_at(layer, pruning).unwrap();
                }
                check(&plan);
            }
        }
    }
}

/// Layers with a compensation of their own, among them one after which tokens
/// are gone.
#[test]
fn every_layer_does_what_its_own_compensation_says() {
    let names = names_of_compensations();
    for first in 0..names.len() {
        let [mut plan, ..] = plans("carry");
        for layer in 0..LAYERS {
            let name = names[(first + layer) % names.len()];
            plan.set_compensation_at(layer, find(name));
        }
        check(&calibrated(plan, 11));
    }
}

/// The tolerance is too narrow for anything but the plan itself.
#[test]
fn another_plan_is_told_apart() {
    type Edit = fn(&mut Plan);
    let edits: [(&str, Edit); 8] = [
        ("rotation", |plan| plan.rotation ^= true),
        ("balance", |plan| plan.balance ^= true),
        ("group", |plan| plan.group = 16),
        ("clipping", |plan| plan.clipping ^= true),
        ("weights", |plan| {
            plan.weight_bits = match plan.weight_bits {
                Bits::Four => Bits::Eight,
                _ => Bits::Four,
            };
        }),
        ("probabilities", |plan| {
            plan.probability_bits = ProbabilityBits::Fixed(match plan.probability_bits {
                ProbabilityBits::Fixed(Bits::Eight) => Bits::Four,
                _ => Bits::Eight,
            });
        }),
        ("values", |plan| {
            let half = Pruning::from_shares(1.0, 0.5).unwrap();
            (0..LAYERS).for_each(|layer| plan.set_pruning_at(layer, half).unwrap());
        }),
        ("calibration", |plan| *plan = calibrated(plan.clone(), 10)),
    ];
    for plan in plans("attention+predict") {
        for (name, edit) in &edits {
            let mut other = plan.clone();
            edit(&mut other);
            let apart = distances(&plan, &other);
            // Other maps are seen in the rows that they estimate; all else at
            // least in the rows of 4 bits.
            let kind = match *name {
                "calibration" => Kind::Estimated,
                _ => Kind::Four,
            };
            let moved = moved(&apart[&kind]);
            assert!(moved > 0.9, "{name}: {moved} moved\n{}", plan.to_toml());
        }
    }
}
