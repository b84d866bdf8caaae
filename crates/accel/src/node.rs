//! Technology nodes: what an area, a delay or an energy becomes at another one.
//!
//! Stillmaker and Baas, *Scaling equations for the accurate prediction of CMOS device
//! performance from 180 nm to 7 nm*, Integration 58 (2017): a table for areas, and
//! polynomials in the supply voltage for delay and energy, fitted to simulations of
//! predictive models. Scaled = value x factor(to) / factor(from). Nodes that they do not
//! have, 40 and 28 nm among them, lie between those that they have, straight on
//! logarithmic axes.
//!
//! Leakage is not theirs: it scales here with supply and gate width, so with V x node.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::AccelError;
use crate::machine::check;

/// The cells whose rows a scaling uses at 45 nm and below, where there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cells {
    /// High-performance transistors.
    HighPerformance,
    /// Low-power transistors.
    LowPower,
}

/// What chips are compared in: the table `[technology]` of a machine file.
///
/// Without one it is that of the netlists and the SRAM, in which both are used as
/// they are: 45 nm, 1.1 V.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technology {
    /// Node, in nm.
    pub node_nm: u32,
    /// The rows by which figures come to the node.
    pub cells: Cells,
    /// Supply, in V.
    #[serde(default = "cell_supply")]
    pub supply_v: f64,
}

/// The supply of Nangate45's typical corner and of CACTI's LSTP cells at 45 nm, in V.
const CELL_SUPPLY_V: f64 = 1.1;

fn cell_supply() -> f64 {
    CELL_SUPPLY_V
}

impl Default for Technology {
    fn default() -> Technology {
        Technology {
            node_nm: 45,
            cells: Cells::HighPerformance,
            supply_v: CELL_SUPPLY_V,
        }
    }
}

impl fmt::Display for Technology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} nm, {} V", self.node_nm, self.supply_v)?;
        match (self.node_nm, self.cells) {
            (46.., _) => Ok(()),
            (_, Cells::HighPerformance) => write!(f, ", high-performance cells"),
            (_, Cells::LowPower) => write!(f, ", low-power cells"),
        }
    }
}

/// Node and supply at which a figure was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Origin {
    /// Node, in nm.
    pub node_nm: u32,
    /// Supply, in V.
    pub supply_v: f64,
}

impl Origin {
    /// That the scaling reaches so far.
    ///
    /// # Errors
    /// What may stand there.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !(7..=180).contains(&self.node_nm) {
            return Err(("node_nm", "7 to 180"));
        }
        let most = if self.node_nm > 90 { 1.8 } else { 1.2 };
        match (0.6..=most).contains(&self.supply_v) {
            true => Ok(()),
            false => Err(("supply_v", "0.6 to 1.2, above 90 nm to 1.8")),
        }
    }
}

impl Technology {
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        self.as_origin()
            .check()
            .map_err(|(key, allowed)| match key {
                "node_nm" => check::refuse("technology.node_nm", self.node_nm, allowed),
                _ => check::refuse("technology.supply_v", self.supply_v, allowed),
            })
    }

    /// Node and supply.
    pub fn as_origin(&self) -> Origin {
        Origin {
            node_nm: self.node_nm,
            supply_v: self.supply_v,
        }
    }

    /// Whether the node lies between two of the tables.
    pub fn is_interpolated(&self) -> bool {
        !AREAS.iter().any(|&(node, _)| node == self.node_nm)
    }

    /// What an area of another node is multiplied by.
    pub fn area_factor(&self, from: Origin) -> f64 {
        area(self.node_nm) / area(from.node_nm)
    }

    /// What an energy of another node and supply is multiplied by.
    pub fn energy_factor(&self, from: Origin) -> f64 {
        self.factor(from, Row::energy)
    }

    /// What a delay of another node and supply is multiplied by.
    pub fn delay_factor(&self, from: Origin) -> f64 {
        self.factor(from, Row::delay)
    }

    /// What the leakage, in mW, of another node and supply is multiplied by.
    pub fn leakage_factor(&self, from: Origin) -> f64 {
        f64::from(self.node_nm) / f64::from(from.node_nm) * self.supply_v / from.supply_v
    }

    fn factor(&self, from: Origin, of: fn(&Row, f64) -> f64) -> f64 {
        if self.as_origin() == from {
            return 1.0;
        }
        let at = |origin: Origin| {
            let rows = ROWS
                .iter()
                .filter(|row| row.cells.is_none_or(|cells| cells == self.cells));
            let points: Vec<(u32, f64)> = rows
                .map(|row| (row.node_nm, of(row, origin.supply_v)))
                .collect();
            between(&points, origin.node_nm)
        };
        at(self.as_origin()) / at(from)
    }
}

