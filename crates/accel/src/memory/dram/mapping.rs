//! From addresses to channels, ranks, banks, rows and columns.

use serde::Deserialize;

use super::device::Parameters;

/// The order of the six fields of an address, highest first, as DRAMsim3 writes
/// it: `ch`annel, `ra`nk, `b`ank `g`roup, `ba`nk, `ro`w, `co`lumn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Mapping {
    /// Highest first.
    fields: [Field; 6],
}

/// A field of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Channel,
    Rank,
    Group,
    Bank,
    Row,
    Column,
}

impl TryFrom<String> for Mapping {
    type Error = String;

    fn try_from(text: String) -> Result<Mapping, String> {
        Mapping::parse(&text).ok_or_else(|| {
            format!(
                "mapping `{text}`: must be the fields ch, ra, bg, ba, ro and co, each once and \
                 the highest bits first, as in `rorabgbachco`"
            )
        })
    }
}

impl Mapping {
    /// Of the fields, highest first, each of which is there once.
    pub(crate) const fn new(fields: [Field; 6]) -> Mapping {
        Mapping { fields }
    }

    pub(crate) fn parse(text: &str) -> Option<Mapping> {
        let names = text.as_bytes();
        if names.len() != 12 {
            return None;
        }
        let mut fields = [Field::Channel; 6];
        for (field, name) in fields.iter_mut().zip(names.chunks(2)) {
            *field = match name {
                b"ch" => Field::Channel,
                b"ra" => Field::Rank,
                b"bg" => Field::Group,
                b"ba" => Field::Bank,
                b"ro" => Field::Row,
                b"co" => Field::Column,
                _ => return None,
            };
        }
        let once = (1..6).all(|last| !fields[..last].contains(&fields[last]));
        once.then_some(Mapping { fields })
    }
}

/// Where the bursts of a memory lie. Bursts are counted from address 0; those of
/// one channel, in the order of their addresses, have local numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layout {
    channel: Bits,
    rank: Bits,
    group: Bits,
    bank: Bits,
    row: Bits,
    column: Bits,
    groups_of_rank: u64,
    banks_of_group: u64,
}

/// Bits of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bits {
    pub(crate) low: u32,
    pub(crate) width: u32,
}

impl Bits {
    fn of(self, number: u64) -> u64 {
        (number >> self.low) & ((1 << self.width) - 1)
    }
}

impl Layout {
    /// `channels` is a power of two.
    pub(crate) fn new(mapping: Mapping, device: &Parameters, channels: u32) -> Layout {
        let mut layout = Layout {
            channel: Bits::default(),
            rank: Bits::default(),
            group: Bits::default(),
            bank: Bits::default(),
            row: Bits::default(),
            column: Bits::default(),
            groups_of_rank: u64::from(device.bank_groups),
            banks_of_group: u64::from(device.banks),
        };
        // Positions of local numbers, which lack the channel's bits.
        let mut low = 0;
        for field in mapping.fields.into_iter().rev() {
            let (bits, count) = match field {
                Field::Channel => {
                    let width = channels.ilog2();
                    layout.channel = Bits { low, width };
                    continue;
                }
                Field::Rank => (&mut layout.rank, device.ranks),
                Field::Group => (&mut layout.group, device.bank_groups),
                Field::Bank => (&mut layout.bank, device.banks),
                Field::Row => (&mut layout.row, device.rows),
                Field::Column => (&mut layout.column, device.columns),
            };
            let width = count.ilog2();
            *bits = Bits { low, width };
            low += width;
        }
        layout
    }

    /// How many of the bursts below number `burst` lie in a channel: the local
    /// number of the first at or above it.
    pub(crate) fn local(&self, channel: u64, burst: u64) -> u64 {
        let Bits { low, width } = self.channel;
        let group = 1 << low;
        let whole = burst >> (low + width) << low;
        let rest = burst & ((1 << (low + width)) - 1);
        whole + rest.saturating_sub(channel * group).min(group)
    }

    /// The bank of a local number, counted through groups and ranks.
    pub(crate) fn bank(&self, local: u64) -> usize {
        let group = self.rank.of(local) * self.groups_of_rank + self.group.of(local);
        (group * self.banks_of_group + self.bank.of(local)) as usize
    }

    /// The row of a local number.
    pub(crate) fn row(&self, local: u64) -> u32 {
        self.row.of(local) as u32
    }

    /// The end of the local numbers that follow one another in its row.
    pub(crate) fn end_of_row(&self, local: u64) -> u64 {
        let columns = match self.column.low {
            0 => 1 << self.column.width,
            _ => 1,
        };
        (local / columns + 1) * columns
    }

    /// The bits of a local number that are its row.
    pub(crate) fn row_bits(&self) -> Bits {
        self.row
    }
}

#[cfg(test)]
mod tests {
    use super::super::Device;
    use super::*;

    #[test]
    fn every_burst_has_one_local_number() {
        let device = Device::Hbm2.parameters();
        for text in ["rorabgbachco", "chrobabgraco", "rorabacobgch"] {
            let layout = Layout::new(Mapping::parse(text).unwrap(), &device, 4);
            let mut next = [0; 4];
            for burst in 0..100_000 {
                let owners: Vec<u64> = (0..4)
                    .filter(|&channel| {
                        layout.local(channel, burst + 1) > layout.local(channel, burst)
                    })
                    .collect();
                assert_eq!(owners.len(), 1, "{text}: {burst}");
                let owner = owners[0];
                assert_eq!(layout.channel.of(burst), owner, "{text}: {burst}");
                assert_eq!(layout.local(owner, burst), next[owner as usize]);
                next[owner as usize] += 1;
            }
        }
    }

    #[test]
    fn fields_are_named_once_each() {
        for text in [
            "",
            "ro",
            "rorabgbachro",
            "rorabgbachxx",
            "rorabgbachcoco",
            "röräbgbach",
        ] {
            assert!(Mapping::parse(text).is_none(), "{text}");
        }
    }
}
