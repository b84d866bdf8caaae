//! Time to simulate all layers of BERT-base on a text of 384 tokens, whole chip, both
//! scopes, tiers mixed and different in each layer, by a machine that knows no tile yet;
//! with an ideal memory and with HBM2.

#[path = "../tests/setup/mod.rs"]
mod setup;

use criterion::{Criterion, criterion_group, criterion_main};
use dtatrans_accel::Machine;
use dtatrans_precision::{ModelShape, Tier};

fn simulate(c: &mut Criterion) {
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    let tier = |layer: usize, token: usize| match (token * 2654435761 + layer * 40503) >> 7 & 7 {
        0..2 => Tier::Eight,
        2..6 => Tier::Four,
        _ => Tier::Zero,
    };
    let tiers: Vec<Vec<Tier>> = (0..12)
        .map(|layer| (0..384).map(|token| tier(layer, token)).collect())
        .collect();
    let input = setup::input(&header, &tiers);
    for (name, order) in [
        ("vssa-512", "grouped"),
        ("vssa-512", "arrival"),
        ("vssa-512-hbm2", "grouped"),
    ] {
        let text = Machine::builtin_toml(name).unwrap();
        let text = text.replace("order = \"grouped\"", &format!("order = \"{order}\""));
        let run = || {
            let machine = Machine::from_toml(&text).unwrap();
            machine.simulate(&header, &input).unwrap()
        };
        let cycles = run().encoder.unwrap().cycles;
        c.bench_function(
            &format!("BERT-base, 384 tokens, {name}, {order}: {cycles} cycles"),
            |bench| bench.iter(run),
        );
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = simulate
}
criterion_main!(benches);
