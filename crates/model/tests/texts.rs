//! Does every text give a right result or a named error, whatever is in it?

mod support;

use dtatrans_kernels::Isa;
use dtatrans_model::{
    Checkpoint, Detail, Encoding, Engine, MAX_TEXT_BYTES, ModelError, Output, Precision,
    TextTokenizer, Truncation,
};
use dtatrans_precision::plan::ProtectedBits;
use dtatrans_precision::{Plan, Ratio, Tier, compensation};
use support::folder::{CLS, Folder, SEP, UNK};
use support::{assert_close, data, tiny_inputs};

/// The model's positions.
const LIMIT: usize = 48;

fn tokenizer() -> TextTokenizer {
    Folder::new("tiny-bert").tokenizer()
}

/// Nothing but protected tokens is computed after the first layer.
fn nothing_kept(name: &str) -> Precision {
    let nothing = Ratio::from_thousandths(0, 0).unwrap();
    let mut plan = Plan::new(vec![Ratio::ALL_EIGHT, nothing, nothing]).unwrap();
    plan.compensation = compensation::find(name).unwrap();
    Precision::Plan(plan)
}

/// f32, 8 bits, and each compensation where all but protected tokens are left
/// out, and where some are.
fn precisions() -> Vec<Precision> {
    let mut all = vec![Precision::F32, Precision::Plan(Plan::dense_eight(3))];
    for name in ["drop", "carry", "keys-values"] {
        all.push(nothing_kept(name));
        let some = Ratio::from_thousandths(200, 300).unwrap();
        let mut plan = Plan::new(vec![Ratio::ALL_FOUR, some, some]).unwrap();
        plan.compensation = compensation::find(name).unwrap();
        plan.protected_bits = ProtectedBits::Four;
        all.push(Precision::Plan(plan));
    }
    all
}

fn run(folder: &Folder, precision: &Precision, inputs: &[Encoding]) -> Vec<Output> {
    let engine = folder.engine(precision).unwrap();
    engine.run(inputs, Detail::HiddenStates, &|_| {}).unwrap()
}

fn is_special(encoding: &Encoding) -> Vec<&str> {
    let tokens = encoding.tokens.iter().zip(&encoding.protected);
    tokens
        .filter(|(_, protected)| **protected)
        .map(|(token, _)| token.as_str())
        .collect()
}

#[test]
fn an_empty_text_gives_a_finite_result_at_every_precision() {
    for model in ["tiny-bert", "tiny-bert-classifier"] {
        let folder = Folder::new(model);
        let empty = folder.tokenizer().encode("").unwrap();
        assert_eq!((&empty.ids, empty.cut), (&vec![CLS, SEP], 0));
        assert_eq!(empty.protected, [true, true]);
        let pair = folder.tokenizer().encode_pair("", "").unwrap();
        assert_eq!(pair.ids, [CLS, SEP, SEP]);
        for precision in precisions() {
            let outputs = run(&folder, &precision, &[empty.clone(), pair.clone()]);
            assert_eq!(outputs.len(), 2);
            for output in outputs {
                assert!(output.value.iter().any(|value| *value != 0.0));
                assert!(output.value.iter().all(|value| value.is_finite()));
            }
        }
    }
}

#[test]
fn an_empty_list_gives_an_empty_list() {
    for precision in precisions() {
        assert!(run(&Folder::new("tiny-bert"), &precision, &[]).is_empty());
    }
}

#[test]
fn special_tokens_are_known_by_their_place_not_by_their_text() {
    let tokenizer = tokenizer();
    let single = tokenizer.encode("[CLS] hello [SEP] world [SEP]").unwrap();
    assert_eq!(single.ids[..2], [CLS, CLS]);
    assert_eq!(single.ids.iter().filter(|&&id| id == SEP).count(), 3);
    let last = single.len() - 1;
    for (place, protected) in single.protected.iter().enumerate() {
        assert_eq!(*protected, place == 0 || place == last, "{place}");
    }
    let pair = tokenizer.encode_pair("hello [SEP]", "[CLS] world").unwrap();
    assert_eq!(
        pair.tokens,
        [
            "[CLS]", "hello", "[SEP]", "[SEP]", "[CLS]", "world", "[SEP]"
        ]
    );
    let f = false;
    assert_eq!(pair.protected, [true, f, f, true, f, f, true]);
    assert_eq!(pair.type_ids, [0, 0, 0, 0, 1, 1, 1]);
}

