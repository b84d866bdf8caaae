//! On-chip SRAM: capacity, energies, area and leakage from CACTI 7.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::AccelError;
use crate::area::Component;
use crate::energy::{Kind, Part, rows};
use crate::machine::check;
use crate::node::{Origin, Technology};

/// An SRAM buffer of equal banks.
///
/// Its figures are those of one bank in `data/cacti7.csv` (CACTI 7, LSTP cells), linear
/// in the bank's size between the rows; of 40 nm by CACTI's own rows, of other nodes by
/// scaling those of 45 nm. Banks below the table's smallest are register files, by
/// netlists of `rtl/baselines/register_file.sv` (`data/register_file.csv`), linear in
/// their words and beyond the largest of them along the same line. Banks above the
/// table's largest are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Sram {
    bytes: u64,
    banks: u64,
    access_bits: u64,
}

/// The table `[buffer]` of a machine file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SramFile {
    bytes: u64,
    banks: u64,
    access_bits: u64,
}

/// One bank.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bank {
    read_pj_per_bit: f64,
    write_pj_per_bit: f64,
    leakage_mw: f64,
    area_um2: f64,
}

impl Bank {
    /// On the line from one to another, by share of the way.
    fn between(&self, other: &Bank, share: f64) -> Bank {
        let line = |own: f64, other: f64| own + share * (other - own);
        Bank {
            read_pj_per_bit: line(self.read_pj_per_bit, other.read_pj_per_bit),
            write_pj_per_bit: line(self.write_pj_per_bit, other.write_pj_per_bit),
            leakage_mw: line(self.leakage_mw, other.leakage_mw),
            area_um2: line(self.area_um2, other.area_um2),
        }
    }
}

/// One row of CACTI's table.
struct Row {
    bytes: f64,
    access_bits: u64,
    node_nm: u32,
    bank: Bank,
}

/// Nodes of the table, and the supply that CACTI gives its LSTP cells: at 40 nm between
/// the 1.1 V of 45 and the 1.0 V of 32.
const ORIGINS: [Origin; 2] = [
    Origin {
        node_nm: 45,
        supply_v: 1.1,
    },
    Origin {
        node_nm: 40,
        supply_v: 1.1 - 0.1 * 5.0 / 13.0,
    },
];

impl SramFile {
    pub(crate) fn build(self) -> Result<Sram, AccelError> {
        check::between("buffer.bytes", self.bytes, 1, 1 << 30)?;
        check::between("buffer.banks", self.banks, 1, 1 << 12)?;
        Sram::new(self.bytes, self.banks, self.access_bits)
    }
}

impl Sram {
    /// A buffer of `bytes` in `banks` banks that are read `access_bits` at once.
    ///
    /// # Errors
    /// [`AccelError::Value`] if the table has no such access width, or the bank's
    /// size lies outside it.
    pub fn new(bytes: u64, banks: u64, access_bits: u64) -> Result<Sram, AccelError> {
        let sram = Sram {
            bytes,
            banks,
            access_bits,
        };
        let largest = sram
            .rows(ORIGINS[0])
            .map(|row| row.bytes)
            .fold(0.0, f64::max);
        if largest == 0.0 {
            let known = "64, 128 or 256";
            return Err(check::refuse("buffer.access_bits", access_bits, known));
        }
        let least = access_bits as f64 / 4.0;
        if !(least..=largest).contains(&sram.bank_bytes()) {
            return Err(check::refuse(
                "buffer.bytes / buffer.banks",
                sram.bank_bytes(),
                &format!("{least} to {largest}: two words, and the largest bank of CACTI's table"),
            ));
        }
        Ok(sram)
    }

    fn bank_bytes(&self) -> f64 {
        self.bytes as f64 / self.banks as f64
    }