/// A node's polynomials, highest power first.
struct Row {
    node_nm: u32,
    /// None above 45 nm.
    cells: Option<Cells>,
    delay: [f64; 4],
    energy: [f64; 3],
}

impl Row {
    /// Cubic fits turn upwards behind the highest supply that they were made for (0.85 V
    /// for high-performance cells of 32 nm): from there on a delay stays as it is.
    fn delay(&self, supply_v: f64) -> f64 {
        horner(&self.delay, supply_v.min(self.quickest_v()))
    }

    /// The supply at which the delay's polynomial has its minimum, if it has one.
    fn quickest_v(&self) -> f64 {
        let [d3, d2, d1, _] = self.delay;
        // 3 d3 V^2 + 2 d2 V + d1 = 0
        let (a, b, c) = (3.0 * d3, 2.0 * d2, d1);
        let discriminant = b * b - 4.0 * a * c;
        match (a == 0.0, discriminant >= 0.0) {
            (true, _) => -c / b,
            (_, true) => (-b + discriminant.sqrt()) / (2.0 * a),
            _ => f64::INFINITY,
        }
    }

    fn energy(&self, supply_v: f64) -> f64 {
        horner(&self.energy, supply_v)
    }
}

fn horner(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, next| sum * x + next)
}

/// The value at a node, straight on logarithmic axes between those of its neighbours;
/// nodes fall.
fn between(points: &[(u32, f64)], node_nm: u32) -> f64 {
    if let Some(&(_, value)) = points.iter().find(|&&(node, _)| node == node_nm) {
        return value;
    }
    let pair = points
        .windows(2)
        .find(|pair| (pair[1].0..=pair[0].0).contains(&node_nm))
        .expect("the node was checked");
    let [(left, a), (right, b)] = [pair[0], pair[1]].map(|(node, value)| (f64::from(node), value));
    let share = (f64::from(node_nm) / left).ln() / (right / left).ln();
    a * (b / a).powf(share)
}

/// Area relative to 45 nm.
fn area(node_nm: u32) -> f64 {
    between(&AREAS, node_nm)
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(',').collect())
}

fn number(field: &str) -> f64 {
    field.parse().expect("the table of the crate is numeric")
}

const AREA_TABLE: &str = include_str!("../data/stillmaker_baas_area.csv");

