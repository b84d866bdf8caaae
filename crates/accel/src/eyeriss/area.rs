//! What Eyeriss is made of.

use super::chip::{Chip, ScratchPads, WORD_BYTES};
use crate::area::{Area, Cell};
use crate::energy::{Action, Part, Waiting};
use crate::memory::Sram;
use crate::node::Technology;
use crate::vector::VectorUnit;

/// Bytes of a bank of the global buffer: 512 words of 64 bits as built (JSSC 2017,
/// section V-A) are 4 KiB; CACTI's table begins at 8 KiB.
const BANK_BYTES: u64 = 8192;
/// Bits of an access to it.
const ACCESS_BITS: u64 = 64;

/// Elements in cycles without a product.
pub(super) const WAITING: Waiting = Waiting {
    part: Part::Arithmetic,
    late: Action::EyerissIdleCycle,
    idle: Action::EyerissIdleCycle,
    zeros: None,
};

/// Multiplier, adder and scratch pads of each element, the global buffer, and the vector
/// unit that is assumed beside it. The links between elements and their FIFOs, and an
/// element's control are not counted, in its favour.
pub(super) fn of(chip: &Chip, vector: &VectorUnit, technology: &Technology) -> Area {
    let elements = (chip.rows * chip.columns) as f64;
    let mut area = Area::default();
    area.cells(Part::Arithmetic, Cell::EyerissMac, elements);
    let (registers, sram_words) = match chip.pads {
        ScratchPads::Separate {
            filter_words,
            ifmap_words,
            psum_words,
        } => (ifmap_words + psum_words, filter_words),
        ScratchPads::Shared(words) => (0, words),
    };
    let registers = registers as f64 * elements;
    area.cells(Part::Registers, Cell::RegisterWord, registers);
    let sram_words = sram_words as f64 * elements;
    area.cells(Part::Registers, Cell::EyerissFilterWord, sram_words);
    let buffer_bytes = chip.buffer_words * WORD_BYTES;
    let banks = (buffer_bytes / BANK_BYTES).max(1);
    let sram = Sram::new(buffer_bytes, banks, ACCESS_BITS);
    area.sram(
        &sram.expect("banks of at most 16 KiB are in the table"),
        technology,
    );
    vector.area(&mut area);
    area
}
