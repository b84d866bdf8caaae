//! The hidden state is carried, and others can still attend to it.

use super::Compensation;
use crate::Bits;

/// A 0-bit token keeps its hidden state and still offers a 4-bit key and value
/// made from it. Costs two of the layer's twelve d x d products, at 4 bits, and
/// columns in the attention.
pub struct KeysValues;

impl Compensation for KeysValues {
    fn name(&self) -> &'static str {
        "keys-values"
    }

    fn summary(&self) -> &'static str {
        "a 0-bit token keeps its hidden state and still offers a 4-bit key and value"
    }

    fn key_value_bits(&self) -> Option<Bits> {
        Some(Bits::Four)
    }
}