    /// CACTI's rows of the access width at a node, by rising size.
    fn rows(&self, at: Origin) -> impl Iterator<Item = &'static Row> {
        let bits = self.access_bits;
        ROWS.iter()
            .filter(move |row| row.access_bits == bits && row.node_nm == at.node_nm)
    }

    /// A bank, and where its figures hold.
    fn bank(&self, node_nm: u32) -> (Bank, Origin) {
        let [at_45, at_40] = ORIGINS;
        if self.kind() == Kind::Netlist {
            return (self.register_file(), at_45);
        }
        let at = if node_nm == 40 { at_40 } else { at_45 };
        let rows: Vec<&Row> = self.rows(at).collect();
        let size = self.bank_bytes();
        let pair = rows
            .windows(2)
            .find(|pair| (pair[0].bytes..=pair[1].bytes).contains(&size))
            .expect("the size was checked");
        let share = (size - pair[0].bytes) / (pair[1].bytes - pair[0].bytes);
        (pair[0].bank.between(&pair[1].bank, share), at)
    }

    /// A bank of registers, at 45 nm.
    fn register_file(&self) -> Bank {
        let words = self.bank_bytes() * 8.0 / self.access_bits as f64;
        let files = &*REGISTER_FILES;
        let right = files[1..files.len() - 1]
            .iter()
            .position(|(own, _)| words <= *own)
            .map_or(files.len() - 1, |at| at + 1);
        let [(less, left), (more, right)] = [files[right - 1], files[right]];
        let file = left.between(&right, (words - less) / (more - less));
        // The files have words of 16 bits.
        let width = self.access_bits as f64 / 16.0;
        Bank {
            leakage_mw: file.leakage_mw * width,
            area_um2: file.area_um2 * width,
            ..file
        }
    }

    /// How its figures were found: netlists below the smallest bank of CACTI's table.
    pub fn kind(&self) -> Kind {
        let smallest = self.rows(ORIGINS[0]).next().map_or(0.0, |row| row.bytes);
        match self.bank_bytes() < smallest {
            true => Kind::Netlist,
            false => Kind::Cacti,
        }
    }

    /// What it adds to a chip, at 45 nm.
    pub(crate) fn component(&self, node_nm: u32) -> Component {
        let (bank, origin) = self.bank(node_nm);
        let (what, source) = match self.kind() {
            Kind::Netlist => (
                "register file, too small for CACTI's table",
                "rtl/baselines/register_file.sv in Nangate45",
            ),
            _ => ("SRAM", "CACTI 7.0, LSTP cells"),
        };
        Component {
            part: Part::Buffer,
            name: format!(
                "{what}: bank of {} B x {} b",
                self.bank_bytes(),
                self.access_bits
            ),
            count: self.banks as f64,
            area_um2: bank.area_um2,
            leakage_mw: bank.leakage_mw,
            delay_ps: None,
            origin,
            kind: self.kind(),
            source: source.into(),
        }
    }

    /// Capacity in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of banks.
    pub fn banks(&self) -> u64 {
        self.banks
    }

    /// Bits of an access to a bank.
    pub fn access_bits(&self) -> u64 {
        self.access_bits
    }

    /// Energy of reading one bit, in pJ.
    pub fn read_pj_per_bit(&self, technology: &Technology) -> f64 {
        let (bank, origin) = self.bank(technology.node_nm);
        bank.read_pj_per_bit * technology.energy_factor(origin)
    }

    /// Energy of writing one bit, in pJ.
    pub fn write_pj_per_bit(&self, technology: &Technology) -> f64 {
        let (bank, origin) = self.bank(technology.node_nm);
        bank.write_pj_per_bit * technology.energy_factor(origin)
    }
}

fn number(field: &str) -> f64 {
    field.parse().expect("the table of the crate is numeric")
}

/// CACTI's table.
static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    const HEAD: &str = "bytes,bits,node_nm,access_ns,cycle_ns,read_pj,write_pj,leakage_mw,area_mm2";
    let table = rows::<9>("SRAM table", include_str!("../../data/cacti7.csv"), HEAD)
        .expect("the table of the crate is tested");
    let mut table: Vec<Row> = table
        .into_iter()
        .map(|(_, fields)| {
            let fields = fields.map(number);
            Row {
                bytes: fields[0],
                access_bits: fields[1] as u64,
                node_nm: fields[2] as u32,
                bank: Bank {
                    read_pj_per_bit: fields[5] / fields[1],
                    write_pj_per_bit: fields[6] / fields[1],
                    leakage_mw: fields[7],
                    area_um2: fields[8] * 1e6,
                },
            }
        })
        .collect();
    table.sort_by(|a, b| a.bytes.total_cmp(&b.bytes));
    table
});

