//! `dtatrans compare`: machines on the same traces.

mod support;

use std::fs::File;
use std::io::BufWriter;

use dtatrans_precision::trace::{Generation, Head, Header, Input, KeptTokens, Layer, Move, Writer};
use dtatrans_precision::{ModelShape, Plan, Tier};
use serde_json::Value;
use support::{failure, program, repository, run, stdout};
use tempfile::TempDir;

const TIERS: [Tier; 3] = [Tier::Eight, Tier::Four, Tier::Zero];

/// A shape of so many layers, small enough to simulate in no time.
fn shape(name: &str, layers: usize) -> ModelShape {
    ModelShape {
        name: name.into(),
        layers,
        hidden: 64,
        heads: 2,
        key_value_heads: 2,
        head_dim: 32,
        intermediate: 128,
        ..ModelShape::bert_base()
    }
}

/// An input of so many tokens, a third of which are at each tier behind the first layer.
fn input(model: &ModelShape, tokens: usize) -> Input {
    let layer = |layer: usize| Layer {
        tiers: (0..tokens)
            .map(|token| {
                if layer == 0 {
                    Tier::Eight
                } else {
                    TIERS[token % 3]
                }
            })
            .collect(),
        importance: vec![0.5; tokens],
        heads: vec![
            Head {
                magnitude: 0.5,
                unsure_queries: 1,
            };
            model.heads
        ],
        operands: Vec::new(),
    };
    Input {
        id: "by hand".into(),
        tokens: vec!["token".into(); tokens],
        layers: (0..model.layers).map(layer).collect(),
        generation: None,
    }
}

/// Writes a trace; gives its path.
fn trace(folder: &TempDir, name: &str, model: ModelShape, inputs: &[Input]) -> String {
    let path = folder.path().join(name);
    let plan = Plan::dense_eight(model.layers);
    let to = BufWriter::new(File::create(&path).unwrap());
    let mut writer = Writer::new(to, &Header { model, plan }).unwrap();
    for input in inputs {
        writer.write(input).unwrap();
    }
    writer.finish().unwrap();
    path.to_str().unwrap().to_owned()
}

fn encoder_trace(folder: &TempDir, name: &str, layers: usize) -> String {
    let model = shape(name, layers);
    let inputs = [input(&model, 24), input(&model, 40)];
    trace(folder, name, model, &inputs)
}

/// A decoder's trace: 8 tokens at once, 4 one by one.
fn decoder_trace(folder: &TempDir, name: &str) -> String {
    let model = ModelShape {
        causal: true,
        ..shape(name, 2)
    };
    let mut input = input(&model, 8);
    input.tokens = vec!["token".into(); 12];
    let kept = KeptTokens {
        tiers: vec![Tier::Eight; 8],
        moves: vec![Move {
            after: 9,
            token: 1,
            to: Tier::Four,
        }],
    };
    let caches = vec![vec![kept]; model.layers];
    input.generation = Some(Generation { caches });
    trace(folder, name, model, &[input])
}

const MACHINES: [&str; 6] = [
    "--machine",
    "systolic-128",
    "--machine",
    "vssa-512",
    "--machine",
    "spatten-eighth",
];

fn compare(arguments: &[&str]) -> Value {
    let arguments = [&["compare", "--json"], arguments].concat();
    serde_json::from_str(&stdout(&run(&arguments))).unwrap()
}

/// The row of a scope, by trace and machine.
fn row<'a>(comparison: &'a Value, scope: &str, rows: &str, names: [&str; 2]) -> &'a Value {
    let scopes = comparison["scopes"].as_array().unwrap();
    let scope = scopes.iter().find(|own| own["name"] == scope).unwrap();
    let mut rows = scope[rows].as_array().unwrap().iter();
    rows.find(|row| row["trace"] == names[0] && row["machine"] == names[1])
        .unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

fn assert_close(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() <= 1e-9 * b.abs(), "{what}: {a} and {b}");
}

