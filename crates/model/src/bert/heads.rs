//! From the last hidden states of one sequence to what the user asked for, at
//! f32 under every plan. Pooler and classifier of a text see one token of it; a
//! read-out of every token sees each, at 0 bits in its last state.

use dtatrans_kernels::{Isa, vector};

use super::BertConfig;
use super::weights::Weights;
use crate::layers::Linear;
use crate::{Head, ModelError, Pooling, Tensors};

/// What stands on top of the encoder, with its weights.
pub(crate) enum ReadOut {
    Sentence {
        pooling: Pooling,
        normalize: bool,
        isa: Isa,
    },
    Classifier {
        pooler: Linear,
        classifier: Linear,
    },
    /// A linear layer on every token.
    EveryToken(Linear),
}

impl ReadOut {
    pub(crate) fn read(
        tensors: &Tensors,
        config: &BertConfig,
        head: &Head,
        isa: Isa,
    ) -> Result<ReadOut, ModelError> {
        let d = config.hidden_size;
        Ok(match head {
            Head::Sentence(sentence) => ReadOut::Sentence {
                pooling: sentence.pooling,
                normalize: sentence.normalize,
                isa,
            },
            Head::Classifier { labels } => ReadOut::Classifier {
                pooler: Weights::new(tensors, config).linear("pooler.dense", d, d)?,
                classifier: on_top(tensors, "classifier", labels.len(), d)?,
            },
            Head::Tokens { labels } => {
                ReadOut::EveryToken(on_top(tensors, "classifier", labels.len(), d)?)
            }
            Head::Span => ReadOut::EveryToken(on_top(tensors, "qa_outputs", 2, d)?),
        })
    }

    /// Whether the result depends on the first token's state alone.
    pub(crate) fn reads_first(&self) -> bool {
        match self {
            ReadOut::Sentence { pooling, .. } => *pooling == Pooling::Cls,
            ReadOut::Classifier { .. } => true,
            ReadOut::EveryToken(_) => false,
        }
    }

    /// The embedding or the logits of one sequence, of a read-out of every token
    /// (tokens, labels): `states` of shape (tokens, hidden); `computed` flags
    /// the tokens computed in the last layer.
    pub(crate) fn apply(&self, states: &[f32], computed: &[bool]) -> Vec<f32> {
        let width = states.len() / computed.len();
        let first = &states[..width];
        match self {
            ReadOut::Sentence {
                pooling,
                normalize,
                isa,
            } => {
                let mut pooled = match pooling {
                    Pooling::Cls => first.to_vec(),
                    Pooling::Mean => mean(states, computed, width),
                };
                if *normalize {
                    vector::l2_normalize(*isa, &mut pooled);
                }
                pooled
            }
            ReadOut::Classifier { pooler, classifier } => {
                let pooled: Vec<f32> = apply(pooler, first).iter().map(|x| x.tanh()).collect();
                apply(classifier, &pooled)
            }
            ReadOut::EveryToken(linear) => states
                .chunks_exact(width)
                .flat_map(|state| apply(linear, state))
                .collect(),
        }
    }
}

/// A linear layer that stands beside the encoder, whose name no `bert.` begins.
fn on_top(tensors: &Tensors, name: &str, n: usize, k: usize) -> Result<Linear, ModelError> {
    Ok(Linear {
        weight: tensors.read(&format!("{name}.weight"), &[n, k])?,
        bias: tensors.read(&format!("{name}.bias"), &[n])?,
        n,
        k,
    })
}

/// The mean of the rows that are flagged.
fn mean(states: &[f32], flags: &[bool], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for (row, _) in states
        .chunks_exact(width)
        .zip(flags)
        .filter(|(_, flag)| **flag)
    {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
    let count = flags.iter().filter(|&&flag| flag).count().max(1);
    for sum in &mut sum {
        *sum /= count as f32;
    }
    sum
}

/// One row times a linear layer: too little to pack for.
fn apply(linear: &Linear, row: &[f32]) -> Vec<f32> {
    (0..linear.n)
        .map(|n| {
            let weights = &linear.weight[n * linear.k..(n + 1) * linear.k];
            let sum: f32 = weights.iter().zip(row).map(|(w, x)| w * x).sum();
            sum + linear.bias[n]
        })
        .collect()
}
