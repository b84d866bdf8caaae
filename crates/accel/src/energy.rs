//! Energy: counted actions times energies per action.
//!
//! E = sum over actions of count x energy. A composed action is never a row of
//! its own: an array element that multiplies counts a multiplication, an
//! addition and the register bits that it clocks. The energies stand in
//! `data/energy.csv` at one node, 45 nm, for all machines; SRAM accesses are
//! priced by [`Sram`], whose energy depends on its size. Clock distribution,
//! control and leakage are not counted, for no machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::AccelError;
use crate::memory::Sram;

/// The node of all energies, in nm.
pub const NODE_NM: u32 = 45;

/// The part of a machine that spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Multipliers and adders of the array.
    Arithmetic,
    /// Registers, FIFOs and scratch pads inside the array.
    Registers,
    /// Wires between elements, where a table prices them apart.
    Network,
    /// On-chip SRAM.
    Buffer,
    /// Softmax, norms, activation, rotation, quantizers, importance.
    Vector,
    /// The top-k unit.
    Sort,
    /// DRAM, its interface included.
    Dram,
}

impl Part {
    /// A name for people.
    pub fn label(self) -> &'static str {
        match self {
            Part::Arithmetic => "arithmetic",
            Part::Registers => "registers",
            Part::Network => "network",
            Part::Buffer => "buffer",
            Part::Vector => "vector unit",
            Part::Sort => "token ranking",
            Part::Dram => "DRAM",
        }
    }
}

/// Something that happens and costs energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A product of 5-bit signed operands: a 4-bit multiplier that also takes
    /// the halves of signed 8-bit operands.
    Multiply5,
    /// A product of 8-bit integers.
    Multiply8,
    /// A product of 12-bit integers.
    Multiply12,
    /// A product of 16-bit integers.
    Multiply16,
    /// A sum of 16-bit integers.
    Add16,
    /// A sum of 24-bit integers.
    Add24,
    /// A sum of 32-bit integers.
    Add32,
    /// A product in single precision.
    MultiplyFp32,
    /// A sum in single precision.
    AddFp32,
    /// One bit clocked into a register.
    RegisterBit,
    /// A comparison of 32-bit numbers.
    Compare32,
    /// A 16-bit multiply-accumulate of Eyeriss.
    EyerissMac,
    /// An access of 16 bits to a scratch pad of Eyeriss.
    EyerissScratchPad,
    /// A transfer of 16 bits between elements of Eyeriss.
    EyerissArray,
    /// An access of 16 bits to the global buffer of Eyeriss.
    EyerissBuffer,
    /// One bit read or written in DRAM.
    DramBit,
    /// One bit read from the on-chip SRAM; priced by the machine's [`Sram`].
    SramReadBit,
    /// One bit written to the on-chip SRAM; priced by the machine's [`Sram`].
    SramWriteBit,
}

impl Action {
    /// All actions.
    pub const ALL: [Action; 18] = [
        Action::Multiply5,
        Action::Multiply8,
        Action::Multiply12,
        Action::Multiply16,
        Action::Add16,
        Action::Add24,
        Action::Add32,
        Action::MultiplyFp32,
        Action::AddFp32,
        Action::RegisterBit,
        Action::Compare32,
        Action::EyerissMac,
        Action::EyerissScratchPad,
        Action::EyerissArray,
        Action::EyerissBuffer,
        Action::DramBit,
        Action::SramReadBit,
        Action::SramWriteBit,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Action::Multiply5 => "multiply_5b",
            Action::Multiply8 => "multiply_8b",
            Action::Multiply12 => "multiply_12b",
            Action::Multiply16 => "multiply_16b",
            Action::Add16 => "add_16b",
            Action::Add24 => "add_24b",
            Action::Add32 => "add_32b",
            Action::MultiplyFp32 => "multiply_fp32",
            Action::AddFp32 => "add_fp32",
            Action::RegisterBit => "register_bit",
            Action::Compare32 => "compare_32b",
            Action::EyerissMac => "eyeriss_mac",
            Action::EyerissScratchPad => "eyeriss_scratch_pad",
            Action::EyerissArray => "eyeriss_array",
            Action::EyerissBuffer => "eyeriss_buffer",
            Action::DramBit => "dram_bit",
            Action::SramReadBit => "sram_read_bit",
            Action::SramWriteBit => "sram_write_bit",
        }
    }
}

