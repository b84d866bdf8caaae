//! Is a calibration found the same way every time, kept in its file, and refused
//! by name where it is missing, damaged or another model's?

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dtatrans_kernels::Isa;
use dtatrans_model::calibration::{from_bytes, to_bytes};
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, ModelError, Precision};
use dtatrans_precision::calibration::{ChangeMap, LayerMaps};
use dtatrans_precision::{Calibration, Plan, Ratio};
use half::f16;
use proptest::prelude::*;
use proptest::sample::Index;
use safetensors::Dtype;
use serde_json::json;
use support::allocations::{Watched, largest_in};
use support::folder::{Folder, Stored, file_of, stored, with_header};
use support::plans::{
    LAYERS, Numbers, VOCABULARY, WIDTH, calibrated, find, of_ratios, plans, random_calibration,
};
use support::{assert_close, data};

#[global_allocator]
static MEMORY: Watched = Watched::new();

/// Of a file's header, and of the list of layers, whose number it states.
const BESIDE_DATA: usize = 1 << 20;

/// A calibration's file under this name. Whatever is in it, reading it asks for
/// no more memory at once than twice its bytes, since halves become floats.
fn read(bytes: &[u8]) -> Result<Calibration, ModelError> {
    let (outcome, largest) = largest_in(|| from_bytes(bytes, Path::new("my.safetensors")));
    assert!(largest <= 2 * bytes.len() + BESIDE_DATA, "{largest} bytes");
    outcome
}

/// That the bytes are refused, in words that include these and the file's name.
fn assert_refused(bytes: &[u8], words: &[&str]) {
    let refusal = read(bytes).unwrap_err().to_string();
    for word in ["my.safetensors"].iter().chain(words) {
        assert!(refusal.contains(word), "{refusal}: should name {word}");
    }
}

/// Halves of these values.
fn halved(values: &[f32]) -> Vec<f32> {
    let half = |&value: &f32| f16::from_f32(value).to_f32();
    values.iter().map(half).collect()
}

/// A calibration with all that a file can hold.
fn whole() -> Calibration {
    let mut numbers = Numbers(4);
    let mut draw = |count: usize| halved(&numbers.signed(count));
    let mut low_rank = || ChangeMap::LowRank {
        down: draw(2 * 6),
        up: draw(6 * 2),
        offset: draw(6),
    };
    let (first, second) = (low_rank(), low_rank());
    Calibration {
        layers: vec![
            LayerMaps {
                layer: Some(ChangeMap::Diagonal {
                    gain: draw(6),
                    offset: draw(6),
                }),
                feed_forward: None,
            },
            LayerMaps::default(),
            LayerMaps {
                layer: Some(first),
                feed_forward: Some(second),
            },
        ],
        prior: draw(9),
    }
}

/// The file of [`whole`], its tensors changed.
fn edited(edit: impl FnOnce(&mut Vec<Stored>)) -> Vec<u8> {
    let mut tensors = stored(&to_bytes(&whole()).unwrap());
    edit(&mut tensors);
    file_of(tensors, Some(json!({"layers": "3"})))
}

fn edited_tensor(name: &str, edit: impl FnOnce(&mut Stored)) -> Vec<u8> {
    edited(|tensors| {
        let tensor = tensors.iter_mut().find(|tensor| tensor.name == name);
        edit(tensor.unwrap());
    })
}

