//! A made-up objective, and a loop that evaluates it.

#![allow(dead_code, missing_docs, unreachable_pub)]

use dtatrans_precision::{Bits, Plan};
use dtatrans_search::{
    Candidate, Evaluation, Options, PlanSpace, Search, Space, Strategy, Variation,
};

/// The standard error of a measured loss, in points.
const ERROR: f64 = 0.35;

pub struct Synthetic {
    pub space: PlanSpace,
    pub guided: bool,
    seed: u64,
    /// How much each layer minds 0-bit tokens.
    weights: Vec<f64>,
}

impl Synthetic {
    pub fn new(layers: usize, seed: u64) -> Synthetic {
        Synthetic::with(layers, 0.1, seed, true)
    }

    /// With a compensation for each layer.
    pub fn of_layers(layers: usize, seed: u64) -> Synthetic {
        Synthetic::varied(layers, 0.1, seed, &["layer_compensation"])
    }

    pub fn with(layers: usize, step: f64, seed: u64, keys: bool) -> Synthetic {
        match keys {
            true => Synthetic::varied(layers, step, seed, &["compensation", "weight_bits"]),
            false => Synthetic::varied(layers, step, seed, &[]),
        }
    }

    fn varied(layers: usize, step: f64, seed: u64, keys: &[&str]) -> Synthetic {
        let variations: Vec<Variation> = keys
            .iter()
            .map(|key| Variation::of_key(key).unwrap())
            .collect();
        let space = PlanSpace::new(&Plan::dense_four(layers), step, &variations).unwrap();
        let weights = (0..layers)
            .map(|layer| 0.3 + 4.0 * uniform(seed, layer as u64, 0).powi(3))
            .collect();
        Synthetic {
            space,
            guided: true,
            seed,
            weights,
        }
    }

    /// The true loss, in points: 0 at 8 bits throughout.
    pub fn loss(&self, candidate: &Candidate) -> f64 {
        10.0 * self.guide(candidate)
    }

    fn guide(&self, candidate: &Candidate) -> f64 {
        let plan = self.space.decode(candidate);
        let layers = plan.layers();
        let count = layers.len() as f64;
        let factor_at = |layer: usize| match plan.compensation_at(layer).name() {
            "attention+predict" => 0.3,
            "keys-values+predict" => 0.7,
            "keys-values" => 1.0,
            "carry" => 1.6,
            _ => 2.2,
        };
        let mut sum = 0.0;
        for (layer, ratio) in layers.iter().enumerate() {
            let weight = self.weights[layer];
            let factor = factor_at(layer);
            sum += 0.02 * weight * ratio.r4() * (1.0 - ratio.r8());
            sum += factor * weight * ratio.r0().powf(1.7) * (1.0 - 0.6 * ratio.r8());
            if layer > 0 {
                sum += 1.5 * factor * layers[layer - 1].r0() * ratio.r0();
            }
        }
        let mean = layers.iter().map(|ratio| ratio.r0()).sum::<f64>() / count;
        let factor = (0..layers.len()).map(factor_at).sum::<f64>() / count;
        sum += factor * 2.0 * count * mean.powi(3);
        if plan.weight_bits == Bits::Four {
            sum += 0.15 * count;
        }
        sum / (10.0 * count)
    }

    /// The cost: the share of the dense 8-bit model's work.
    fn cost(&self, candidate: &Candidate) -> f64 {
        let plan = self.space.decode(candidate);
        let left = |layer: usize| match plan.compensation_at(layer).name() {
            "attention+predict" => 0.4,
            "keys-values+predict" => 0.25,
            "keys-values" => 0.17,
            _ => 0.0,
        };
        let weights = if plan.weight_bits == Bits::Four {
            0.5
        } else {
            1.0
        };
        let layers = plan.layers().iter().enumerate();
        let spent = layers.map(|(layer, ratio)| {
            let nibbles = 2.0 * ratio.r8() + ratio.r4();
            0.8 * weights * (nibbles / 2.0 + left(layer) * ratio.r0() / 2.0)
                + 0.2 * (nibbles / 2.0).powi(2)
        });
        spent.sum::<f64>() / plan.layers().len() as f64
    }

    pub fn evaluate(&self, candidate: &Candidate) -> Evaluation {
        let key = candidate.0.iter().fold(17, |key: u64, &level| {
            key.wrapping_mul(31).wrapping_add(u64::from(level))
        });
        let normal = |stream: u64| -> f64 {
            (1..=12)
                .map(|draw| uniform(self.seed ^ key, draw, stream))
                .sum::<f64>()
                - 6.0
        };
        Evaluation {
            loss: self.loss(candidate) + ERROR * normal(1),
            standard_error: ERROR,
            guide: self
                .guided
                .then(|| self.guide(candidate) * (1.0 + 0.02 * normal(2))),
            cost: self.cost(candidate),
            ..Evaluation::default()
        }
    }

    pub fn search(
        &self,
        strategy: Strategy,
        seed: u64,
        evaluations: usize,
        budget: f64,
    ) -> Search<PlanSpace> {
        let options = Options {
            strategy,
            evaluations,
            seed,
            budget: dtatrans_search::Budget::Loss(budget),
            margin: 0.5,
        };
        Search::new(self.space.clone(), options)
    }
}

pub fn run(
    synthetic: &Synthetic,
    strategy: Strategy,
    seed: u64,
    evaluations: usize,
    budget: f64,
) -> Search<PlanSpace> {
    let mut search = synthetic.search(strategy, seed, evaluations, budget);
    while let Some(candidate) = search.ask() {
        let evaluation = synthetic.evaluate(&candidate);
        search.tell(candidate, evaluation);
    }
    search
}

/// A number in [0, 1) that depends on all three.
pub fn uniform(seed: u64, number: u64, stream: u64) -> f64 {
    let mut z = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(number.wrapping_mul(0xbf58_476d_1ce4_e5b9))
        .wrapping_add(stream.wrapping_mul(0x94d0_49bb_1331_11eb));
    for _ in 0..3 {
        z ^= z >> 31;
        z = z.wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 27;
    }
    (z >> 11) as f64 / (1u64 << 53) as f64
}
