//! Is every malformed plan refused by name, and does a good one round-trip?

use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::{Bits, Plan, PlanError, Ratio};

const GOOD: &str = r#"
format = 1
name = "example"
compensation = "carry"
rotation = false
clipping = false
weight_bits = 4
probability_bits = "tier"
protected_bits = 4
round_to = 16

[[layer]]
r8 = 0
r4 = 1
r0 = 0

[[layer]]
r8 = 0.25
r4 = 0.4
r0 = 0.35
"#;

fn refused(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Plan::from_toml(&GOOD.replacen(from, to, 1))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_plan_round_trips() {
    let plan = Plan::from_toml(GOOD).unwrap();
    assert_eq!(plan.name, "example");
    assert_eq!(plan.compensation.name(), "carry");
    assert!(!plan.rotation && !plan.clipping);
    assert_eq!(plan.weight_bits, Bits::Four);
    assert_eq!(plan.probability_bits, ProbabilityBits::Tier);
    assert_eq!(plan.protected_bits, ProtectedBits::Four);
    assert_eq!(plan.round_to, 16);
    assert_eq!(plan.layers()[0], Ratio::ALL_FOUR);
    assert_eq!(plan.layers()[1].counts(100), (25, 40));
    assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn mistakes_are_named() {
    for (from, to, want) in [
        ("r0 = 0.35", "r0 = 0.3", "layer 1: r8 + r4 + r0"),
        ("r0 = 0.35", "r0 = 0.3501", "layer 1: r0 = 0.3501"),
        ("r0 = 0.35", "r0 = nan", "layer 1: r0"),
        ("r0 = 0.35", "", "missing field `r0`"),
        ("r4 = 1\n", "r4 = 0.5\n", "layer 0: r8 + r4 + r0"),
        (
            "r4 = 1\nr0 = 0",
            "r4 = 0.5\nr0 = 0.5",
            "layer 0 must give all tokens one tier",
        ),
        ("\"carry\"", "\"melt\"", "compensation = \"melt\""),
        ("weight_bits = 4", "weight_bits = 16", "weight_bits = 16"),
        ("\"tier\"", "\"teir\"", "probability_bits = \"teir\""),
        ("\"tier\"", "2", "probability_bits = 2"),
        (
            "protected_bits = 4",
            "protected_bits = 0",
            "protected_bits = 0",
        ),
        ("round_to = 16", "round_to = 0", "round_to = 0"),
        ("round_to = 16", "round_too = 16", "round_too"),
        ("rotation = false", "", "missing field `rotation`"),
        (
            "rotation = false",
            "rotation = false\nimportance = \"luck\"",
            "importance = \"luck\": must be \"cumulative\" or",
        ),
        ("rotation = false", "rotation = false\nrank = 0", "rank = 0"),
        (
            "rotation = false",
            "rotation = false\ngroup = 100000",
            "group = 100000",
        ),
        (
            "r0 = 0.35",
            "r0 = 0.35\ncompensation = \"melt\"",
            "layer 1: plan: compensation = \"melt\"",
        ),
        ("format = 1", "format = 2", "format = 2"),
        ("format = 1", "format = ", "plan: "),
    ] {
        let message = refused(from, to);
        assert!(message.contains(want), "{to}: {message}");
    }
    assert_eq!(
        Plan::from_toml(&GOOD[..GOOD.find("[[layer]]").unwrap()]),
        Err(PlanError::NoLayers)
    );
    assert!(Plan::from_toml("").is_err());
}

#[test]
fn a_plan_of_another_depth_is_refused() {
    let plan = Plan::from_toml(GOOD).unwrap();
    assert!(plan.check_depth(2).is_ok());
    assert_eq!(
        plan.check_depth(6),
        Err(PlanError::Depth { plan: 2, model: 6 })
    );
}
