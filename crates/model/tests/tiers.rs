//! Do the tiers of a run follow, by the plan's rule, from what the layers before
//! have left?

mod support;

use dtatrans_model::{Detail, Precision};
use dtatrans_precision::Tier;
use dtatrans_precision::assignment::{Rule, assign};
use proptest::prelude::*;
use support::plans::{LAYERS, first_scores, plans};
use support::{batches, run};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// From the first layer's scores, and from those that the trace says each
    /// layer has left, the rule gives the tiers that the run reports.
    #[test]
    fn the_rule_gives_the_tiers_of_the_trace(plan in plans(), inputs in batches()) {
        let precision = Precision::Plan(plan.clone());
        let outputs = run("tiny-bert", &precision, &inputs, Detail::Trace);
        for (input, output) in inputs.iter().zip(&outputs) {
            prop_assert_eq!(output.tiers.len(), LAYERS);
            prop_assert!(output.value.iter().all(|value| value.is_finite()));
            let mut scores = first_scores(&plan, &input.ids);
            let mut gone = vec![false; input.len()];
            for (layer, (tiers, traced)) in output.tiers.iter().zip(&output.trace).enumerate() {
                let rule = Rule {
                    ratio: plan.layers()[layer],
                    protected: &input.protected,
                    protected_bits: plan.protected_bits,
                    gone: &gone,
                    round_to: plan.round_to,
                };
                prop_assert_eq!(&assign(&scores, rule), tiers, "layer {}", layer);
                prop_assert_eq!(&traced.tiers, tiers);
                for (tier, protected) in tiers.iter().zip(&input.protected) {
                    prop_assert!(!protected || *tier >= plan.protected_bits.tier());
                }
                if !plan.compensation_at(layer).may_return() {
                    for (gone, tier) in gone.iter_mut().zip(tiers) {
                        *gone |= *tier == Tier::Zero;
                    }
                }
                scores.clone_from(&traced.importance);
            }
        }
    }
}
