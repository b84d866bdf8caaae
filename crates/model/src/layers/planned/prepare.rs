//! From rows of floats to integer products with weights, and back.

use dtatrans_kernels::vector::{self, Symmetric, ZERO_POINT};
use dtatrans_kernels::{Int8Gemm, Isa, Lhs, PackedInt8};
use dtatrans_precision::workload::rotation_block;
use dtatrans_precision::{Bits, Plan};

use super::Linear;

/// How a plan quantizes.
pub(super) struct Quantizers {
    pub(super) gemm: Int8Gemm,
    pub(super) isa: Isa,
    rotation: bool,
    clipping: bool,
    group: usize,
    weight_bits: Bits,
}

/// What happens to the rows of an input before they are quantized. Its inverse
/// is folded into the weights.
pub(super) struct Preparation {
    /// One factor per channel.
    balance: Option<Vec<f32>>,
    /// Block of the rotation; 1 rotates nothing.
    block: usize,
}

impl Preparation {
    /// Nothing at all.
    pub(super) fn plain() -> Preparation {
        Preparation {
            balance: None,
            block: 1,
        }
    }
}

/// Quantized rows: codes with zero point `ZERO_POINT`, one scale per row and
/// group of channels.
pub(super) struct Codes {
    pub(super) codes: Vec<u8>,
    pub(super) scales: Vec<f32>,
}

/// A linear layer with integer weights, one scale per output channel.
pub(super) struct Quantized {
    /// The weights of each group of input channels.
    weights: Vec<PackedInt8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    k: usize,
}

impl Quantized {
    /// Input channels.
    pub(super) fn k(&self) -> usize {
        self.k
    }
}

impl Quantizers {
    pub(super) fn new(plan: &Plan, isa: Isa) -> Quantizers {
        Quantizers {
            gemm: Int8Gemm::new(isa),
            isa,
            rotation: plan.rotation,
            clipping: plan.clipping,
            group: plan.group,
            weight_bits: plan.weight_bits,
        }
    }

    /// The quantizer of that width: 4-bit ones are clipped if the plan says so.
    pub(super) fn symmetric(&self, bits: Bits) -> Symmetric {
        let limit = bits.code_limit();
        if self.clipping && bits == Bits::Four {
            Symmetric::clipped(limit)
        } else {
            Symmetric::new(limit)
        }
    }

    /// The preparation of inputs of `width` channels.
    pub(super) fn preparation(&self, width: usize, balance: Option<Vec<f32>>) -> Preparation {
        Preparation {
            balance,
            block: if self.rotation {
                rotation_block(width)
            } else {
                1
            },
        }
    }

    /// Rotates the outputs of a linear layer in blocks: rows of its weight, and
    /// its bias.
    pub(super) fn rotate_outputs(&self, linear: &mut Linear, block: usize) {
        if !self.rotation {
            return;
        }
        vector::hadamard(self.isa, &mut linear.bias, block);
        let mut column = vec![0.0; linear.n];
        for k in 0..linear.k {
            for (value, row) in column.iter_mut().zip(linear.weight.chunks_exact(linear.k)) {
                *value = row[k];
            }
            vector::hadamard(self.isa, &mut column, block);
            for (value, row) in column.iter().zip(linear.weight.chunks_exact_mut(linear.k)) {
                row[k] = *value;
            }
        }
    }

    /// Rotates values in blocks.
    pub(super) fn rotate(&self, values: &mut [f32], block: usize) {
        if self.rotation {
            vector::hadamard(self.isa, values, block);
        }
    }

    /// Rotates the inputs of a linear layer in blocks, as its inputs are.
    pub(super) fn rotate_inputs(&self, linear: &mut Linear, block: usize) {
        self.rotate(&mut linear.weight, block);
    }

