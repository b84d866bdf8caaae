//! How Eyeriss' row-stationary dataflow takes a matrix product: as a 1 x 1
//! convolution with tokens as positions, columns of the weights as filters and
//! the reduction as channels.
//!
//! With 1 x 1 filters a set of elements is one row of `tokens` elements, each
//! with a position of its own. As many sets as fit are replicated over the
//! array, `channel_sets` of them along the channels (their sums meet in the
//! array) and `filter_sets` along the filters. In one pass an element works on
//! `filters` x `channels` products of its own, which its scratch pads limit.

use super::Chip;

/// A mapping of an M x K by K x N product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Positions side by side in a set (e of the papers).
    pub tokens: u64,
    /// Sets along the channels (r of the papers).
    pub channel_sets: u64,
    /// Sets along the filters (t of the papers).
    pub filter_sets: u64,
    /// Filters in one element (p of the papers).
    pub filters: u64,
    /// Channels in one element (q of the papers).
    pub channels: u64,
    /// Passes along M, N and K.
    pub passes: [u64; 3],
    /// Words read from DRAM for one copy: left and right operand.
    pub dram_words: [u64; 2],
}

impl Mapping {
    /// Cycles: each pass takes one for each product of an element.
    pub fn cycles(&self) -> u64 {
        self.passes.iter().product::<u64>() * self.filters * self.channels
    }

    /// The mapping of least cycles; among those the one that reads least from
    /// DRAM, then the one with fewest buffer accesses.
    ///
    /// Exhaustive over the spatial unrolling and what an element holds, except
    /// that a set is never left idle along the filters: that could not save a
    /// cycle.
    pub fn best(chip: &Chip, m: u64, n: u64, k: u64) -> Mapping {
        let mut best: Option<(Mapping, [u64; 3])> = None;
        for tokens in 1..=chip.columns.min(m.max(1)) {
            let sets = chip.rows * (chip.columns / tokens);
            for channel_sets in 1..=sets.min(k) {
                let filter_sets = sets / channel_sets;
                for filters in 1..=chip.psum_words.min(n) {
                    let channels = chip.ifmap_words.min(chip.filter_words / filters);
                    for channels in 1..=channels.min(k) {
                        let passes = [
                            m.div_ceil(tokens),
                            n.div_ceil(filters * filter_sets),
                            k.div_ceil(channels * channel_sets),
                        ];
                        let cycles = passes.iter().product::<u64>() * filters * channels;
                        if best.is_some_and(|(_, least)| cycles > least[0]) {
                            continue;
                        }
                        let mut mapping = Mapping {
                            tokens,
                            channel_sets,
                            filter_sets,
                            filters,
                            channels,
                            passes,
                            dram_words: [0; 2],
                        };
                        mapping.dram_words = mapping.dram_words(chip, m, n, k);
                        let cost = [
                            cycles,
                            mapping.dram_words.iter().sum(),
                            mapping.buffer_words(m, n, k),
                        ];
                        if best.is_none_or(|(_, least)| cost < least) {
                            best = Some((mapping, cost));
                        }
                    }
                }
            }
        }
        best.expect("a product that is not empty has a mapping").0
    }

    /// Words read from DRAM. A block of tokens works through all filters and
    /// channels; its partial sums of one round of filters stay in the buffer.
    /// Either its inputs stay there too and are read once, or they are read for
    /// each round of filters and the block can be larger.
    fn dram_words(&self, chip: &Chip, m: u64, n: u64, k: u64) -> [u64; 2] {
        let words = chip.buffer_bytes / 2;
        let sums = self.filters * self.filter_sets;
        let window = self.channels * self.channel_sets * self.tokens;
        let blocks = |per_token: u64, fixed: u64| {
            let tokens = words.saturating_sub(fixed) / per_token;
            match tokens {
                0 => None,
                tokens => Some(m.div_ceil(tokens)),
            }
        };
        let inputs_stay = blocks(k + sums, 0).map(|blocks| [m * k, blocks * n * k]);
        let inputs_stream =
            blocks(sums, window).map(|blocks| [self.passes[1] * m * k, blocks * n * k]);
        // Without room for one token's sums each pass would read both.
        let neither = [self.passes[1] * m * k, self.passes[0] * n * k];
        [inputs_stay, inputs_stream, Some(neither)]
            .into_iter()
            .flatten()
            .min_by_key(|words| words.iter().sum::<u64>())
            .unwrap_or(neither)
    }

