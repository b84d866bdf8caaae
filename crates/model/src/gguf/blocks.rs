//! How GGUF encodes the values of a tensor, and back to f32.
//!
//! Layouts are those of ggml's `ggml-common.h`: blocks of 32 values along a row
//! share a scale, and in `Q4_1` an offset.

use half::{bf16, f16};

/// One encoding.
#[derive(Clone, Copy)]
pub(super) struct Encoding {
    kind: u32,
    /// Its name in ggml.
    pub(super) name: &'static str,
    /// Values of a block.
    pub(super) block: usize,
    /// Bytes of a block.
    pub(super) bytes: usize,
    decode: fn(&[u8], &mut Vec<f32>),
}

const KNOWN: [Encoding; 6] = [
    Encoding {
        kind: 0,
        name: "F32",
        block: 1,
        bytes: 4,
        decode: |block, out| out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
    },
    Encoding {
        kind: 1,
        name: "F16",
        block: 1,
        bytes: 2,
        decode: |block, out| out.push(half(block)),
    },
    Encoding {
        kind: 2,
        name: "Q4_0",
        block: 32,
        bytes: 18,
        decode: |block, out| {
            let scale = half(block);
            nibbles(&block[2..], out, |code| (f32::from(code) - 8.0) * scale);
        },
    },
    Encoding {
        kind: 3,
        name: "Q4_1",
        block: 32,
        bytes: 20,
        decode: |block, out| {
            let (scale, offset) = (half(block), half(&block[2..]));
            nibbles(&block[4..], out, |code| f32::from(code) * scale + offset);
        },
    },
    Encoding {
        kind: 8,
        name: "Q8_0",
        block: 32,
        bytes: 34,
        decode: |block, out| {
            let scale = half(block);
            out.extend(block[2..].iter().map(|&code| f32::from(code as i8) * scale));
        },
    },
    Encoding {
        kind: 30,
        name: "BF16",
        block: 1,
        bytes: 2,
        decode: |block, out| out.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
    },
];

/// Names of ggml's other types, by number, so that a refusal can name them.
const OTHERS: [(u32, &str); 30] = [
    (6, "Q5_0"),
    (7, "Q5_1"),
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (12, "Q4_K"),
    (13, "Q5_K"),
    (14, "Q6_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];

impl Encoding {
    /// The encoding of a type's number.
    pub(super) fn of(kind: u32) -> Result<Encoding, String> {
        let known = KNOWN.iter().find(|encoding| encoding.kind == kind);
        known.copied().ok_or_else(|| {
            let other = OTHERS.iter().find(|(other, _)| *other == kind);
            let name = other.map_or_else(|| format!("number {kind}"), |(_, name)| (*name).into());
            let known: Vec<&str> = KNOWN.iter().map(|encoding| encoding.name).collect();
            format!("is of type {name}: must be one of {}", known.join(", "))
        })
    }

    /// The values of whole blocks.
    pub(super) fn decode(&self, data: &[u8]) -> Vec<f32> {
        let blocks = data.chunks_exact(self.bytes);
        let mut values = Vec::with_capacity(blocks.len() * self.block);
        for block in blocks {
            (self.decode)(block, &mut values);
        }
        values
    }
}

/// The f16 that a block begins with.
fn half(block: &[u8]) -> f32 {
    f16::from_le_bytes([block[0], block[1]]).to_f32()
}

/// The low nibbles of all bytes, then the high ones.
fn nibbles(bytes: &[u8], out: &mut Vec<f32>, value: impl Fn(u8) -> f32) {
    out.extend(bytes.iter().map(|byte| value(byte & 15)));
    out.extend(bytes.iter().map(|byte| value(byte >> 4)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(kind: u32, block: &[u8]) -> Vec<f32> {
        Encoding::of(kind).unwrap().decode(block)
    }

    #[test]
    fn blocks_decode_as_ggml_defines_them() {
        let scale = f16::from_f32(0.5).to_le_bytes();
        let offset = f16::from_f32(-3.0).to_le_bytes();
        let codes: Vec<u8> = (0..16).map(|i| i | (15 - i) << 4).collect();

        let four = decoded(2, &[&scale[..], &codes].concat());
        assert_eq!(
            (four[0], four[15], four[16], four[31]),
            (-4.0, 3.5, 3.5, -4.0)
        );
        let shifted = decoded(3, &[&scale[..], &offset, &codes].concat());
        assert_eq!((shifted[0], shifted[15], shifted[16]), (-3.0, 4.5, 4.5));
        let bytes: Vec<u8> = (0..32).map(|i| (i as i8 - 16) as u8).collect();
        let eight = decoded(8, &[&scale[..], &bytes].concat());
        assert_eq!((eight[0], eight[31]), (-8.0, 7.5));
        assert_eq!(decoded(0, &1.25f32.to_le_bytes()), [1.25]);
        assert_eq!(decoded(1, &scale), [0.5]);
        assert_eq!(decoded(30, &bf16::from_f32(2.0).to_le_bytes()), [2.0]);
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let refusal = Encoding::of(14).err().unwrap();
        assert!(
            refusal.contains("Q6_K") && refusal.contains("Q4_1"),
            "{refusal}"
        );
        assert!(Encoding::of(99).err().unwrap().contains("number 99"));
    }
}
