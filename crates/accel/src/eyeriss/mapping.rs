//! The row-stationary mapping of a layer onto the array (Chen et al., ISCA 2016,
//! section V; JSSC 2017, section IV-A).
//!
//! An element slides one row of a filter over one row of the input. R x e of them, a
//! set, make e rows of the output: weights go along its rows, inputs along its
//! diagonals, and partial sums up its columns. The array holds `r` sets on different
//! channels, whose sums meet on the way up, times `t` sets on different filters. Within
//! an element `q` channels and `p` filters take turns.
//!
//! Around that run two nests of loops over rounds of channels, filters and strips of the
//! output: the inner one over what the buffer holds, the outer one over the rest. Each
//! kind of data depends on two of the three loops. It is fetched again for each turn of
//! the third, unless that is the innermost of its nest: then it stays.

use std::fmt;

use super::chip::{Chip, ScratchPads};
use super::layer::Layer;

/// One of the loops of a nest, which is also its place in an array of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// Rounds of channels.
    Channels,
    /// Rounds of filters.
    Filters,
    /// Strips of the output, of all images.
    Strips,
}

impl Loop {
    /// All loops, in the order of arrays of three.
    pub const ALL: [Loop; 3] = [Loop::Channels, Loop::Filters, Loop::Strips];
}

/// Where and when a layer is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Output rows of a set (e of the papers).
    pub strip: u64,
    /// Sets on different channels (r).
    pub channel_sets: u64,
    /// Sets on different filters (t).
    pub filter_sets: u64,
    /// Channels (q), filters (p) and strips that an element holds at once.
    pub pads: [u64; 3],
    /// Rounds of channels, filters and strips that the buffer holds at once.
    pub buffer: [u64; 3],
    /// The innermost loop over the rest.
    pub outer_innermost: Loop,
    /// The innermost loop over what the buffer holds.
    pub buffer_innermost: Loop,
    /// Whether inputs and partial sums go through the buffer in each pass, and weights come
    /// from DRAM for each, as on the chip, whose pads hold one window of a row. By ISCA 2016's method they stay in the array
    /// while no loop of the buffer needs others.
    pub streams: bool,
}

/// The parameters of a mapping as JSSC 2017 names them (table II).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Filters whose partial sums the buffer holds.
    pub m: u64,
    /// Images, or strips, that a pass works through.
    pub n: u64,
    /// Output rows of a set.
    pub e: u64,
    /// Filters in an element.
    pub p: u64,
    /// Channels in an element.
    pub q: u64,
    /// Sets on different channels.
    pub r: u64,
    /// Sets on different filters.
    pub t: u64,
}

/// Words that move, by kind of data: weights, inputs, partial sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accesses {
    /// Between DRAM and chip.
    pub dram: [u64; 3],
    /// Between buffer and array.
    pub buffer: [u64; 3],
    /// Into elements, and from one to the next.
    pub array: [u64; 3],
    /// Reads and writes of scratch pads.
    pub pads: u64,
}

/// Cycles of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycles {
    /// All of them.
    pub total: u64,
    /// Those of them in which elements wait for the first operands of a pass.
    pub ramp: u64,
    /// Those of them in which they wait for a bus from then on.
    pub bus: u64,
}

/// Scratch-pad accesses of one multiply-accumulate: input and weight read, partial sum
/// read and written.
const PAD_ACCESSES: u64 = 4;

impl Mapping {
    /// The schedule of the chip (JSSC 2017, figure 7): weights stay in the elements for
    /// the `n` strips of a pass, and partial sums in the buffer until they are complete.
    pub fn of_chip(parameters: Parameters) -> Mapping {
        let Parameters {
            m,
            n,
            e,
            p,
            q,
            r,
            t,
        } = parameters;
        Mapping {
            strip: e,
            channel_sets: r,
            filter_sets: t,
            pads: [q, p, 1],
            buffer: [1, m.div_ceil(p * t), n],
            outer_innermost: Loop::Channels,
            buffer_innermost: Loop::Strips,
            streams: true,
        }
    }

