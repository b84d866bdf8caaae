//! BERT (Devlin et al., NAACL 2019), in two forward passes over the same
//! weights: `dense` at f32, `planned` in integers under a plan.

mod config;
mod dense;
mod embeddings;
mod heads;
mod least_squares;
mod planned;
mod weights;

pub(crate) use config::Architecture;
pub use config::BertConfig;
pub(crate) use dense::DenseBert;
pub(crate) use embeddings::Embeddings;
pub(crate) use heads::ReadOut;
pub(crate) use planned::PlannedBert;
