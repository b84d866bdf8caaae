//! Exact products of 8-bit integers with 32-bit sums.
//!
//! The left operand holds unsigned codes with one zero point, the right one
//! signed codes. Which kernel runs:
//!
//! | instruction set | kernel | why |
//! |---|---|---|
//! | AVX-512 VNNI | `vnni`, ours | reads weights once where rows are few, as in generation |
//! | AVX2 | `avx2`, ours | rten-gemm's adds pairs in 16 bits there, which may saturate |
//! | others on x86-64 | `scalar`, ours | the reference |
//! | other processors | rten-gemm | has exact kernels for them |

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod vnni;

#[cfg(any(test, not(target_arch = "x86_64")))]
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix, QuantParams};
#[cfg(any(test, not(target_arch = "x86_64")))]
use rten_tensor::NdTensorView;

use crate::Isa;

/// The left operand: unsigned codes of shape (m, k), row after row, each
/// standing for code - zero_point.
#[derive(Clone, Copy, Debug)]
pub struct Lhs<'a> {
    /// The codes.
    pub codes: &'a [u8],
    /// The code that stands for 0: [`ZERO_POINT`](crate::vector::ZERO_POINT) for
    /// signed values, 0 for unsigned.
    pub zero_point: u8,
}

/// Multiplies 8-bit matrices exactly.
pub struct Int8Gemm {
    kernel: Kernel,
}

enum Kernel {
    #[cfg(any(test, not(target_arch = "x86_64")))]
    Rten(GemmExecutor<u8, i8, i32>),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Vnni),
    Scalar,
}

/// A right operand laid out for the [`Int8Gemm`] that packed it.
pub struct PackedInt8 {
    layout: Layout,
    n: usize,
    k: usize,
}

enum Layout {
    #[cfg(any(test, not(target_arch = "x86_64")))]
    Rten(PackedBMatrix<i8>),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Panels),
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Panels),
    Scalar(Vec<i8>),
}

impl PackedInt8 {
    /// Columns of the right operand.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Length of the reduction.
    pub fn k(&self) -> usize {
        self.k
    }
}

impl Int8Gemm {
    /// The fastest exact kernel for an instruction set.
    pub fn new(isa: Isa) -> Int8Gemm {
        #[cfg(target_arch = "x86_64")]
        if isa.is_avx2() {
            return Int8Gemm {
                kernel: Kernel::Avx2(
                    avx2::Avx2::new().expect("an `Isa` exists only where it runs"),
                ),
            };
        }
        #[cfg(target_arch = "x86_64")]
        let kernel = match vnni::Vnni::new() {
            Some(vnni) if isa != Isa::SCALAR => Kernel::Vnni(vnni),
            _ => Kernel::Scalar,
        };
        // On other processors `Isa` knows only the scalar set, while the library
        // has exact kernels of its own there.
        #[cfg(not(target_arch = "x86_64"))]
        let kernel = {
            let _ = isa;
            let library = GemmExecutor::<u8, i8, i32>::new();
            match library.may_saturate() {
                false => Kernel::Rten(library),
                true => Kernel::Scalar,
            }
        };
        Int8Gemm { kernel }
    }

    /// Name of the kernel in use.
    pub fn kernel_name(&self) -> &str {
        match &self.kernel {
            #[cfg(any(test, not(target_arch = "x86_64")))]
            Kernel::Rten(library) => library.kernel_name(),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(_) => "avx2-madd",
            #[cfg(target_arch = "x86_64")]
            Kernel::Vnni(_) => "avx512-vnni",
            Kernel::Scalar => "scalar",
        }
    }

    /// Packs a right operand given as (n, k): one row per output, as
    /// checkpoints have weights and attention has keys.
    ///
    /// # Panics
    /// If `b` is not n k long.
    pub fn pack(&self, b: &[i8], n: usize, k: usize) -> PackedInt8 {
        assert_eq!(b.len(), n * k);
        self.pack_strided(b, n, k, k, 1)
    }

    /// Packs a right operand given as (k, n), as attention has values.
    ///
    /// # Panics
    /// If `b` is not n k long.
    pub fn pack_transposed(&self, b: &[i8], n: usize, k: usize) -> PackedInt8 {
        assert_eq!(b.len(), n * k);
        self.pack_strided(b, n, k, 1, n)
    }

