//! The cache beside a slow one that keeps whole tokens and rewrites the rules in
//! the plainest way.

use dtatrans_kernels::vector;
use dtatrans_precision::Ratio;
use dtatrans_precision::cache::{Attention, CachePolicy, Cascade, HeavyHitters, Recent};
use dtatrans_precision::random::Random;

use super::*;
use crate::layers::{Activation, NormPlace};

const LAYERS: usize = 3;
const HEADS: usize = 4;
const SHARED: usize = 2;
const DIM: usize = 8;

fn structure() -> Structure {
    Structure {
        layers: LAYERS,
        hidden: HEADS * DIM,
        heads: HEADS,
        key_value_heads: SHARED,
        head_dim: DIM,
        intermediate: 1,
        causal: true,
        norms: NormPlace::Before,
        rotary: None,
        activation: Activation::Gelu,
        gated: false,
        scaled_scores: true,
        scaled_by_layer: false,
    }
}

fn by() -> Arithmetic {
    Arithmetic {
        isa: Isa::best(),
        four: Symmetric::clipped(7),
        score_scale: 0.3,
    }
}

fn plan(policy: &'static dyn CachePolicy, scope: Scope) -> CachePlan {
    let ratio = |eight, four| Ratio::from_thousandths(eight, four).unwrap();
    CachePlan {
        policy,
        // Never more in a later layer, as SpAtten's.
        layers: [ratio(300, 400), ratio(200, 300), ratio(100, 300)]
            .map(|ratio| vec![ratio])
            .to_vec(),
        scope,
        first: 2,
        newest: 3,
        half_life: 5,
        ..CachePlan::all_eight(LAYERS)
    }
}

/// One new token: codes of keys and values by shared head, of queries by head.
struct Token {
    keys: Vec<i8>,
    values: Vec<i8>,
    key_scales: Vec<f32>,
    value_scales: Vec<f32>,
    query: Vec<i8>,
    query_scales: Vec<f32>,
}

fn tokens(count: usize, seed: u64) -> Vec<Token> {
    let mut draws = Random::of_stream(seed, 0);
    let mut codes = |n: usize| -> Vec<i8> {
        (0..n)
            .map(|_| (draws.below(255) as i32 - 127) as i8)
            .collect()
    };
    let mut scales = Random::of_stream(seed, 1);
    let mut scales = |n: usize| -> Vec<f32> {
        let scale = |_| stored(0.004 + 0.008 * (scales.below(1000) as f32 / 1000.0)).to_f32();
        (0..n).map(scale).collect()
    };
    (0..count)
        .map(|_| Token {
            keys: codes(SHARED * DIM),
            values: codes(SHARED * DIM),
            key_scales: scales(SHARED),
            value_scales: scales(SHARED),
            query: codes(HEADS * DIM),
            query_scales: scales(HEADS),
        })
        .collect()
}

/// A token as the slow cache keeps it at one layer.
#[derive(Clone)]
struct Kept {
    /// By shared head.
    keys: Vec<Vec<f64>>,
    values: Vec<Vec<f64>>,
    /// By shared head: what it received, and at which tier it is.
    received: Vec<f64>,
    tiers: Vec<Tier>,
}

/// All tokens that ever came, by layer.
struct Slow {
    plan: CachePlan,
    layers: Vec<Vec<Kept>>,
    /// By layer and shared head: what keys are differences from.
    centres: Vec<Vec<Vec<f64>>>,
}

impl Slow {
    /// Attends with a new token; gives all heads' outputs.
    fn attend(&mut self, layer: usize, token: &Token) -> Vec<f64> {
        let floats = |codes: &[i8], scales: &[f32]| -> Vec<Vec<f64>> {
            let heads = codes.chunks(DIM).zip(scales);
            heads
                .map(|(codes, &scale)| {
                    codes
                        .iter()
                        .map(|&c| f64::from(c) * f64::from(scale))
                        .collect()
                })
                .collect()
        };
        let all = &mut self.layers[layer];
        all.push(Kept {
            keys: floats(&token.keys, &token.key_scales),
            values: floats(&token.values, &token.value_scales),
            received: vec![0.0; SHARED],
            tiers: vec![Tier::Eight; SHARED],
        });
        let decay = f64::from(self.plan.decay());
        for kept in all.iter_mut() {
            for received in &mut kept.received {
                *received *= decay;
            }
        }
        let mut out = Vec::new();
        for (head, query) in floats(&token.query, &token.query_scales).iter().enumerate() {
            let shared = head * SHARED / HEADS;
            let here = |kept: &Kept| kept.tiers[shared] != Tier::Zero;
            let dot = |key: &[f64]| query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>();
            let score = |kept: &Kept| match here(kept) {
                true => (f64::from(by().score_scale) * dot(&kept.keys[shared])).exp(),
                false => 0.0,
            };
            let sum: f64 = all.iter().map(score).sum();
            let mut head_out = vec![0.0; DIM];
            for kept in all.iter_mut() {
                let probability = score(kept) / sum;
                kept.received[shared] += probability;
                for (out, value) in head_out.iter_mut().zip(&kept.values[shared]) {
                    *out += probability * value;
                }
            }
            out.extend(head_out);
        }
        out
    }