/// Every figure of a row against what `simulate` says of the same trace and machine.
#[test]
fn figures_are_those_of_simulate() {
    let folder = TempDir::new().unwrap();
    let trace = encoder_trace(&folder, "a.jsonl", 3);
    let comparison = compare(&[&[trace.as_str()], &MACHINES[..]].concat());
    assert_eq!(comparison["base"], "systolic-128");
    let simulated = stdout(&run(
        &[&["simulate", "--json", &trace], &MACHINES[..]].concat()
    ));
    let simulated: Value = serde_json::from_str(&simulated).unwrap();
    let base = &simulated["machines"][0];
    for (index, peak) in [256.0, 1024.0, 256.0].into_iter().enumerate() {
        let machine = &simulated["machines"][index];
        let name = machine["machine"].as_str().unwrap();
        assert_eq!(comparison["machines"][index]["name"], name);
        let own_peak = number(&comparison["machines"][index]["peak_executed_gops"]);
        assert_close(own_peak, peak, "peak");
        for scope in ["attention", "encoder"] {
            let (want, base) = (&machine[scope], &base[scope]);
            if want.is_null() {
                continue;
            }
            let row = row(&comparison, scope, "rows", [&trace, name]);
            let of = |value: &Value, name: &str| number(&value[name]);
            let (macs, dense) = (of(want, "macs_executed"), of(want, "macs_dense"));
            let time_ns = of(want, "time_us") * 1e3;
            let bytes = of(want, "dram_read_bytes") + of(want, "dram_write_bytes");
            let (all, on_chip) = (of(want, "energy_total_pj"), of(want, "energy_on_chip_pj"));
            for (field, value) in [
                ("executed_gops", 2.0 * macs / time_ns),
                ("dense_equivalent_gops", of(want, "effective_gops")),
                ("utilisation", of(want, "utilisation")),
                ("dram_bytes", bytes),
                ("executed_operations_per_dram_byte", 2.0 * macs / bytes),
                ("energy_with_dram_uj", all / 1e6),
                ("energy_on_chip_uj", on_chip / 1e6),
                (
                    "dense_equivalent_gop_per_joule_with_dram",
                    2.0 * dense / (all / 1e3),
                ),
                (
                    "dense_equivalent_gop_per_joule_on_chip",
                    2.0 * dense / (on_chip / 1e3),
                ),
            ] {
                assert_close(of(row, field), value, field);
            }
            for (field, of_simulate) in [
                ("speedup", "time_us"),
                ("energy_with_dram_gain", "energy_total_pj"),
                ("energy_on_chip_gain", "energy_on_chip_pj"),
            ] {
                let gain = of(base, of_simulate) / of(want, of_simulate);
                assert_close(of(&row["gains"], field), gain, field);
            }
            let executed = of(row, "executed_gops");
            assert!(
                executed > 0.0 && executed <= peak,
                "{name}, {scope}: {executed}"
            );
        }
    }
    // What is skipped counts in one rate and not in the other; a dense machine skips nothing.
    let rates = |name| {
        let row = row(&comparison, "attention", "rows", [&trace, name]);
        ["executed_gops", "dense_equivalent_gops"].map(|rate| number(&row[rate]))
    };
    let [executed, dense_equivalent] = rates("vssa-512");
    assert!(dense_equivalent > 1.2 * executed, "{dense_equivalent}");
    let [executed, dense_equivalent] = rates("systolic-128");
    assert_close(dense_equivalent, executed, "a dense machine's rates");
}

#[test]
fn several_traces_are_summed_and_averaged() {
    let folder = TempDir::new().unwrap();
    // Of different models, each of which is named.
    let (a, b) = (
        encoder_trace(&folder, "a.jsonl", 3),
        encoder_trace(&folder, "b.jsonl", 5),
    );
    let comparison = compare(&[&[a.as_str(), &b], &MACHINES[..]].concat());
    assert_eq!(comparison["traces"][0]["model"], "a.jsonl");
    assert_eq!(comparison["traces"][1]["model"], "b.jsonl");
    let row = |trace| row(&comparison, "encoder", "rows", [trace, "vssa-512"]);
    let [one, other] = [row(&a), row(&b)];
    let scopes = comparison["scopes"].as_array().unwrap();
    let encoder = scopes.iter().find(|own| own["name"] == "encoder").unwrap();
    let sums = encoder["sums"].as_array().unwrap();
    let sum = sums
        .iter()
        .find(|row| row["machine"] == "vssa-512")
        .unwrap();
    for field in ["cycles", "dram_bytes", "energy_with_dram_uj"] {
        let both = number(&one[field]) + number(&other[field]);
        assert_close(number(&sum[field]), both, field);
    }
    let gains = encoder["gains"].as_array().unwrap();
    let gains = gains
        .iter()
        .find(|row| row["machine"] == "vssa-512")
        .unwrap();
    let [x, y] = [one, other].map(|row| number(&row["gains"]["speedup"]));
    assert_ne!(x, y);
    let mean = number(&gains["geometric_mean"]["speedup"]);
    assert_close(mean, (x * y).sqrt(), "geometric mean");
    assert_close(number(&gains["minimum"]["speedup"]), x.min(y), "minimum");
}

