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

    /// Lines in the order in which they enter, and which of them each is.
    pub fn arrange(self, lines: &[Bits]) -> (Vec<Bits>, Vec<usize>) {
        let mut places: Vec<usize> = (0..lines.len()).collect();
        if self == Order::Grouped {
            places.sort_by_key(|&place| std::cmp::Reverse(lines[place].bits()));
        }
        (places.iter().map(|&place| lines[place]).collect(), places)
    }
}
