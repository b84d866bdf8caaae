//! Plain arrays to hold a variable-speed one against.

use super::{Machine, Setting, syntax};
use crate::AccelError;

/// What a plain array is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainFeed {
    /// All tokens, at one width.
    Dense,
    /// The tokens that a trace computes, at their tiers.
    Tiers,
}

impl Machine {
    /// The plain array that stands against a variable-speed one: the same clock, buffer,
    /// DRAM, vector unit and ranking, and as many elements of `element_bits` bits as
    /// multiply as much: a multiplier's size goes with the square of its width. Eight
    /// rows, as `systolic-128` has.
    ///
    /// # Errors
    /// As [`from_toml_with`](Machine::from_toml_with), and [`AccelError::Value`] if the
    /// file is of another kind.
    pub fn plain_counterpart(
        vssa: &str,
        settings: &[Setting],
        element_bits: u64,
        feed: PlainFeed,
    ) -> Result<Machine, AccelError> {
        const ROWS: u64 = 8;
        let of = Machine::from_toml_with(vssa, settings)?;
        if of.kind != "vssa" {
            let kind = format!("\"{}\"", of.kind);
            return Err(super::check::refuse("kind", kind, "\"vssa\""));
        }
        let multipliers = of.elements() * of.element_bits() * of.element_bits();
        let elements = multipliers / (element_bits * element_bits).max(1);
        let mut tables: toml::Table = toml::from_str(vssa).map_err(syntax)?;
        for setting in settings {
            setting.apply(&mut tables)?;
        }
        let fed = match feed {
            PlainFeed::Dense => "dense",
            PlainFeed::Tiers => "tiers",
        };
        let array = format!(
            "rows = {ROWS}\ncolumns = {}\ndataflow = \"output-stationary\"\n\
             overlap = \"overlapped\"\nelement_bits = {element_bits}\nfed = \"{fed}\"\n",
            (elements / ROWS).max(1)
        );
        let array: toml::Table = toml::from_str(&array).map_err(syntax)?;
        let name = format!("plain array of {elements} x {element_bits} bits");
        tables.insert("kind".into(), "systolic".into());
        tables.insert("name".into(), name.into());
        tables.insert("array".into(), array.into());
        if feed == PlainFeed::Dense {
            tables.remove("sort");
        }
        Machine::from_toml(&tables.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_array_has_as_much_to_multiply_with() {
        let vssa = Machine::builtin_toml("vssa-512").unwrap();
        for (bits, elements) in [(4, 512), (8, 128)] {
            for feed in [PlainFeed::Dense, PlainFeed::Tiers] {
                let plain = Machine::plain_counterpart(vssa, &[], bits, feed).unwrap();
                assert_eq!((plain.elements(), plain.element_bits()), (elements, bits));
                assert_eq!(plain.clock_ghz(), 1.0);
            }
        }
        let more = ["array.arrays=16".parse().unwrap()];
        let plain = Machine::plain_counterpart(vssa, &more, 8, PlainFeed::Dense).unwrap();
        assert_eq!(plain.elements(), 256);
    }

    #[test]
    fn another_kind_is_refused() {
        let eyeriss = Machine::builtin_toml("eyeriss").unwrap();
        let error = Machine::plain_counterpart(eyeriss, &[], 8, PlainFeed::Dense).unwrap_err();
        assert!(error.to_string().contains("vssa"), "{error}");
    }
}
