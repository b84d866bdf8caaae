//! Checkpoints, tokenizers and transformer models, run at f32 or under a
//! precision plan.
//!
//! [`Checkpoint::open`] reads a folder in Hugging Face's layout; an [`Engine`]
//! is that model made ready to run at one [`Precision`]; it takes ragged
//! batches of [`Encoding`]s, without padding, and gives one [`Output`] each.
//! A sequence's output is the same bits alone and in any batch.
//!
//! [`DecoderCheckpoint::open`] reads a decoder, and a [`Decoder`] extends
//! [contexts](decoder::Context): what it keeps of the texts that it reads and
//! generates.
//!
//! All families share one stack of layers. A family says what its layers compute
//! and where their weights are: of encoders a folder beside [`bert`], of decoders a
//! file in [`decoder`].

pub mod bert;
pub mod calibration;
mod checkpoint;
pub mod decoder;
mod engine;
mod error;
pub mod gguf;
mod json;
mod layers;
mod mapped;
mod sentence;
mod tensors;
mod text;
mod tokenizer_file;

pub use checkpoint::{AnyCheckpoint, Checkpoint, Head};
pub use decoder::{Decoder, DecoderCheckpoint, DecoderConfig};
pub use engine::{Detail, Engine, Output, Precision};
pub use error::ModelError;
pub use gguf::Gguf;
pub use layers::AttentionHead;
pub use sentence::{Pooling, SentenceHead};
pub use tensors::Tensors;
pub use text::{
    EncodedWords, Encoding, MAX_TEXT_BYTES, TextStream, TextTokenizer, Truncation, Window,
};
