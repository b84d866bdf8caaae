//! Precisions: of a token at a layer, and of one operand of a product.

use serde::{Deserialize, Serialize};

/// The precision of one token at one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 0 bits: not computed at this layer.
    Zero,
    /// 4 bits: codes -7 to 7.
    Four,
    /// 8 bits: codes -127 to 127.
    Eight,
}

impl Tier {
    /// All tiers, lowest first.
    pub const ALL: [Tier; 3] = [Tier::Zero, Tier::Four, Tier::Eight];

    /// Number of bits: 0, 4 or 8.
    pub fn bits(self) -> u32 {
        match self {
            Tier::Zero => 0,
            Tier::Four => 4,
            Tier::Eight => 8,
        }
    }

    /// Whether a token of this tier is computed.
    pub fn is_computed(self) -> bool {
        self != Tier::Zero
    }

    /// The bits of the operand that such a token brings to a product, if it
    /// brings one.
    pub fn operand(self) -> Option<Bits> {
        match self {
            Tier::Zero => None,
            Tier::Four => Some(Bits::Four),
            Tier::Eight => Some(Bits::Eight),
        }
    }

    /// The digit that stands for this tier in traces: `0`, `4` or `8`.
    pub fn digit(self) -> char {
        match self {
            Tier::Zero => '0',
            Tier::Four => '4',
            Tier::Eight => '8',
        }
    }

    /// The tier that a digit of a trace stands for.
    pub fn from_digit(digit: char) -> Option<Tier> {
        match digit {
            '0' => Some(Tier::Zero),
            '4' => Some(Tier::Four),
            '8' => Some(Tier::Eight),
            _ => None,
        }
    }
}

/// The width of one operand of a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Bits {
    /// 4 bits.
    Four,
    /// 8 bits.
    Eight,
    /// 16 bits.
    Sixteen,
}

impl Bits {
    /// Number of bits: 4, 8 or 16.
    pub fn bits(self) -> u32 {
        4 * self.nibbles()
    }

    /// Number of 4-bit pieces that a 4-bit multiplier takes the operand in.
    pub fn nibbles(self) -> u32 {
        match self {
            Bits::Four => 1,
            Bits::Eight => 2,
            Bits::Sixteen => 4,
        }
    }

    /// The largest code of a symmetric quantizer of this width: 7, 127 or 32767.
    pub fn code_limit(self) -> i32 {
        match self {
            Bits::Four => 7,
            Bits::Eight => 127,
            Bits::Sixteen => 32767,
        }
    }

    /// The largest code of an unsigned quantizer of this width: 15, 255 or 65535.
    pub fn unsigned_limit(self) -> u32 {
        (1 << self.bits()) - 1
    }

    /// Element-cycles of one product of operands of these widths: 1 for
    /// 4 b x 4 b, 2 for 4 b x 8 b, 4 for 8 b x 8 b, 16 for 16 b x 16 b.
    pub fn element_cycles(self, other: Bits) -> u32 {
        self.nibbles() * other.nibbles()
    }
}

impl TryFrom<u32> for Bits {
    type Error = String;

    fn try_from(bits: u32) -> Result<Self, String> {
        match bits {
            4 => Ok(Bits::Four),
            8 => Ok(Bits::Eight),
            16 => Ok(Bits::Sixteen),
            other => Err(format!("{other} bits: must be 4, 8 or 16")),
        }
    }
}

impl From<Bits> for u32 {
    fn from(bits: Bits) -> u32 {
        bits.bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_cycles_are_the_products_of_nibbles() {
        assert_eq!(Bits::Four.element_cycles(Bits::Four), 1);
        assert_eq!(Bits::Four.element_cycles(Bits::Eight), 2);
        assert_eq!(Bits::Eight.element_cycles(Bits::Eight), 4);
        assert_eq!(Bits::Sixteen.element_cycles(Bits::Sixteen), 16);
    }

    #[test]
    fn digits_round_trip() {
        for tier in Tier::ALL {
            assert_eq!(Tier::from_digit(tier.digit()), Some(tier));
        }
        assert_eq!(Tier::from_digit('7'), None);
    }
}
