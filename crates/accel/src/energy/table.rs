//! The table of energies per action.

use std::collections::BTreeMap;

use super::{Action, Actions, Energy, Kind, Part, refuse, rows};
use crate::AccelError;
use crate::memory::Sram;
use crate::node::{Origin, Technology};

/// The energy of an action, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Energy at its origin, in pJ.
    pub energy_pj: f64,
    /// Node and supply at which it was found.
    pub origin: Origin,
    /// How.
    pub kind: Kind,
    /// By whom.
    pub source: String,
}

impl Price {
    fn at_pj(&self, technology: &Technology) -> f64 {
        self.energy_pj * technology.energy_factor(self.origin)
    }
}

/// The energy of each action.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyTable {
    prices: BTreeMap<String, Price>,
}

const NAME: &str = "energy table";
const HEAD: &str = "action,energy_pj,node_nm,supply_v,kind,source";

impl EnergyTable {
    /// The table that comes with the crate.
    pub fn builtin() -> EnergyTable {
        EnergyTable::from_csv(include_str!("../../data/energy.csv"))
            .expect("the table of the crate is tested")
    }

    /// A table from CSV: `action,energy_pj,node_nm,supply_v,kind,source`, where kind is
    /// `netlist`, `cacti` or `published`; `#` begins a comment line.
    ///
    /// # Errors
    /// [`AccelError::Table`] naming the line: an energy that is no number above 0, a node
    /// or supply that scaling does not reach, another kind, a row twice, no source.
    pub fn from_csv(text: &str) -> Result<EnergyTable, AccelError> {
        let mut prices = BTreeMap::new();
        for (index, fields) in rows::<6>(NAME, text, HEAD)? {
            let [action, energy, node, supply, kind, source] = fields;
            let refuse = |reason: String| refuse(NAME, index, reason);
            let energy_pj = match energy.parse::<f64>() {
                Ok(value) if value.is_finite() && value > 0.0 => value,
                _ => return Err(refuse(format!("energy_pj `{energy}`: must be above 0"))),
            };
            let price = Price {
                energy_pj,
                origin: origin(node, supply).map_err(refuse)?,
                kind: Kind::of(kind)
                    .ok_or_else(|| refuse(format!("kind `{kind}`: must be {KINDS}")))?,
                source: source.trim().to_owned(),
            };
            if price.source.is_empty() {
                return Err(refuse("has no source".into()));
            }
            if prices.insert(action.to_owned(), price).is_some() {
                return Err(refuse(format!("`{action}` stands twice")));
            }
        }
        Ok(EnergyTable { prices })
    }

    /// The same, but actions whose names begin with `prefix` cost `factor` times as much:
    /// to see what depends on them.
    ///
    /// # Panics
    /// If the factor is not above 0.
    #[must_use]
    pub fn with_factor(mut self, prefix: &str, factor: f64) -> EnergyTable {
        assert!(factor > 0.0 && factor.is_finite(), "a factor of {factor}");
        for (action, price) in &mut self.prices {
            if action.starts_with(prefix) {
                price.energy_pj *= factor;
            }
        }
        self
    }

    /// The price of an action, if the table has it.
    pub fn price_of(&self, action: Action) -> Option<&Price> {
        self.prices.get(action.name())
    }

