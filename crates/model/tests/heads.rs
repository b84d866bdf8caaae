//! Do the heads that read out every token give what Hugging Face transformers
//! gives, and something for each token under every plan?

mod support;

use dtatrans_model::{Detail, Encoding, Head, Output, Precision};
use dtatrans_precision::{Plan, Ratio, compensation};
use support::folder::Folder;
use support::{LENGTHS, assert_close, expected, tiny_inputs};

/// Class, its expected logits, and how many each token has.
const HEADS: [(&str, &str, usize); 2] = [
    ("BertForTokenClassification", "tokens", 5),
    ("BertForQuestionAnswering", "span", 2),
];

fn run(folder: &Folder, precision: &Precision, inputs: &[Encoding]) -> Vec<Output> {
    let engine = folder.engine(precision).unwrap();
    engine.run(inputs, Detail::HiddenStates, &|_| {}).unwrap()
}

#[test]
fn logits_of_every_token() {
    let inputs = tiny_inputs("tiny-bert");
    for (architecture, name, labels) in HEADS {
        let outputs = run(&Folder::head(architecture), &Precision::F32, &inputs);
        let want = expected("tiny-bert-heads");
        let want = want.read(name, &[3, 48, labels]).unwrap();
        for (i, (output, n)) in outputs.iter().zip(LENGTHS).enumerate() {
            let want = &want[i * 48 * labels..][..n * labels];
            assert_close(&output.value, want, 1e-4, name);
        }
    }
}

#[test]
fn the_head_is_known_by_the_class() {
    let labels = ["O", "B-x", "I-x", "B-y", "I-y"].map(String::from).into();
    let open = |architecture| Folder::head(architecture).open().unwrap();
    assert_eq!(
        open("BertForTokenClassification").head,
        Head::Tokens { labels }
    );
    assert_eq!(open("BertForQuestionAnswering").head, Head::Span);
}

/// Tokens at 0 bits are read out from the states that they were left with.
#[test]
fn tokens_that_are_left_out_are_read_out_too() {
    let inputs = tiny_inputs("tiny-bert");
    for (architecture, _, labels) in HEADS {
        let folder = Folder::head(architecture);
        let float = run(&folder, &Precision::F32, &inputs);
        let eight = run(&folder, &Precision::Plan(Plan::dense_eight(3)), &inputs);
        for (float, eight) in float.iter().zip(&eight) {
            assert_close(&eight.value, &float.value, 0.5, architecture);
        }
        for name in ["drop", "carry", "keys-values"] {
            let nothing = Ratio::from_thousandths(0, 0).unwrap();
            let mut plan = Plan::new(vec![Ratio::ALL_EIGHT, nothing, nothing]).unwrap();
            plan.compensation = compensation::find(name).unwrap();
            let outputs = run(&folder, &Precision::Plan(plan), &inputs);
            for (output, eight) in outputs.iter().zip(&eight) {
                let n = output.value.len() / labels;
                assert_eq!(n, eight.value.len() / labels);
                // The first layer is the same; the states after it stay.
                let after_first = &eight.hidden_states[1][64..128];
                assert_eq!(&output.hidden_states[3][64..128], after_first, "{name}");
                assert!(output.value.iter().all(|logit| logit.is_finite()));
            }
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_named() {
    for (architecture, _, _) in HEADS {
        for name in ["classifier", "qa_outputs"] {
            for part in ["weight", "bias"] {
                let folder = Folder::head(architecture);
                let tensor = format!("{name}.{part}");
                folder.edit_tensors(|tensors| tensors.retain(|other| other.name != tensor));
                let needed = (name == "qa_outputs") == (architecture == "BertForQuestionAnswering");
                match folder.engine(&Precision::F32) {
                    Ok(_) => assert!(!needed, "{architecture} without {tensor}"),
                    Err(error) => {
                        let error = error.to_string();
                        assert!(needed && error.contains(&tensor), "{error}");
                    }
                }
            }
        }
    }
    let folder = Folder::head("BertForTokenClassification");
    let fewer = serde_json::json!({"0": "O", "1": "B-x"});
    folder.set("config.json", "/id2label", Some(fewer));
    let error = folder.engine(&Precision::F32).err().unwrap().to_string();
    assert!(error.contains("classifier.weight"), "{error}");
}
