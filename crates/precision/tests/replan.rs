//! Does a plan on recorded importance give the tiers that it would rank, and refuse what a
//! trace does not have?

use dtatrans_precision::assignment::{Rule, assign};
use dtatrans_precision::trace::{Generation, Head, Header, Input, Layer};
use dtatrans_precision::{ModelShape, Plan, Ratio, ReplanError, Tier, compensation, importance};
use proptest::prelude::*;

const LAYERS: usize = 3;

fn shape() -> ModelShape {
    ModelShape {
        layers: LAYERS,
        heads: 1,
        key_value_heads: 1,
        ..ModelShape::bert_base()
    }
}

fn mixed(eight: u16, four: u16) -> Plan {
    let ratio = Ratio::from_thousandths(eight, four).unwrap();
    Plan::new(vec![Ratio::ALL_EIGHT, ratio, ratio]).unwrap()
}

/// What a model under the plan would have recorded, if these were the scores after its
/// layers: written by the rule of `assign`, not by what is tested.
fn recorded(plan: &Plan, scores: &[Vec<f32>]) -> Input {
    let n = scores[0].len();
    let mut gone = vec![false; n];
    let mut before = vec![0.0; n];
    let mut layers = Vec::new();
    for (index, after) in scores.iter().enumerate() {
        let protected: Vec<bool> = (0..n).map(|token| token % (n - 1) == 0).collect();
        let rule = Rule {
            ratio: plan.layers()[index],
            protected: &protected,
            protected_bits: plan.protected_bits,
            gone: &gone,
            round_to: plan.round_to,
        };
        let tiers = assign(&before, rule);
        if !plan.compensation_at(index).may_return() {
            for (gone, tier) in gone.iter_mut().zip(&tiers) {
                *gone |= *tier == Tier::Zero;
            }
        }
        layers.push(Layer {
            tiers,
            importance: after.clone(),
            heads: vec![Head {
                magnitude: 0.5,
                unsure_queries: 0,
            }],
            operands: Vec::new(),
        });
        before.clone_from(after);
    }
    Input {
        id: "a".into(),
        tokens: vec!["token".into(); n],
        layers,
        generation: None,
    }
}

fn digits(input: &Input, layer: usize) -> String {
    input.layers[layer]
        .tiers
        .iter()
        .map(|tier| tier.digit())
        .collect()
}

#[test]
fn tokens_are_ranked_by_the_layer_before() {
    let dense = Plan::dense_eight(LAYERS);
    let scores = [
        vec![0.0, 5.0, 1.0, 4.0, 0.0],
        vec![0.0, 1.0, 9.0, 4.0, 0.0],
        vec![0.0; 5],
    ];
    let input = recorded(&dense, &scores);
    let header = Header {
        model: shape(),
        plan: dense,
    };
    // Of five tokens three at 8 bits, two of them the protected ends; one at 4.
    let plan = mixed(600, 200);
    let under = input.replanned(&header, &plan).unwrap();
    assert_eq!(digits(&under, 0), "88888");
    assert_eq!(digits(&under, 1), "88048");
    assert_eq!(digits(&under, 2), "80848");
    assert_eq!(under.layers[1].importance, input.layers[1].importance);

    // What has left for good does not come back.
    let mut drop = plan;
    drop.compensation = &compensation::Drop;
    let under = input.replanned(&header, &drop).unwrap();
    assert_eq!(digits(&under, 1), "88048");
    assert_eq!(digits(&under, 2), "84088");
}

#[test]
fn what_a_trace_does_not_have_is_refused() {
    let dense = Plan::dense_eight(LAYERS);
    let input = recorded(&dense, &vec![vec![1.0; 4]; LAYERS]);
    let header = Header {
        model: shape(),
        plan: dense,
    };
    let refused = |plan: &Plan| input.replanned(&header, plan).unwrap_err();

    let mut other = mixed(500, 0);
    other.importance = &importance::LastLayer;
    assert!(matches!(
        refused(&other),
        ReplanError::Importance {
            plan: "last-layer",
            ..
        }
    ));
    assert!(matches!(
        refused(&Plan::dense_four(2)),
        ReplanError::Plan(_)
    ));
    let ratio = Ratio::from_thousandths(500, 0).unwrap();
    let prior = Plan::with_prior(vec![ratio; LAYERS]).unwrap();
    assert!(matches!(
        refused(&prior),
        ReplanError::Prior { plan: true, .. }
    ));

    let with_prior = Header {
        plan: Plan::with_prior(vec![Ratio::ALL_EIGHT; LAYERS]).unwrap(),
        ..header.clone()
    };
    let error = input.replanned(&with_prior, &prior).unwrap_err();
    assert_eq!(error, ReplanError::FirstLayer);

    let mut fused = mixed(500, 0);
    fused.compensation = &compensation::Fused;
    assert!(input.replanned(&header, &fused).is_ok());
    let mut causal = header.clone();
    causal.model.causal = true;
    let error = input.replanned(&causal, &fused).unwrap_err();
    assert_eq!(error, ReplanError::Average { layer: 1 });

    let generated = Input {
        generation: Some(Generation { caches: Vec::new() }),
        ..input.clone()
    };
    let error = generated.replanned(&header, &mixed(500, 0)).unwrap_err();
    assert!(matches!(error, ReplanError::Generation { .. }));

    // Tiers that the trace's own plan does not give: another token is protected.
    let mut odd = input.clone();
    odd.layers[2].tiers[1] = Tier::Four;
    let error = odd.replanned(&header, &mixed(500, 0)).unwrap_err();
    assert!(matches!(error, ReplanError::NotReproduced { layer: 2, .. }));
}

proptest! {
    #[test]
    fn the_own_plan_gives_the_recorded_tiers(
        scores in prop::collection::vec(prop::collection::vec(0.0_f32..1.0, 9), LAYERS),
        eight in 0_u16..=500,
        four in 0_u16..=500,
        round_to in 1_usize..4,
        leaves in any::<bool>(),
    ) {
        let mut plan = mixed(eight, four);
        plan.round_to = round_to;
        if leaves {
            plan.compensation = &compensation::Drop;
        }
        let input = recorded(&plan, &scores);
        let header = Header { model: shape(), plan: plan.clone() };
        prop_assert_eq!(input.replanned(&header, &plan).unwrap(), input);
    }
}