    /// Moves tokens down, by all layers' rules from the plan's own words.
    fn settle(&mut self, layer: usize) {
        let n = self.layers[layer].len();
        let sets: Vec<Vec<usize>> = match self.plan.scope {
            Scope::Head => (0..SHARED).map(|head| vec![head]).collect(),
            Scope::Layer => vec![(0..SHARED).collect()],
        };
        for set in sets {
            let rank = |position: usize| -> f64 {
                if position < self.plan.first || position + self.plan.newest >= n {
                    return f64::INFINITY;
                }
                let received = |layer: usize| -> f64 {
                    let kept = &self.layers[layer][position];
                    set.iter().map(|&head| kept.received[head]).sum()
                };
                let decay = f64::from(self.plan.decay());
                let queries = (0..n - position)
                    .map(|age| decay.powi(age as i32))
                    .sum::<f64>();
                match self.plan.policy.name() {
                    "recent" => position as f64,
                    "heavy-hitters" => received(layer),
                    "attention" => received(layer) / queries,
                    "cascade" => {
                        let gone =
                            |layer: usize| self.layers[layer][position].tiers[set[0]] == Tier::Zero;
                        match (0..layer).any(gone) {
                            true => f64::NEG_INFINITY,
                            false => (0..=layer).map(received).sum(),
                        }
                    }
                    other => panic!("{other}"),
                }
            };
            let ranks: Vec<f64> = (0..n).map(rank).collect();
            let tier = |slow: &Slow, position: usize| slow.layers[layer][position].tiers[set[0]];
            let least = |slow: &Slow, at: Tier| {
                let candidates =
                    (0..n).filter(|&p| tier(slow, p) == at && ranks[p] < f64::INFINITY);
                candidates.min_by(|&a, &b| ranks[a].total_cmp(&ranks[b]))
            };
            let count = |slow: &Slow, at: Tier| (0..n).filter(|&p| tier(slow, p) == at).count();
            let (eight, four) = self.plan.ratio(layer, set[0]).counts(n);
            let upper = eight.max(n.min(self.plan.first + self.plan.newest));
            let all = (eight + four).max(upper);
            let gone: Vec<usize> = (0..n).filter(|&p| ranks[p] == f64::NEG_INFINITY).collect();
            for position in gone {
                self.lower(layer, position, &set, Tier::Zero);
            }
            while count(self, Tier::Eight) > upper {
                let Some(position) = least(self, Tier::Eight) else {
                    break;
                };
                self.lower(layer, position, &set, Tier::Four);
            }
            while count(self, Tier::Eight) + count(self, Tier::Four) > all {
                let Some(position) = least(self, Tier::Four) else {
                    break;
                };
                self.lower(layer, position, &set, Tier::Zero);
            }
        }
    }

    fn lower(&mut self, layer: usize, position: usize, set: &[usize], to: Tier) {
        for &head in set {
            let all = &self.layers[layer];
            let at = |tier: Tier| all.iter().filter(move |kept| kept.tiers[head] == tier);
            if to == Tier::Four && at(Tier::Four).count() == 0 {
                let count = at(Tier::Eight).count() as f64;
                let mean = |c: usize| at(Tier::Eight).map(|k| k.keys[head][c]).sum::<f64>() / count;
                self.centres[layer][head] = (0..DIM).map(mean).collect();
            }
            let kept = &mut self.layers[layer][position];
            kept.tiers[head] = to;
            if to == Tier::Four {
                let none = vec![0.0; DIM];
                for (row, centre) in [
                    (&mut kept.keys[head], &self.centres[layer][head]),
                    (&mut kept.values[head], &none),
                ] {
                    let values: Vec<f32> = row
                        .iter()
                        .zip(centre)
                        .map(|(x, c)| (x - c) as f32)
                        .collect();
                    let mut codes = vec![0i8; DIM];
                    let isa = Isa::SCALAR;
                    let scale = vector::quantize_symmetric(isa, &values, by().four, &mut codes);
                    let scale = f64::from(stored(scale).to_f32());
                    *row = codes
                        .iter()
                        .zip(centre)
                        .map(|(&code, c)| c + f64::from(code) * scale)
                        .collect();
                }
            }
        }
    }

    fn tiers(&self) -> Vec<Vec<Vec<Tier>>> {
        let heads = match self.plan.scope {
            Scope::Head => SHARED,
            Scope::Layer => 1,
        };
        let layer = |layer: &Vec<Kept>| {
            let of = |head: usize| layer.iter().map(|kept| kept.tiers[head]).collect();
            (0..heads).map(of).collect()
        };
        self.layers.iter().map(layer).collect()
    }
}

fn news(token: &Token) -> NewTokens<'_> {
    NewTokens {
        keys: &token.keys,
        values: &token.values,
        key_scales: &token.key_scales,
        value_scales: &token.value_scales,
        bits: &[Bits::Eight],
    }
}

