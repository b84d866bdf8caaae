//! f32 matrix products, by the rten-gemm crate.

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::{Matrix, MatrixLayout, NdTensorView};

/// Multiplies f32 matrices.
pub struct F32Gemm(GemmExecutor<f32>);

/// A right operand laid out for [`F32Gemm`].
pub struct PackedF32 {
    packed: PackedBMatrix<f32>,
    n: usize,
    k: usize,
}

impl PackedF32 {
    /// Columns of the right operand.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Length of the reduction.
    pub fn k(&self) -> usize {
        self.k
    }
}

impl Default for F32Gemm {
    fn default() -> F32Gemm {
        F32Gemm::new()
    }
}

impl F32Gemm {
    /// The best kernel for this processor.
    pub fn new() -> F32Gemm {
        F32Gemm(GemmExecutor::new())
    }

    /// Name of the kernel in use.
    pub fn kernel_name(&self) -> &str {
        self.0.kernel_name()
    }

    /// Packs weights of shape (n, k): one row per output, as checkpoints have
    /// them.
    ///
    /// # Panics
    /// If `weights` is not n k long.
    pub fn pack(&self, weights: &[f32], n: usize, k: usize) -> PackedF32 {
        PackedF32 {
            packed: self.0.prepack_b(matrix(weights, n, k).transposed()),
            n,
            k,
        }
    }

    /// `out` (m, n) = `a` (m, k) x W^T + `bias` (n).
    ///
    /// # Panics
    /// If a slice has another length than its shape says.
    pub fn multiply(&self, a: &[f32], weights: &PackedF32, bias: &[f32], out: &mut [f32]) {
        let m = a.len() / weights.k;
        assert_eq!(out.len(), m * weights.n);
        let options = GemmOptions {
            bias: Some(BiasVector::Row(bias)),
            ..Default::default()
        };
        self.0
            .gemm(
                out,
                GemmInputA::Unpacked(matrix(a, m, weights.k)),
                GemmInputB::Packed(&weights.packed),
                options,
            )
            .expect("shapes were checked");
    }

    /// `out` (m, n) = `a` (m, k) x `b`^T, `b` of shape (n, k).
    ///
    /// # Panics
    /// If a slice has another length than its shape says.
    pub fn multiply_transposed(&self, a: &[f32], b: &[f32], k: usize, out: &mut [f32]) {
        self.multiply_unpacked(a, matrix(b, b.len() / k, k).transposed(), out);
    }

    /// `out` (m, n) = `a` (m, k) x `b` (k, n).
    ///
    /// # Panics
    /// If a slice has another length than its shape says.
    pub fn multiply_plain(&self, a: &[f32], b: &[f32], k: usize, out: &mut [f32]) {
        self.multiply_unpacked(a, matrix(b, k, b.len() / k), out);
    }

    fn multiply_unpacked(&self, a: &[f32], b: Matrix<f32>, out: &mut [f32]) {
        let (m, k) = (a.len() / b.rows(), b.rows());
        assert_eq!(out.len(), m * b.cols());
        self.0
            .gemm(
                out,
                GemmInputA::Unpacked(matrix(a, m, k)),
                GemmInputB::Unpacked(b),
                GemmOptions::default(),
            )
            .expect("shapes were checked");
    }
}

fn matrix(values: &[f32], rows: usize, columns: usize) -> NdTensorView<'_, f32, 2> {
    NdTensorView::from_data([rows, columns], values)
}
