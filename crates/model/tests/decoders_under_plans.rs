//! Decoders in integers: are they close to f32, is a text read at once what it is
//! token by token, and does a cache at tiers keep to its plan?

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Context, Extension, likeliest};
use dtatrans_model::{Decoder, DecoderCheckpoint, ModelError, Precision};
use dtatrans_precision::cache::{Attention, CacheBudget, CachePlan, Cascade, Scope};
use dtatrans_precision::{Plan, Ratio, Tier, compensation};
use support::{data, tiny_llama};

/// GPT-2's architecture and Llama's, the latter with shared key-value heads.
fn models() -> Vec<(tempfile::TempDir, PathBuf)> {
    let none = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_folder(folder.path());
    let path = folder.path().to_path_buf();
    vec![(none, data("tiny-gpt2")), (folder, path)]
}

fn decoder(path: &std::path::Path, precision: &Precision, isa: Isa) -> Decoder {
    let checkpoint = DecoderCheckpoint::open(path).unwrap();
    Decoder::new(&checkpoint, precision, isa).unwrap()
}

fn eight(layers: usize) -> Plan {
    Plan::dense_eight(layers)
}

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|i| (i * i * 31 + i * 7) % 190).collect()
}

fn extend(decoder: &Decoder, context: &mut Context, ids: &[u32]) -> Vec<f32> {
    decoder.extend(&mut [Extension { context, ids }]).unwrap()
}

#[test]
fn at_eight_bits_the_states_are_close_to_f32() {
    for (_guard, path) in models() {
        let exact = decoder(&path, &Precision::F32, Isa::best());
        let layers = exact.config().layers;
        let planned = decoder(&path, &Precision::Plan(eight(layers)), Isa::best());
        let ids = ids(23);
        let want = extend(&exact, &mut exact.context(), &ids);
        let got = extend(&planned, &mut planned.context(), &ids);
        let width = exact.config().hidden_size;
        for (got, want) in got.chunks(width).zip(want.chunks(width)) {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let cosine = dot(got, want) / (dot(got, got) * dot(want, want)).sqrt();
            assert!(cosine > 0.99, "{cosine}");
        }
        let (got, want) = (planned.logits(&got), exact.logits(&want));
        let apart: f32 = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).sum();
        let size: f32 = want.iter().map(|x| x.abs()).sum();
        assert!(apart < 0.1 * size, "{apart} {size}");
    }
}

/// Integer sums are exact and scales are those of the cache, so not a bit may
/// differ, on no instruction set.
#[test]
fn a_text_read_at_once_and_token_by_token_gives_the_same_bits() {
    for (_guard, path) in models() {
        let mut first = None;
        for isa in Isa::available() {
            for plan in [Plan::dense_eight, Plan::dense_four] {
                let layers = decoder(&path, &Precision::F32, isa).config().layers;
                let planned = decoder(&path, &Precision::Plan(plan(layers)), isa);
                // Where the model takes so many, more than a block of queries.
                let n = planned.config().context.min(150);
                let ids = ids(n as u32);
                let whole = extend(&planned, &mut planned.context(), &ids);
                let mut context = planned.context();
                let mut steps = extend(&planned, &mut context, &ids[..n / 2]);
                for id in &ids[n / 2..n - 9] {
                    steps.extend(extend(&planned, &mut context, &[*id]));
                }
                steps.extend(extend(&planned, &mut context, &ids[n - 9..]));
                assert_eq!(context.tokens(), n);
                assert!(whole == steps, "{isa:?}");
                if plan(layers) == Plan::dense_eight(layers) {
                    assert!(whole == *first.get_or_insert(whole.clone()), "{isa:?}");
                }
            }
        }
    }
}

