//! Does every instruction set give the bits of the scalar reference, over
//! awkward sizes?

use dtatrans_kernels::vector::{self, Symmetric};
use dtatrans_kernels::{F32Gemm, Int8Gemm, Isa, Lhs};
use proptest::prelude::*;

/// A reproducible stream of bytes.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

fn floats(seed: u64, length: usize) -> Vec<f32> {
    bytes(seed, length)
        .iter()
        .zip(bytes(seed + 1, length))
        .map(|(&a, b)| (f32::from(a) - 127.5) / (1.0 + f32::from(b)))
        .collect()
}

fn signed(codes: Vec<u8>) -> Vec<i8> {
    codes.into_iter().map(|code| code as i8).collect()
}

fn check_int8(m: usize, n: usize, k: usize, zero_point: u8, a: &[u8], b: &[i8]) {
    let mut want = vec![0i32; m * n];
    for i in 0..m {
        for j in 0..n {
            for t in 0..k {
                want[i * n + j] +=
                    (i32::from(a[i * k + t]) - i32::from(zero_point)) * i32::from(b[j * k + t]);
            }
        }
    }
    let transposed: Vec<i8> = (0..k * n).map(|i| b[i % n * k + i / n]).collect();
    for isa in Isa::available() {
        let gemm = Int8Gemm::new(isa);
        for packed in [gemm.pack(b, n, k), gemm.pack_transposed(&transposed, n, k)] {
            let mut got = vec![-1; m * n];
            gemm.multiply(
                Lhs {
                    codes: a,
                    zero_point,
                },
                &packed,
                &mut got,
            );
            assert_eq!(got, want, "{isa:?} {m}x{n}x{k}, zero point {zero_point}");
        }
    }
}

#[test]
fn int8_products_are_exact_at_awkward_sizes() {
    for m in [1, 2, 5, 6, 7, 13, 97, 193] {
        for n in [1, 3, 15, 16, 17, 33, 64] {
            for k in [1, 2, 3, 31, 32, 33, 160] {
                for zero_point in [0, 128] {
                    let (a, b) = (bytes(m as u64, m * k), signed(bytes(n as u64, n * k)));
                    check_int8(m, n, k, zero_point, &a, &b);
                }
            }
        }
    }
}

/// Where a kernel that adds pairs in 16 bits would saturate.
#[test]
fn int8_products_are_exact_at_the_extremes() {
    for (a, b) in [(255, 127), (255, -128), (0, -128), (0, 127)] {
        for zero_point in [0, 128] {
            check_int8(7, 18, 3072, zero_point, &[a; 7 * 3072], &[b; 18 * 3072]);
        }
    }
}

#[test]
fn f32_products_are_those_of_the_definition() {
    let gemm = F32Gemm::new();
    for (m, n, k) in [(1, 1, 1), (2, 17, 33), (7, 5, 160), (40, 48, 64)] {
        let (a, b, bias) = (floats(1, m * k), floats(5, n * k), floats(9, n));
        let mut got = vec![0.0; m * n];
        gemm.multiply(&a, &gemm.pack(&b, n, k), &bias, &mut got);
        for i in 0..m {
            for j in 0..n {
                let products = (0..k).map(|t| f64::from(a[i * k + t]) * f64::from(b[j * k + t]));
                let (sum, size): (f64, f64) =
                    products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                let error = f64::from(got[i * n + j]) - sum - f64::from(bias[j]);
                assert!(error.abs() <= 1e-6 * (size + 128.0), "{m}x{n}x{k}: {error}");
            }
        }
    }
}

proptest! {
    #[test]
    fn vector_functions_give_the_same_bits_everywhere(
        values in prop::collection::vec(-30.0f32..30.0, 1..300),
        by in prop_oneof![
            Just(Symmetric::new(7)),
            Just(Symmetric::new(127)),
            Just(Symmetric::clipped(7)),
        ],
    ) {
        let run = |isa: Isa| {
            let n = values.len();
            let mut out = Vec::new();
            let mut row = values.clone();
            vector::softmax(isa, &mut row, 0.25);
            let total: f32 = row.iter().sum();
            assert!((total - 1.0).abs() < 1e-5);
            let mut unsigned = vec![0; n];
            out.push(vector::quantize_unsigned(isa, &row, 255, &mut unsigned));
            out.extend(&row);
            let mut row = values.clone();
            vector::gelu(isa, &mut row);
            out.extend(&row);
            let mut row = values.clone();
            vector::gelu_tanh(isa, &mut row);
            out.extend(&row);
            let mut row = values.clone();
            vector::silu(isa, &mut row);
            out.extend(&row);
            let mut row = values.clone();
            vector::rms_norm(isa, &mut row, &vec![1.5; n], 1e-5);
            out.extend(&row);
            let mut row = values.repeat(2);
            vector::turn_pairs(isa, &mut row, &values, &values);
            out.extend(&row);
            let mut row = values.clone();
            vector::layer_norm(isa, &mut row, &vec![1.5; n], &vec![0.5; n], 1e-12);
            out.extend(&row);
            vector::l2_normalize(isa, &mut row);
            out.extend(&row);
            let mut row = values.repeat(128);
            vector::hadamard(isa, &mut row, 128);
            out.extend(&row);
            let mut codes = vec![0; n];
            out.push(vector::quantize_symmetric(isa, &values, by, &mut codes));
            let mut offset = vec![0; n];
            out.push(vector::quantize_offset(isa, &values, by, &mut offset));
            for (&offset, &code) in offset.iter().zip(&codes) {
                assert_eq!(i32::from(offset) - i32::from(vector::ZERO_POINT), i32::from(code));
            }
            let sums: Vec<i32> = codes.iter().map(|&code| i32::from(code) * 1000).collect();
            let mut row = vec![0.0; n];
            vector::dequantize(isa, &sums, 0.37, &values, &values, &mut row);
            out.extend(&row);
            let bits: Vec<u32> = out.iter().map(|value| value.to_bits()).collect();
            (bits, codes, unsigned)
        };
        let want = run(Isa::SCALAR);
        for isa in Isa::available() {
            prop_assert_eq!(&run(isa), &want, "{:?}", isa);
        }
    }

    #[test]
    fn codes_are_the_nearest_integers(values in prop::collection::vec(-1e3f32..1e3, 1..100)) {
        let mut codes = vec![0; values.len()];
        let scale = vector::quantize_symmetric(Isa::best(), &values, Symmetric::new(7), &mut codes);
        for (&value, &code) in values.iter().zip(&codes) {
            prop_assert!((-7..=7).contains(&code));
            prop_assert!((value - f32::from(code) * scale).abs() <= scale * 0.5001);
        }
    }
}