/// Register files of 16 bits by their words, rising.
static REGISTER_FILES: LazyLock<Vec<(f64, Bank)>> = LazyLock::new(|| {
    const HEAD: &str = "words,bits,area_um2,leakage_mw,read_pj,write_pj,node_nm,supply_v,source";
    let text = include_str!("../../data/register_file.csv");
    let table =
        rows::<9>("register file table", text, HEAD).expect("the table of the crate is tested");
    let files = table.into_iter().map(|(_, fields)| {
        let bank = Bank {
            read_pj_per_bit: number(fields[4]) / number(fields[1]),
            write_pj_per_bit: number(fields[5]) / number(fields[1]),
            leakage_mw: number(fields[3]),
            area_um2: number(fields[2]),
        };
        (number(fields[0]), bank)
    });
    files.collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_table_comes_back() {
        let sram = Sram::new(32768, 1, 128).unwrap();
        let here = Technology::default();
        assert!((sram.read_pj_per_bit(&here) * 128.0 - 20.3074).abs() < 1e-9);
        assert!((sram.write_pj_per_bit(&here) * 128.0 - 27.5274).abs() < 1e-9);
        let component = sram.component(45);
        assert!((component.area_um2 - 97_539.0).abs() < 1e-6);
        assert!((component.leakage_mw - 0.000636714).abs() < 1e-12);
        // At 40 nm CACTI's own row, brought to the supply.
        let there = Technology {
            node_nm: 40,
            ..here
        };
        assert!((sram.component(40).area_um2 - 77_065.0).abs() < 1e-6);
        let ratio = sram.read_pj_per_bit(&there) * 128.0 / 16.7569;
        assert!((1.0..1.15).contains(&ratio), "{ratio}");
    }

    #[test]
    fn register_files_are_those_of_the_synthesis() {
        for &(words, bank) in &*REGISTER_FILES {
            let name = format!("register_file, {words} x 16 b");
            let of = |stream| crate::synthesis::stream(&name, stream);
            let above_idle = |stream| of(stream).cycle_pj - of("idle").cycle_pj;
            for (own, expected) in [
                (16.0 * bank.read_pj_per_bit, above_idle("reads")),
                (16.0 * bank.write_pj_per_bit, above_idle("writes")),
                (bank.leakage_mw, of("reads").leakage_mw),
                (bank.area_um2, crate::synthesis::result(&name, "area_um2")),
            ] {
                assert!((own / expected - 1.0).abs() < 2e-3, "{name}: {expected}");
            }
        }
        assert_eq!(REGISTER_FILES.len(), 3);
    }

    #[test]
    fn the_row_of_eyeriss_buffer_is_a_bank_of_cacti() {
        let bank = Sram::new(8192, 1, 64).unwrap();
        let here = Technology::default();
        let mean = (bank.read_pj_per_bit(&here) + bank.write_pj_per_bit(&here)) / 2.0;
        let table = crate::energy::EnergyTable::builtin();
        let row = table
            .price_of(crate::energy::Action::EyerissBuffer)
            .unwrap();
        assert!((row.energy_pj / (16.0 * mean) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn energy_grows_with_the_bank() {
        let mut last = 0.0;
        for bytes in [8192, 10000, 32768, 50000, 65536, 200_000, 524_288] {
            let energy = Sram::new(bytes, 1, 128)
                .unwrap()
                .read_pj_per_bit(&Technology::default());
            assert!(energy > last);
            last = energy;
        }
    }

    #[test]
    fn what_the_table_lacks_is_refused() {
        assert!(Sram::new(16, 1, 128).is_err());
        assert!(Sram::new(1 << 20, 1, 128).is_err());
        assert!(Sram::new(32768, 1, 32).is_err());
        assert!(Sram::new(1 << 20, 8, 128).is_ok());
    }

    #[test]
    fn a_small_bank_is_a_register_file() {
        let here = Technology::default();
        let small = Sram::new(4096, 1, 128).unwrap();
        assert_eq!(small.kind(), Kind::Netlist);
        assert!(small.component(45).name.contains("register file"));
        assert_eq!(Sram::new(8192, 1, 128).unwrap().kind(), Kind::Cacti);
        // 24 words of 16 bits, eight of them side by side, are a row of the table.
        let file = Sram::new(24 * 16, 1, 128).unwrap();
        let (_, row) = REGISTER_FILES[1];
        assert!((file.component(45).area_um2 - 8.0 * row.area_um2).abs() < 1e-6);
        assert!((file.read_pj_per_bit(&here) - row.read_pj_per_bit).abs() < 1e-12);
        // Registers are larger than SRAM cells and dearer to read.
        let sram = Sram::new(8192, 1, 128).unwrap();
        assert!(2.0 * small.component(45).area_um2 > sram.component(45).area_um2);
        assert!(small.read_pj_per_bit(&here) > sram.read_pj_per_bit(&here));
        let mut last = 0.0;
        for words in [2, 5, 12, 20, 24, 100, 224, 300, 511] {
            let area = Sram::new(words * 16, 1, 128)
                .unwrap()
                .component(45)
                .area_um2;
            assert!(area > last, "{words}: {area}");
            last = area;
        }
    }
}