    /// Words that array and buffer exchange: inputs for each round of filters,
    /// weights once into the scratch pads and once through the buffer for each
    /// time that DRAM delivers them, partial sums out of each pass and into each
    /// but the first.
    pub fn buffer_words(&self, m: u64, n: u64, k: u64) -> u64 {
        let inputs = self.passes[1] * m * k;
        let weights = 2 * self.dram_words[1].max(n * k);
        let sums = m * n * (2 * self.passes[2] - 1);
        inputs + weights + sums
    }

    /// Words that move between elements: inputs to each set along the filters,
    /// weights to each element of a set, partial sums along the channel sets.
    pub fn array_words(&self, m: u64, n: u64, k: u64) -> u64 {
        let inputs = self.passes[1] * m * k * self.filter_sets.min(n);
        let weights = self.dram_words[1].max(n * k) * self.tokens;
        let sums = m * n * self.passes[2] * self.channel_sets;
        inputs + weights + sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHIP: Chip = Chip {
        rows: 12,
        columns: 14,
        filter_words: 225,
        ifmap_words: 12,
        psum_words: 24,
        buffer_bytes: 110_592,
    };

    #[test]
    fn mappings_respect_the_chip() {
        for (m, n, k) in [(384, 768, 768), (25, 25, 64), (1, 64, 1), (7, 3, 5)] {
            let mapping = Mapping::best(&CHIP, m, n, k);
            let sets = mapping.channel_sets * mapping.filter_sets;
            assert!(mapping.tokens * sets <= 168);
            assert!(mapping.filters <= 24 && mapping.channels <= 12);
            assert!(mapping.filters * mapping.channels <= 225);
            let ideal = (m * n * k).div_ceil(168);
            assert!(mapping.cycles() >= ideal);
        }
    }

    #[test]
    fn large_products_fill_the_array() {
        let mapping = Mapping::best(&CHIP, 384, 768, 768);
        let utilisation = (384.0 * 768.0 * 768.0) / (mapping.cycles() as f64 * 168.0);
        assert!(utilisation > 0.95, "{utilisation}");
    }

    #[test]
    fn the_cheaper_of_inputs_that_stay_and_inputs_that_stream_is_taken() {
        let mapping = Mapping {
            tokens: 1,
            channel_sets: 1,
            filter_sets: 2,
            filters: 2,
            channels: 1,
            passes: [10, 2, 6],
            dram_words: [0; 2],
        };
        let words = |buffer_words: u64| {
            let chip = Chip {
                buffer_bytes: 2 * buffer_words,
                ..CHIP
            };
            mapping.dram_words(&chip, 10, 8, 6)
        };
        // Two tokens with their 6 inputs and 4 sums: 5 blocks, 60 + 5 x 48
        // words. Four tokens with their sums alone: 2 x 60 + 3 x 48.
        assert_eq!(words(20), [120, 144]);
        assert_eq!(words(100), [60, 48]);
        assert_eq!(words(0), [120, 480]);
    }

    #[test]
    fn a_larger_buffer_never_reads_more() {
        for (m, n, k) in [(384, 768, 768), (384, 768, 3072), (25, 3072, 768)] {
            let mut last = u64::MAX;
            for buffer_bytes in [0, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 24] {
                let chip = Chip {
                    buffer_bytes,
                    ..CHIP
                };
                let words = Mapping::best(&chip, m, n, k).dram_words.iter().sum();
                assert!(words <= last);
                assert!(words >= m * k + n * k);
                last = words;
            }
            assert_eq!(last, m * k + n * k);
        }
    }
}
