//! Do these tests notice when the RTL is wrong?
//!
//! rtl/mutants/make lets Yosys put mutants into netlists of the RTL: a wire of one
//! cell inverted, stuck, or tied to another wire. Each is judged by what judges the
//! RTL itself: values and cycles of the same random work.

use std::collections::BTreeMap;

use dtatrans_cosim::{array, plain as plain_array, topk as topk_unit};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{plain, tiles, topk};

/// Mutants that no test can tell from the RTL, or none does, and why: a line each,
/// netlist, mutation and reason, between bars.
const SURVIVORS: &str = include_str!("../../../mutants/survivors.txt");

/// Of all mutants so many are caught at least, in percent.
const LEAST_CAUGHT: usize = 95;

/// The same cases in each run; what fails need not be made smaller.
fn runner(configuration: Config) -> TestRunner {
    let configuration = Config {
        max_shrink_iters: 0,
        ..configuration
    };
    TestRunner::new_with_rng(
        configuration,
        TestRng::deterministic_rng(RngAlgorithm::default()),
    )
}

/// What Yosys was told beside the mutant's number.
fn mutation(pass: &str) -> &str {
    pass.find("-mode").map_or(pass, |start| &pass[start..])
}

/// The mutants that `passes` says no difference of.
fn survivors(
    mutants: &'static [&'static str],
    passes: impl Fn(usize) -> Result<(), String>,
) -> Vec<&'static str> {
    passes(0).expect("the netlist without a mutant is the RTL");
    let survives = |&(index, _): &(usize, &&'static str)| passes(index + 1).is_ok();
    let survivors = mutants.iter().enumerate().filter(survives);
    survivors.map(|(_, pass)| mutation(pass)).collect()
}

#[test]
#[ignore = "needs netlists of mutants: run scripts/test-rtl"]
fn mutants_are_caught() {
    let mut netlists = BTreeMap::new();
    for kind in array::MUTATED {
        let judge = |mutant| {
            let mut kind = *kind;
            kind.mutant = mutant;
            tiles::judge(&kind).map(drop)
        };
        let element = if kind.naive { "naive" } else { "pipelined" };
        let name = format!("array {} x {}, {element}", kind.rows, kind.columns);
        netlists.insert(name, (kind.mutants.len(), survivors(kind.mutants, judge)));
    }
    for kind in plain_array::MUTATED {
        let judge = |mutant| {
            let mut kind = *kind;
            kind.mutant = mutant;
            plain::judge(&kind, &mut runner(plain::configuration()))
        };
        let name = format!("plain array {} x {}", kind.rows, kind.columns);
        netlists.insert(name, (kind.mutants.len(), survivors(kind.mutants, judge)));
    }
    for kind in topk_unit::MUTATED {
        let judge = |mutant| {
            let mut kind = *kind;
            kind.mutant = mutant;
            topk::judge(&kind, &mut runner(topk::configuration()))
        };
        let name = format!("topk, {} lanes", kind.lanes);
        netlists.insert(name, (kind.mutants.len(), survivors(kind.mutants, judge)));
    }

    let explained: Vec<(&str, &str)> = SURVIVORS
        .lines()
        .map(|line| {
            let mut parts = line.split(" | ");
            match (parts.next(), parts.next(), parts.next()) {
                (Some(netlist), Some(mutation), Some(_why)) => (netlist, mutation),
                _ => panic!("survivors.txt: a line is no netlist | mutation | reason: {line}"),
            }
        })
        .collect();
    let (mut total, mut alive, mut unexplained) = (0, 0, 0);
    for (name, (mutants, survivors)) in &netlists {
        println!(
            "{name}: {} of {mutants} mutants are caught",
            mutants - survivors.len()
        );
        for survivor in survivors {
            let known = explained.contains(&(name.as_str(), *survivor));
            unexplained += usize::from(!known);
            println!(
                "    {}: {survivor}",
                if known { "explained" } else { "not explained" }
            );
        }
        total += mutants;
        alive += survivors.len();
    }
    println!("{} of {total} mutants are caught", total - alive);
    assert!(total > 0, "no mutants: DTATRANS_MUTANTS names their folder");
    assert!((total - alive) * 100 >= total * LEAST_CAUGHT);
    assert_eq!(
        unexplained, 0,
        "survivors that rtl/mutants/survivors.txt does not explain"
    );
    assert_eq!(explained.len(), alive, "lines of survivors.txt");
}
