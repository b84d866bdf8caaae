//! Traces built by hand, and machines to run them on.

// Each test file uses some of them.
#![allow(dead_code)]

use dtatrans_accel::{Machine, RunReport, ScopeReport};
use dtatrans_precision::plan::ProbabilityBits;
use dtatrans_precision::trace::{Head, Header, Input, Layer};
use dtatrans_precision::{Bits, ModelShape, Plan, Tier};

/// The shape of a six-layer MiniLM.
pub(crate) fn minilm() -> ModelShape {
    ModelShape {
        name: "minilm".into(),
        layers: 6,
        hidden: 384,
        heads: 12,
        key_value_heads: 12,
        head_dim: 32,
        intermediate: 1536,
        ..ModelShape::bert_base()
    }
}

/// A header whose plan has the trace's layers at 8 bits.
pub(crate) fn header(model: ModelShape) -> Header {
    let plan = Plan::dense_eight(model.layers);
    Header { model, plan }
}

/// The same with probabilities at the query's tier.
pub(crate) fn header_tier_probabilities(model: ModelShape) -> Header {
    let mut header = header(model);
    header.plan.probability_bits = ProbabilityBits::Tier;
    header
}

/// The same with weights of `weights` bits.
pub(crate) fn header_weights(model: ModelShape, weights: Bits) -> Header {
    let mut header = header_tier_probabilities(model);
    header.plan.weight_bits = weights;
    header
}

/// An input whose layers have these tiers.
pub(crate) fn input(header: &Header, tiers: &[Vec<Tier>]) -> Input {
    let n = tiers[0].len();
    let layer = |tiers: &Vec<Tier>| Layer {
        tiers: tiers.clone(),
        importance: vec![0.0; n],
        heads: vec![
            Head {
                magnitude: 0.5,
                unsure_queries: 0
            };
            header.model.heads
        ],
        operands: Vec::new(),
    };
    Input {
        id: "by hand".into(),
        tokens: vec!["token".into(); n],
        layers: tiers.iter().map(layer).collect(),
        generation: None,
    }
}

/// An input of `n` tokens, all of one tier.
pub(crate) fn uniform(header: &Header, n: usize, tier: Tier) -> Input {
    input(header, &vec![vec![tier; n]; header.model.layers])
}

/// An input of `n` tokens whose tiers are scattered: after an 8-bit first layer,
/// about a share `eight` at 8 bits and `four` at 4 bits, by a fixed sequence.
pub(crate) fn scattered(header: &Header, n: usize, eight: u64, four: u64) -> Input {
    let mut state = 0x9e37_79b9_u64;
    let mut tiers = vec![vec![Tier::Eight; n]];
    for _ in 1..header.model.layers {
        let mut layer: Vec<Tier> = (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                match (state >> 33) % 100 {
                    draw if draw < eight => Tier::Eight,
                    draw if draw < eight + four => Tier::Four,
                    _ => Tier::Zero,
                }
            })
            .collect();
        layer[0] = Tier::Eight;
        tiers.push(layer);
    }
    input(header, &tiers)
}

/// A run of a machine of the program.
pub(crate) fn run(name: &str, header: &Header, input: &Input) -> RunReport {
    Machine::builtin(name)
        .unwrap()
        .simulate(header, input)
        .unwrap()
}

/// A machine of the program with one line of its file replaced.
pub(crate) fn edited(name: &str, from: &str, to: &str) -> Machine {
    let text = Machine::builtin_toml(name).unwrap();
    assert!(text.contains(from), "{name} has no `{from}`");
    Machine::from_toml(&text.replacen(from, to, 1)).unwrap()
}

/// The scope of all products, which the machine must have.
pub(crate) fn encoder(report: &RunReport) -> &ScopeReport {
    report.encoder.as_ref().unwrap()
}

/// Inputs of several lengths and mixtures on a small and a large model.
pub(crate) fn some_inputs() -> Vec<(Header, Input)> {
    let mut inputs = Vec::new();
    for model in [minilm(), ModelShape::bert_base()] {
        let header = header_tier_probabilities(model);
        for n in [1, 2, 25, 128, 384] {
            inputs.push((header.clone(), uniform(&header, n, Tier::Eight)));
            inputs.push((header.clone(), uniform(&header, n, Tier::Four)));
            inputs.push((header.clone(), scattered(&header, n, 20, 40)));
        }
    }
    inputs
}