#[test]
fn company_and_threads_change_no_bit() {
    for (_guard, path) in models() {
        let layers = decoder(&path, &Precision::F32, Isa::best()).config().layers;
        let mut plan = eight(layers);
        plan.cache = Some(Arc::new(cache(layers)));
        let planned = decoder(&path, &Precision::Plan(plan), Isa::best());
        let ids = ids(48);
        let mut alone = planned.context();
        extend(&planned, &mut alone, &ids[..30]);
        let want = extend(&planned, &mut alone, &ids[30..]);

        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
        let got = pool.unwrap().install(|| {
            let (mut a, mut b) = (planned.context(), planned.context());
            extend(&planned, &mut a, &ids[..30]);
            extend(&planned, &mut b, &ids[5..25]);
            let states = planned.extend(&mut [
                Extension {
                    context: &mut b,
                    ids: &ids[25..30],
                },
                Extension {
                    context: &mut a,
                    ids: &ids[30..],
                },
            ]);
            assert_eq!(a.tiers(), alone.tiers());
            states.unwrap()
        });
        assert!(got[5 * planned.config().hidden_size..] == want);
    }
}

fn cache(layers: usize) -> CachePlan {
    CachePlan {
        policy: &Attention,
        layers: vec![vec![Ratio::from_thousandths(200, 400).unwrap()]; layers],
        first: 2,
        newest: 5,
        half_life: 10,
        scope: Scope::Head,
        ..CachePlan::all_eight(layers)
    }
}

#[test]
fn a_cache_keeps_its_places_and_never_gives_back() {
    for (_guard, path) in models() {
        let layers = decoder(&path, &Precision::F32, Isa::best()).config().layers;
        let planned = decoder(&path, &Precision::Plan(eight(layers)), Isa::best());
        let cascade = CachePlan {
            policy: &Cascade,
            scope: Scope::Layer,
            ..cache(layers)
        };
        let plans = [cache(layers), cascade].map(Arc::new);
        let end = planned.config().context.min(100);
        let begin = end / 2;
        let ids = ids(end as u32);
        let (states, reading) = planned.read(&ids[..begin], &plans).unwrap();
        let width = planned.config().hidden_size;
        let plain = extend(&planned, &mut planned.context(), &ids[..begin]);
        // What is read at once does not depend on what is kept of it.
        assert_eq!(states.len(), begin * width);
        assert!(states == plain);
        for plan in &plans {
            let mut context = planned.context_after(&reading, plan);
            let mut before = context.tiers();
            for n in begin + 1..=end {
                extend(&planned, &mut context, &ids[n - 1..n]);
                let now = context.tiers();
                for (layer, (now, before)) in now.iter().zip(&before).enumerate() {
                    for (set, (now, before)) in now.iter().zip(before).enumerate() {
                        let places = plan.places(layer, set, n);
                        let count = |tier| now.iter().filter(|&&own| own == tier).count();
                        assert_eq!(count(Tier::Eight), places.upper);
                        assert!(count(Tier::Four) <= places.lower);
                        assert!(
                            now[..2]
                                .iter()
                                .chain(&now[n - 5..])
                                .all(|&t| t == Tier::Eight)
                        );
                        assert!(now.iter().zip(before).all(|(now, before)| now <= before));
                    }
                }
                if plan.policy.cascades() {
                    for pair in now.windows(2) {
                        let gone = |tier: &Tier| *tier == Tier::Zero;
                        let pairs = pair[0][0].iter().zip(&pair[1][0]);
                        assert!(pairs.clone().all(|(a, b)| !gone(a) || gone(b)));
                    }
                }
                before = now;
            }
        }
    }
}

/// Several new tokens at once are as one after the other, under every policy.
#[test]
fn new_tokens_come_one_by_one() {
    for (_guard, path) in models() {
        let layers = decoder(&path, &Precision::F32, Isa::best()).config().layers;
        for policy in dtatrans_precision::cache::ALL {
            let mut plan = eight(layers);
            plan.cache = Some(Arc::new(CachePlan {
                policy: *policy,
                scope: Scope::Layer,
                ..cache(layers)
            }));
            let planned = decoder(&path, &Precision::Plan(plan), Isa::best());
            let ids = ids(45);
            let (mut at_once, mut in_turn) = (planned.context(), planned.context());
            extend(&planned, &mut at_once, &ids[..30]);
            extend(&planned, &mut in_turn, &ids[..30]);
            let states = extend(&planned, &mut at_once, &ids[30..]);
            let mut steps = Vec::new();
            for id in &ids[30..] {
                steps.extend(extend(&planned, &mut in_turn, &[*id]));
            }
            assert!(states == steps, "{}", policy.name());
            assert_eq!(at_once.tiers(), in_turn.tiers());
        }
    }
}