    /// Quantizes the weights of linear layers side by side, on inputs that were
    /// prepared so.
    pub(super) fn weights(&self, linears: &[&Linear], input: &Preparation) -> Quantized {
        let k = linears[0].k;
        let group = self.width_of_groups(k);
        let mut codes = Vec::new();
        let mut scales = Vec::new();
        let mut weights = vec![0.0; k];
        for row in linears
            .iter()
            .flat_map(|linear| linear.weight.chunks_exact(k))
        {
            weights.copy_from_slice(row);
            if let Some(balance) = &input.balance {
                for (weight, factor) in weights.iter_mut().zip(balance) {
                    *weight /= factor;
                }
            }
            vector::hadamard(self.isa, &mut weights, input.block);
            let start = codes.len();
            codes.resize(start + k, 0);
            let by = self.symmetric(self.weight_bits);
            let codes = &mut codes[start..];
            scales.push(vector::quantize_symmetric(self.isa, &weights, by, codes));
        }
        let n = scales.len();
        let weights = (0..k)
            .step_by(group)
            .map(|begin| {
                let end = k.min(begin + group);
                let rows = codes.chunks_exact(k);
                let part: Vec<i8> = rows.flat_map(|row| &row[begin..end]).copied().collect();
                self.gemm.pack(&part, n, end - begin)
            })
            .collect();
        let biases = linears.iter().flat_map(|linear| &linear.bias);
        Quantized {
            weights,
            bias: biases.copied().collect(),
            scales,
            k,
        }
    }

    fn width_of_groups(&self, k: usize) -> usize {
        match self.group {
            0 => k,
            group => group.min(k),
        }
    }

    /// Prepares and quantizes rows of `width` values at their bits.
    pub(super) fn quantize(
        &self,
        mut values: Vec<f32>,
        width: usize,
        bits: &[Bits],
        input: &Preparation,
    ) -> Codes {
        if let Some(balance) = &input.balance {
            for row in values.chunks_exact_mut(width) {
                for (value, factor) in row.iter_mut().zip(balance) {
                    *value *= factor;
                }
            }
        }
        vector::hadamard(self.isa, &mut values, input.block);
        let group = self.width_of_groups(width);
        let mut codes = vec![0; values.len()];
        let mut scales = Vec::with_capacity(bits.len() * width.div_ceil(group));
        let rows = values
            .chunks_exact(width)
            .zip(codes.chunks_exact_mut(width));
        for ((row, codes), &bits) in rows.zip(bits) {
            let by = self.symmetric(bits);
            for (part, codes) in row.chunks(group).zip(codes.chunks_mut(group)) {
                scales.push(vector::quantize_offset(self.isa, part, by, codes));
            }
        }
        Codes { codes, scales }
    }

    /// The products of quantized rows with weights, and the bias.
    pub(super) fn linear(&self, input: &Codes, layer: &Quantized) -> Vec<f32> {
        let n = layer.scales.len();
        let groups = layer.weights.len();
        let rows = input.scales.len() / groups;
        let mut sums = vec![0; rows * n];
        let mut out = vec![0.0; rows * n];
        let mut part = Vec::new();
        let mut begin = 0;
        for (group, weights) in layer.weights.iter().enumerate() {
            let end = begin + weights.k();
            let codes = if groups == 1 {
                &input.codes
            } else {
                part.clear();
                for row in input.codes.chunks_exact(layer.k) {
                    part.extend_from_slice(&row[begin..end]);
                }
                &part
            };
            let lhs = Lhs {
                codes,
                zero_point: ZERO_POINT,
            };
            self.gemm.multiply(lhs, weights, &mut sums);
            let scales = input.scales.iter().skip(group).step_by(groups);
            for ((out, sums), &scale) in out
                .chunks_exact_mut(n)
                .zip(sums.chunks_exact(n))
                .zip(scales)
            {
                if group == 0 {
                    vector::dequantize(self.isa, sums, scale, &layer.scales, &layer.bias, out);
                } else {
                    let so_far = out.to_vec();
                    vector::dequantize(self.isa, sums, scale, &layer.scales, &so_far, out);
                }
            }
            begin = end;
        }
        out
    }
}
