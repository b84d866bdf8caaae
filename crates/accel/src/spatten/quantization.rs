//! Bits in DRAM, and progressive quantization.

use serde::Deserialize;

use super::engine::OPERAND_BITS;
use crate::AccelError;
use crate::machine::check;

/// The table `[quantization]` of a machine file.
///
/// Static where many queries share the keys that are read: encoders, and texts that
/// a decoder reads at once ("BERT static only", HPCA 2021, section III). Progressive
/// for a token that comes alone: the keys' high bits first, and the low ones for the
/// queries whose largest probability is below 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quantization {
    /// Bits of queries, keys, values and results where quantization is static.
    static_bits: u64,
    /// High bits of keys, which are fetched first.
    key_msb_bits: u64,
    /// Low bits of keys, fetched for queries that are unsure; 0: never.
    key_lsb_bits: u64,
    /// Bits of values where quantization is progressive.
    value_bits: u64,
}

/// Bits of operands in DRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Widths {
    /// Queries, and results.
    pub(super) query: u64,
    /// Keys at first.
    pub(super) key: u64,
    /// Keys' low bits.
    pub(super) key_low: u64,
    pub(super) value: u64,
}

impl Widths {
    pub(super) fn same(bits: u64) -> Widths {
        Widths {
            query: bits,
            key: bits,
            key_low: 0,
            value: bits,
        }
    }

    /// Whether the rows of two heads lie side by side, so that both fetch the same
    /// ones: 6 bits do not fill a burst of 32 bytes, two times 6 do
    /// (`supportedProfiles` of `MatrixFetcher.scala`).
    pub(super) fn pairs_heads(&self) -> bool {
        self.key == 6 && self.value == 6
    }
}

impl Quantization {
    pub(super) fn check(&self) -> Result<(), AccelError> {
        for (key, bits) in [
            ("quantization.static_bits", self.static_bits),
            ("quantization.key_msb_bits", self.key_msb_bits),
            ("quantization.value_bits", self.value_bits),
        ] {
            check::between(key, bits, 4, OPERAND_BITS)?;
        }
        let most = OPERAND_BITS - self.key_msb_bits;
        check::between("quantization.key_lsb_bits", self.key_lsb_bits, 0, most)
    }

    /// The bits where many queries share what is read.
    pub(super) fn of_many(&self) -> Widths {
        Widths::same(self.static_bits)
    }

    /// The bits of a token that comes alone; its query, just computed, is whole.
    pub(super) fn of_one(&self) -> Widths {
        Widths {
            query: OPERAND_BITS,
            key: self.key_msb_bits,
            key_low: self.key_lsb_bits,
            value: self.value_bits,
        }
    }
}
