//! The Llama family: its `config.json` or GGUF metadata, and the names of its
//! tensors in both.

use serde_json::Value as Json;

use super::config::Field;
use super::source::{DecoderSource, Ends, Store};
use super::{Activation, DecoderConfig, Positions, Rotary};
use crate::gguf::Value;
use crate::json::Fields;
use crate::layers::{Layer, Linear, Norm, Source, Structure};
use crate::{Gguf, ModelError};

/// Reads Hugging Face's `LlamaConfig`.
pub(crate) fn config(fields: &Fields) -> Result<DecoderConfig, ModelError> {
    let hidden_size = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    let head_dim = match fields.find::<usize>("head_dim")? {
        Some(_) => fields.size("head_dim")?,
        None if hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => {
            let reason = format!("{heads} does not divide hidden_size = {hidden_size}");
            return Err(fields.refuse("num_attention_heads", reason));
        }
    };
    let activation: Option<String> = fields.find("hidden_act")?;
    let activation = Activation::named(activation.as_deref().unwrap_or("silu"))
        .map_err(|reason| fields.refuse("hidden_act", reason))?;
    if let Some(slices) = fields.find::<u64>("pretraining_tp")?
        && slices > 1
    {
        let reason = format!("{slices}: must be 1");
        return Err(fields.refuse("pretraining_tp", reason));
    }
    let config = DecoderConfig {
        vocab_size: fields.size("vocab_size")?,
        hidden_size,
        layers: fields.size("num_hidden_layers")?,
        heads,
        key_value_heads: match fields.find::<usize>("num_key_value_heads")? {
            Some(_) => fields.size("num_key_value_heads")?,
            None => heads,
        },
        head_dim,
        intermediate_size: fields.size("intermediate_size")?,
        context: fields.size("max_position_embeddings")?,
        positions: Positions::Rotary(rotary(fields)?),
        norm_epsilon: fields.find("rms_norm_eps")?.unwrap_or(1e-6),
        activation,
        gated: true,
        scaled_scores: true,
        scaled_by_layer: false,
        tied_head: fields.find("tie_word_embeddings")?.unwrap_or(false),
    };
    config.check().map_err(|(field, reason)| {
        let name = match field {
            Field::KeyValueHeads => "num_key_value_heads",
            Field::HeadDim => "head_dim",
            Field::NormEpsilon => "rms_norm_eps",
            Field::RotaryBase => "rope_theta",
            Field::RotaryFactor => "rope_scaling",
        };
        fields.refuse(name, reason)
    })?;
    Ok(config)
}

/// The angles, from `rope_theta` and `rope_scaling`, or from `rope_parameters`,
/// which newer files have for both.
fn rotary(fields: &Fields) -> Result<Rotary, ModelError> {
    let mut rotary = Rotary {
        base: fields.find("rope_theta")?.unwrap_or(10_000.0),
        linear_factor: 1.0,
    };
    for field in ["rope_scaling", "rope_parameters"] {
        let Some(scaling) = fields.find::<serde_json::Map<String, Json>>(field)? else {
            continue;
        };
        let kind = scaling.get("rope_type").or_else(|| scaling.get("type"));
        let number = |key: &str| scaling.get(key).and_then(Json::as_f64);
        match kind.and_then(Json::as_str) {
            None | Some("default") => {}
            Some("linear") => match number("factor") {
                Some(factor) => rotary.linear_factor = factor as f32,
                None => return Err(fields.refuse(field, "factor: is missing".into())),
            },
            Some(other) => {
                let reason = format!("type `{other}`: must be default or linear");
                return Err(fields.refuse(field, reason));
            }
        }
        if let Some(base) = number("rope_theta") {
            rotary.base = base as f32;
        }
    }
    Ok(rotary)
}