/// By node the area relative to 45 nm: the table's row of 45 nm.
static AREAS: LazyLock<Vec<(u32, f64)>> = LazyLock::new(|| {
    let mut rows = lines(AREA_TABLE);
    let nodes = rows.next().expect("the table has a head");
    let own = rows
        .find(|row| row[0] == "45")
        .expect("the table has 45 nm");
    let pairs = nodes.iter().zip(&own).skip(1);
    pairs
        .map(|(node, factor)| (number(node) as u32, number(factor)))
        .collect()
});

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    lines(include_str!("../data/stillmaker_baas_coefficients.csv"))
        .skip(1)
        .map(|fields| {
            let (cells, node) = match (fields[0].strip_prefix("HP"), fields[0].strip_prefix("LP")) {
                (Some(node), _) => (Some(Cells::HighPerformance), node),
                (_, Some(node)) => (Some(Cells::LowPower), node),
                _ => (None, fields[0]),
            };
            Row {
                node_nm: number(node) as u32,
                cells,
                delay: [1, 2, 3, 4].map(|at| number(fields[at])),
                energy: [5, 6, 7].map(|at| number(fields[at])),
            }
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn technology(node_nm: u32, cells: Cells, supply_v: f64) -> Technology {
        Technology {
            node_nm,
            cells,
            supply_v,
        }
    }

    const BOTH: [Cells; 2] = [Cells::HighPerformance, Cells::LowPower];

    fn origin(node_nm: u32, supply_v: f64) -> Origin {
        Origin { node_nm, supply_v }
    }

    #[test]
    fn areas_are_those_of_the_whole_table() {
        // The table has two digits: a ratio of two of its numbers may be off by their
        // rounding, and one that begins with 1 was rounded by up to 5 of 100.
        let mut rows = lines(AREA_TABLE);
        let nodes: Vec<u32> = rows.next().unwrap()[1..]
            .iter()
            .map(|node| node.parse().unwrap())
            .collect();
        let mut checked = 0;
        for row in rows {
            let from = row[0].parse().unwrap();
            for (&to, published) in nodes.iter().zip(&row[1..]) {
                let ours = technology(to, Cells::LowPower, 1.0).area_factor(origin(from, 1.0));
                let ratio = ours / number(published);
                assert!((ratio - 1.0).abs() < 0.09, "{from} to {to}: {ratio}");
                checked += 1;
            }
        }
        assert_eq!(checked, 121);
    }

    #[test]
    fn smaller_nodes_are_smaller_faster_and_take_less() {
        for cells in BOTH {
            let mut last = [f64::INFINITY; 3];
            for node in [180, 130, 90, 65, 45, 40, 32, 28, 22, 20, 16, 14, 10, 7] {
                let to = technology(node, cells, 1.0);
                let from = origin(45, 1.0);
                let own = [
                    to.area_factor(from),
                    to.energy_factor(from),
                    to.delay_factor(from),
                ];
                for (own, last) in own.into_iter().zip(last).take(2) {
                    assert!(own < last && own > 0.0, "{cells:?} {node}: {own} {last}");
                }
                assert!(own[2] > 0.0);
                last = own;
            }
        }
    }

    #[test]
    fn there_and_back_again_is_nothing() {
        for cells in BOTH {
            for (node, supply) in [(180, 1.8), (65, 1.0), (40, 0.9), (28, 1.1), (7, 0.7)] {
                let to = technology(node, cells, supply);
                let home = technology(45, cells, 1.1);
                let (there, back) = (origin(45, 1.1), origin(node, supply));
                for pair in [
                    [to.area_factor(there), home.area_factor(back)],
                    [to.energy_factor(there), home.energy_factor(back)],
                    [to.delay_factor(there), home.delay_factor(back)],
                    [to.leakage_factor(there), home.leakage_factor(back)],
                ] {
                    assert!((pair[0] * pair[1] - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn polynomials_by_hand() {
        // HP45 at 0.9 V: 1.018 x 0.81 - 0.3107 x 0.9 + 0.1539; at 1.1 V likewise.
        let to = technology(45, Cells::HighPerformance, 1.1);
        let factor = to.energy_factor(origin(45, 0.9));
        assert!((factor - 1.04391 / 0.69885).abs() < 1e-5, "{factor}");
        // 65 nm, 1.0 V: 3.755 - 4.398 + 1.975.
        let factor = to.energy_factor(origin(65, 1.0));
        assert!((factor - 1.04391 / 1.332).abs() < 1e-5, "{factor}");
        // HP32 at 0.8 V: -1047 x 0.512 + 2982 x 0.64 - 2797 x 0.8 + 873.5, HP45 likewise.
        let to = technology(32, Cells::HighPerformance, 0.8);
        let factor = to.delay_factor(origin(45, 0.8));
        assert!((factor - 8.316 / 16.9608).abs() < 1e-6, "{factor}");
    }

    #[test]
    fn more_supply_is_never_slower() {
        for cells in BOTH {
            for node in [180, 130, 90, 65, 45, 40, 32, 28, 20, 16, 14, 10, 7] {
                let mut last = f64::INFINITY;
                for supply in (12..=24).map(|step| f64::from(step) * 0.05) {
                    let to = technology(node, cells, supply);
                    let own = to.delay_factor(origin(45, 0.9));
                    assert!(own > 0.0 && own <= last, "{cells:?} {node} {supply}: {own}");
                    last = own;
                }
            }
        }
    }

    #[test]
    fn the_area_between_two_nodes_meets_cacti() {
        // CACTI's own 40 nm for a bank of 8 KiB: 0.79 of its 45 nm.
        let factor = technology(40, Cells::LowPower, 1.1).area_factor(origin(45, 1.1));
        assert!(
            (factor / (0.02189 / 0.027706) - 1.0).abs() < 0.05,
            "{factor}"
        );
        assert!(technology(40, Cells::LowPower, 1.1).is_interpolated());
        assert!(!technology(45, Cells::LowPower, 1.1).is_interpolated());
    }

    #[test]
    fn what_the_equations_do_not_reach_is_refused() {
        for (node, supply) in [(5, 0.7), (250, 1.8), (45, 0.3), (45, 1.8), (45, f64::NAN)] {
            let error = technology(node, Cells::LowPower, supply)
                .check()
                .unwrap_err();
            assert!(error.to_string().contains("technology."), "{error}");
        }
    }
}
