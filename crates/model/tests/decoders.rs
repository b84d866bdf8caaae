//! Do decoders compute at f32 what Hugging Face transformers computes, and does
//! it not matter in which pieces or in what company a text is read?

mod support;

use std::path::Path;

use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Context, Extension, likeliest};
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision, Tensors};
use support::{assert_close, data, integers};

fn open(path: &Path) -> (DecoderCheckpoint, Decoder) {
    let checkpoint = DecoderCheckpoint::open(path).unwrap();
    let decoder = Decoder::new(&checkpoint, &Precision::F32, Isa::best()).unwrap();
    (checkpoint, decoder)
}

/// Logits of all new tokens.
fn extend(decoder: &Decoder, context: &mut Context, ids: &[u32]) -> Vec<f32> {
    let states = decoder.extend(&mut [Extension { context, ids }]).unwrap();
    decoder.logits(&states)
}

/// The likeliest token behind the last one.
fn next_of(decoder: &Decoder, logits: &[f32]) -> u32 {
    likeliest(&logits[logits.len() - decoder.config().vocab_size..])
}

fn greedy(decoder: &Decoder, prompt: &[u32], count: usize) -> Vec<u32> {
    let mut context = decoder.context();
    let mut next = next_of(decoder, &extend(decoder, &mut context, prompt));
    let mut made = vec![next];
    while made.len() < count {
        next = next_of(decoder, &extend(decoder, &mut context, &[next]));
        made.push(next);
    }
    made
}

#[test]
fn tiny_gpt2_states_logits_and_greedy_tokens() {
    let model = "tiny-gpt2";
    let (_, decoder) = open(&data(model));
    let ids = integers(model, "input_ids");
    let expected = support::expected(model);
    let hidden = decoder.hidden_states(&ids).unwrap();
    assert_eq!(hidden.len(), 4);
    for (layer, states) in hidden.iter().enumerate() {
        let want = expected.read(&format!("hidden_{layer}"), &[1, 24, 64]);
        assert_close(states, &want.unwrap(), 1e-4, &format!("layer {layer}"));
    }
    let logits = extend(&decoder, &mut decoder.context(), &ids);
    let want = expected.read("logits", &[1, 24, 200]).unwrap();
    assert_close(&logits, &want, 1e-4, "logits");
    let generated = integers(model, "generated");
    assert_eq!(greedy(&decoder, &ids, 23), generated[24..]);
}

#[test]
fn smollm2_states_logits_and_greedy_tokens() {
    let Some(folder) = support::smollm2() else {
        return;
    };
    let model = "smollm2";
    let (checkpoint, decoder) = open(&folder.join("model.gguf"));
    let tokenizer = checkpoint.tokenizer().unwrap();
    let text = std::fs::read_to_string(data(model).join("expected.json")).unwrap();
    let stated: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = integers(model, "input_ids");
    let prompt = tokenizer
        .encode(stated["prompt"].as_str().unwrap())
        .unwrap();
    assert_eq!(prompt.ids, ids);

    let expected = support::expected(model);
    let hidden = decoder.hidden_states(&ids).unwrap();
    for layer in [0, 1, 15, 29, 30] {
        let want = expected
            .read(&format!("hidden_{layer}"), &[10, 576])
            .unwrap();
        assert_close(&hidden[layer], &want, 1e-3, &format!("layer {layer}"));
    }
    let logits = extend(&decoder, &mut decoder.context(), &ids);
    let want = expected.read("logits_last", &[49152]).unwrap();
    assert_close(&logits[9 * 49152..], &want, 1e-3, "logits");
    let generated = integers(model, "generated");
    let made = greedy(&decoder, &ids, 32);
    assert_eq!(made, &generated[generated.len() - 32..]);
    let text = tokenizer.decode(&made).unwrap();
    assert_eq!(text, stated["generated"].as_str().unwrap());
}

/// The trained GPT-2 that `studies/train` makes; too large for the repository.
#[test]
#[ignore = "needs the environment variable DTATRANS_MODELS: a folder with gpt2-small-en"]
fn gpt2_small_en_states_logits_and_greedy_tokens() {
    let models = std::env::var_os("DTATRANS_MODELS").expect("DTATRANS_MODELS is not set");
    let folder = Path::new(&models).join("gpt2-small-en");
    let (checkpoint, decoder) = open(&folder);
    let expected = Tensors::open(&folder.join("expected.safetensors")).unwrap();
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let stated: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tokenizer = checkpoint.tokenizer().unwrap();
    let ids = tokenizer
        .encode(stated["prompt"].as_str().unwrap())
        .unwrap()
        .ids;
    let hidden = decoder.hidden_states(&ids).unwrap();
    for layer in [0, 1, 3, 6] {
        let want = expected
            .read(&format!("hidden_{layer}"), &[8, 256])
            .unwrap();
        assert_close(&hidden[layer], &want, 1e-3, &format!("layer {layer}"));
    }
    let logits = extend(&decoder, &mut decoder.context(), &ids);
    let want = expected.read("logits_last", &[8192]).unwrap();
    assert_close(&logits[7 * 8192..], &want, 1e-3, "logits");
    let made = greedy(&decoder, &ids, 24);
    let text = tokenizer.decode(&made).unwrap();
    assert_eq!(text, stated["generated"].as_str().unwrap());
}

#[test]
fn pieces_and_company_change_nothing() {
    let model = "tiny-gpt2";
    let (_, decoder) = open(&data(model));
    let ids = integers(model, "input_ids");
    let whole = extend(&decoder, &mut decoder.context(), &ids);
    let mut context = decoder.context();
    let mut pieces = extend(&decoder, &mut context, &ids[..7]);
    pieces.extend(extend(&decoder, &mut context, &ids[7..8]));
    pieces.extend(extend(&decoder, &mut context, &ids[8..]));
    assert_eq!(context.tokens(), 24);
    assert_close(&pieces, &whole, 1e-5, "in pieces");

    let (mut a, mut b) = (decoder.context(), decoder.context());
    extend(&decoder, &mut b, &ids[..5]);
    let states = decoder.extend(&mut [
        Extension {
            context: &mut a,
            ids: &ids[..6],
        },
        Extension {
            context: &mut b,
            ids: &ids[5..],
        },
    ]);
    let logits = decoder.logits(&states.unwrap());
    assert_close(&logits[..6 * 200], &whole[..6 * 200], 1e-5, "the first");
    assert_close(&logits[6 * 200..], &whole[5 * 200..], 1e-5, "the second");
}
