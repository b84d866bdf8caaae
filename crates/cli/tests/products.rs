//! `dtatrans simulate --gemm`: SCALE-Sim's lists of products.

mod support;

use serde_json::Value;
use support::{failure, run, stdout};

fn list(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.csv");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[test]
fn a_list_is_simulated_as_table_json_and_csv() {
    let (folder, file) = list("Layer, M, N, K,\nquery, 128, 768, 768,\nscore, 128, 128, 64,\n");
    let machines = ["--machine", "systolic-128", "--machine", "vssa-512"];
    let arguments = [&["simulate", "--gemm", &file], &machines[..]].concat();
    let with = |more: &[&str]| stdout(&run(&[&arguments[..], more].concat()));

    let json: Value = serde_json::from_str(&with(&["--json"])).unwrap();
    let [systolic, vssa] = &json["machines"].as_array().unwrap()[..] else {
        panic!("two machines");
    };
    for machine in [systolic, vssa] {
        assert_eq!(machine["products"][0]["name"], "query");
        assert_eq!(machine["products"][1]["macs"], 128 * 128 * 64);
    }

    let written = folder.path().join("table.csv");
    let table = with(&["--csv", written.to_str().unwrap()]);
    let csv = std::fs::read_to_string(&written).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 5);
    let column = rows[0].iter().position(|&name| name == "cycles").unwrap();
    assert_eq!(rows[4][..2], ["vssa-512", "score"]);
    assert_eq!(rows[4][column], vssa["products"][1]["cycles"].to_string());
    assert!(
        table.contains(rows[4][column]) && table.contains("score"),
        "{table}"
    );

    let four: Value =
        serde_json::from_str(&with(&["--left-bits", "4", "--right-bits", "4", "--json"])).unwrap();
    let cycles = |lists: &Value, machine: usize| {
        lists["machines"][machine]["products"][0]["cycles"]
            .as_u64()
            .unwrap()
    };
    // A plain array gains nothing; the variable-speed one takes a cycle a product, not four.
    assert_eq!(cycles(&four, 0), cycles(&json, 0));
    assert!(cycles(&json, 1) > 3 * cycles(&four, 1));
}

#[test]
fn a_list_that_cannot_be_is_refused_by_file_line_and_column() {
    let (_folder, file) = list("Layer, M, N, K,\nquery, 128, many, 768,\n");
    let (code, error) = failure(&["simulate", "--gemm", &file, "--machine", "vssa-512"]);
    assert_eq!(code, 1);
    for part in [file.as_str(), "line 2", "N = `many`"] {
        assert!(error.contains(part), "{error}");
    }
    let (_folder, file) = list("a, 1, 2, 3\n");
    let (code, error) = failure(&["simulate", "--gemm", &file, "--machine", "spatten-eighth"]);
    assert_eq!(code, 1);
    assert!(error.contains("spatten-eighth"), "{error}");
    let (code, _) = failure(&[
        "simulate",
        "trace",
        "--gemm",
        &file,
        "--machine",
        "vssa-512",
    ]);
    assert_eq!(code, 2);
}
