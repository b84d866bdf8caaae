//! What stands before and behind the layers: the embedding, and what reads the last
//! states.
//!
//! Products behind the layers are at 8 bits times the plan's weights, as the engine
//! runs a decoder's head: rotated with the plan, not balanced. The engine runs poolers
//! and classifiers of encoders, which are small, at f32; here they are as a decoder's
//! head, for the arrays have no floats. Our decision.

use super::layer::{Preparation, sum};
use super::{Operation, Product, RightBits, VectorWork};
use crate::{Bits, ModelShape, Plan, Reads};

/// The work before and behind the layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndsWork {
    /// Before them.
    pub embedding: Embedding,
    /// The mean of states, if that is what is asked for.
    pub pooling: Option<Pooling>,
    /// The products behind the layers, in order of execution: of a pooler, of a head.
    pub products: Vec<Product>,
    /// The token whose state is the first row of these products.
    pub first_row: usize,
}

/// Rows of tables that are added and normalised: what the layers begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// Tokens.
    pub tokens: usize,
    /// Rows of the token table.
    pub vocabulary: usize,
    /// Tables: of tokens; of positions; of segments.
    pub tables: usize,
    /// Channels of a row.
    pub width: usize,
    /// Sums of the rows, and the norm behind: of an encoder's embedding; of a decoder's
    /// first layer, for each layer's work holds the norm behind each of its sums.
    pub work: VectorWork,
}

/// The mean of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// Index behind the last layer.
    pub layer: usize,
    /// States.
    pub rows: usize,
    /// Channels of each.
    pub width: usize,
    /// Their sum.
    pub work: VectorWork,
}

impl EndsWork {
    /// The work on `tokens` tokens, `computed` of which the last layer computes, with
    /// states and weights behind the layers of these bits; `None` where the shape does
    /// not say what there is, or nothing is read.
    pub(super) fn of(
        shape: &ModelShape,
        [tokens, computed]: [usize; 2],
        [bits, weights]: [Bits; 2],
        plan: Option<&Plan>,
    ) -> Option<EndsWork> {
        let ends = shape.ends.filter(|_| tokens > 0)?;
        let (layer, width) = (shape.layers, shape.hidden);
        let prepare = Preparation { plan };
        let elements = |rows: usize| (rows * width) as u64;
        let rows = match ends.reads {
            Reads::First | Reads::Last => vec![bits],
            Reads::Each => vec![bits; tokens],
            Reads::Mean => Vec::new(),
        };
        let product = |operation, n, after: VectorWork| Product {
            layer,
            operation,
            count: 1,
            n,
            k: width,
            rows: rows.clone(),
            right: RightBits::Uniform(weights),
            before: prepare.rotated(&rows, width),
            after: sum(&[after, prepare.drained(&rows, width, n)]),
        };
        let mut products = Vec::new();
        if ends.pooler {
            let activated = VectorWork {
                activation_elements: elements(rows.len()),
                ..VectorWork::default()
            };
            products.push(product(Operation::Pool, width, activated));
        }
        if ends.outputs > 0 {
            products.push(product(
                Operation::Head,
                ends.outputs,
                VectorWork::default(),
            ));
        }
        Some(EndsWork {
            embedding: Embedding {
                tokens,
                vocabulary: ends.vocabulary,
                tables: ends.tables,
                width,
                work: VectorWork {
                    layer_norm_elements: elements(tokens),
                    multiply_additions: (ends.tables as u64 - 1) * elements(tokens),
                    ..VectorWork::default()
                },
            },
            pooling: (ends.reads == Reads::Mean).then(|| Pooling {
                layer,
                rows: computed,
                width,
                work: VectorWork {
                    multiply_additions: elements(computed),
                    ..VectorWork::default()
                },
            }),
            products,
            first_row: match ends.reads {
                Reads::Last => tokens.saturating_sub(1),
                _ => 0,
            },
        })
    }
}
