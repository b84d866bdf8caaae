//! What is scheduled: blocks, what they fetch, and the rankings between them.

use crate::memory::Request;

/// What arrays run between two looks at the buffer.
#[derive(Clone, Debug)]
pub struct Block {
    /// Index of the product, of [`crate::accelerator::Run::products`].
    pub product: usize,
    /// What the arrays run.
    pub tiles: TileRange,
    /// What must have come before, in the order in which it is fetched.
    pub loads: Vec<Load>,
    /// The block whose results, finished by the vector unit, are operands of this
    /// one without leaving the chip.
    pub takes: Option<usize>,
    /// Cycles of the vector unit on the operands.
    pub before: u64,
    /// Cycles of the vector unit on the results.
    pub after: u64,
    /// Results that go to DRAM.
    pub stores: Vec<Request>,
    /// Bits of left and of right operands that the arrays read from the buffer.
    pub operand_bits: [u64; 2],
    /// Bits that others read from the buffer or write there.
    pub other_bits: u64,
}

/// Tiles of a product: rows x columns of tiles of one of its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileRange {
    /// First row of tiles, and the one behind the last.
    pub rows: (u32, u32),
    /// First column of tiles, and the one behind the last.
    pub columns: (u32, u32),
    /// Which of how many pieces of the reduction.
    pub piece: (u32, u32),
}

impl TileRange {
    /// Tiles with their whole reduction.
    pub fn whole(rows: (u64, u64), columns: (u64, u64)) -> TileRange {
        let narrow = |(first, last): (u64, u64)| (first as u32, last as u32);
        TileRange {
            rows: narrow(rows),
            columns: narrow(columns),
            piece: (0, 1),
        }
    }

    /// Number of tiles.
    pub fn count(&self) -> u64 {
        u64::from(self.rows.1 - self.rows.0) * u64::from(self.columns.1 - self.columns.0)
    }
}

/// What is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operand {
    /// Rows of a product: activations, queries, probabilities.
    Left,
    /// Columns of a product: weights, keys, values.
    Right,
    /// What the vector unit needs beside: hidden states.
    #[default]
    Other,
}

impl Operand {
    /// All of them, in the order of counts.
    pub const ALL: [Operand; 3] = [Operand::Left, Operand::Right, Operand::Other];
}

/// Something that takes room in the buffer, and is fetched if it lies in DRAM.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// What it is.
    pub operand: Operand,
    /// What is read.
    pub requests: Vec<Request>,
    /// Bytes of the buffer that it takes.
    pub bytes: u64,
    /// The block that is the last to need it, none before its own.
    pub until: usize,
    /// The block that stores what is read.
    pub written_by: Option<usize>,
    /// The layer whose ranking must have ended: it says which rows at which bits.
    pub ranked: Option<usize>,
}

/// The ranking of the tokens before a layer.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Cycles that it takes.
    pub cycles: u64,
    /// The block whose results it ranks by.
    pub of: Option<usize>,
}