    /// Strips of the output of an image.
    pub fn strips(&self, layer: &Layer) -> u64 {
        layer.out_rows().div_ceil(self.strip)
    }

    /// Rounds of each loop, for one group.
    pub fn rounds(&self, layer: &Layer) -> [u64; 3] {
        let [q, p, strips] = self.pads;
        [
            layer.channels.div_ceil(self.channel_sets).div_ceil(q),
            layer.filters.div_ceil(self.filter_sets).div_ceil(p),
            (layer.images * self.strips(layer)).div_ceil(strips),
        ]
    }

    /// Rows of the input below a strip.
    fn input_rows(&self, layer: &Layer) -> u64 {
        (self.strip - 1) * layer.stride + layer.filter_rows
    }

    /// Whether the chip can do it.
    pub fn fits(&self, chip: &Chip, layer: &Layer) -> bool {
        let s = layer.filter_columns;
        let [q, p, b] = self.pads;
        let [filters, inputs, sums] = [q * p * s, q * b * s, p * b];
        let in_pads = match chip.pads {
            ScratchPads::Separate {
                filter_words,
                ifmap_words,
                psum_words,
            } => filters <= filter_words && inputs <= ifmap_words && sums <= psum_words,
            ScratchPads::Shared(words) => filters + inputs + sums <= words,
        };
        let in_array = self.strip <= chip.widest_strip(layer) && {
            let [below, beside] = chip.sets(layer, self.strip);
            self.channel_sets <= below && self.filter_sets <= below / self.channel_sets * beside
        };
        in_pads && in_array && self.buffer_words(chip, layer) <= chip.buffer_words
    }

    /// Words of the buffer that it takes, those that pass weights on included.
    pub fn buffer_words(&self, chip: &Chip, layer: &Layer) -> u64 {
        let [inner_channels, inner_filters, inner_strips] = self.buffer;
        let channels = (self.channel_sets * self.pads[0] * inner_channels).min(layer.channels);
        let filters = (self.filter_sets * self.pads[1] * inner_filters).min(layer.filters);
        let strips = (self.pads[2] * inner_strips).min(layer.images * self.strips(layer));
        let inputs = channels * strips * self.input_rows(layer) * layer.width;
        let sums = filters * strips * self.strip * layer.out_columns();
        let weights = match chip.filter_buffer_words {
            0 => channels * filters * layer.filter_rows * layer.filter_columns,
            words => words,
        };
        weights + inputs + sums
    }

    /// How often weights, inputs and partial sums are fetched from DRAM, and from the
    /// buffer.
    fn fetches(&self, layer: &Layer) -> [[u64; 3]; 2] {
        let rounds = self.rounds(layer);
        let inner = [0, 1, 2].map(|at| self.buffer[at].min(rounds[at]));
        let outer = [0, 1, 2].map(|at| rounds[at].div_ceil(inner[at]));
        let mut fetches = [[0; 3]; 2];
        // The loop that each kind of data does not depend on.
        let free = [Loop::Strips, Loop::Filters, Loop::Channels];
        for (at, free) in free.into_iter().enumerate() {
            let moves = |nest: [u64; 3]| {
                let mut others = Loop::ALL.into_iter().filter(|&other| other != free);
                others.any(|other| nest[other as usize] > 1)
            };
            let turns = |nest: [u64; 3], innermost: Loop| match innermost == free {
                true => 1,
                false => nest[free as usize],
            };
            let dram = match moves(outer) {
                true => turns(outer, self.outer_innermost),
                false => 1,
            };
            let buffer = match moves(inner) {
                _ if self.streams && free != Loop::Strips => rounds[free as usize],
                true => outer[free as usize] * turns(inner, self.buffer_innermost),
                false => dram,
            };
            fetches[0][at] = dram;
            fetches[1][at] = buffer;
        }
        if self.streams {
            // The chip's buffer passes weights on and keeps none.
            fetches[0][0] = fetches[1][0];
        }
        fetches
    }

