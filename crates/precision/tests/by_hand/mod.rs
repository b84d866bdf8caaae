//! The cost of a run, counted once more: token by token, and with a table of its
//! own of what the compensations do.

#![allow(missing_docs, unreachable_pub)]

use dtatrans_precision::plan::ProbabilityBits;
use dtatrans_precision::workload::VectorWork;
use dtatrans_precision::{Bits, ModelShape, Plan, Tier};

#[derive(Default)]
pub struct Count {
    /// Q x K^T and P x V.
    pub attention_cycles: u64,
    /// All other products.
    pub other_cycles: u64,
    pub vector: VectorWork,
    pub ranked_tokens: u64,
}

/// What a token at 0 bits still does.
struct Does {
    returns: bool,
    offers_a_key: bool,
    attends: bool,
    change: Change,
}

#[derive(PartialEq)]
enum Change {
    None,
    OfTheAverage,
    ByChannel,
    ByMap,
}

fn does(compensation: &str) -> Does {
    let (offers_a_key, attends, change) = match compensation {
        "drop" | "carry" => (false, false, Change::None),
        "keys-values" => (true, false, Change::None),
        "fused" => (false, false, Change::OfTheAverage),
        "keys-values+fused" => (true, false, Change::OfTheAverage),
        "predict-diagonal" => (false, false, Change::ByChannel),
        "predict-low-rank" => (false, false, Change::ByMap),
        "keys-values+predict" => (true, false, Change::ByMap),
        "attention+predict" => (true, true, Change::ByMap),
        other => panic!("`{other}` is not in the table"),
    };
    Does {
        returns: compensation != "drop",
        offers_a_key,
        attends,
        change,
    }
}

/// The parts that one row takes in a layer, at how many bits each.
#[derive(Default)]
struct Part {
    /// Its state is quantized for the layer.
    input: Option<u64>,
    query: Option<u64>,
    key: Option<u64>,
    feed_forward: Option<u64>,
    /// A map estimates its change.
    mapped: bool,
}

/// Cycles of one product of numbers of these widths: 1 for 4 b x 4 b.
fn cycles(a: u64, b: u64) -> u64 {
    a / 4 * (b / 4)
}

struct Counter<'a> {
    plan: &'a Plan,
    weight_bits: u64,
    count: Count,
}

impl Counter<'_> {
    /// A row times a matrix of weights, (n, k).
    fn weights(&mut self, bits: u64, n: usize, k: usize) {
        for _ in 0..n {
            self.count.other_cycles += k as u64 * cycles(bits, self.weight_bits);
        }
        // All groups of channels but the last are scaled and added before the
        // row goes on.
        if self.plan.group > 0 {
            let groups = k.div_ceil(self.plan.group);
            self.count.vector.multiply_additions += ((groups - 1) * n) as u64;
        }
    }

    fn quantize(&mut self, bits: u64, width: usize) {
        self.count.vector.quantized_elements += width as u64;
        if self.plan.clipping && bits == 4 {
            // Four scales are tried.
            self.count.vector.clipping_trials += 4 * width as u64;
        }
    }

    /// Balance, rotation, quantization.
    fn prepare(&mut self, bits: u64, width: usize) {
        if self.plan.balance {
            self.count.vector.multiply_additions += width as u64;
        }
        if self.plan.rotation {
            // Blocks of the largest power of two up to 128 that divides the
            // width; each doubling costs one addition an element.
            let mut block = 1;
            while block < 128 && width.is_multiple_of(2 * block) {
                block *= 2;
                self.count.vector.hadamard_additions += width as u64;
            }
        }
        self.quantize(bits, width);
    }

    fn normalise(&mut self, width: usize) {
        self.count.vector.layer_norm_elements += width as u64;
    }
}