/// How often each part did each action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    counts: BTreeMap<(Part, Action), u64>,
}

impl Actions {
    /// Counts `count` more.
    pub fn count(&mut self, part: Part, action: Action, count: u64) {
        if count > 0 {
            *self.counts.entry((part, action)).or_default() += count;
        }
    }

    /// Counts all of another's.
    pub fn add(&mut self, other: &Actions) {
        for (&(part, action), &count) in &other.counts {
            self.count(part, action, count);
        }
    }

    /// How often a part did an action.
    pub fn of(&self, part: Part, action: Action) -> u64 {
        self.counts.get(&(part, action)).copied().unwrap_or(0)
    }

    /// All counts above 0.
    pub fn iter(&self) -> impl Iterator<Item = (Part, Action, u64)> {
        self.counts
            .iter()
            .map(|(&(part, action), &count)| (part, action, count))
    }
}

/// The energy of each action, in pJ.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyTable {
    energies_pj: BTreeMap<String, f64>,
}

impl EnergyTable {
    /// The table that comes with the crate.
    pub fn builtin() -> EnergyTable {
        EnergyTable::from_csv(include_str!("../data/energy.csv"))
            .expect("the table of the crate is tested")
    }

    /// A table from CSV: `action,energy_pj,node_nm,source`, `#` begins a
    /// comment line.
    ///
    /// # Errors
    /// [`AccelError::Table`] naming the line: an energy that is no number above
    /// 0, another node, a row twice, no source.
    pub fn from_csv(text: &str) -> Result<EnergyTable, AccelError> {
        let mut energies_pj = BTreeMap::new();
        let lines = text.lines().enumerate();
        let mut rows = lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
        let refuse = |index: usize, reason: String| AccelError::Table {
            table: "energy table",
            line: index + 1,
            reason,
        };
        match rows.next() {
            Some((_, "action,energy_pj,node_nm,source")) => {}
            Some((index, line)) => return Err(refuse(index, format!("unknown columns `{line}`"))),
            None => return Err(refuse(0, "is empty".into())),
        }
        for (index, line) in rows {
            let fields: Vec<&str> = line.splitn(4, ',').collect();
            let &[action, energy, node, source] = &fields[..] else {
                return Err(refuse(index, "needs four columns".into()));
            };
            let energy_pj = match energy.parse::<f64>() {
                Ok(value) if value.is_finite() && value > 0.0 => value,
                _ => {
                    return Err(refuse(
                        index,
                        format!("energy_pj `{energy}`: must be above 0"),
                    ));
                }
            };
            if node.parse() != Ok(NODE_NM) {
                return Err(refuse(
                    index,
                    format!("node_nm `{node}`: must be {NODE_NM}"),
                ));
            }
            if source.trim().is_empty() {
                return Err(refuse(index, "has no source".into()));
            }
            if energies_pj.insert(action.to_owned(), energy_pj).is_some() {
                return Err(refuse(index, format!("`{action}` stands twice")));
            }
        }
        Ok(EnergyTable { energies_pj })
    }

    /// The energy of an action, if the table has it.
    pub fn energy_pj(&self, action: Action) -> Option<f64> {
        self.energies_pj.get(action.name()).copied()
    }

