//! Decoders: models that say what comes next. GPT-2 (Radford et al., 2019) and
//! the Llama family (Touvron et al., 2023), whose differences are values of
//! [`DecoderConfig`] and names of tensors; the passes over the layers are the
//! same.

mod chat;
mod checkpoint;
mod config;
mod dense;
mod engine;
mod generate;
mod gpt2;
mod layers;
mod llama;
mod rotary;
mod sampling;
mod tokenizer_of_gguf;

pub use chat::{ChatTemplate, Message};
pub use checkpoint::DecoderCheckpoint;
pub use config::{Activation, DecoderConfig, NormKind, Positions, Rotary};
pub use engine::{Context, Decoder, Extension};
pub use generate::{Finish, Generated, Prompt, Settings};
pub use sampling::{Sampling, likeliest};
