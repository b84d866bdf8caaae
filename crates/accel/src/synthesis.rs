//! What `rtl/synthesis` found, for tests that hold the crate's tables against it.

/// A row of a table whose named columns hold these.
fn row(text: &str, wanted: &[(&str, &str)], column: &str) -> f64 {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|column| column == name).unwrap();
    let row = reader
        .records()
        .map(Result::unwrap)
        .find(|row| wanted.iter().all(|(name, value)| &row[at(name)] == *value))
        .unwrap_or_else(|| panic!("no row {wanted:?}"));
    row[at(column)].parse().unwrap()
}

/// A column of `rtl/synthesis/results.csv`.
pub(crate) fn result(name: &str, column: &str) -> f64 {
    let text = include_str!("../../../rtl/synthesis/results.csv");
    row(text, &[("name", name)], column)
}

/// A stream of `rtl/synthesis/energy.csv` with gated clocks.
#[derive(Clone, Copy)]
pub(crate) struct Stream {
    /// Energy of a cycle without leakage, in pJ.
    pub(crate) cycle_pj: f64,
    /// Energy of an operation without leakage, in pJ.
    pub(crate) each_pj: f64,
    /// Leakage, in mW.
    pub(crate) leakage_mw: f64,
}

/// The period that leakage was counted for in `rtl/synthesis/energy`, in ns.
const PERIOD_NS: f64 = 1.0;

pub(crate) fn stream(element: &str, stream: &str) -> Stream {
    let text = include_str!("../../../rtl/synthesis/energy.csv");
    let wanted = [
        ("element", element),
        ("clock_gates", "yes"),
        ("stream", stream),
    ];
    let number = |column| row(text, &wanted, column);
    let cycle_pj = number("clock_pj_per_cycle") + number("data_pj_per_cycle");
    Stream {
        cycle_pj,
        each_pj: cycle_pj * number("cycles") / number("products"),
        leakage_mw: number("leakage_pj_per_cycle") / PERIOD_NS,
    }
}