pub fn count(shape: &ModelShape, plan: &Plan, tiers: &[Vec<Tier>]) -> Count {
    let (d, wide) = (shape.hidden, shape.intermediate);
    let inner = shape.heads * shape.head_dim;
    let rank = plan.rank.min(d);
    let mut counter = Counter {
        plan,
        weight_bits: u64::from(plan.weight_bits.bits()),
        count: Count::default(),
    };
    let mut gone = vec![false; tiers[0].len()];
    for (layer, tiers) in tiers.iter().enumerate() {
        let does = does(plan.compensation_at(layer).name());
        if layer > 0 || plan.prior() {
            counter.count.ranked_tokens += gone.iter().filter(|&&gone| !gone).count() as u64;
        }

        let mut parts = Vec::new();
        let mut left_out = 0;
        for (tier, gone) in tiers.iter().zip(&mut gone) {
            if *gone {
                continue;
            }
            let mut part = Part::default();
            if *tier == Tier::Zero {
                left_out += 1;
                *gone = !does.returns;
                part.key = does.offers_a_key.then_some(4);
                part.query = part.key.filter(|_| does.attends);
                part.mapped = does.change == Change::ByMap;
                if part.key.is_some() || part.mapped {
                    part.input = Some(4);
                }
            } else {
                let bits = Some(u64::from(tier.bits()));
                (part.input, part.query, part.key, part.feed_forward) = (bits, bits, bits, bits);
            }
            parts.push(part);
        }
        if does.change == Change::OfTheAverage && left_out > 0 {
            parts.push(Part {
                input: Some(8),
                query: Some(8),
                key: (!does.offers_a_key).then_some(8),
                feed_forward: Some(8),
                mapped: false,
            });
        }

        for part in &parts {
            if let Some(bits) = part.input {
                counter.prepare(bits, d);
            }
            if let Some(bits) = part.key {
                for _ in ["key", "value"] {
                    counter.weights(bits, inner, d);
                    counter.quantize(bits, inner);
                }
                if plan.importance.weighs_values() {
                    // The norm of its value in each head, and what it got times that.
                    counter.count.vector.multiply_additions += (inner + shape.heads) as u64;
                }
            }
            if let Some(bits) = part.query {
                counter.weights(bits, inner, d);
                counter.quantize(bits, inner);
                for other in &parts {
                    if let Some(key) = other.key {
                        attend(&mut counter, shape, bits, key);
                    }
                }
                counter.quantize(bits, inner);
                counter.weights(bits, d, inner);
                counter.normalise(d);
            }
            if let Some(bits) = part.feed_forward {
                counter.prepare(bits, d);
                counter.weights(bits, wide, d);
                counter.count.vector.activation_elements += wide as u64;
                counter.prepare(bits, wide);
                counter.weights(bits, d, wide);
                counter.normalise(d);
            }
            if part.mapped {
                if does.attends {
                    // Its state after the attention is quantized for the map.
                    counter.prepare(4, d);
                }
                counter.weights(4, rank, d);
                counter.quantize(4, rank);
                counter.weights(4, d, rank);
                counter.normalise(d);
            }
        }
        for _ in 0..left_out {
            match does.change {
                Change::None | Change::ByMap => {}
                Change::OfTheAverage => {
                    // Into the average; then two changes and their norms.
                    counter.count.vector.multiply_additions += d as u64;
                    counter.normalise(d);
                    counter.normalise(d);
                }
                Change::ByChannel => {
                    counter.count.vector.multiply_additions += d as u64;
                    counter.normalise(d);
                }
            }
        }
    }
    counter.count
}

/// One query meets one key and its value, in every head.
fn attend(counter: &mut Counter, shape: &ModelShape, query: u64, key: u64) {
    let probability = match counter.plan.probability_bits {
        ProbabilityBits::Fixed(Bits::Four) => 4,
        ProbabilityBits::Fixed(_) => 8,
        ProbabilityBits::Tier => query,
    };
    for _ in 0..shape.heads {
        for _ in 0..shape.head_dim {
            counter.count.attention_cycles += cycles(query, key) + cycles(probability, key);
        }
        counter.count.vector.softmax_elements += 1;
        counter.count.vector.importance_additions += 1;
        counter.count.vector.quantized_elements += 1;
    }
}