#[test]
fn a_special_token_in_a_text_is_left_out_like_any_other() {
    let folder = Folder::new("tiny-bert");
    let input = folder.tokenizer().encode("[SEP] hello [CLS]").unwrap();
    let output = &run(&folder, &nothing_kept("keys-values"), &[input])[0];
    let (eight, zero) = (Tier::Eight, Tier::Zero);
    assert_eq!(output.tiers[2], [eight, zero, zero, zero, eight]);
}

#[test]
fn stored_truncation_and_padding_are_ignored() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.limit(), LIMIT);
    let short = tokenizer.encode("hello").unwrap();
    assert_eq!(short.tokens, ["[CLS]", "hello", "[SEP]"]);
    let long = tokenizer.encode(&"hello ".repeat(20)).unwrap();
    assert_eq!((long.len(), long.cut), (22, 0));
}

#[test]
fn cutting_keeps_the_beginning_and_counts_what_it_cuts() {
    // Words of the texts, limit, and how many of each are kept.
    for (words, limit, kept) in [
        ([10, 0], 48, [10, 0]),
        ([46, 0], 48, [46, 0]),
        ([47, 0], 48, [46, 0]),
        ([500, 0], 48, [46, 0]),
        ([500, 0], 4, [2, 0]),
    ] {
        let mut tokenizer = tokenizer();
        tokenizer.set_limit(limit, Truncation::Cut).unwrap();
        let encoding = tokenizer.encode(&"read ".repeat(words[0])).unwrap();
        assert_eq!(encoding.len(), kept[0] + 2, "{words:?} in {limit}");
        assert_eq!(encoding.cut, words[0] - kept[0], "{words:?} in {limit}");
        assert_eq!(is_special(&encoding), ["[CLS]", "[SEP]"]);
    }
    for (words, limit, kept) in [
        ([10, 20], 48, [10, 20]),
        ([22, 23], 48, [22, 23]),
        ([23, 23], 48, [22, 23]),
        ([10, 500], 48, [10, 35]),
        ([500, 10], 48, [35, 10]),
        ([500, 500], 48, [22, 23]),
        ([501, 500], 48, [23, 22]),
        ([500, 0], 48, [45, 0]),
        ([0, 500], 48, [0, 45]),
        ([3, 3], 4, [0, 1]),
        ([100, 100], 7, [2, 2]),
    ] {
        let mut tokenizer = tokenizer();
        tokenizer.set_limit(limit, Truncation::Cut).unwrap();
        let (first, second) = ("read ".repeat(words[0]), "text ".repeat(words[1]));
        let encoding = tokenizer.encode_pair(&first, &second).unwrap();
        let count = |word| {
            encoding
                .tokens
                .iter()
                .filter(|token| *token == word)
                .count()
        };
        let what = format!("{words:?} in {limit}");
        assert_eq!([count("read"), count("text")], kept, "{what}");
        assert_eq!(
            encoding.cut,
            words[0] + words[1] - kept[0] - kept[1],
            "{what}"
        );
        assert_eq!(is_special(&encoding), ["[CLS]", "[SEP]", "[SEP]"], "{what}");
        assert_eq!(encoding.len(), kept[0] + kept[1] + 3, "{what}");
        let of_second = encoding.type_ids.iter().filter(|kind| **kind == 1).count();
        assert_eq!(of_second, kept[1] + 1, "{what}");
    }
}

