//! What the fabricated chip makes of a convolution: time, traffic and power at 65 nm,
//! to be held against its measurements (Chen et al., JSSC 2017, table V).
//!
//! Machines are compared at the common node and by the common schedule; this is only
//! what the model is validated with.

use super::chip::{Chip, WORD_BYTES};
use super::layer::Layer;
use super::mapping::{Accesses, Mapping};

/// Words of a run-length code over those that are not zero: three pairs of 5-bit run and
/// 16-bit value in 64 bits (JSSC 2017, section IV-B). Runs beyond 31 are left out.
const CODED: f64 = 64.0 / (3.0 * 16.0);

/// Energies at 65 nm, in pJ: of 16 bits on each level as stanford-mast/nn_dataflow's test
/// of the chip has them.
const MAC_PJ: f64 = 2.0;
const PAD_PJ: f64 = 1.0;
const ARRAY_PJ: f64 = 4.0;
const BUFFER_PJ: f64 = 15.0;

/// Share of the power in `CONV1` that neither arithmetic nor data movement explains: clock
/// network and control. JSSC 2017, section VI-A, says of figure 16 that arithmetic takes
/// less than 10 % and data movement up to 45 %.
pub const CLOCK_SHARE: f64 = 0.45;

/// Energy of clock and control of an element that has work, in pJ a cycle: what makes
/// them [`CLOCK_SHARE`] of `CONV1`. Other elements are clock-gated (section IV-A). It is
/// derived from this model and that share, and not from a measured power.
pub const CLOCK_PJ: f64 = 4.79;

/// What zeros among the inputs and outputs do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zeros {
    /// Share of zeros among inputs.
    pub input: f64,
    /// Share of zeros among outputs.
    pub output: f64,
    /// Whether inputs are coded in DRAM: those of a network's first layer are not.
    pub coded_input: bool,
}

/// The clocks and the link of the chip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clocks {
    /// Clock of the core, in GHz.
    pub core_ghz: f64,
    /// What the link moves, in GB/s.
    pub link_gbps: f64,
}

/// What the chip shows on a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Time with DRAM out of the way, in ms.
    pub processing_ms: f64,
    /// Time in all, in ms: the chip does not compute while it loads inputs or stores
    /// outputs; weights come meanwhile (JSSC 2017, sections V-A and VI-A).
    pub total_ms: f64,
    /// Elements that have work.
    pub active_elements: u64,
    /// Traffic with DRAM, in MB.
    pub dram_mb: f64,
    /// Accesses of the buffer for inputs and partial sums, in MB: from DRAM, to and from
    /// the array, and to DRAM.
    pub buffer_mb: f64,
    /// Power, in mW.
    pub power_mw: f64,
    /// Energy of arithmetic and data movement on the chip, in mJ.
    pub moving_mj: f64,
}

impl Measured {
    /// What the chip shows under a mapping.
    pub fn of(
        chip: &Chip,
        clocks: &Clocks,
        layer: &Layer,
        mapping: &Mapping,
        zeros: &Zeros,
    ) -> Measured {
        let accesses = mapping.accesses(layer);
        let processing_ms = mapping.cycles(chip, layer).total as f64 / (clocks.core_ghz * 1e6);
        let active_elements = mapping.active_elements(layer);

        // Padding is zeros, which the code does not store.
        let [weights, inputs, outputs] = accesses.dram.map(|words| words as f64);
        let planes = layer.images * layer.groups * layer.channels;
        let unpadded =
            layer.unpadded_inputs() as f64 / (planes * layer.height * layer.width) as f64;
        let inputs = match zeros.coded_input {
            true => inputs * unpadded * (1.0 - zeros.input) * CODED,
            false => inputs,
        };
        let outputs = outputs * (1.0 - zeros.output) * CODED;
        let mb = |words: f64| words * WORD_BYTES as f64 / 1e6;
        let total_ms = processing_ms + mb(inputs + outputs) / clocks.link_gbps;

        let through = [1, 2].map(|at| (accesses.dram[at] + accesses.buffer[at]) as f64);
        let buffer = through[0] + through[1];
        let buffer_of_weights = 2.0 * weights;
        let moving_mj = moving_pj(layer, &accesses, buffer + buffer_of_weights, zeros) / 1e9;
        let clock_mw = CLOCK_PJ * active_elements as f64 * clocks.core_ghz;
        Measured {
            processing_ms,
            total_ms,
            active_elements,
            dram_mb: mb(weights + inputs + outputs),
            buffer_mb: mb(buffer),
            power_mw: moving_mj / total_ms * 1e3 + clock_mw,
            moving_mj,
        }
    }
}

/// Energy of arithmetic and data movement on the chip, in pJ. A zero input keeps the
/// weight from being read and the datapath from switching (JSSC 2017, section V-C); the
/// input itself is read.
fn moving_pj(layer: &Layer, accesses: &Accesses, buffer_words: f64, zeros: &Zeros) -> f64 {
    let macs = layer.macs() as f64;
    let worked = macs * (1.0 - zeros.input);
    let gated_pads = accesses.pads as f64 - macs;
    let array: u64 = accesses.array.iter().sum();
    MAC_PJ * worked
        + PAD_PJ * (macs + gated_pads * (1.0 - zeros.input))
        + ARRAY_PJ * array as f64
        + BUFFER_PJ * buffer_words
}