    /// Packs the operand whose element (column, step) stands at
    /// `column * column_stride + step * step_stride`.
    fn pack_strided(
        &self,
        b: &[i8],
        n: usize,
        k: usize,
        column_stride: usize,
        step_stride: usize,
    ) -> PackedInt8 {
        let at = |column: usize, step: usize| b[column * column_stride + step * step_stride];
        let layout = match &self.kernel {
            #[cfg(any(test, not(target_arch = "x86_64")))]
            Kernel::Rten(library) => {
                let view = if step_stride == 1 {
                    NdTensorView::from_data([n, k], b).transposed()
                } else {
                    NdTensorView::from_data([k, n], b)
                };
                Layout::Rten(library.prepack_b(view))
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(_) => Layout::Avx2(avx2::Panels::new(n, k, at)),
            #[cfg(target_arch = "x86_64")]
            Kernel::Vnni(_) => Layout::Vnni(vnni::Panels::new(b, n, k, column_stride, step_stride)),
            Kernel::Scalar => {
                let columns = (0..n).flat_map(|column| (0..k).map(move |step| at(column, step)));
                Layout::Scalar(columns.collect())
            }
        };
        PackedInt8 { layout, n, k }
    }

    /// `out` (m, n) = (`a` - zero point) (m, k) x B^T, exactly.
    ///
    /// # Panics
    /// If a slice has another length than its shape says, or another kernel
    /// packed `b`.
    pub fn multiply(&self, a: Lhs, b: &PackedInt8, out: &mut [i32]) {
        if b.k == 0 || b.n == 0 || a.codes.is_empty() {
            out.fill(0);
            return;
        }
        let m = a.codes.len() / b.k;
        assert_eq!(a.codes.len(), m * b.k);
        assert_eq!(out.len(), m * b.n);
        match (&self.kernel, &b.layout) {
            #[cfg(any(test, not(target_arch = "x86_64")))]
            (Kernel::Rten(library), Layout::Rten(packed)) => {
                let zero_points = vec![a.zero_point; m];
                let options = GemmOptions {
                    a_quant: Some(QuantParams {
                        zero_point: &zero_points,
                    }),
                    ..Default::default()
                };
                let a = NdTensorView::from_data([m, b.k], a.codes);
                library
                    .gemm(
                        out,
                        GemmInputA::Unpacked(a),
                        GemmInputB::Packed(packed),
                        options,
                    )
                    .expect("shapes were checked");
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx2(avx2), Layout::Avx2(panels)) => avx2.multiply(a, panels, out),
            #[cfg(target_arch = "x86_64")]
            (Kernel::Vnni(vnni), Layout::Vnni(panels)) => vnni.multiply(a, panels, out),
            (Kernel::Scalar, Layout::Scalar(columns)) => {
                scalar::multiply(a, columns, b.n, b.k, out);
            }
            _ => panic!("the operand was packed by another kernel"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's kernel, also where it is not in use since it may saturate:
    /// with left codes of 7 bits it cannot.
    #[test]
    fn the_library_multiplies_as_the_reference() {
        let library = Int8Gemm {
            kernel: Kernel::Rten(GemmExecutor::new()),
        };
        let reference = Int8Gemm::new(Isa::SCALAR);
        for (m, n, k) in [
            (1, 1, 1),
            (1, 17, 3),
            (2, 5, 32),
            (7, 33, 31),
            (40, 64, 160),
            (3, 16, 7),
        ] {
            let codes: Vec<u8> = (0..m * k).map(|i| (i * 37 % 128) as u8).collect();
            let b: Vec<i8> = (0..n * k).map(|i| (i * 91 % 255) as u8 as i8).collect();
            for zero_point in [0, 64] {
                let lhs = Lhs {
                    codes: &codes,
                    zero_point,
                };
                let run = |gemm: &Int8Gemm, packed: PackedInt8| {
                    let mut out = vec![-1; m * n];
                    gemm.multiply(lhs, &packed, &mut out);
                    out
                };
                let by_rows = run(&reference, reference.pack(&b, n, k));
                assert_eq!(
                    run(&library, library.pack(&b, n, k)),
                    by_rows,
                    "{m}x{n}x{k}"
                );
                let by_steps = run(&reference, reference.pack_transposed(&b, n, k));
                assert_eq!(run(&library, library.pack_transposed(&b, n, k)), by_steps);
            }
        }
    }
}