#[test]
fn where_cutting_is_not_allowed_the_error_has_both_numbers() {
    let mut tokenizer = tokenizer();
    tokenizer.set_limit(10, Truncation::Error).unwrap();
    assert_eq!(tokenizer.encode(&"bad ".repeat(8)).unwrap().len(), 10);
    let nine = "bad ".repeat(9);
    for (result, tokens) in [
        (tokenizer.encode(&nine), 11),
        (tokenizer.encode_pair(&nine, "hello world"), 14),
    ] {
        match result {
            Err(ModelError::TooLong { tokens: n, limit }) => assert_eq!((n, limit), (tokens, 10)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_limit_leaves_room_for_text_and_stays_within_the_models() {
    let mut tokenizer = tokenizer();
    for limit in [0, 1, 3, LIMIT + 1, usize::MAX] {
        match tokenizer.set_limit(limit, Truncation::Cut) {
            Err(ModelError::Limit { asked, least, most }) => {
                assert_eq!((asked, least, most), (limit, 4, LIMIT));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tokenizer.limit(), LIMIT);
    tokenizer.set_limit(4, Truncation::Cut).unwrap();
    assert_eq!(tokenizer.encode("a b c d").unwrap().len(), 4);
    tokenizer.set_limit(LIMIT, Truncation::Cut).unwrap();
    assert_eq!(tokenizer.limit(), LIMIT);
}

#[test]
fn odd_texts_give_valid_tokens_and_finite_results() {
    let folder = Folder::new("tiny-bert");
    let tokenizer = folder.tokenizer();
    let large = "hello world. ".repeat(160_000);
    let word = "a".repeat(1 << 20);
    let marks = format!("a{}", "\u{301}".repeat(10_000));
    for (text, tokens, cut) in [
        ("   \t\n\u{a0}\u{3000}  ", 2, 0),
        ("\u{0}\u{1}\u{7}\u{1b}\u{200b}\u{feff}", 2, 0),
        ("👩‍👩‍👧‍👦 🏳️‍🌈", 4, 0),
        ("\u{fffd}\u{10ffff}", 3, 0),
        ("e\u{301}\u{302}\u{303}", 3, 0),
        (&marks, 3, 0),
        ("中文", 4, 0),
        (&word, 3, 0),
        (&large, LIMIT, 3 * 160_000 - 46),
    ] {
        let what: String = text.chars().take(20).collect();
        let input = tokenizer.encode(text).unwrap();
        assert_eq!((input.len(), input.cut), (tokens, cut), "{what:?}");
        assert!(input.ids.iter().all(|&id| id < 200), "{what:?}");
        for precision in [Precision::F32, nothing_kept("drop")] {
            let value = &run(&folder, &precision, std::slice::from_ref(&input))[0].value;
            assert!(value.iter().all(|value| value.is_finite()), "{what:?}");
        }
    }
    assert_eq!(tokenizer.encode(&word).unwrap().ids[1], UNK);
    let long = &large[..130_000];
    let pair = tokenizer.encode_pair(long, long).unwrap();
    assert_eq!((pair.len(), pair.cut), (LIMIT, 2 * 30_000 - 45));
}

#[test]
fn inputs_that_the_model_cannot_take_are_errors() {
    let whole = Encoding::from_ids(vec![2, 7, 3], vec![0; 3]);
    let with = |change: fn(&mut Encoding)| {
        let mut input = whole.clone();
        change(&mut input);
        input
    };
    for (input, want) in [
        (Encoding::from_ids(vec![], vec![]), "no token"),
        (Encoding::from_ids(vec![2, 200], vec![0, 0]), "token id 200"),
        (
            Encoding::from_ids(vec![2, u32::MAX], vec![0, 0]),
            "token id 4294967295",
        ),
        (Encoding::from_ids(vec![2, 3], vec![0, 2]), "token type 2"),
        (
            Encoding::from_ids(vec![2, 3], vec![0]),
            "1 token types for 2 tokens",
        ),
        (
            Encoding::from_ids(vec![2], vec![0, 0]),
            "2 token types for 1 tokens",
        ),
        (
            Encoding::from_ids(vec![2; 49], vec![0; 49]),
            "49 tokens: the limit is 48",
        ),
        (
            with(|input| input.protected.truncate(1)),
            "1 protection flags for 3 tokens",
        ),
    ] {
        for precision in precisions() {
            let engine = Folder::new("tiny-bert").engine(&precision).unwrap();
            // Beside one that is in order, before and after it.
            for inputs in [
                [whole.clone(), input.clone()],
                [input.clone(), whole.clone()],
            ] {
                let error = engine.run(&inputs, Detail::Value, &|_| {}).unwrap_err();
                assert!(error.to_string().contains(want), "{error}: {want}");
            }
        }
    }
}

#[test]
fn under_a_plan_what_the_result_depends_on_must_be_protected() {
    let with = |protected: [bool; 3]| {
        let mut input = Encoding::from_ids(vec![2, 7, 3], vec![0; 3]);
        input.protected = protected.into();
        input
    };
    for (model, protected, fits) in [
        ("tiny-bert", [false; 3], false),
        ("tiny-bert", [false, false, true], true),
        ("tiny-bert-classifier", [false, false, true], false),
        ("tiny-bert-classifier", [true, false, false], true),
    ] {
        let folder = Folder::new(model);
        for name in ["drop", "carry", "keys-values"] {
            let engine = folder.engine(&nothing_kept(name)).unwrap();
            let result = engine.run(&[with(protected)], Detail::Trace, &|_| {});
            match result {
                Ok(_) => assert!(fits, "{model} {protected:?}"),
                Err(error) => {
                    assert!(!fits && error.to_string().contains("protected"), "{error}");
                }
            }
        }
        let engine = folder.engine(&Precision::F32).unwrap();
        assert!(
            engine
                .run(&[with(protected)], Detail::Value, &|_| {})
                .is_ok()
        );
    }
}

#[test]
fn pooling_is_of_the_tokens_computed_in_the_last_layer() {
    let inputs = tiny_inputs("tiny-bert");
    for mode in ["pooling_mode_cls_token", "pooling_mode_mean_tokens"] {
        for normalize in [false, true] {
            let folder = Folder::sentence(mode, normalize);
            for precision in precisions() {
                for (input, output) in inputs.iter().zip(run(&folder, &precision, &inputs)) {
                    let states: Vec<&[f32]> = output.hidden_states[3].chunks(64).collect();
                    let computed = |place: &usize| match output.tiers.last() {
                        Some(tiers) => tiers[*place].is_computed(),
                        None => true,
                    };
                    let places: Vec<usize> = match mode {
                        "pooling_mode_cls_token" => vec![0],
                        _ => (0..input.len()).filter(computed).collect(),
                    };
                    let mut want: Vec<f32> = (0..64)
                        .map(|c| {
                            let sum: f32 = places.iter().map(|&place| states[place][c]).sum();
                            sum / places.len() as f32
                        })
                        .collect();
                    let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
                    if normalize {
                        let scale = length(&want);
                        want.iter_mut().for_each(|value| *value /= scale);
                        assert!((length(&output.value) - 1.0).abs() < 1e-5);
                    }
                    assert_close(&output.value, &want, 1e-5, mode);
                }
            }
        }
    }
    // A plan that leaves tokens out averages fewer.
    let folder = Folder::new("tiny-bert");
    let output = &run(&folder, &nothing_kept("carry"), &inputs)[0];
    let computed = output.tiers[2].iter().filter(|tier| tier.is_computed());
    assert_eq!(computed.count(), 2);
}

#[test]
fn logits_are_in_the_order_of_the_labels() {
    let model = "tiny-bert-classifier";
    let inputs = tiny_inputs(model);
    let before = run(&Folder::new(model), &Precision::F32, &inputs);
    let folder = Folder::new(model);
    // The same labels, their rows and names both in another order.
    let order = [2, 0, 1];
    for (tensor, row) in [("classifier.weight", 64 * 4), ("classifier.bias", 4)] {
        folder.edit_tensor(tensor, |tensor| {
            let rows: Vec<&[u8]> = tensor.data.chunks(row).collect();
            tensor.data = order.map(|row| rows[row]).concat();
        });
    }
    for (place, label) in order.iter().enumerate() {
        let name = format!("LABEL_{label}").into();
        folder.set("config.json", &format!("/id2label/{place}"), Some(name));
    }
    let dtatrans_model::Head::Classifier { labels } = folder.open().unwrap().head else {
        panic!("a classifier");
    };
    assert_eq!(labels, ["LABEL_2", "LABEL_0", "LABEL_1"]);
    for (before, after) in before.iter().zip(run(&folder, &Precision::F32, &inputs)) {
        assert_eq!(order.map(|row| before.value[row])[..], after.value);
    }
}

#[test]
fn a_folder_without_tokenizer_runs_on_ids() {
    let checkpoint = Checkpoint::open(&data("tiny-bert")).unwrap();
    let error = checkpoint.tokenizer().err().unwrap().to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
    let engine = Engine::new(&checkpoint, &Precision::F32, Isa::best()).unwrap();
    let outputs = engine.run(&tiny_inputs("tiny-bert"), Detail::Value, &|_| {});
    assert_eq!(outputs.unwrap().len(), 3);
}

/// A text of 10^9 tokens must not be tokenized before it is refused or cut.
#[test]
fn texts_beyond_any_model_are_refused_by_their_size() {
    let tokenizer = tokenizer();
    let text = " ".repeat(MAX_TEXT_BYTES + 1);
    for result in [
        tokenizer.encode(&text),
        tokenizer.encode_pair(&text, "short"),
        tokenizer.encode_pair("short", &text),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(&text.len().to_string()), "{message}");
    }
}
