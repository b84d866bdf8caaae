//! Do the paper's figures stand beside ours, and do the ladder and the sensitivities say
//! what they must?

mod support;

use serde_json::Value;
use support::{failure, has_all_of_headline, run, stdout};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|one| one[key] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[test]
fn figures_ladder_and_sensitivities_fit_one_another() {
    if !has_all_of_headline() {
        return;
    }
    let headline: Value =
        serde_json::from_str(&stdout(&run(&["headline", "--texts", "1", "--json"]))).unwrap();

    // What is met is at least the paper's; the first goal is the ladder's last rung.
    let goals = headline["goals"].as_array().unwrap();
    assert_eq!(goals.len(), 10);
    for goal in goals {
        assert_eq!(goal["met"], number(&goal["ours"]) >= number(&goal["paper"]));
    }
    let rungs = headline["ladder"]["rungs"].as_array().unwrap();
    let last = &rungs[rungs.len() - 1]["attention"];
    let of = |rung: &Value, key: &str| number(&rung[key]);
    let top = of(last, "dense_equivalent_gops");
    assert!((number(&goals[0]["ours"]) - top).abs() < 1e-6 * top);
    assert!(top > 1304.0, "{top}");

    // A plain array gains no cycle from tokens of 4 bits, the variable-speed one does.
    let attention = |cause: &str| &named(&headline["ladder"]["rungs"], "cause", cause)["attention"];
    let left_out = of(attention("0-bit tokens left out"), "time_us");
    let plain = of(attention("4-bit tokens, plain array"), "time_us");
    let tiers = of(attention("tiers, variable speed, arrival order"), "time_us");
    assert!((plain / left_out - 1.0).abs() < 0.02, "{plain} {left_out}");
    assert!(tiers < 0.35 * plain, "{tiers} {plain}");
    // Compensation takes no time here, and brings accuracy back.
    let accuracy =
        |cause: &str| number(&named(&headline["ladder"]["rungs"], "cause", cause)["accuracy"]);
    let grouped = of(attention("grouped by bits"), "time_us");
    assert!((of(last, "time_us") / grouped - 1.0).abs() < 0.02);
    assert!(accuracy("compensated: the plan") > accuracy("grouped by bits") + 0.03);
    // Nothing executes more than 512 elements of 4 bits, or what multiplies as much, can.
    for rung in &rungs[2..] {
        assert!(of(&rung["attention"], "executed_gops") <= 1024.0);
    }

    // A slower clock of ours makes every speed lower and leaves the others alone.
    let sensitivity = &headline["sensitivity"];
    let ours = |name: &str| -> Vec<f64> {
        let row = &named(sensitivity, "assumption", name)["ours"];
        row.as_array().unwrap().iter().map(number).collect()
    };
    let (assumed, slower) = (ours("as assumed"), ours("our clock at 0.8 GHz"));
    for index in [0, 1, 3, 4, 6, 8] {
        let ratio = slower[index] / assumed[index];
        assert!(
            (0.79..=0.85).contains(&ratio),
            "{}: {ratio}",
            goals[index]["what"]
        );
    }
    let dearer = ours("our elements at twice the energy");
    for index in [2, 5, 7, 9] {
        assert!(dearer[index] < assumed[index]);
    }
    assert!((dearer[0] - assumed[0]).abs() < 1e-9);

    // Less is kept under the plan than at 8 bits.
    let rows = headline["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let kept = |key: &str| number(&row["footprint"][key]);
        let dense = |key: &str| number(&row["footprint_dense_8_bits"][key]);
        assert!(kept("peak_activation_bytes") <= dense("peak_activation_bytes"));
        if row["causal"] == true {
            assert!(number(&row["cache_bytes"]) < number(&row["cache_bytes_dense_8_bits"]));
        } else {
            assert!(kept("key_value_bytes") < dense("key_value_bytes"));
        }
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    if !has_all_of_headline() {
        return;
    }
    let (code, error) = failure(&["headline", "--model", "smollm2"]);
    assert!(
        code == 1 && error.contains("smollm2") && error.contains("encoder"),
        "{error}"
    );
    let (code, error) = failure(&["headline", "--texts", "0"]);
    assert!(code == 2 && error.contains("--texts"), "{error}");
    let short = support::repository("LICENSE");
    let (code, error) = failure(&["headline", "--file", &short, "--texts", "900"]);
    assert!(code == 1 && error.contains("too short"), "{error}");
}
