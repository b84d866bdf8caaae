//! On-chip SRAM: capacity, and energies per bit from CACTI 7.

use serde::Deserialize;

use crate::AccelError;
use crate::machine::check;

/// An SRAM buffer of equal banks.
///
/// Its energy per bit is that of one bank in `data/cacti7_45nm.csv` (CACTI 7,
/// 45 nm, LSTP), linear in the bank's size between the rows. Sizes outside the
/// table are refused, not extrapolated.
#[derive(Clone, Debug, PartialEq)]
pub struct Sram {
    bytes: u64,
    banks: u64,
    access_bits: u64,
    read_pj_per_bit: f64,
    write_pj_per_bit: f64,
}

/// The table `[buffer]` of a machine file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SramFile {
    bytes: u64,
    banks: u64,
    access_bits: u64,
}

/// One row of the table: size of a bank, bits of an access, energies of one.
struct Row {
    bytes: f64,
    bits: u64,
    read_pj: f64,
    write_pj: f64,
}

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
        let rows: Vec<Row> = rows().filter(|row| row.bits == access_bits).collect();
        if rows.is_empty() {
            return Err(check::refuse(
                "buffer.access_bits",
                access_bits,
                "64, 128 or 256",
            ));
        }
        let bank = bytes as f64 / banks as f64;
        let (first, last) = (rows[0].bytes, rows[rows.len() - 1].bytes);
        let Some(pair) = rows
            .windows(2)
            .find(|pair| (pair[0].bytes..=pair[1].bytes).contains(&bank))
        else {
            return Err(check::refuse(
                "buffer.bytes / buffer.banks",
                bank,
                &format!("{first} to {last}, the banks that CACTI's table has"),
            ));
        };
        let share = (bank - pair[0].bytes) / (pair[1].bytes - pair[0].bytes);
        let between = |low: f64, high: f64| (low + share * (high - low)) / access_bits as f64;
        Ok(Sram {
            bytes,
            banks,
            access_bits,
            read_pj_per_bit: between(pair[0].read_pj, pair[1].read_pj),
            write_pj_per_bit: between(pair[0].write_pj, pair[1].write_pj),
        })
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
    pub fn read_pj_per_bit(&self) -> f64 {
        self.read_pj_per_bit
    }

    /// Energy of writing one bit, in pJ.
    pub fn write_pj_per_bit(&self) -> f64 {
        self.write_pj_per_bit
    }
}

/// The rows of the table, by rising size for each access width.
fn rows() -> impl Iterator<Item = Row> {
    include_str!("../../data/cacti7_45nm.csv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .map(|line| {
            let fields: Vec<f64> = line
                .split(',')
                .map(|field| field.parse().expect("the table of the crate is numeric"))
                .collect();
            Row {
                bytes: fields[0],
                bits: fields[1] as u64,
                read_pj: fields[5],
                write_pj: fields[6],
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_table_comes_back() {
        let sram = Sram::new(32768, 1, 128).unwrap();
        assert!((sram.read_pj_per_bit() * 128.0 - 20.3074).abs() < 1e-9);
        assert!((sram.write_pj_per_bit() * 128.0 - 27.5274).abs() < 1e-9);
    }

    #[test]
    fn energy_grows_with_the_bank() {
        let mut last = 0.0;
        for bytes in [8192, 10000, 32768, 50000, 65536, 200_000, 524_288] {
            let energy = Sram::new(bytes, 1, 128).unwrap().read_pj_per_bit();
            assert!(energy > last);
            last = energy;
        }
    }

    #[test]
    fn what_the_table_lacks_is_refused() {
        assert!(Sram::new(4096, 1, 128).is_err());
        assert!(Sram::new(1 << 20, 1, 128).is_err());
        assert!(Sram::new(32768, 1, 32).is_err());
        assert!(Sram::new(1 << 20, 8, 128).is_ok());
    }
}
