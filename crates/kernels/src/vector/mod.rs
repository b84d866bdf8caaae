//! Vector functions: what lies between the matrix products.
//!
//! Each is written once, in plain Rust that the compiler vectorises for the
//! instruction set given. Sums run in 16 fixed lanes, so that all
//! instruction sets add in the same order.

mod activation;
mod exp;
mod hadamard;
mod norm;
mod probability;
mod quantize;
mod rotary;
mod rows;
mod softmax;

pub use activation::{gelu, gelu_tanh, silu};
pub use hadamard::hadamard;
pub use norm::{l2_normalize, layer_norm, rms_norm};
pub use probability::{add_scaled, receive};
pub use quantize::{
    Symmetric, ZERO_POINT, dequantize, quantize_offset, quantize_symmetric, quantize_unsigned,
};
pub use rotary::turn_pairs;
pub use rows::{dots, dots_packed, mix, mix_packed, pack_nibbles, unpack_nibbles};
pub use softmax::softmax;

/// Partial sums of every reduction; the widest register has as many f32 lanes.
const LANES: usize = 16;

/// Reduces a slice in [`LANES`] lanes, then the lanes in pairs.
#[inline(always)]
fn reduce(
    values: &[f32],
    start: f32,
    step: impl Fn(f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut lanes = [start; LANES];
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane = step(*lane, value);
    }
    join_lanes(lanes, join)
}

/// Reduces the lanes in pairs.
#[inline(always)]
fn join_lanes(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// The sum of a slice.
#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    reduce(values, 0.0, |sum, value| sum + value, |a, b| a + b)
}

/// The larger of two numbers that are not NaN, as one instruction.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
