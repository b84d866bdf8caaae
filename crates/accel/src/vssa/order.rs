//! The order in which tokens enter the array.

use dtatrans_precision::Bits;
use serde::Deserialize;

/// The order in which rows, and keys where they are columns, enter the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As the tokens stand in the text.
    Arrival,
    /// Grouped by bits, widest first: only a tile at the border of two groups
    /// is mixed. Neither queries nor keys nor the rows of a linear layer depend
    /// on their order. The top-k unit emits the tokens so.
    Grouped,
}

impl Order {
    /// The name in machine files.
    pub fn name(self) -> &'static str {
        match self {
            Order::Arrival => "arrival",
            Order::Grouped => "grouped",
        }
    }

    /// The nibbles of lines in the order in which they enter.
    pub(super) fn arrange(self, lines: &[Bits]) -> Vec<u8> {
        let mut nibbles: Vec<u8> = lines.iter().map(|bits| bits.nibbles() as u8).collect();
        if self == Order::Grouped {
            nibbles.sort_unstable_by(|a, b| b.cmp(a));
        }
        nibbles
    }
}
