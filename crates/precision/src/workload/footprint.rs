//! What a run keeps in memory.

use serde::{Deserialize, Serialize};

use super::{LayerWork, Operation, Product, RightBits, Workload};
use crate::{Bits, ModelShape};

/// Bits of a channel of a hidden state: the residual stream is as wide in every plan.
const HIDDEN_BITS: u64 = 16;

/// Bytes that a run keeps, scales not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// Weights of all layers.
    pub weight_bytes: u64,
    /// The most that lives at once while a layer runs: the hidden states of all tokens
    /// at 16 bits, and the quantized input of the widest product with weights.
    pub peak_activation_bytes: u64,
    /// Keys and values: of all layers of a decoder, which keeps them; of the largest
    /// layer of an encoder, which does not.
    pub key_value_bytes: u64,
}

impl Footprint {
    /// The larger of each.
    pub fn larger(self, other: Footprint) -> Footprint {
        Footprint {
            weight_bytes: self.weight_bytes.max(other.weight_bytes),
            peak_activation_bytes: (self.peak_activation_bytes).max(other.peak_activation_bytes),
            key_value_bytes: self.key_value_bytes.max(other.key_value_bytes),
        }
    }
}

impl Workload {
    /// What reading the input keeps in memory.
    pub fn footprint(&self, shape: &ModelShape) -> Footprint {
        let key_values = self.layers.iter().map(key_value_bits);
        let key_value_bits: u64 = match shape.causal {
            true => key_values.sum(),
            false => key_values.max().unwrap_or(0),
        };
        let inputs = self
            .products()
            .filter(|product| !product.operation.is_attention());
        let widest = inputs.map(input_bits).max().unwrap_or(0);
        let hidden = (self.tokens * shape.hidden) as u64 * HIDDEN_BITS;
        let bits: u64 = self.products().map(weight_bits).sum();
        Footprint {
            weight_bytes: bits.div_ceil(8),
            peak_activation_bytes: (hidden + widest).div_ceil(8),
            key_value_bytes: key_value_bits.div_ceil(8),
        }
    }
}

fn sum(bits: &[Bits]) -> u64 {
    bits.iter().map(|bits| u64::from(bits.bits())).sum()
}

/// Keys lie along the columns of one product, values along the steps of the other.
fn key_value_bits(layer: &LayerWork) -> u64 {
    let of = |product: &Product| match (product.operation, &product.right) {
        (Operation::Score, RightBits::Columns(keys)) => {
            (product.count * product.k) as u64 * sum(keys)
        }
        (Operation::Context, RightBits::Steps(values)) => {
            (product.count * product.n) as u64 * sum(values)
        }
        _ => 0,
    };
    layer.products.iter().map(of).sum()
}

fn input_bits(product: &Product) -> u64 {
    product.k as u64 * sum(&product.rows)
}

fn weight_bits(product: &Product) -> u64 {
    match &product.right {
        RightBits::Uniform(bits) => (product.n * product.k) as u64 * u64::from(bits.bits()),
        RightBits::Columns(_) | RightBits::Steps(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plan, Tier};

    #[test]
    fn the_dense_model_at_eight_bits() {
        let shape = ModelShape::bert_base();
        let dense = Workload::dense(&shape, 384, Bits::Eight).footprint(&shape);
        assert_eq!(dense.weight_bytes, 12 * (4 * 768 * 768 + 2 * 768 * 3072));
        assert_eq!(dense.peak_activation_bytes, 384 * (768 * 2 + 3072));
        assert_eq!(dense.key_value_bytes, 2 * 384 * 768);
        let gpt2 = ModelShape::gpt2_small();
        let dense = Workload::dense(&gpt2, 384, Bits::Eight).footprint(&gpt2);
        assert_eq!(dense.key_value_bytes, 12 * 2 * 384 * 768);
    }

    #[test]
    fn tiers_narrow_what_is_kept() {
        let shape = ModelShape::bert_base();
        let plan = Plan::dense_four(12);
        let four = Workload::under_plan(&shape, &plan, &vec![vec![Tier::Four; 384]; 12]);
        let four = four.footprint(&shape);
        assert_eq!(four.key_value_bytes, 384 * 768);
        assert_eq!(four.peak_activation_bytes, 384 * (768 * 2 + 1536));
    }
}
