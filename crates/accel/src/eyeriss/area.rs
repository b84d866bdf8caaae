//! What Eyeriss is made of.

use super::Chip;
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
    let words = (chip.ifmap_words + chip.psum_words) as f64;
    area.cells(Part::Registers, Cell::RegisterWord, words * elements);
    let words = chip.filter_words as f64;
    area.cells(Part::Registers, Cell::EyerissFilterWord, words * elements);
    let banks = (chip.buffer_bytes / BANK_BYTES).max(1);
    let sram = Sram::new(chip.buffer_bytes, banks, ACCESS_BITS);
    area.sram(
        &sram.expect("banks of at most 16 KiB are in the table"),
        technology,
    );
    vector.area(&mut area);
    area
}
