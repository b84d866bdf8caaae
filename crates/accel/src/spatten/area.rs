//! What SpAtten is made of.

use super::SpAtten;
use super::layer::{SOFTMAX_PRODUCTS, SOFTMAX_SUMS};
use crate::area::{Area, Cell};
use crate::energy::{Action, Part, Waiting};
use crate::node::Technology;

/// Multipliers in cycles without a product.
pub(super) const WAITING: Waiting = Waiting {
    part: Part::Arithmetic,
    late: Action::SpattenIdleCycle,
    idle: Action::SpattenIdleCycle,
    zeros: None,
};

/// Multipliers with their trees, key and value SRAM, the softmax in single precision and
/// the importance accumulator, and the comparators of the top-k engine, two for each
/// candidate a cycle. FIFOs, the crossbar that gathers requests to DRAM, and the zero
/// eliminators of the engine are not counted, in its favour.
pub(super) fn of(chip: &SpAtten, technology: &Technology) -> Area {
    let engine = &chip.engine;
    let multipliers = engine.query_key_multipliers + engine.value_multipliers;
    let mut area = Area::default();
    area.cells(
        Part::Arithmetic,
        Cell::SpattenMultiplier,
        multipliers as f64,
    );
    // Keys and values have one each.
    area.sram(&chip.sram, technology);
    area.sram(&chip.sram, technology);
    let softmax = engine.softmax_per_cycle as f64;
    let products = SOFTMAX_PRODUCTS as f64 * softmax;
    area.cells(Part::Vector, Cell::MultiplierFp32, products);
    let sums = (SOFTMAX_SUMS + 1) as f64 * softmax;
    area.cells(Part::Vector, Cell::AdderFp32, sums);
    let comparators = 2.0 * chip.top_k.per_cycle as f64;
    area.cells(Part::Sort, Cell::Comparator32, comparators);
    area
}