    /// The energy of all actions at a technology, by part.
    ///
    /// # Errors
    /// [`AccelError::NoEnergy`] if an action was counted that the table lacks,
    /// or SRAM accesses where neither the machine's SRAM nor the table prices them.
    pub fn price(
        &self,
        actions: &Actions,
        sram: Option<&Sram>,
        technology: &Technology,
        machine: &str,
    ) -> Result<Energy, AccelError> {
        let mut energy = Energy::default();
        for (part, action, count) in actions.iter() {
            let from_sram = match (action, sram) {
                (Action::SramReadBit, Some(sram)) => {
                    Some((sram.kind(), sram.read_pj_per_bit(technology)))
                }
                (Action::SramWriteBit, Some(sram)) => {
                    Some((sram.kind(), sram.write_pj_per_bit(technology)))
                }
                _ => None,
            };
            let from_table = || {
                let price = self.price_of(action)?;
                // What lies outside the chip has a technology of its own.
                let each_pj = match part {
                    Part::Dram => price.energy_pj,
                    _ => price.at_pj(technology),
                };
                Some((price.kind, each_pj))
            };
            let priced = from_sram.or_else(from_table);
            let (kind, each_pj) = priced.ok_or_else(|| AccelError::NoEnergy {
                action: action.name(),
                machine: machine.to_owned(),
            })?;
            energy.spend(part, kind, count as f64 * each_pj);
        }
        Ok(energy)
    }
}

const KINDS: &str = "netlist, cacti or published";