    /// The energy of all actions, by part, in pJ.
    ///
    /// # Errors
    /// [`AccelError::NoEnergy`] if an action was counted that the table lacks,
    /// or SRAM accesses where the machine has no SRAM to price them.
    pub fn price(
        &self,
        actions: &Actions,
        sram: Option<&Sram>,
        machine: &str,
    ) -> Result<Energy, AccelError> {
        let mut energy = Energy::default();
        for (part, action, count) in actions.iter() {
            let each_pj = match action {
                Action::SramReadBit => sram.map(Sram::read_pj_per_bit),
                Action::SramWriteBit => sram.map(Sram::write_pj_per_bit),
                _ => self.energy_pj(action),
            };
            let each_pj = each_pj.ok_or_else(|| AccelError::NoEnergy {
                action: action.name(),
                machine: machine.to_owned(),
            })?;
            *energy.by_part_pj.entry(part).or_default() += count as f64 * each_pj;
        }
        Ok(energy)
    }
}

/// Energy by part, in pJ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    by_part_pj: BTreeMap<Part, f64>,
}

impl Energy {
    /// What one part spent, in pJ.
    pub fn of_pj(&self, part: Part) -> f64 {
        self.by_part_pj.get(&part).copied().unwrap_or(0.0)
    }

    /// The parts that spent anything, in pJ.
    pub fn parts_pj(&self) -> impl Iterator<Item = (Part, f64)> {
        self.by_part_pj.iter().map(|(&part, &pj)| (part, pj))
    }

    /// All parts together, in pJ.
    pub fn total_pj(&self) -> f64 {
        self.by_part_pj.values().sum()
    }

    /// All parts but the DRAM, in pJ.
    pub fn on_chip_pj(&self) -> f64 {
        self.parts_pj()
            .filter(|&(part, _)| part != Part::Dram)
            .map(|(_, pj)| pj)
            .sum()
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Energy) {
        for (part, pj) in other.parts_pj() {
            *self.by_part_pj.entry(part).or_default() += pj;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_action_and_no_other() {
        let table = EnergyTable::builtin();
        let priced_by_size = [Action::SramReadBit, Action::SramWriteBit];
        for action in Action::ALL {
            assert_eq!(
                table.energy_pj(action).is_none(),
                priced_by_size.contains(&action),
                "{}",
                action.name()
            );
        }
        assert_eq!(
            table.energies_pj.len(),
            Action::ALL.len() - priced_by_size.len()
        );
    }

    #[test]
    fn multipliers_scale_with_the_square_of_their_width() {
        let table = EnergyTable::builtin();
        for (action, width) in [
            (Action::Multiply5, 5.0_f64),
            (Action::Multiply8, 8.0),
            (Action::Multiply12, 12.0),
            (Action::Multiply16, 16.0),
        ] {
            let expected = 0.2 * (width / 8.0).powi(2);
            assert!((table.energy_pj(action).unwrap() - expected).abs() < 1e-9);
        }
        // The square law meets the other measured point: 32 bits, 3.1 pJ.
        assert!((0.2 * 16.0 / 3.1 - 1.0_f64).abs() < 0.05);
    }

    #[test]
    fn a_counted_action_without_a_row_is_an_error() {
        let table =
            EnergyTable::from_csv("action,energy_pj,node_nm,source\nadd_32b,0.1,45,somewhere\n")
                .unwrap();
        let mut actions = Actions::default();
        actions.count(Part::Arithmetic, Action::Add32, 10);
        let energy = table.price(&actions, None, "m").unwrap();
        assert!((energy.total_pj() - 1.0).abs() < 1e-12);
        actions.count(Part::Arithmetic, Action::Multiply8, 1);
        assert_eq!(
            table.price(&actions, None, "m"),
            Err(AccelError::NoEnergy {
                action: "multiply_8b",
                machine: "m".into()
            })
        );
    }

    #[test]
    fn malformed_tables_are_refused_by_line() {
        let head = "action,energy_pj,node_nm,source\n";
        for (row, word) in [
            ("add_32b,-1,45,x", "energy_pj"),
            ("add_32b,NaN,45,x", "energy_pj"),
            ("add_32b,1,65,x", "node_nm"),
            ("add_32b,1,45,", "source"),
            ("add_32b,1", "four columns"),
            ("add_32b,1,45,x\nadd_32b,2,45,x", "twice"),
        ] {
            let error = EnergyTable::from_csv(&format!("{head}{row}\n")).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.to_string().contains("line "), "{error}");
        }
    }
}