#[test]
fn a_calibration_comes_back_from_its_file() {
    let bytes = to_bytes(&whole()).unwrap();
    assert_eq!(read(&bytes).unwrap(), whole());
    // The files to damage are in order before.
    assert_eq!(read(&edited(|_| {})).unwrap(), whole());
    for empty in [
        Calibration::default(),
        Calibration {
            layers: vec![LayerMaps::default(); 5],
            prior: Vec::new(),
        },
    ] {
        assert_eq!(read(&to_bytes(&empty).unwrap()).unwrap(), empty);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Halves are what a file can hold: written once more they are the same bytes.
    #[test]
    fn every_plan_s_calibration_comes_back_as_halves(plan in plans()) {
        let calibration = plan.parameters.unwrap();
        let bytes = to_bytes(&calibration).unwrap();
        let back = read(&bytes).unwrap();
        prop_assert_eq!(back.layers.len(), LAYERS);
        for (back, maps) in back.layers.iter().zip(&calibration.layers) {
            for (back, map) in [
                (&back.layer, &maps.layer),
                (&back.feed_forward, &maps.feed_forward),
            ] {
                let want = map.as_ref().map(|map| match map {
                    ChangeMap::Diagonal { gain, offset } => ChangeMap::Diagonal {
                        gain: halved(gain),
                        offset: halved(offset),
                    },
                    ChangeMap::LowRank { down, up, offset } => ChangeMap::LowRank {
                        down: halved(down),
                        up: halved(up),
                        offset: halved(offset),
                    },
                });
                prop_assert_eq!(back, &want);
            }
        }
        prop_assert_eq!(&back.prior, &halved(&calibration.prior));
        prop_assert_eq!(to_bytes(&back).unwrap(), bytes);
    }

    /// Any damage is refused or does no harm, and asks for no memory.
    #[test]
    fn damage_is_refused_or_harmless(
        places in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let mut bytes = to_bytes(&whole()).unwrap();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Err(error) = read(&bytes) {
            prop_assert!(error.to_string().contains("my.safetensors"), "{}", error);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn what_is_no_whole_file_is_refused() {
    let bytes = to_bytes(&whole()).unwrap();
    for length in 0..bytes.len() {
        assert_refused(&bytes[..length], &["is no safetensors file"]);
    }
    assert_refused(&[&bytes[..], b"\0"].concat(), &["is no safetensors file"]);
    assert_refused(b"format = 1\n[[layer]]\n", &["is no safetensors file"]);
    for length in [u64::MAX, 1 << 40, 1 << 26] {
        let far = [&length.to_le_bytes(), &bytes[8..]].concat();
        assert_refused(&far, &["is no safetensors file"]);
    }
    let huge = json!({
        "prior": {"dtype": "F16", "shape": [1u64 << 40, 1u64 << 40], "data_offsets": [0, 0]},
        "__metadata__": {"layers": "1"},
    });
    assert_refused(
        &with_header(&huge.to_string(), &[]),
        &["is no safetensors file"],
    );
}

#[test]
fn a_tensor_that_is_missing_is_named() {
    let names: Vec<String> = stored(&to_bytes(&whole()).unwrap())
        .into_iter()
        .map(|tensor| tensor.name)
        .filter(|name| name != "prior")
        .collect();
    assert_eq!(names.len(), 8);
    for name in names {
        let bytes = edited(|tensors| tensors.retain(|tensor| tensor.name != name));
        let (map, part) = name.rsplit_once('.').unwrap();
        let missing = match part {
            // Without a gain it could be a map of low rank.
            "gain" => format!("`{map}.down`: is missing"),
            _ => format!("`{name}`: is missing"),
        };
        assert_refused(&bytes, &[&missing]);
    }
}

#[test]
fn a_tensor_that_does_not_fit_is_named() {
    for (name, shape) in [
        ("layers.0.layer.gain", &[5][..]),
        ("layers.0.layer.gain", &[6, 1]),
        ("layers.0.layer.offset", &[]),
        ("layers.0.layer.offset", &[2, 3]),
        ("layers.2.layer.down", &[6, 2]),
        ("layers.2.layer.down", &[12]),
        ("layers.2.layer.up", &[2, 6]),
        ("layers.2.feed_forward.up", &[6, 3]),
        ("layers.2.feed_forward.down", &[3, 6]),
        ("layers.2.feed_forward.offset", &[5]),
        ("prior", &[3, 3]),
        ("prior", &[]),
    ] {
        let bytes = edited_tensor(name, |tensor| {
            tensor.shape = shape.into();
            tensor.data = vec![0; 2 * shape.iter().product::<usize>()];
        });
        // Another rank shows where the factors meet, another offset in the map.
        let (map, _) = name.rsplit_once('.').unwrap_or((name, ""));
        assert_refused(&bytes, &[&format!("tensor `{map}"), "has the shape"]);
    }
    for name in ["layers.0.layer.gain", "layers.2.layer.up", "prior"] {
        for number in [f16::NAN, f16::INFINITY, f16::NEG_INFINITY] {
            let bytes = edited_tensor(name, |tensor| {
                tensor.data[2..4].copy_from_slice(&number.to_le_bytes());
            });
            assert_refused(&bytes, &[name, "holds a number that is not finite"]);
        }
        let bytes = edited_tensor(name, |tensor| {
            tensor.dtype = Dtype::F32;
            tensor.data = tensor.data.repeat(2);
        });
        assert_refused(&bytes, &[name, "is of type F32: must be F16"]);
    }
}

#[test]
fn a_tensor_too_many_is_named() {
    for name in [
        "classifier.weight",
        "layers.0.layer.gains",
        "layers.0.layer.down",
        "layers.3.layer.offset",
        "layers.00.layer.offset",
    ] {
        let bytes = edited(|tensors| {
            let mut other = tensors[0].clone();
            other.name = name.into();
            tensors.push(other);
        });
        assert_refused(&bytes, &[name]);
    }
}

#[test]
fn the_number_of_layers_must_be_one() {
    let tensors = || stored(&to_bytes(&whole()).unwrap());
    assert_refused(&file_of(tensors(), None), &["metadata.layers"]);
    for layers in ["", "three", "-1", "3.0", "4097", "18446744073709551616"] {
        let bytes = file_of(tensors(), Some(json!({"layers": layers})));
        assert_refused(&bytes, &["metadata.layers"]);
    }
    // The last layer's maps belong to none.
    let fewer = file_of(tensors(), Some(json!({"layers": "2"})));
    assert_refused(&fewer, &["layers.2."]);
}

#[test]
fn a_number_beyond_halves_is_not_written() {
    for number in [65_520.0, f32::INFINITY, f32::NAN] {
        let mut calibration = whole();
        calibration.prior[3] = number;
        let error = to_bytes(&calibration).unwrap_err().to_string();
        assert!(
            error.contains("`prior` holds a number beyond f16"),
            "{error}"
        );
    }
}

/// 8 bits at the first layer, then a third of the tokens at 0.
fn predicting(compensation: &str, prior: bool) -> Plan {
    let ratio = Ratio::from_thousandths(200, 400).unwrap();
    let mut plan = of_ratios([Ratio::ALL_EIGHT, ratio, ratio], prior);
    plan.compensation = find(compensation);
    plan.rank = 8;
    plan
}

fn refusal(plan: Plan) -> String {
    let checkpoint = Checkpoint::open(&data("tiny-bert")).unwrap();
    let outcome = Engine::new(&checkpoint, &Precision::Plan(plan), Isa::best());
    outcome.err().unwrap().to_string()
}

#[test]
fn a_plan_without_its_calibration_is_refused() {
    for (name, prior) in [
        ("predict-diagonal", false),
        ("predict-low-rank", false),
        ("keys-values+predict", false),
        ("attention+predict", false),
        ("carry", true),
    ] {
        let refusal = refusal(predicting(name, prior));
        let want = "calibration: the plan needs one (`dtatrans calibrate` makes it), \
            and none is given";
        assert_eq!(refusal, want, "{name}");
    }
}

#[test]
fn another_calibration_is_refused() {
    type Edit = fn(&mut Calibration);
    let of = |compensation: &str, prior: bool, edit: Edit| {
        let mut plan = predicting(compensation, prior);
        let mut calibration = random_calibration(&plan, 3);
        edit(&mut calibration);
        // As its file gives it.
        let bytes = to_bytes(&calibration).unwrap();
        plan.parameters = Some(Arc::new(read(&bytes).unwrap()));
        plan
    };
    let low_rank = |channels: usize, rank: usize| ChangeMap::LowRank {
        down: vec![0.0; rank * channels],
        up: vec![0.0; channels * rank],
        offset: vec![0.0; channels],
    };
    let mut narrow = of("predict-low-rank", false, |_| {});
    let mut steep = narrow.clone();
    for (plan, map) in [
        (&mut narrow, low_rank(WIDTH / 2, 8)),
        (&mut steep, low_rank(WIDTH, 9)),
    ] {
        let mut calibration = random_calibration(plan, 3);
        calibration.layers[2].layer = Some(map);
        plan.parameters = Some(Arc::new(calibration));
    }
    for (plan, want) in [
        (
            of("predict-diagonal", false, |all| {
                all.layers.pop();
            }),
            "has 2 layers, the model 3",
        ),
        (
            of("keys-values+predict", false, |all| {
                all.layers[1].layer = None;
            }),
            "layer 1: lacks the map that the plan asks for",
        ),
        // A map of the whole layer is none of the feed-forward network.
        (
            of("attention+predict", false, |all| {
                all.layers[2].layer = all.layers[2].feed_forward.take();
            }),
            "layer 2: lacks the map that the plan asks for",
        ),
        (narrow, "layer 2: has 32 channels, not 64"),
        (
            steep,
            "layer 2: has a map of rank 9, the plan asks for a map of rank 8",
        ),
        (
            of("predict-low-rank", false, |all| {
                let (gain, offset) = (vec![0.0; WIDTH], vec![0.0; WIDTH]);
                all.layers[1].layer = Some(ChangeMap::Diagonal { gain, offset });
            }),
            "layer 1: has a diagonal map, the plan asks for a map of rank 8",
        ),
        (
            of("carry", true, |all| all.prior.clear()),
            "prior: has 0 token ids, the model 200",
        ),
        (
            of("carry", true, |all| all.prior.push(1.0)),
            "prior: has 201 token ids, the model 200",
        ),
    ] {
        assert_eq!(refusal(plan), format!("calibration: {want}"));
    }
    // What the plan does not ask for may be anything.
    let mut plan = predicting("carry", true);
    let mut calibration = random_calibration(&plan, 3);
    calibration.layers[1].layer = Some(low_rank(5, 2));
    plan.parameters = Some(Arc::new(calibration));
    let checkpoint = Checkpoint::open(&data("tiny-bert")).unwrap();
    assert!(Engine::new(&checkpoint, &Precision::Plan(plan), Isa::best()).is_ok());
}

/// Enough texts for the tiny models.
fn texts() -> Vec<Encoding> {
    let mut numbers = Numbers(8);
    (0..60)
        .map(|i| {
            let n = 6 + i % 25;
            let ids = (0..n).map(|_| numbers.below(VOCABULARY) as u32).collect();
            Encoding::from_ids(ids, vec![0; n])
        })
        .collect()
}

fn calibrate(plan: &Plan, inputs: &[Encoding]) -> Result<Calibration, ModelError> {
    let checkpoint = Checkpoint::open(&data("tiny-bert")).unwrap();
    Engine::calibrate(&checkpoint, plan, inputs, Isa::best(), &|_| {})
}

/// Plans that ask for each kind of map, with and without a prior.
fn calibrated_plans() -> Vec<Plan> {
    let mut plans = vec![
        predicting("predict-diagonal", false),
        predicting("predict-low-rank", true),
        predicting("keys-values+predict", false),
        predicting("attention+predict", true),
        predicting("carry", true),
    ];
    // Layers of their own, and maps wider than a group.
    let mut mixed = predicting("drop", false);
    mixed.set_compensation_at(1, find("attention+predict"));
    mixed.set_compensation_at(2, find("predict-diagonal"));
    mixed.rank = 1000;
    mixed.group = 32;
    mixed.balance = true;
    plans.push(mixed);
    plans
}

#[test]
fn a_calibration_is_the_same_bytes_on_any_number_of_threads() {
    let inputs = texts();
    for plan in calibrated_plans() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let found = pool.install(|| calibrate(&plan, &inputs)).unwrap();
            to_bytes(&found).unwrap()
        };
        let want = on(1);
        assert!(on(2) == want, "{}", plan.to_toml());
        // It is already what its file gives back.
        assert!(to_bytes(&read(&want).unwrap()).unwrap() == want);
    }
}

#[test]
fn a_calibration_has_what_its_plan_asks_for() {
    let inputs = texts();
    for mut plan in calibrated_plans() {
        let calls = AtomicUsize::new(0);
        let all = AtomicUsize::new(0);
        let checkpoint = Checkpoint::open(&data("tiny-bert")).unwrap();
        let done = |of: usize| {
            calls.fetch_add(1, Relaxed);
            all.store(of, Relaxed);
        };
        let found = Engine::calibrate(&checkpoint, &plan, &inputs, Isa::best(), &done).unwrap();
        assert_eq!(calls.into_inner(), all.into_inner());
        for (layer, maps) in found.layers.iter().enumerate() {
            let compensation = plan.compensation_at(layer);
            let map = maps.of(compensation);
            assert_eq!(map.is_some(), plan.predicts_at(layer), "{}", plan.to_toml());
            let maps = [&maps.layer, &maps.feed_forward];
            let held = maps.iter().filter(|map| map.is_some()).count();
            assert_eq!(held, usize::from(plan.predicts_at(layer)));
        }
        assert_eq!(found.prior.is_empty(), !plan.prior());
        plan.parameters = Some(Arc::new(found));
        let engine = Engine::new(&checkpoint, &Precision::Plan(plan), Isa::best()).unwrap();
        engine.run(&inputs, Detail::Value, &|_| {}).unwrap();
    }
}

/// The mean squared distance to the states at f32 of the tokens that the last
/// layer leaves out.
fn distance(plan: Plan, inputs: &[Encoding]) -> f64 {
    let run = |precision| support::run("tiny-bert", precision, inputs, Detail::HiddenStates);
    let (float, planned) = (run(&Precision::F32), run(&Precision::Plan(plan)));
    let (mut sum, mut count) = (0.0, 0);
    for (float, planned) in float.iter().zip(&planned) {
        let states = float.hidden_states[LAYERS].chunks(WIDTH);
        let states = states.zip(planned.hidden_states[LAYERS].chunks(WIDTH));
        for ((want, got), tier) in states.zip(&planned.tiers[LAYERS - 1]) {
            if !tier.is_computed() {
                let channels = want.iter().zip(got);
                sum += channels.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                count += WIDTH;
            }
        }
    }
    sum / f64::from(u32::try_from(count).unwrap())
}

/// Of each token id, the attention at the first layer of the model at 8 bits, in
/// units of the mean; as if each had been seen four times more, at the mean.
#[test]
fn a_prior_is_what_tokens_receive_at_the_first_layer() {
    let inputs = texts();
    let found = calibrate(&predicting("carry", true), &inputs).unwrap();
    let eight = Precision::Plan(Plan::dense_eight(LAYERS));
    let outputs = support::run("tiny-bert", &eight, &inputs, Detail::Trace);
    let (mut sums, mut counts) = (vec![4.0; VOCABULARY], vec![4.0; VOCABULARY]);
    for (input, output) in inputs.iter().zip(&outputs) {
        for (&id, gain) in input.ids.iter().zip(&output.trace[0].importance) {
            sums[id as usize] += gain * input.len() as f32;
            counts[id as usize] += 1.0;
        }
    }
    let want: Vec<f32> = sums.iter().zip(&counts).map(|(sum, n)| sum / n).collect();
    // Halves have 11 bits.
    assert_close(&found.prior, &want, 2e-3, "prior");
    let spread = want.iter().map(|x| (x - 1.0).abs()).fold(0.0, f32::max);
    assert!(spread > 0.02, "{spread}: nothing to tell apart");
}

/// On the texts that it was found on, a map comes closer to the model at f32
/// than the states that it starts from, and than another map.
#[test]
fn a_map_fits_the_texts_that_it_was_found_on() {
    let inputs = texts();
    for (name, without) in [
        ("predict-diagonal", "carry"),
        ("predict-low-rank", "carry"),
        ("keys-values+predict", "keys-values"),
        ("attention+predict", "keys-values"),
    ] {
        let mut plan = predicting(name, false);
        let another = distance(calibrated(plan.clone(), 6), &inputs);
        let unchanged = distance(predicting(without, false), &inputs);
        plan.parameters = Some(Arc::new(calibrate(&plan, &inputs).unwrap()));
        let fitted = distance(plan, &inputs);
        assert!(
            fitted < 0.5 * unchanged,
            "{name}: {fitted}, not {unchanged}"
        );
        assert!(
            fitted < 0.5 * another,
            "{name}: {fitted}, another {another}"
        );
    }
}

/// Twice as many tokens at 0 bits as the model is wide suffice, and no fewer.
#[test]
fn texts_that_are_too_few_are_refused() {
    let inputs = texts();
    for name in ["predict-diagonal", "attention+predict"] {
        let plan = predicting(name, false);
        let mut before = 0;
        for texts in 0.. {
            let Err(error) = calibrate(&plan, &inputs[..texts]) else {
                break;
            };
            let error = error.to_string();
            let begin = "calibration: layer 1: only ";
            let end = " tokens were at 0 bits in these texts: at least 128 are needed";
            let count = error
                .strip_prefix(begin)
                .and_then(|rest| rest.strip_suffix(end));
            let count: usize = count.unwrap_or_else(|| panic!("{error}")).parse().unwrap();
            assert!(count >= before && count < 128, "{error}");
            before = count;
        }
        // The last text has at most 30 tokens, of which two fifths are at 0 bits.
        assert!(before >= 128 - 12, "{name}: enough from {before} on");
    }
}

#[test]
fn texts_and_plans_that_the_model_cannot_take_are_refused() {
    let plan = predicting("predict-diagonal", true);
    let mut unknown = texts();
    unknown[7].ids[2] = 200;
    let error = calibrate(&plan, &unknown).unwrap_err().to_string();
    assert!(
        error.contains("token id 200: the model embeds 200"),
        "{error}"
    );
    let long = Encoding::from_ids(vec![1; 49], vec![0; 49]);
    let error = calibrate(&plan, &[long]).unwrap_err().to_string();
    assert!(
        error.contains("text of 49 tokens: the limit is 48"),
        "{error}"
    );
    let deep = Plan::dense_eight(4);
    let error = calibrate(&deep, &texts()).unwrap_err().to_string();
    assert!(
        error.contains("has 4 layers, but the model has 3"),
        "{error}"
    );
    // No token of theirs is sure to be computed.
    let mut bare = texts();
    for input in &mut bare {
        input.protected.fill(false);
    }
    let nothing = Ratio::ALL_ZERO;
    let mut plan = of_ratios([nothing; LAYERS], true);
    plan.compensation = find("predict-diagonal");
    let error = calibrate(&plan, &bare).unwrap_err().to_string();
    assert!(error.contains("must be protected"), "{error}");
}

/// The file of one model beside another of half its width.
#[test]
fn another_model_s_calibration_is_refused() {
    let mut plan = predicting("predict-diagonal", true);
    let bytes = to_bytes(&calibrate(&plan, &texts()).unwrap()).unwrap();
    plan.parameters = Some(Arc::new(read(&bytes).unwrap()));
    let folder = Folder::new("tiny-bert");
    assert!(folder.engine(&Precision::Plan(plan.clone())).is_ok());
    folder.set("config.json", "/hidden_size", Some(json!(WIDTH / 2)));
    folder.edit_tensors(|tensors| {
        for tensor in tensors {
            for size in tensor.shape.iter_mut().filter(|size| **size == WIDTH) {
                *size /= 2;
            }
            tensor
                .data
                .truncate(4 * tensor.shape.iter().product::<usize>());
        }
    });
    let error = folder.engine(&Precision::Plan(plan)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "calibration: layer 1: has 64 channels, not 32"
    );
}
