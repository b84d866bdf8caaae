//! BERT (Devlin et al., NAACL 2019): its configuration, its weights by name,
//! and what stands below and on top of its layers.

mod config;
mod embeddings;
mod heads;
mod weights;

pub(crate) use config::Architecture;
pub use config::BertConfig;
pub(crate) use embeddings::Embeddings;
pub(crate) use heads::ReadOut;
pub(crate) use weights::Weights;
