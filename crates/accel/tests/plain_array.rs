//! What does a plain array gain from tokens of fewer bits, and from fewer tokens?

mod setup;

use dtatrans_accel::{AccelError, Machine, RunReport};
use dtatrans_precision::{ModelShape, Tier};

/// The plain array with other lines under `[array]`, and a ranking if it is fed tiers.
fn plain(array: &str) -> Result<Machine, AccelError> {
    let text = Machine::builtin_toml("systolic-128").unwrap();
    let mut text = text.replace("element_bits = 8", array);
    if array.contains("tiers") {
        text += "\n[sort]\nlanes = 16\nscore_bits = 16\ndigit_bits = 4\n";
    }
    Machine::from_toml(&text)
}

fn run(array: &str, tiers: &dyn Fn(usize) -> Tier) -> RunReport {
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    let tiers: Vec<Vec<Tier>> = (0..12).map(|_| (0..128).map(tiers).collect()).collect();
    let input = setup::input(&header, &tiers);
    plain(array).unwrap().simulate(&header, &input).unwrap()
}

#[test]
fn tokens_of_four_bits_gain_an_array_of_eight_nothing() {
    let fed = "element_bits = 8\nfed = \"tiers\"";
    let all = |tier| move |_: usize| tier;
    let eight = run(fed, &all(Tier::Eight)).attention;
    let four = run(fed, &all(Tier::Four)).attention;
    let mixed = run(fed, &|token| [Tier::Eight, Tier::Four][token % 2]).attention;
    assert_eq!(eight.element_cycles.active, four.element_cycles.active);
    for narrower in [&four, &mixed] {
        let ratio = narrower.cycles as f64 / eight.cycles as f64;
        assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
        assert!(narrower.dram_read_bytes < eight.dram_read_bytes);
    }
}

#[test]
fn tokens_that_are_left_out_do() {
    let fed = "element_bits = 8\nfed = \"tiers\"";
    let all = run(fed, &|_| Tier::Eight);
    let half = run(fed, &|token| [Tier::Eight, Tier::Zero][token % 2]);
    // Under `keys-values` half of the queries meet all keys.
    let ratio = half.attention.cycles as f64 / all.attention.cycles as f64;
    assert!((ratio - 0.5).abs() < 0.02, "{ratio}");
    assert!(setup::encoder(&half).cycles < setup::encoder(&all).cycles);
}

#[test]
fn elements_of_four_bits_take_wider_operands_part_by_part() {
    let array = "element_bits = 4\nfed = \"tiers\"";
    let all = |tier| move |_: usize| tier;
    let active = |tier| {
        let report = run(array, &all(tier));
        let of =
            |scope: &dtatrans_accel::ScopeReport| scope.element_cycles.active / scope.macs_executed;
        (of(&report.attention), setup::encoder(&report).cycles)
    };
    let (four, four_cycles) = active(Tier::Four);
    let (eight, eight_cycles) = active(Tier::Eight);
    assert_eq!((four, eight), (1, 4));
    // With weights of 8 bits a token of 4 takes half as long as one of 8.
    assert!(four_cycles * 17 < eight_cycles * 10 && eight_cycles < 3 * four_cycles);
    // One token of 8 bits makes a product as slow as all.
    let one = run(array, &|token| {
        [Tier::Eight, Tier::Four][usize::from(token > 0)]
    });
    let all_eight = run(array, &all(Tier::Eight));
    assert_eq!(
        one.attention.element_cycles.active,
        all_eight.attention.element_cycles.active
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let sizes = plain("element_bits = 5").unwrap_err().to_string();
    assert!(
        sizes.contains("element_bits") && sizes.contains("8 or 4"),
        "{sizes}"
    );
    let text = Machine::builtin_toml("systolic-128").unwrap();
    let no_ranking = text.replace("element_bits = 8", "fed = \"tiers\"");
    let error = Machine::from_toml(&no_ranking).unwrap_err().to_string();
    assert!(error.contains("sort"), "{error}");
}
