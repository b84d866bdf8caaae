//! The operands of a product: their bits, and where they lie.

use dtatrans_precision::workload::{Operation, Product, RightBits};

/// Bits of a hidden state in DRAM: the residual stream keeps 16 bits whatever
/// the tokens' tiers. A layer's first products read it, because the tiers that
/// it is quantized to are known only then. Our decision, for all machines.
pub(crate) const HIDDEN_BITS: u64 = 16;
/// Bits of a score before the softmax.
pub(crate) const SCORE_BITS: u64 = 16;

/// Bits of the left operand of one copy: M x K.
pub(crate) fn left_bits(product: &Product) -> u64 {
    let rows: u64 = product.rows.iter().map(|bits| u64::from(bits.bits())).sum();
    rows * product.k as u64
}

/// Bits of the right operand of one copy: K x N.
pub(crate) fn right_bits(product: &Product) -> u64 {
    let sum = |bits: &[dtatrans_precision::Bits]| -> u64 {
        bits.iter().map(|bits| u64::from(bits.bits())).sum()
    };
    match &product.right {
        RightBits::Uniform(bits) => u64::from(bits.bits()) * (product.n * product.k) as u64,
        RightBits::Columns(columns) => sum(columns) * product.k as u64,
        RightBits::Steps(steps) => sum(steps) * product.n as u64,
    }
}

/// Whether the result is added to the residual stream.
pub(crate) fn writes_hidden(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Output | Operation::Down | Operation::PredictUp
    )
}
