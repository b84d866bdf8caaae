//! A Llama of two layers with random weights, as a GGUF file and as a folder in
//! Hugging Face's layout.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use serde_json::json;

use super::gguf::{File, Tensor, Value};
use super::plans::Numbers;

pub const WIDTH: usize = 32;
pub const LAYERS: usize = 2;
pub const HEADS: usize = 4;
pub const SHARED: usize = 2;
pub const DIM: usize = 16;
pub const WIDE: usize = 64;
pub const CONTEXT: usize = 256;

/// The byte-level letters of the vocabulary, and three special tokens before
/// them: text, begin and end of a turn.
pub fn vocabulary() -> Vec<String> {
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from);
    // As GPT-2's byte level writes bytes: those that print stand for themselves,
    // the others for letters from 256 on.
    let prints = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut others = 256u32..;
    let bytes = (0..=255u8).map(|byte| {
        let letter = match prints(byte) {
            true => u32::from(byte),
            false => others.next().unwrap(),
        };
        char::from_u32(letter).unwrap().to_string()
    });
    special.into_iter().chain(bytes).collect()
}

/// Tensors by their names in Hugging Face's files: shape and values.
pub fn tensors() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut numbers = Numbers(11);
    let mut made = BTreeMap::new();
    let mut add = |name: String, shape: &[usize], scale: f32, middle: f32| {
        let count = shape.iter().product();
        let values = (0..count)
            .map(|_| middle + scale * (numbers.below(2001) as f32 / 1000.0 - 1.0))
            .collect();
        made.insert(name, (shape.to_vec(), values));
    };
    let words = vocabulary().len();
    add(
        "model.embed_tokens.weight".into(),
        &[words, WIDTH],
        1.0,
        0.0,
    );
    add("model.norm.weight".into(), &[WIDTH], 0.3, 1.0);
    for layer in 0..LAYERS {
        let mut add = |part: &str, shape: &[usize], scale: f32, middle: f32| {
            let name = format!("model.layers.{layer}.{part}.weight");
            add(name, shape, scale, middle);
        };
        add("input_layernorm", &[WIDTH], 0.3, 1.0);
        add("post_attention_layernorm", &[WIDTH], 0.3, 1.0);
        add("self_attn.q_proj", &[HEADS * DIM, WIDTH], 0.5, 0.0);
        add("self_attn.k_proj", &[SHARED * DIM, WIDTH], 0.5, 0.0);
        add("self_attn.v_proj", &[SHARED * DIM, WIDTH], 0.3, 0.0);
        add("self_attn.o_proj", &[WIDTH, HEADS * DIM], 0.3, 0.0);
        add("mlp.gate_proj", &[WIDE, WIDTH], 0.3, 0.0);
        add("mlp.up_proj", &[WIDE, WIDTH], 0.3, 0.0);
        add("mlp.down_proj", &[WIDTH, WIDE], 0.3, 0.0);
    }
    made
}

pub const TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n\
    {{ message['content'] }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// The GGUF file, whose queries and keys have the values of a rotary pair side
/// by side.
pub fn gguf() -> File {
    let names = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers.", "blk."),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    let mut written = BTreeMap::new();
    for (name, (shape, mut values)) in tensors() {
        if name.contains("q_proj") || name.contains("k_proj") {
            let rows: Vec<Vec<f32>> = values.chunks(WIDTH).map(<[f32]>::to_vec).collect();
            let paired = (0..rows.len()).flat_map(|row| {
                let (head, place) = (row / DIM, row % DIM);
                rows[head * DIM + place / 2 + place % 2 * (DIM / 2)].clone()
            });
            values = paired.collect();
        }
        let name = names
            .iter()
            .fold(name, |name, (from, to)| name.replace(from, to));
        let tensor = Tensor {
            shape: shape.iter().map(|&size| size as u64).collect(),
            kind: 0,
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            lie: 0,
        };
        written.insert(name, tensor);
    }
    let words = vocabulary();
    let kinds = (0..words.len()).map(|id| if id < 3 { 3 } else { 1 });
    let mut file = File {
        version: 3,
        metadata: Vec::new(),
        tensors: written,
    };
    let text = |text: &str| Value::String(text.into());
    for (key, value) in [
        ("general.architecture", text("llama")),
        ("llama.block_count", Value::U32(LAYERS as u32)),
        ("llama.context_length", Value::U32(CONTEXT as u32)),
        ("llama.embedding_length", Value::U32(WIDTH as u32)),
        ("llama.feed_forward_length", Value::U32(WIDE as u32)),
        ("llama.attention.head_count", Value::U32(HEADS as u32)),
        ("llama.attention.head_count_kv", Value::U32(SHARED as u32)),
        ("llama.attention.key_length", Value::U32(DIM as u32)),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("smollm")),
        ("tokenizer.ggml.token_type", Value::I32s(kinds.collect())),
        ("tokenizer.ggml.tokens", Value::Strings(words)),
        ("tokenizer.ggml.merges", Value::Strings(Vec::new())),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(0)),
        ("tokenizer.chat_template", text(TEMPLATE)),
    ] {
        file.set(key, value);
    }
    file
}

pub fn config() -> serde_json::Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary().len(),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": SHARED,
        "head_dim": DIM,
        "intermediate_size": WIDE,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": true,
    })
}

/// Writes `config.json` and `model.safetensors`.
pub fn write_folder(folder: &Path) {
    std::fs::write(folder.join("config.json"), config().to_string()).unwrap();
    let stored: BTreeMap<String, (Vec<usize>, Vec<u8>)> = tensors()
        .into_iter()
        .map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (name, (shape, bytes.collect()))
        })
        .collect();
    let views = stored.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (name, view.unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    std::fs::write(folder.join("model.safetensors"), bytes).unwrap();
}