#[test]
fn the_cache_gives_and_keeps_what_a_slow_one_does() {
    for (policy, scope) in [
        (&Attention as &dyn CachePolicy, Scope::Head),
        (&Attention, Scope::Layer),
        (&HeavyHitters, Scope::Head),
        (&HeavyHitters, Scope::Layer),
        (&Recent, Scope::Layer),
        (&Cascade, Scope::Layer),
    ] {
        let plan = plan(policy, scope);
        let mut slow = Slow {
            plan: plan.clone(),
            layers: vec![Vec::new(); LAYERS],
            centres: vec![vec![vec![0.0; DIM]; SHARED]; LAYERS],
        };
        let mut cache = TieredCache::new(&Arc::new(plan), &structure());
        for token in tokens(80, 7) {
            for layer in 0..LAYERS {
                let query = Query {
                    codes: &token.query,
                    scales: &token.query_scales,
                    probability_limit: 255,
                };
                let got = cache.attend(layer, &query, &news(&token), 0, &by());
                let want = slow.attend(layer, &token);
                slow.settle(layer);
                for (got, want) in got.iter().zip(want) {
                    // Probabilities have 8 bits, values are up to 1.5.
                    assert!((f64::from(*got) - want).abs() < 0.05, "{got} {want}");
                }
            }
            cache.advance(1);
            assert_eq!(cache.tiers(), slow.tiers(), "{} {scope:?}", policy.name());
        }
    }
}

/// Reading at once leaves what reading one by one would leave if nothing had been
/// lost meanwhile.
#[test]
fn a_text_read_at_once_shares_out_the_tiers_by_rank() {
    let plan = Arc::new(plan(&Attention, Scope::Head));
    // The two middle tokens have keys of 4 bits, whatever they received.
    let mut bits = vec![Bits::Eight; 50];
    (bits[24], bits[25]) = (Bits::Four, Bits::Four);
    let received = |p: usize| ((p * 37) % 50) as f32 + 100.0 * f32::from(p == 24);
    let received: Vec<f32> = (0..50).map(received).collect();
    let head = |shared: usize| {
        let tokens = tokens(50, 3);
        let codes = |of: fn(&Token) -> &[i8]| -> Vec<i8> {
            let rows = tokens.iter();
            let rows = rows.flat_map(|token| &of(token)[shared * DIM..(shared + 1) * DIM]);
            rows.copied().collect()
        };
        HeadReading {
            key_codes: codes(|token| &token.keys),
            key_scales: tokens
                .iter()
                .map(|token| token.key_scales[shared])
                .collect(),
            value_codes: codes(|token| &token.values),
            value_scales: tokens
                .iter()
                .map(|token| token.value_scales[shared])
                .collect(),
            received: vec![received.clone()],
        }
    };
    let layer = LayerReading {
        positions: (0..50).collect(),
        bits,
        heads: (0..SHARED).map(head).collect(),
    };
    let reading = Reading {
        tokens: 50,
        decays: vec![plan.decay()],
        layers: vec![layer; LAYERS],
        tiers: Vec::new(),
    };
    let mut cache = TieredCache::new(&plan, &structure());
    cache.fill(&reading, |_| by());
    let tiers = &cache.tiers()[0];
    assert_eq!(tiers[0], tiers[1]);
    let tiers = &tiers[0];
    assert_eq!(tiers[..2], [Tier::Eight; 2]);
    assert_eq!(tiers[47..], [Tier::Eight; 3]);
    assert_eq!(tiers[24], Tier::Four);
    let count = |tier| tiers.iter().filter(|&&own| own == tier).count();
    assert_eq!((count(Tier::Eight), count(Tier::Four)), (15, 20));
    let queries = weights_by_age(plan.decay());
    let rank = |p: usize| received[p] / queries[(50 - p).min(queries.len()) - 1];
    let free = (2..47).filter(|&p| p != 24);
    let worst = |tier| {
        let own = free.clone().filter(|&p| tiers[p] == tier);
        own.map(rank).fold(f32::INFINITY, f32::min)
    };
    let best = |tier| {
        let own = free.clone().filter(|&p| tiers[p] == tier);
        own.map(rank).fold(0.0, f32::max)
    };
    assert!(worst(Tier::Eight) >= best(Tier::Four));
    assert!(worst(Tier::Four) >= best(Tier::Zero));
}

#[test]
fn memory_stays_flat_once_the_places_are_taken() {
    let ratio = Ratio::from_thousandths(0, 0).unwrap();
    let plan = CachePlan {
        layers: vec![vec![ratio]; LAYERS],
        first: 2,
        newest: 30,
        ..plan(&Attention, Scope::Head)
    };
    let mut cache = TieredCache::new(&Arc::new(plan), &structure());
    let mut bytes = Vec::new();
    for token in tokens(400, 5) {
        for layer in 0..LAYERS {
            let query = Query {
                codes: &token.query,
                scales: &token.query_scales,
                probability_limit: 255,
            };
            cache.attend(layer, &query, &news(&token), 0, &by());
        }
        cache.advance(1);
        bytes.push(cache.bytes());
    }
    assert!(bytes[60..].iter().all(|&now| now == bytes[60]), "{bytes:?}");
}
