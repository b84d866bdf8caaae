//! Matrix products per second, by kernel: f32 and 8-bit at the shapes of
//! MiniLM's and BERT-base's linear layers.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dtatrans_kernels::{F32Gemm, Int8Gemm, Isa, Lhs};

fn gemm(c: &mut Criterion) {
    for (m, n, k) in [(25, 1536, 384), (128, 768, 768), (384, 3072, 768)] {
        let mut group = c.benchmark_group(format!("{m}x{n}x{k}"));
        group.throughput(Throughput::Elements((m * n * k) as u64));
        let floats =
            |length: usize| -> Vec<f32> { (0..length).map(|i| (i as f32).sin()).collect() };
        let (a, b, bias) = (floats(m * k), floats(n * k), vec![0.0; n]);
        let f32_gemm = F32Gemm::new();
        let packed = f32_gemm.pack(&b, n, k);
        let mut out = vec![0.0; m * n];
        group.bench_function(BenchmarkId::new("f32", f32_gemm.kernel_name()), |bench| {
            bench.iter(|| f32_gemm.multiply(&a, &packed, &bias, &mut out));
        });
        let codes: Vec<u8> = (0..m * k).map(|i| (i * 37 % 251) as u8).collect();
        let weights: Vec<i8> = (0..n * k).map(|i| (i * 91 % 253) as i8).collect();
        for isa in Isa::available() {
            let int8 = Int8Gemm::new(isa);
            let packed = int8.pack(&weights, n, k);
            let mut out = vec![0; m * n];
            let lhs = Lhs {
                codes: &codes,
                zero_point: 128,
            };
            group.bench_function(BenchmarkId::new("int8", int8.kernel_name()), |bench| {
                bench.iter(|| int8.multiply(lhs, &packed, &mut out));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, gemm);
criterion_main!(benches);