/// Reads the metadata of a GGUF file.
pub(crate) fn config_of_gguf(gguf: &Gguf) -> Result<DecoderConfig, ModelError> {
    let size = |key: &str| {
        let key = format!("llama.{key}");
        let size = gguf.get(&key, "an integer", Value::integer)?;
        checked_size(size).map_err(|reason| gguf.refuse(&key, reason))
    };
    let number = |key: &str| gguf.find(&format!("llama.{key}"), "a number", Value::number);
    let hidden_size = size("embedding_length")?;
    let heads = size("attention.head_count")?;
    let head_dim = match gguf.find("llama.attention.key_length", "an integer", Value::integer)? {
        Some(_) => size("attention.key_length")?,
        None if hidden_size.is_multiple_of(heads) => hidden_size / heads,
        None => {
            let reason = format!("{heads} does not divide the embedding's {hidden_size}");
            return Err(gguf.refuse("llama.attention.head_count", reason));
        }
    };
    // Fields that would change what is computed.
    for (key, wanted) in [
        ("llama.rope.dimension_count", head_dim as u64),
        ("llama.attention.value_length", head_dim as u64),
        ("llama.expert_count", 0),
    ] {
        if let Some(found) = gguf.find(key, "an integer", Value::integer)?
            && found != wanted
        {
            return Err(gguf.refuse(key, format!("{found}: must be {wanted}")));
        }
    }
    let scaling = gguf.find("llama.rope.scaling.type", "a string", Value::string)?;
    let linear_factor = match scaling {
        None | Some("none") => 1.0,
        Some("linear") => number("rope.scaling.factor")?.unwrap_or(1.0) as f32,
        Some(other) => {
            let reason = format!("`{other}`: must be none or linear");
            return Err(gguf.refuse("llama.rope.scaling.type", reason));
        }
    };
    let tokens = gguf.strings("tokenizer.ggml.tokens")?.len();
    let config = DecoderConfig {
        vocab_size: match gguf.find("llama.vocab_size", "an integer", Value::integer)? {
            Some(_) => size("vocab_size")?,
            None => tokens,
        },
        hidden_size,
        layers: size("block_count")?,
        heads,
        key_value_heads: match gguf.find(
            "llama.attention.head_count_kv",
            "an integer",
            Value::integer,
        )? {
            Some(_) => size("attention.head_count_kv")?,
            None => heads,
        },
        head_dim,
        intermediate_size: size("feed_forward_length")?,
        context: size("context_length")?,
        positions: Positions::Rotary(Rotary {
            base: number("rope.freq_base")?.unwrap_or(10_000.0) as f32,
            linear_factor,
        }),
        norm_epsilon: number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-5) as f32,
        activation: Activation::Silu,
        gated: true,
        scaled_scores: true,
        scaled_by_layer: false,
        tied_head: !gguf.contains("output.weight"),
    };
    if gguf.contains("rope_freqs.weight") {
        return Err(ModelError::Tensor {
            file: gguf.file().into(),
            tensor: "rope_freqs.weight".into(),
            reason: "frequencies of their own are not supported".into(),
        });
    }
    config.check().map_err(|(field, reason)| {
        let name = match field {
            Field::KeyValueHeads => "llama.attention.head_count_kv",
            Field::HeadDim => "llama.attention.key_length",
            Field::NormEpsilon => "llama.attention.layer_norm_rms_epsilon",
            Field::RotaryBase => "llama.rope.freq_base",
            Field::RotaryFactor => "llama.rope.scaling.factor",
        };
        gguf.refuse(name, reason)
    })?;
    Ok(config)
}

/// A size far above that of any model, far below what could overflow a product.
pub(super) fn checked_size(size: u64) -> Result<usize, String> {
    match size {
        1..=0x0100_0000 => Ok(size as usize),
        _ => Err(format!("{size}: must be 1 to {}", 1 << 24)),
    }
}

/// Names as in Hugging Face's files, with or without `model.` in front, or as in
/// GGUF's.
pub(super) struct Llama<'a> {
    store: &'a Store,
    config: &'a DecoderConfig,
    names: &'static Names,
    prefix: &'static str,
}

struct Names {
    embedding: &'static str,
    norm: &'static str,
    head: &'static str,
    layer: &'static str,
    attention_norm: &'static str,
    query: &'static str,
    key: &'static str,
    value: &'static str,
    output: &'static str,
    feed_forward_norm: &'static str,
    gate: &'static str,
    up: &'static str,
    down: &'static str,
}

const HUGGING_FACE: Names = Names {
    embedding: "embed_tokens.weight",
    norm: "norm.weight",
    head: "lm_head.weight",
    layer: "layers",
    attention_norm: "input_layernorm",
    query: "self_attn.q_proj",
    key: "self_attn.k_proj",
    value: "self_attn.v_proj",
    output: "self_attn.o_proj",
    feed_forward_norm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
};