/// Node and supply of a row.
pub(crate) fn origin(node: &str, supply: &str) -> Result<Origin, String> {
    let (Ok(node_nm), Ok(supply_v)) = (node.parse(), supply.parse()) else {
        return Err(format!(
            "node_nm `{node}`, supply_v `{supply}`: must be numbers"
        ));
    };
    let origin = Origin { node_nm, supply_v };
    origin
        .check()
        .map_err(|(key, allowed)| format!("{key}: must be {allowed}"))?;
    Ok(origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesis::stream;

    const AT_45: Technology = Technology {
        node_nm: 45,
        cells: crate::node::Cells::HighPerformance,
        supply_v: 1.1,
    };

    fn one_row(row: &str) -> Result<EnergyTable, AccelError> {
        EnergyTable::from_csv(&format!("{HEAD}\n{row}\n"))
    }

    #[test]
    fn the_table_has_every_action_and_no_other() {
        let table = EnergyTable::builtin();
        let priced_by_size = [Action::SramReadBit, Action::SramWriteBit];
        for &action in Action::ALL {
            assert_eq!(
                table.price_of(action).is_none(),
                priced_by_size.contains(&action),
                "{}",
                action.name()
            );
        }
        let rows = Action::ALL.len() - priced_by_size.len();
        assert_eq!(table.prices.len(), rows);
    }

    #[test]
    fn netlist_rows_are_those_of_the_synthesis() {
        let cycle = |element: &str, name: &str| stream(element, name).cycle_pj;
        let each = |element: &str, name: &str| stream(element, name).each_pj;
        let over_idle =
            |element: &str, stream: &str| cycle(element, stream) - cycle(element, "idle");
        // What an element spends in a cycle of waiting between two products of 4 x 4.
        let late = |element: &str| {
            let cycles = each(element, "4x4_late") / cycle(element, "4x4_late");
            (each(element, "4x4_late") - each(element, "4x4")) / (cycles - 1.0)
        };
        let (ifmap, psum) = ("register_file, 12 x 16 b", "register_file, 24 x 16 b");
        let pads = cycle(ifmap, "idle") + cycle(psum, "idle");
        let expected = [
            (Action::VssaProduct4x4, each("pipelined", "4x4")),
            (
                Action::VssaProduct4x8,
                (each("pipelined", "4x8") + each("pipelined", "8x4")) / 2.0,
            ),
            (Action::VssaProduct8x8, each("pipelined", "8x8")),
            (Action::VssaZeros, each("pipelined", "zeros")),
            (Action::VssaLateCycle, late("pipelined")),
            (Action::VssaIdleCycle, cycle("pipelined", "starved")),
            (Action::VssaShift, over_idle("pipelined", "idle_shifts")),
            (Action::Plain8Product, each("plain", "8x8")),
            (Action::Plain8Zeros, each("plain", "zeros")),
            (Action::Plain8IdleCycle, cycle("plain", "idle")),
            (Action::Plain8Shift, over_idle("plain", "idle_shifts")),
            (Action::Plain4Product, each("plain 4 b", "4x4")),
            (Action::Plain4Zeros, each("plain 4 b", "zeros")),
            (Action::Plain4IdleCycle, cycle("plain 4 b", "idle")),
            (Action::Plain4Shift, over_idle("plain 4 b", "idle_shifts")),
            (Action::EyerissMac, each("eyeriss_mac", "operations") + pads),
            (
                Action::EyerissIdleCycle,
                cycle("eyeriss_mac", "idle") + pads,
            ),
            (Action::EyerissIfmapRead, over_idle(ifmap, "reads")),
            (Action::EyerissIfmapWrite, over_idle(ifmap, "writes")),
            (Action::EyerissPsumRead, over_idle(psum, "reads")),
            (Action::EyerissPsumWrite, over_idle(psum, "writes")),
            (
                Action::SpattenProduct,
                each("spatten_dot, 8 lanes", "operations"),
            ),
            (
                Action::SpattenIdleCycle,
                cycle("spatten_dot, 8 lanes", "idle") / 8.0,
            ),
            (
                Action::VectorMultiplyAdd,
                each("multiply_add", "operations"),
            ),
            (Action::VectorAdd16, each("adder, 16 b", "operations")),
            (Action::VectorAdd32, each("adder, 32 b", "operations")),
            (Action::RankScore, each("topk, 16 lanes", "operations")),
        ];
        let table = EnergyTable::builtin();
        for (action, expected_pj) in expected {
            let price = table.price_of(action).unwrap();
            assert_eq!(price.kind, Kind::Netlist, "{}", action.name());
            let ratio = price.energy_pj / expected_pj;
            assert!(
                (ratio - 1.0).abs() < 2e-3,
                "{}: {expected_pj}",
                action.name()
            );
        }
        let netlists = table
            .prices
            .values()
            .filter(|row| row.kind == Kind::Netlist);
        assert_eq!(netlists.count(), expected.len());
    }

    #[test]
    fn a_counted_action_without_a_row_is_an_error() {
        let table = one_row("add_32b,0.1,45,1.1,published,somewhere").unwrap();
        let mut actions = Actions::default();
        actions.count(Part::Arithmetic, Action::Add32, 10);
        let energy = table.price(&actions, None, &AT_45, "m").unwrap();
        assert!((energy.total_pj() - 1.0).abs() < 1e-12);
        actions.count(Part::Arithmetic, Action::Multiply8, 1);
        assert_eq!(
            table.price(&actions, None, &AT_45, "m"),
            Err(AccelError::NoEnergy {
                action: "multiply_8b",
                machine: "m".into()
            })
        );
    }

    #[test]
    fn prices_come_to_the_node_and_say_what_they_are() {
        let table = EnergyTable::from_csv(&format!(
            "{HEAD}\nadd_32b,1,65,1.0,published,a\nadd_16b,1,45,1.1,netlist,b\ndram_bit,1,45,1.1,published,c\n"
        ))
        .unwrap();
        let mut actions = Actions::default();
        actions.count(Part::Arithmetic, Action::Add32, 1);
        actions.count(Part::Arithmetic, Action::Add16, 1);
        actions.count(Part::Dram, Action::DramBit, 1);
        let kinds = |energy: &Energy| energy.kinds_pj(Part::Arithmetic).collect::<Vec<_>>();
        let at_45 = table.price(&actions, None, &AT_45, "m").unwrap();
        let [(Kind::Netlist, own), (Kind::Published, scaled)] = kinds(&at_45)[..] else {
            panic!("{:?}", kinds(&at_45));
        };
        assert_eq!(own, 1.0);
        // HP45 at 1.1 V over 65 nm at 1.0 V.
        assert!((scaled - 1.04391 / 1.332).abs() < 1e-5, "{scaled}");
        let at_32 = Technology {
            node_nm: 32,
            ..AT_45
        };
        let at_32 = table.price(&actions, None, &at_32, "m").unwrap();
        assert!(at_32.on_chip_pj() < at_45.on_chip_pj());
        assert_eq!(at_32.of_pj(Part::Dram), at_45.of_pj(Part::Dram));
    }

    #[test]
    fn malformed_tables_are_refused_by_line() {
        for (row, word) in [
            ("add_32b,-1,45,1.1,published,x", "energy_pj"),
            ("add_32b,0,45,1.1,published,x", "energy_pj"),
            ("add_32b,NaN,45,1.1,published,x", "energy_pj"),
            ("add_32b,1,5,1.1,published,x", "node_nm"),
            ("add_32b,1,45,3.3,published,x", "supply_v"),
            ("add_32b,1,45,1.1,guess,x", "kind"),
            ("add_32b,1,45,1.1,published,", "source"),
            ("add_32b,1", "6 columns"),
            (
                "add_32b,1,45,1.1,published,x\nadd_32b,2,45,1.1,published,x",
                "twice",
            ),
        ] {
            let error = one_row(row).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.to_string().contains("line "), "{error}");
        }
    }

    /// The default run of Timeloop's Eyeriss-like example (Accelergy-Project/
    /// timeloop-accelergy-exercises, MIT: `eyeriss_like`, `timeloop-mapper.stats.txt`):
    /// its counts times its table give its energies, part by part and in all.
    #[test]
    fn the_reference_run_of_accelergy_comes_out() {
        let table = EnergyTable::from_csv(include_str!(
            "../../tests/data/accelergy_eyeriss_like_65nm.csv"
        ))
        .unwrap();
        let at_65 = Technology {
            node_nm: 65,
            supply_v: 1.0,
            ..AT_45
        };
        let (macs, cycles, elements) = (10_838_016_u64, 86_016_u64, 126_u64);
        assert_eq!(macs, cycles * elements);
        let mut actions = Actions::default();
        let mut count = |part, action, n| actions.count(part, action, n);
        count(Part::Arithmetic, Action::EyerissMac, macs);
        count(Part::Registers, Action::EyerissPsumRead, elements * 57_344);
        count(Part::Registers, Action::EyerissPsumWrite, elements * 86_016);
        // Two words of 8 bits at once.
        count(
            Part::Registers,
            Action::EyerissFilterRead,
            elements * 86_016 / 2,
        );
        count(
            Part::Registers,
            Action::EyerissFilterWrite,
            elements * 1_536 / 2,
        );
        count(
            Part::Registers,
            Action::EyerissIfmapRead,
            elements * 86_016 / 2,
        );
        count(
            Part::Registers,
            Action::EyerissIfmapWrite,
            elements * 10_752 / 2,
        );
        count(Part::Buffer, Action::SramReadBit, 8 * 1_354_752);
        count(Part::Buffer, Action::SramWriteBit, 8 * (157_296 + 401_408));
        count(
            Part::Dram,
            Action::DramBit,
            8 * (13_824 + 157_296 + 401_408),
        );
        let mut energy = table.price(&actions, None, &at_65, "eyeriss-like").unwrap();
        for (pj_per_cycle, of) in [
            (0.000_134 + 0.001_592 + 0.000_101, elements),
            (0.005_652, 1),
        ] {
            let leaked = pj_per_cycle * (of * cycles) as f64;
            energy.leak(Part::Registers, Kind::Published, leaked);
        }
        // In fJ a product: psum + weights + ifmap, mac, glb, DRAM.
        for (part, published) in [
            (Part::Arithmetic, 207.69),
            (Part::Registers, 386.77 + 1006.69 + 112.37),
            (Part::Buffer, 375.27),
            (Part::Dram, 3380.86),
        ] {
            let ours = energy.of_pj(part) * 1e3 / macs as f64;
            assert!((ours - published).abs() < 0.1, "{part:?}: {ours}");
        }
        let total_uj = energy.total_pj() * 1e-6;
        assert!((total_uj - 59.28).abs() < 0.005, "{total_uj}");
        assert!(energy.leakage_pj() > 0.0);
    }
}
