//! The arithmetic of DTATrans: quantized and f32 matrix products, and the
//! vector functions between them.
//!
//! Every function with more than one implementation has a scalar one that the
//! tests hold the others against. The instruction set is chosen at run time
//! ([`Isa`]). Integer products are exact, and the vector functions add in one
//! fixed order without fused operations, so that every instruction set gives
//! the same bits; only [`gemm_f32`](F32Gemm) may differ between processors.

mod f32_gemm;
pub mod int8;
mod isa;
pub mod vector;

pub use f32_gemm::{F32Gemm, PackedF32};
pub use int8::{Int8Gemm, Lhs, PackedInt8};
pub use isa::Isa;