#[test]
fn tables_csv_and_page_hold_the_same() {
    let folder = TempDir::new().unwrap();
    let (a, b) = (
        encoder_trace(&folder, "a.jsonl", 3),
        encoder_trace(&folder, "b.jsonl", 5),
    );
    let (csv, html) = (
        folder.path().join("table.csv"),
        folder.path().join("page.html"),
    );
    let arguments = [
        &["compare", &a, &b, "--base", "vssa-512"][..],
        &MACHINES,
        &["--csv", csv.to_str().unwrap()],
        &["--html", html.to_str().unwrap()],
    ]
    .concat();
    let text = stdout(&run(&arguments));
    for word in [
        "executed GOP/s",
        "dense-equivalent GOP/s",
        "4 b x 4 b",
        "speed-up over vssa-512",
        "on chip, mJ",
        "geometric mean",
        "all traces together",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("effective"), "{text}");

    let comparison = compare(&[&[a.as_str(), &b, "--base", "vssa-512"], &MACHINES[..]].concat());
    let table = std::fs::read_to_string(&csv).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names = reader.headers().unwrap().clone();
    let column = |name: &str| names.iter().position(|own| own == name).unwrap();
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    // Attention of three machines, encoder of two: by trace, and their sum, mean, minimum.
    assert_eq!(records.len(), (3 + 2) * (2 + 1 + 2));
    let mut compared = 0;
    for record in records.iter().filter(|record| &record[0] == "trace") {
        let (scope, trace) = (&record[column("scope")], &record[column("trace")]);
        let machine = &record[column("machine")];
        let row = row(&comparison, scope, "rows", [trace, machine]);
        for name in [
            "executed_gops",
            "dense_equivalent_gops",
            "energy_on_chip_uj",
        ] {
            let value: f64 = record[column(name)].parse().unwrap();
            assert_eq!(value, number(&row[name]), "{name}");
            compared += 1;
        }
        let peak: f64 = record[column("peak_executed_gops")].parse().unwrap();
        let executed: f64 = record[column("executed_gops")].parse().unwrap();
        assert!(executed <= peak);
        let causes: f64 = names
            .iter()
            .zip(record)
            .filter(|(name, _)| name.ends_with("_cycles"))
            .map(|(_, value)| value.parse::<f64>().unwrap())
            .sum();
        assert_close(causes, record[column("cycles")].parse().unwrap(), "causes");
    }
    assert_eq!(compared, (3 + 2) * 2 * 3);

    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    for word in [
        "Roofline",
        "dense-equivalent",
        "Energy by part, on the chip",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert!(
        !page.contains("Above its roof"),
        "every machine stays below its roof"
    );
}

#[test]
fn tokens_that_came_one_by_one_are_scopes_of_their_own() {
    let folder = TempDir::new().unwrap();
    let decoder = decoder_trace(&folder, "decoder.jsonl");
    let encoder = encoder_trace(&folder, "encoder.jsonl", 2);
    let comparison = compare(&[&[decoder.as_str(), &encoder], &MACHINES[..]].concat());
    assert_eq!(comparison["traces"][0]["decoded_tokens"], 4);
    let names: Vec<&str> = comparison["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scope| scope["name"].as_str().unwrap())
        .collect();
    let want = ["attention", "encoder", "decoding attention", "decoding"];
    assert_eq!(names, want);
    // Only one of the traces has them: nothing to sum, nothing to average.
    let decoding = &comparison["scopes"][2];
    assert_eq!(decoding["rows"].as_array().unwrap().len(), 3);
    assert_eq!(decoding["sums"], serde_json::json!([]));
    assert_eq!(decoding["gains"], serde_json::json!([]));
}

#[test]
fn a_trace_runs_on_another_shape_and_says_so() {
    let folder = TempDir::new().unwrap();
    let trace = encoder_trace(&folder, "a.jsonl", 3);
    let machine = ["--machine", "vssa-512", "--shape", "bert-base"];
    let remark = "tiers of a.jsonl's run, mapped by relative depth";
    let own = compare(&[&trace, "--machine", "vssa-512"]);
    let mapped = compare(&[&[trace.as_str()], &machine[..]].concat());
    assert_eq!(mapped["traces"][0]["model"], "bert-base");
    assert_eq!(mapped["traces"][0]["remark"], remark);
    assert!(own["traces"][0]["remark"].is_null());
    let cycles = |comparison: &Value| number(&comparison["scopes"][1]["rows"][0]["cycles"]);
    assert!(cycles(&mapped) > 100.0 * cycles(&own));
    let simulate = [&["simulate", &trace], &machine[..]].concat();
    assert!(stdout(&run(&simulate)).contains(remark));
    let json: Value =
        serde_json::from_str(&stdout(&run(&[&simulate[..], &["--json"]].concat()))).unwrap();
    assert_eq!(
        (&json["model"], &json["remark"]),
        (&"bert-base".into(), &remark.into())
    );
    let encoder = number(&json["machines"][0]["encoder"]["cycles"]);
    assert_close(cycles(&mapped), encoder, "cycles");

    let (code, error) = failure(&["compare", &trace, "--shape", "elephant"]);
    assert_eq!(code, 2);
    assert!(error.contains("bert-base or gpt2-small"), "{error}");
    let decoder = decoder_trace(&folder, "decoder.jsonl");
    let (code, error) = failure(&["compare", &decoder, "--shape", "bert-base"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("decoder.jsonl") && error.contains("one by one"),
        "{error}"
    );
}

#[test]
fn standard_input_and_machine_files_can_be_compared() {
    let folder = TempDir::new().unwrap();
    let trace = encoder_trace(&folder, "a.jsonl", 2);
    let own = folder.path().join("own.toml");
    let text = std::fs::read_to_string(repository("machines/vssa-512.toml")).unwrap();
    std::fs::write(&own, text.replacen("vssa-512", "my-machine", 1)).unwrap();
    let own = own.to_str().unwrap();
    let arguments = ["compare", "-", "--machine", "vssa-512", "--machine", own];
    let output = program(&[&arguments[..], &["--base", own, "--json"]].concat())
        .write_stdin(std::fs::read(&trace).unwrap())
        .output()
        .unwrap();
    let comparison: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(comparison["base"], "my-machine");
    assert_eq!(comparison["scopes"][0]["rows"][0]["gains"]["speedup"], 1.0);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = TempDir::new().unwrap();
    let good = encoder_trace(&folder, "good.jsonl", 2);
    let empty = trace(&folder, "empty.jsonl", shape("empty", 2), &[]);
    let nothing = folder.path().join("nothing.jsonl");
    std::fs::write(&nothing, "").unwrap();
    let csv = folder.path().join("table.csv");
    let same = repository("machines/vssa-512.toml");
    let [good, empty, same] = [&good, &empty, &same].map(String::as_str);
    for (arguments, want) in [
        (&[good, "--machine", "elephant"][..], "no built-in machine"),
        (&[good, "--base", "elephant"], "--base elephant"),
        (
            &[good, "--machine", "vssa-512", "--machine", same],
            "two machines are called `vssa-512`",
        ),
        (&[good, good, "--machine", "vssa-512"], "is given twice"),
        (
            &[empty, "--machine", "vssa-512"],
            "empty.jsonl: has a header but no inputs",
        ),
        (&[nothing.to_str().unwrap()], "is empty"),
        (&["no-such-trace.jsonl"], "no-such-trace.jsonl"),
    ] {
        let file = ["--csv", csv.to_str().unwrap()];
        let (code, error) = failure(&[&["compare"], arguments, &file].concat());
        assert_eq!(code, 1, "{arguments:?}");
        assert!(error.contains(want), "{arguments:?}: {error}");
        assert!(!csv.exists());
    }
    assert_eq!(failure(&["compare"]).0, 2);
}