/// Tiers while a text is read: a token without a key at a layer is in no cache
/// there, and one at 4 bits stays so.
#[test]
fn tiers_of_a_prompt_pass_into_the_cache() {
    for (_guard, path) in models() {
        let layers = decoder(&path, &Precision::F32, Isa::best()).config().layers;
        let mut ratios = vec![Ratio::from_thousandths(300, 300).unwrap(); layers];
        ratios[0] = Ratio::ALL_EIGHT;
        let mut plan = Plan::new(ratios).unwrap();
        for (compensation, others) in [
            (
                &compensation::KeysValues as &'static dyn compensation::Compensation,
                Tier::Four,
            ),
            (&compensation::Carry, Tier::Zero),
        ] {
            plan.compensation = compensation;
            let planned = decoder(&path, &Precision::Plan(plan.clone()), Isa::best());
            let mut context = planned.context();
            extend(&planned, &mut context, &ids(40));
            let tiers = context.tiers();
            assert!(tiers[0][0].iter().all(|&tier| tier == Tier::Eight));
            let count = |tier| tiers[1][0].iter().filter(|&&own| own == tier).count();
            assert_eq!(count(Tier::Eight), 12);
            assert_eq!(count(others), if others == Tier::Four { 28 } else { 16 });
            extend(&planned, &mut context, &[3]);
            assert_eq!(context.tiers()[1][0][40], Tier::Eight);
        }
    }
}

#[test]
fn averages_are_refused() {
    for (_guard, path) in models() {
        let checkpoint = DecoderCheckpoint::open(&path).unwrap();
        let mut ratios = vec![Ratio::ALL_EIGHT; checkpoint.config.layers];
        ratios[1] = Ratio::from_thousandths(500, 0).unwrap();
        let mut plan = Plan::new(ratios).unwrap();
        plan.compensation = &compensation::Fused;
        let result = Decoder::new(&checkpoint, &Precision::Plan(plan), Isa::best());
        let Err(error @ ModelError::Plan(_)) = result else {
            panic!("was not refused");
        };
        assert!(error.to_string().contains("fused"), "{error}");
    }
}

/// Ten thousand tokens in the memory of a few hundred.
#[test]
fn a_bounded_cache_stays_flat_for_ten_thousand_tokens() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_folder(folder.path());
    let file = folder.path().join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    config["max_position_embeddings"] = 20_000.into();
    std::fs::write(&file, config.to_string()).unwrap();
    let mut plan = eight(tiny_llama::LAYERS);
    plan.cache = Some(Arc::new(cache(tiny_llama::LAYERS)));
    let budget = 60_000;
    let planned = decoder(folder.path(), &Precision::Plan(plan), Isa::best())
        .bounded(CacheBudget::Bytes(budget))
        .unwrap();
    let mut context = planned.context();
    extend(&planned, &mut context, &ids(50));
    let mut next = 7;
    let mut most = 0;
    while context.tokens() < 10_050 {
        let states = extend(&planned, &mut context, &[next]);
        next = likeliest(&planned.logits(&states));
        assert!(context.bytes() <= budget, "{}", context.bytes());
        if context.tokens() == 1000 {
            most = context.bytes();
        }
    }
    assert_eq!(context.bytes(), most);
    assert!(10 * most > 9 * budget, "{most}");
    let full = planned.full_cache(10_050).at_8_bits;
    assert!(20 * most < full, "{most} {full}");
}
