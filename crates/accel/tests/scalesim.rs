//! Does the plain array, run serially, take the cycles that SCALE-Sim says?

use dtatrans_accel::array_shape::ArrayShape;
use dtatrans_accel::systolic::{Dataflow, Gemm, Overlap, cycles};

#[test]
fn every_row_of_the_table() {
    let mut rows = include_str!("data/scalesim_cycles.csv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let head: Vec<&str> = rows.next().unwrap().split(',').collect();
    let column = |name: &str| head.iter().position(|&field| field == name).unwrap();
    let mut checked = 0;
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        let number = |name: &str| -> u64 { fields[column(name)].parse().unwrap() };
        let side = number("array");
        let dataflow = match fields[column("dataflow")] {
            "os" => Dataflow::OutputStationary,
            "ws" => Dataflow::WeightStationary,
            "is" => Dataflow::InputStationary,
            other => panic!("dataflow {other}"),
        };
        let shape = ArrayShape {
            rows: side,
            columns: side,
            arrays: 1,
        };
        let gemm = Gemm {
            m: number("M"),
            n: number("N"),
            k: number("K"),
        };
        assert_eq!(
            cycles(shape, dataflow, Overlap::Serial, gemm),
            number("cycles"),
            "{row}"
        );
        checked += 1;
    }
    assert_eq!(checked, 54);
}
