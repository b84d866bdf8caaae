//! SIMD kernels of DTATrans, each beside its scalar reference.
