//! Does the f32 forward pass compute what Hugging Face transformers computes?

mod support;

use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Engine, Precision};
use support::{LENGTHS, assert_close, data, expected, integers, run, tiny_inputs};

const TOLERANCE: f32 = 1e-4;

fn check_hidden_states(model: &str) {
    let outputs = run(
        model,
        &Precision::F32,
        &tiny_inputs(model),
        Detail::HiddenStates,
    );
    let expected = expected(model);
    for layer in 0..4 {
        let want = expected
            .read(&format!("hidden_{layer}"), &[3, 48, 64])
            .unwrap();
        for (i, (output, n)) in outputs.iter().zip(LENGTHS).enumerate() {
            let want = &want[i * 48 * 64..][..n * 64];
            let what = format!("{model}, layer {layer}, sequence {i}");
            assert_close(&output.hidden_states[layer], want, TOLERANCE, &what);
        }
    }
}

#[test]
fn tiny_bert_hidden_states() {
    check_hidden_states("tiny-bert");
}

#[test]
fn tiny_bert_classifier_hidden_states_and_logits() {
    let model = "tiny-bert-classifier";
    check_hidden_states(model);
    let outputs = run(model, &Precision::F32, &tiny_inputs(model), Detail::Value);
    let want = expected(model).read("logits", &[3, 3]).unwrap();
    for (i, output) in outputs.iter().enumerate() {
        assert_close(&output.value, &want[i * 3..][..3], TOLERANCE, "logits");
    }
}

#[test]
fn minilm_tokens_and_embeddings() {
    let Some(folder) = support::minilm() else {
        return;
    };
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let tokenizer = checkpoint.tokenizer().unwrap();
    let text = std::fs::read_to_string(data("minilm").join("sentences.json")).unwrap();
    let sentences: Vec<String> = serde_json::from_str(&text).unwrap();
    let inputs: Vec<_> = sentences
        .iter()
        .map(|text| tokenizer.encode(text).unwrap())
        .collect();
    let engine = Engine::new(&checkpoint, &Precision::F32, Isa::best()).unwrap();
    let outputs = engine.run(&inputs, Detail::HiddenStates, &|_| {}).unwrap();
    let expected = expected("minilm");
    for (i, (input, output)) in inputs.iter().zip(&outputs).enumerate() {
        assert_eq!(input.ids, integers("minilm", &format!("ids_{i}")));
        let want = expected.read(&format!("embedding_{i}"), &[384]).unwrap();
        assert_close(&output.value, &want, TOLERANCE, &sentences[i]);
    }
    let want = expected.read("hidden_0", &[13, 384]).unwrap();
    // The last hidden states of sentence 0.
    assert_close(&outputs[0].hidden_states[6], &want, TOLERANCE, "hidden_0");
}