const GGUF: Names = Names {
    embedding: "token_embd.weight",
    norm: "output_norm.weight",
    head: "output.weight",
    layer: "blk",
    attention_norm: "attn_norm",
    query: "attn_q",
    key: "attn_k",
    value: "attn_v",
    output: "attn_output",
    feed_forward_norm: "ffn_norm",
    gate: "ffn_gate",
    up: "ffn_up",
    down: "ffn_down",
};

impl<'a> Llama<'a> {
    pub(super) fn new(store: &'a Store, config: &'a DecoderConfig) -> Llama<'a> {
        let prefixed = store.contains("model.embed_tokens.weight");
        Llama {
            store,
            config,
            names: match store {
                Store::Safetensors(_) => &HUGGING_FACE,
                Store::Gguf(_) => &GGUF,
            },
            prefix: if prefixed { "model." } else { "" },
        }
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        self.store.read(&format!("{}{name}", self.prefix), shape)
    }

    fn norm(&self, name: &str) -> Result<Norm, ModelError> {
        Ok(Norm::RootMeanSquare {
            gain: self.read(name, &[self.config.hidden_size])?,
            epsilon: self.config.norm_epsilon,
        })
    }

    fn linear(&self, name: &str, n: usize, k: usize) -> Result<Linear, ModelError> {
        let bias = format!("{name}.bias");
        let has_bias = self.store.contains(&format!("{}{bias}", self.prefix));
        Ok(Linear {
            weight: self.read(&format!("{name}.weight"), &[n, k])?,
            bias: match has_bias {
                true => self.read(&bias, &[n])?,
                false => vec![0.0; n],
            },
            n,
            k,
        })
    }

    /// A projection to queries or keys. GGUF files have the two values of a
    /// rotary pair side by side, where Hugging Face's have the pairs' first
    /// values before all second ones.
    fn turned(&self, name: &str, heads: usize) -> Result<Linear, ModelError> {
        let dim = self.config.head_dim;
        let mut linear = self.linear(name, heads * dim, self.config.hidden_size)?;
        if let Store::Gguf(_) = self.store {
            let order = |row: usize| {
                let (head, place) = (row / dim, row % dim);
                head * dim + 2 * (place % (dim / 2)) + place / (dim / 2)
            };
            let k = linear.k;
            let rows = (0..linear.n).flat_map(|row| {
                let from = order(row);
                linear.weight[from * k..(from + 1) * k].iter().copied()
            });
            let weight = rows.collect();
            let bias = (0..linear.n).map(|row| linear.bias[order(row)]).collect();
            (linear.weight, linear.bias) = (weight, bias);
        }
        Ok(linear)
    }
}

impl DecoderSource for Llama<'_> {
    fn ends(&self) -> Result<Ends, ModelError> {
        let config = self.config;
        let shape = [config.vocab_size, config.hidden_size];
        Ok(Ends {
            embedding: self.read(self.names.embedding, &shape)?,
            positions: Vec::new(),
            norm: self.norm(self.names.norm)?,
            head: match config.tied_head {
                true => None,
                // It stands beside the model.
                false => Some(self.store.read(self.names.head, &shape)?),
            },
        })
    }
}

impl Source for Llama<'_> {
    fn structure(&self) -> Structure {
        self.config.structure()
    }

    fn entry_norm(&self) -> Result<Option<Norm>, ModelError> {
        Ok(None)
    }

    fn layer(&self, index: usize) -> Result<Layer, ModelError> {
        let config = self.config;
        let (d, wide) = (config.hidden_size, config.intermediate_size);
        let names = self.names;
        let name = |part: &str| format!("{}.{index}.{part}", names.layer);
        let inner = config.heads * config.head_dim;
        let shared = config.key_value_heads;
        let norm = |part: &str| self.norm(&format!("{}.weight", name(part)));
        Ok(Layer {
            attention_norm: norm(names.attention_norm)?,
            query: self.turned(&name(names.query), config.heads)?,
            key: self.turned(&name(names.key), shared)?,
            value: self.linear(&name(names.value), shared * config.head_dim, d)?,
            output: self.linear(&name(names.output), d, inner)?,
            feed_forward_norm: norm(names.feed_forward_norm)?,
            gate: Some(self.linear(&name(names.gate), wide, d)?),
            up: self.linear(&name(names.up), wide, d)?,
            down: self.linear(&name(names.down), d, wide)?,
        })
    }
}
