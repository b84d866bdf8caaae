//! The blocks that chips are made of, synthesised or published: `data/area.csv`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Component;
use crate::AccelError;
use crate::energy::{Kind, Part, origin, refuse, rows};
use crate::node::Origin;

/// Declares the cells with their names in the table.
macro_rules! cells {
    ($($(#[$doc:meta])* $cell:ident = $name:literal,)*) => {
        /// A block of known area.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cell {
            $($(#[$doc])* $cell,)*
        }

        impl Cell {
            /// All of them.
            pub const ALL: &[Cell] = &[$(Cell::$cell),*];

            /// The name in the table.
            pub fn name(self) -> &'static str {
                match self {
                    $(Cell::$cell => $name,)*
                }
            }
        }
    };
}

cells! {
    /// An element of the variable-speed array.
    VssaElement = "vssa_element",
    /// An element of a plain array of 8 bits.
    PlainElement8 = "plain_element_8b",
    /// An element of a plain array of 4 bits.
    PlainElement4 = "plain_element_4b",
    /// Multiplier, adder and pipeline of an element of Eyeriss.
    EyerissMac = "eyeriss_mac",
    /// A word of 16 bits of a scratch pad in registers.
    RegisterWord = "register_word_16b",
    /// A word of 16 bits of Eyeriss' scratch pad for weights, an SRAM.
    EyerissFilterWord = "eyeriss_filter_word",
    /// A 12-bit multiplier of SpAtten with its share of the tree of adders.
    SpattenMultiplier = "spatten_multiplier",
    /// A 16-bit multiply-add of a vector unit.
    VectorMultiplyAdd = "vector_multiply_add",
    /// A 16-bit adder of a vector unit.
    VectorAdder16 = "vector_adder_16b",
    /// A 32-bit adder of a vector unit.
    VectorAdder32 = "vector_adder_32b",
    /// A lane of the two-level top-k unit.
    TopkLane = "topk_lane",
    /// A multiplier in single precision.
    MultiplierFp32 = "multiplier_fp32",
    /// An adder in single precision.
    AdderFp32 = "adder_fp32",
    /// A comparator of 32 bits.
    Comparator32 = "comparator_32b",
}

/// A row of the table.
struct Row {
    area_um2: f64,
    leakage_mw: f64,
    delay_ps: Option<f64>,
    origin: Origin,
    kind: Kind,
    source: String,
}

const NAME: &str = "area table";
const HEAD: &str = "cell,area_um2,leakage_mw,delay_ps,node_nm,supply_v,kind,source";

static ROWS: LazyLock<BTreeMap<String, Row>> = LazyLock::new(|| {
    parse(include_str!("../../data/area.csv")).expect("the table of the crate is tested")
});

fn parse(text: &str) -> Result<BTreeMap<String, Row>, AccelError> {
    let mut parsed = BTreeMap::new();
    for (index, fields) in rows::<8>(NAME, text, HEAD)? {
        let [cell, area, leakage, delay, node, supply, kind, source] = fields;
        let refuse = |reason: String| refuse(NAME, index, reason);
        let above_zero = |key: &str, field: &str| match field.parse::<f64>() {
            Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
            _ => Err(refuse(format!("{key} `{field}`: must be above 0"))),
        };
        let row = Row {
            area_um2: above_zero("area_um2", area)?,
            leakage_mw: above_zero("leakage_mw", leakage)?,
            delay_ps: match delay {
                "" => None,
                _ => Some(above_zero("delay_ps", delay)?),
            },
            origin: origin(node, supply).map_err(refuse)?,
            kind: Kind::of(kind).ok_or_else(|| refuse(format!("kind `{kind}` is unknown")))?,
            source: source.trim().to_owned(),
        };
        if row.source.is_empty() {
            return Err(refuse("has no source".into()));
        }
        if parsed.insert(cell.to_owned(), row).is_some() {
            return Err(refuse(format!("`{cell}` stands twice")));
        }
    }
    Ok(parsed)
}

impl Cell {
    /// So many of them.
    pub(super) fn component(self, part: Part, count: f64) -> Component {
        let row = ROWS
            .get(self.name())
            .expect("the table is tested to have all");
        Component {
            part,
            name: self.name().to_owned(),
            count,
            area_um2: row.area_um2,
            leakage_mw: row.leakage_mw,
            delay_ps: row.delay_ps,
            origin: row.origin,
            kind: row.kind,
            source: row.source.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthesis::{result, stream};

    #[test]
    fn the_table_has_every_cell_and_no_other() {
        for cell in Cell::ALL {
            assert!(ROWS.contains_key(cell.name()), "{}", cell.name());
        }
        assert_eq!(ROWS.len(), Cell::ALL.len());
    }

    #[test]
    fn netlist_rows_are_those_of_the_synthesis() {
        let whole = |name| (result(name, "area_um2"), Some(result(name, "delay_ps")));
        let each = |name, of: f64| {
            let (area, delay) = whole(name);
            (area / of, delay)
        };
        let of_array = |name| {
            let area = result(name, "area_per_element_um2");
            (area, Some(result(name, "delay_ps")))
        };
        let expected = [
            (Cell::VssaElement, of_array("vssa_array 16 x 16")),
            (Cell::PlainElement8, of_array("plain_array 8 x 8")),
            (Cell::PlainElement4, whole("plain_element_4b")),
            (Cell::EyerissMac, whole("eyeriss_mac")),
            (
                Cell::RegisterWord,
                (result("register_file, 24 x 16 b", "area_um2") / 24.0, None),
            ),
            (Cell::SpattenMultiplier, each("spatten_dot, 8 lanes", 8.0)),
            (Cell::VectorMultiplyAdd, whole("multiply_add")),
            (Cell::VectorAdder16, whole("adder, 16 b")),
            (Cell::VectorAdder32, whole("adder, 32 b")),
            (Cell::TopkLane, each("topk, 16 lanes", 16.0)),
        ];
        let leaks = |element, name| stream(element, name).leakage_mw;
        for (cell, leakage_mw) in [
            (Cell::VssaElement, leaks("pipelined", "8x8")),
            (Cell::PlainElement8, leaks("plain", "8x8")),
            (Cell::PlainElement4, leaks("plain 4 b", "4x4")),
            (Cell::EyerissMac, leaks("eyeriss_mac", "operations")),
            (
                Cell::RegisterWord,
                leaks("register_file, 24 x 16 b", "reads") / 24.0,
            ),
            (
                Cell::SpattenMultiplier,
                leaks("spatten_dot, 8 lanes", "operations") / 8.0,
            ),
            (Cell::VectorMultiplyAdd, leaks("multiply_add", "operations")),
            (Cell::VectorAdder16, leaks("adder, 16 b", "operations")),
            (Cell::VectorAdder32, leaks("adder, 32 b", "operations")),
            (Cell::TopkLane, leaks("topk, 16 lanes", "operations") / 16.0),
        ] {
            let ratio = ROWS[cell.name()].leakage_mw / leakage_mw;
            assert!((ratio - 1.0).abs() < 2e-3, "{}", cell.name());
        }
        for (cell, (area_um2, delay_ps)) in expected {
            let row = &ROWS[cell.name()];
            assert_eq!(row.kind, Kind::Netlist, "{}", cell.name());
            let ratio = row.area_um2 / area_um2;
            assert!((ratio - 1.0).abs() < 1e-3, "{}: {area_um2}", cell.name());
            assert_eq!(row.delay_ps, delay_ps, "{}", cell.name());
        }
        let netlists = ROWS.values().filter(|row| row.kind == Kind::Netlist);
        assert_eq!(netlists.count(), expected.len());
    }

    #[test]
    fn malformed_tables_are_refused() {
        for (row, word) in [
            ("x,0,1,,45,1.1,netlist,y", "area_um2"),
            ("x,1,-1,,45,1.1,netlist,y", "leakage_mw"),
            ("x,1,1,0,45,1.1,netlist,y", "delay_ps"),
            ("x,1,1,,45,9,netlist,y", "supply_v"),
            ("x,1,1,,45,1.1,guess,y", "kind"),
            ("x,1,1,,45,1.1,netlist, ", "source"),
        ] {
            let error = parse(&format!("{HEAD}\n{row}\n")).err().unwrap();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
