//! Does the joint search find better plans than the baselines, at as many
//! evaluations?
//!
//! The objective is made up but has what makes the real one hard: losses that
//! are convex in each layer's share and differ by layer, interactions between
//! neighbours and over all layers, keys that matter only together with 0-bit
//! tokens, and a measured loss with noise beside a guide with little.

mod support;

use std::sync::Arc;

use dtatrans_precision::cache::CachePlan;
use dtatrans_precision::{Plan, Ratio};
use dtatrans_search::{
    Budget, CacheSpace, Evaluation, Options, Search, Space, Strategy, choose, hypervolume,
};
use support::{Synthetic, run, uniform};

/// The budget of the synthetic studies.
const BUDGET: f64 = 1.0;

/// The true losses and costs of all that a search evaluated.
fn truths(synthetic: &Synthetic, strategy: Strategy, seed: u64) -> (Vec<(f64, f64)>, f64) {
    let search = run(synthetic, strategy, seed, 120, BUDGET);
    let points = search
        .history()
        .iter()
        .map(|evaluated| {
            (
                synthetic.loss(&evaluated.candidate),
                evaluated.evaluation.cost,
            )
        })
        .collect();
    let choice = search.choice().expect("8 bits lose nothing");
    let evaluated = &search.history()[choice.index];
    assert_eq!(
        choose(search.history(), Budget::Loss(BUDGET), 0.5),
        Some(choice)
    );
    // A choice above the budget counts as none was made.
    let cost = match synthetic.loss(&evaluated.candidate) <= 1.15 * BUDGET {
        true => evaluated.evaluation.cost,
        false => 1.0,
    };
    (points, cost)
}

/// Runs all strategies on made-up models; the joint search must come out ahead,
/// and its choice cost at most this share of any other's.
fn study(models: &[Synthetic], most: f64) {
    let count = models.len() as f64;
    let mut means = Vec::new();
    for strategy in Strategy::ALL {
        let (mut area, mut cost) = (0.0, 0.0);
        for (seed, synthetic) in models.iter().enumerate() {
            let (points, chosen) = truths(synthetic, strategy, seed as u64);
            area += hypervolume(&points, (3.0 * BUDGET, 1.0)) / count;
            cost += chosen / count;
        }
        println!("{}: area {area:.4}, cost {cost:.4}", strategy.name());
        means.push((area, cost));
    }
    let (area, cost) = means[0];
    for (strategy, (other_area, other_cost)) in Strategy::ALL.iter().zip(&means).skip(1) {
        let name = strategy.name();
        assert!(
            area > other_area + 0.03,
            "{name}: {area} against {other_area}"
        );
        assert!(
            cost < most * other_cost,
            "{name}: {cost} against {other_cost}"
        );
    }
}

#[test]
fn the_joint_search_beats_the_baselines() {
    study(&[0, 1, 2].map(|seed| Synthetic::new(6, seed)), 0.9);
    study(&[Synthetic::new(12, 0)], 0.9);
}

#[test]
fn the_joint_search_beats_the_baselines_where_each_layer_has_a_compensation() {
    study(&[0, 1, 2].map(|seed| Synthetic::of_layers(6, seed)), 0.9);
    // Here a uniform schedule is hard to beat: 46 genes, 120 evaluations.
    study(&[Synthetic::of_layers(12, 0)], 0.95);
}

#[test]
fn nothing_is_evaluated_twice_and_a_seed_decides_all() {
    for (synthetic, strategy) in [Synthetic::new(4, 1), Synthetic::of_layers(4, 1)]
        .iter()
        .flat_map(|synthetic| Strategy::ALL.map(|strategy| (synthetic, strategy)))
    {
        let once = run(synthetic, strategy, 7, 60, BUDGET);
        let again = run(synthetic, strategy, 7, 60, BUDGET);
        assert_eq!(once.history(), again.history());
        let mut candidates: Vec<_> = once.history().iter().map(|e| &e.candidate).collect();
        candidates.sort();
        candidates.dedup();
        assert_eq!(
            candidates.len(),
            once.history().len(),
            "{}",
            strategy.name()
        );
        let other = run(synthetic, strategy, 8, 60, BUDGET);
        let sweeps = matches!(strategy, Strategy::Uniform | Strategy::Linear);
        assert_eq!(once.history() == other.history(), sweeps);
    }
}

/// A space that is smaller than the evaluations allowed is searched to its end.
#[test]
fn a_small_space_is_exhausted() {
    let synthetic = Synthetic::with(2, 0.5, 1, false);
    // Three choices at the first layer, six pairs of shares at the second.
    for strategy in [Strategy::Joint, Strategy::Uniform, Strategy::Random] {
        let search = run(&synthetic, strategy, 1, 1000, BUDGET);
        assert_eq!(search.history().len(), 18, "{}", strategy.name());
    }
}

/// Without a guide the search follows the noisy loss, and still works.
#[test]
fn a_guide_is_not_needed() {
    let mut synthetic = Synthetic::new(6, 2);
    synthetic.guided = false;
    let (points, _) = truths(&synthetic, Strategy::Joint, 2);
    let (random, _) = truths(&synthetic, Strategy::Random, 2);
    let reference = (3.0 * BUDGET, 1.0);
    let (joint, random) = (
        hypervolume(&points, reference),
        hypervolume(&random, reference),
    );
    assert!(joint > random + 0.03, "{joint} against {random}");
}

/// Sixty heads of which a few need almost all that there is to keep: more genes than
/// most evaluations.
#[test]
fn a_budget_of_cost_goes_to_the_heads_that_need_it() {
    let budget = 0.25;
    let least = |strategy: Strategy| {
        let mut template = Plan::dense_eight(20);
        let ratio = Ratio::from_thousandths(60, 940).unwrap();
        template.cache = Some(Arc::new(CachePlan {
            layers: vec![vec![ratio; 3]; 20],
            ..CachePlan::by_attention(20)
        }));
        let space = CacheSpace::new(&template, 0.02, &[]).unwrap();
        let options = Options {
            strategy,
            evaluations: 90,
            seed: 1,
            budget: Budget::Cost(budget),
            margin: 0.5,
        };
        let mut search = Search::new(space, options);
        while let Some(candidate) = search.ask() {
            let plan = search.space().decode(&candidate);
            let ratios = plan.cache.as_ref().unwrap().layers.iter().flatten();
            let (mut guide, mut cost) = (0.006, 0.0);
            for (head, ratio) in ratios.enumerate() {
                let need = uniform(3, head as u64, 0).powi(8);
                let noise = 0.05 * need * uniform(4, head as u64, search.history().len() as u64);
                guide += (need + noise) * 0.05 * ratio.r0() + 0.0001 * ratio.r4();
                cost += (ratio.r8() + ratio.r4() / 2.0).max(0.06) / 60.0;
            }
            let evaluation = Evaluation {
                loss: 100.0 * guide,
                standard_error: 0.3,
                guide: Some(guide),
                cost,
                ..Evaluation::default()
            };
            search.tell(candidate, evaluation);
        }
        let choice = search.choice().expect("a plan within the budget");
        let chosen = &search.history()[choice.index].evaluation;
        assert!(chosen.cost <= budget);
        chosen.guide.unwrap() - 0.006
    };
    let [joint, uniform] = [Strategy::Joint, Strategy::Uniform].map(least);
    println!("joint {joint:.4}, uniform {uniform:.4}");
    assert!(joint < 0.4 * uniform, "{joint} against {uniform}");
}
