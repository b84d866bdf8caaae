//! Decoders: models that say what comes next. GPT-2 (Radford et al., 2019) and
//! the Llama family (Touvron et al., 2023), whose differences are values of
//! [`DecoderConfig`] and names of tensors; the passes over the layers are the
//! same.

mod chat;
mod checkpoint;
mod config;
mod engine;
mod generate;
mod gpt2;
mod llama;
mod sampling;
mod source;
mod tokenizer_of_gguf;

pub use chat::{ChatTemplate, Message};
pub use checkpoint::DecoderCheckpoint;
pub use config::{DecoderConfig, Positions};
pub use engine::{Context, Decoder, Extension, FullCache, Reading};
pub use generate::{Finish, Generated, Prompt, Settings, Watcher};
pub use sampling::{Sampling, likeliest};

pub use crate::layers::{Activation, Rotary};