    /// Words that move on each level.
    pub fn accesses(&self, layer: &Layer) -> Accesses {
        let [dram, buffer] = self.fetches(layer);
        let strips = self.strips(layer);
        let (rows, out_rows) = (layer.filter_rows, layer.out_rows());
        // Strips overlap where filters have more rows than the stride.
        let input_rows = (out_rows - strips) * layer.stride + strips * rows;
        let planes = layer.images * layer.groups * layer.channels;
        let words = [
            layer.weights(),
            planes * input_rows * layer.width,
            layer.outputs(),
        ];
        // Partial sums go out each time and come back each time but the first.
        let moved = |fetches: [u64; 3]| {
            let [weights, inputs, sums] = fetches;
            [
                words[0] * weights,
                words[1] * inputs,
                words[2] * (2 * sums - 1),
            ]
        };
        let filter_sets = self.filter_sets.min(layer.filters);
        let channel_sets = self.channel_sets.min(layer.channels);
        let hops = words[2] * buffer[2] * (rows * channel_sets - 1);
        let buffer_words = moved(buffer);
        Accesses {
            dram: moved(dram),
            buffer: buffer_words,
            array: [
                buffer_words[0] * self.strip.min(out_rows),
                planes * rows * out_rows * layer.width * buffer[1] * filter_sets,
                buffer_words[2] + hops,
            ],
            pads: PAD_ACCESSES * layer.macs(),
        }
    }

    /// Elements that have work.
    pub fn active_elements(&self, layer: &Layer) -> u64 {
        self.strip * layer.filter_rows * self.channel_sets * self.filter_sets
    }

    /// Windows that an element slides its filters over, one after the other.
    fn windows(&self, layer: &Layer) -> u64 {
        let [channels, filters, _] = self.rounds(layer);
        let strips = layer.images * self.strips(layer);
        layer.groups * channels * filters * strips * layer.out_columns()
    }

    /// Cycles if operands are always there: one for each product of an element.
    pub fn ideal_cycles(&self, layer: &Layer) -> u64 {
        let [q, p, _] = self.pads;
        self.windows(layer) * p * q * layer.filter_columns
    }

    /// Cycles with DRAM out of the way.
    ///
    /// A window takes a cycle for each product, and one for each of its partial sums: the
    /// one adder of an element takes either a product or the sum of the element below
    /// (JSSC 2017, figure 12). Inputs and sums of the next window come meanwhile, as fast
    /// as their networks go. Elements start as soon as operands arrive (section III-B), but
    /// their scratch pads hold the weights of one pass only: in its first window they wait
    /// for weights and for all inputs below it ("ramp up", section VI-A).
    pub fn cycles(&self, chip: &Chip, layer: &Layer) -> Cycles {
        let [q, p, _] = self.pads;
        let (r, t) = (self.channel_sets, self.filter_sets);
        let (rows, columns) = (layer.filter_rows, layer.filter_columns);
        let inputs = q * r * self.input_rows(layer);
        let work = p * (q * columns + 1);
        let window = work
            .max((inputs * layer.stride.min(columns)).div_ceil(chip.buses.ifmap_words))
            .max((p * t * self.strip).div_ceil(chip.buses.psum_words));
        let first = window
            .max((p * q * r * t * rows * columns).div_ceil(chip.buses.filter_words))
            .max((inputs * columns).div_ceil(chip.buses.ifmap_words));
        let [channels, filters, _] = self.rounds(layer);
        let passes = layer.groups * channels * filters * self.fetches(layer)[1][0];
        let ramp = passes * (first - window);
        let windows = self.windows(layer);
        Cycles {
            total: windows * window + ramp,
            ramp,
            bus: windows * (window - work),
        }
    }
}

impl fmt::Display for Mapping {
    /// What it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [q, p, _] = self.pads;
        write!(
            f,
            "sets of {} output rows, {} along channels x {} along filters; {q} channels x {p} \
             filters in an element; passes of {} strips, sums of {} filters in the buffer",
            self.strip,
            self.channel_sets,
            self.filter_sets,
            self.buffer[2],
            self.buffer[1] * p * self.filter_sets,
        )
    }
}
