//! Area: what a chip is made of, part by part, and what of it leaks.
//!
//! Logic is the sum of its cells as synthesised ([`Cell`]), SRAM is CACTI's, both brought
//! to the machine's [`Technology`]. Not counted, for no machine: rows of cells that stand
//! empty, wires, the clock tree, pads, the DRAM's interface, and the sequencer that gives
//! units their addresses.

mod cell;

use std::collections::BTreeMap;

use serde::Serialize;

pub use cell::Cell;

use crate::energy::{Kind, Part};
use crate::memory::Sram;
use crate::node::{Origin, Technology};

/// Equal things on a chip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Component {
    /// The part that they belong to.
    pub part: Part,
    /// What each is.
    pub name: String,
    /// How many.
    pub count: f64,
    /// Area of one, in um^2.
    pub area_um2: f64,
    /// What one leaks, in mW.
    pub leakage_mw: f64,
    /// The longest path between its registers, in ps, where one is known; wires and
    /// registers have no delay.
    pub delay_ps: Option<f64>,
    /// Node and supply of these figures.
    pub origin: Origin,
    /// How they were found.
    pub kind: Kind,
    /// By whom.
    pub source: String,
}

/// What a chip is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "Rows")]
pub struct Area {
    components: Vec<Component>,
}

impl Area {
    /// Adds components of any origin.
    pub fn add(&mut self, component: Component) {
        if component.count > 0.0 {
            self.components.push(component);
        }
    }

    /// Adds so many cells of the crate's table; a fraction of one where it is a block whose
    /// size a machine chooses.
    pub fn cells(&mut self, part: Part, cell: Cell, count: f64) {
        self.add(cell.component(part, count));
    }

    /// Adds an SRAM, by CACTI's figures for the node or those to scale from.
    pub fn sram(&mut self, sram: &Sram, technology: &Technology) {
        self.add(sram.component(technology.node_nm));
    }

    /// The same chip at a technology.
    #[must_use]
    pub fn at(&self, technology: &Technology) -> Area {
        let components = self.components.iter().map(|own| {
            let delay = technology.delay_factor(own.origin);
            Component {
                area_um2: own.area_um2 * technology.area_factor(own.origin),
                leakage_mw: own.leakage_mw * technology.leakage_factor(own.origin),
                delay_ps: own.delay_ps.map(|own_ps| own_ps * delay),
                origin: technology.as_origin(),
                ..own.clone()
            }
        });
        Area {
            components: components.collect(),
        }
    }

    /// What it is made of.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The area of one part, in mm^2.
    pub fn of_mm2(&self, part: Part) -> f64 {
        let own = self.components.iter().filter(|own| own.part == part);
        own.map(|own| own.count * own.area_um2 * 1e-6).sum()
    }

    /// The area of all parts, in mm^2.
    pub fn total_mm2(&self) -> f64 {
        self.parts().map(|part| self.of_mm2(part)).sum()
    }

    /// The parts that it has.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let parts: std::collections::BTreeSet<Part> =
            self.components.iter().map(|own| own.part).collect();
        parts.into_iter()
    }

    /// What all leaks, in mW.
    pub fn leakage_mw(&self) -> f64 {
        let own = self.components.iter();
        own.map(|own| own.count * own.leakage_mw).sum()
    }

    /// The longest path between registers of the components that say theirs, in ps, without
    /// wires and registers.
    pub fn longest_path_ps(&self) -> f64 {
        let paths = self.components.iter().filter_map(|own| own.delay_ps);
        paths.fold(0.0, f64::max)
    }

    /// How many of the chip's `elements` elements it would have on `total_mm2`, all that
    /// elements share being as it is; 0 where that alone is larger.
    ///
    /// So a baseline is scaled to the area of another chip: arrays, buffers, registers and
    /// vector units of both count, at the same node.
    pub fn elements_for(&self, elements: u64, total_mm2: f64) -> f64 {
        let own: f64 = self
            .parts()
            .filter(|part| part.is_of_elements())
            .map(|part| self.of_mm2(part))
            .sum();
        let shared = self.total_mm2() - own;
        ((total_mm2 - shared) / (own / elements as f64)).max(0.0)
    }
}

/// An area as it is serialized.
#[derive(Serialize)]
struct Rows {
    parts_mm2: BTreeMap<Part, f64>,
    total_mm2: f64,
    leakage_mw: f64,
    longest_path_ps: f64,
    components: Vec<Component>,
}

impl From<Area> for Rows {
    fn from(area: Area) -> Rows {
        Rows {
            parts_mm2: area.parts().map(|part| (part, area.of_mm2(part))).collect(),
            total_mm2: area.total_mm2(),
            leakage_mw: area.leakage_mw(),
            longest_path_ps: area.longest_path_ps(),
            components: area.components,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Cells;

    fn component(part: Part, count: f64, area_um2: f64) -> Component {
        Component {
            part,
            name: "block".into(),
            count,
            area_um2,
            leakage_mw: 0.01,
            delay_ps: Some(1000.0),
            origin: Origin {
                node_nm: 45,
                supply_v: 1.1,
            },
            kind: Kind::Netlist,
            source: "here".into(),
        }
    }

    fn chip() -> Area {
        let mut area = Area::default();
        area.add(component(Part::Array, 100.0, 2000.0));
        area.add(component(Part::Registers, 100.0, 500.0));
        area.add(component(Part::Buffer, 1.0, 250_000.0));
        area
    }

    #[test]
    fn parts_sum_to_the_whole() {
        let area = chip();
        assert!((area.of_mm2(Part::Array) - 0.2).abs() < 1e-12);
        assert!((area.total_mm2() - 0.5).abs() < 1e-12);
        assert!((area.leakage_mw() - 2.01).abs() < 1e-12);
    }

    #[test]
    fn elements_fill_what_the_rest_leaves() {
        let area = chip();
        assert!((area.elements_for(100, 0.5) - 100.0).abs() < 1e-9);
        assert!((area.elements_for(100, 1.0) - 300.0).abs() < 1e-9);
        assert_eq!(area.elements_for(100, 0.1), 0.0);
    }

    #[test]
    fn a_smaller_node_is_smaller_and_quicker() {
        let to = Technology {
            node_nm: 32,
            cells: Cells::HighPerformance,
            supply_v: 1.1,
        };
        let (here, there) = (chip(), chip().at(&to));
        assert!((there.total_mm2() / here.total_mm2() - 0.46).abs() < 1e-9);
        assert!(there.leakage_mw() < here.leakage_mw());
        let delay = |area: &Area| area.components()[0].delay_ps.unwrap();
        assert!(delay(&there) < delay(&here));
        // What is there already stays.
        assert_eq!(there.at(&to), there);
    }
}
