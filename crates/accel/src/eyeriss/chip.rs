//! The sizes of the chip that a mapping depends on.

use super::layer::Layer;

/// Bytes of a word.
pub const WORD_BYTES: u64 = 2;

/// What an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScratchPads {
    /// One for each kind of data, in words, as on the chip.
    Separate {
        /// Weights.
        filter_words: u64,
        /// Inputs.
        ifmap_words: u64,
        /// Partial sums.
        psum_words: u64,
    },
    /// One for all, in words, as in the study of ISCA 2016.
    Shared(u64),
}

/// Words that the networks between buffer and array move in one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buses {
    /// Weights.
    pub filter_words: u64,
    /// Inputs.
    pub ifmap_words: u64,
    /// Partial sums, each way.
    pub psum_words: u64,
}

/// Array and on-chip memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Rows of elements.
    pub rows: u64,
    /// Columns of elements.
    pub columns: u64,
    /// What each of them holds.
    pub pads: ScratchPads,
    /// Words of the global buffer, those for weights included.
    pub buffer_words: u64,
    /// Words of it that only pass weights on, and have none to keep; 0 if weights are
    /// kept beside inputs and partial sums.
    pub filter_buffer_words: u64,
    /// The networks.
    pub buses: Buses,
}

impl Chip {
    /// The chip of JSSC 2017: table IV and section V.
    pub const JSSC17: Chip = Chip {
        rows: 12,
        columns: 14,
        pads: ScratchPads::Separate {
            filter_words: 224,
            ifmap_words: 12,
            psum_words: 24,
        },
        buffer_words: 108 * 1024 / WORD_BYTES,
        filter_buffer_words: 8 * 1024 / WORD_BYTES,
        buses: Buses {
            filter_words: 4,
            ifmap_words: 1,
            psum_words: 4,
        },
    };

    /// The array of the study of ISCA 2016, which looks at energy only: buses are those of
    /// the chip.
    pub const ISCA16: Chip = Chip {
        rows: 16,
        columns: 16,
        pads: ScratchPads::Shared(512 / WORD_BYTES),
        buffer_words: 128 * 1024 / WORD_BYTES,
        filter_buffer_words: 0,
        ..Chip::JSSC17
    };

    /// Elements of the array.
    pub fn elements(&self) -> u64 {
        self.rows * self.columns
    }

    /// The most rows of the output that a set spans: a set wider than the array is cut
    /// into segments that stand below one another.
    pub fn widest_strip(&self, layer: &Layer) -> u64 {
        self.columns * (self.rows / layer.filter_rows)
    }

    /// Sets of so many output rows that the array holds below and beside one another.
    pub fn sets(&self, layer: &Layer, strip: u64) -> [u64; 2] {
        let segments = strip.div_ceil(self.columns);
        let below = self.rows / (layer.filter_rows * segments);
        [below, (self.columns / strip).max(1)]
    }
}
