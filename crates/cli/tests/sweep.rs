//! Does a sweep give the same bytes whoever computes it, and survive being killed?

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dtatrans_precision::trace::{Head, Header, Input, Layer, Writer};
use dtatrans_precision::{ModelShape, Plan, Tier};
use serde_json::Value;
use support::{failure, run, stdout};
use tempfile::TempDir;

/// Texts of so many tokens on a model of MiniLM's shape, all at 8 bits, with importance
/// by a fixed sequence.
fn write_trace(file: &Path, lengths: &[usize]) {
    let header = Header {
        model: ModelShape {
            name: "minilm".into(),
            layers: 6,
            hidden: 384,
            heads: 12,
            key_value_heads: 12,
            head_dim: 32,
            intermediate: 1536,
            ..ModelShape::bert_base()
        },
        plan: Plan::dense_eight(6),
    };
    let mut writer = Writer::new(File::create(file).unwrap(), &header).unwrap();
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    for (id, &n) in lengths.iter().enumerate() {
        let layers = (0..6).map(|_| Layer {
            tiers: vec![Tier::Eight; n],
            importance: (0..n).map(|_| draw()).collect(),
            heads: vec![
                Head {
                    magnitude: 0.5,
                    unsure_queries: 0
                };
                12
            ],
            operands: Vec::new(),
        });
        let input = Input {
            id: id.to_string(),
            tokens: vec!["token".into(); n],
            layers: layers.collect(),
            generation: None,
        };
        writer.write(&input).unwrap();
    }
    writer.finish().unwrap();
}

/// Layers at 8 bits, then half of the tokens at 4 bits and the rest at 0.
const PLAN: &str = "format = 1\nname = \"half\"\ncompensation = \"keys-values\"\nrotation = true\n\
    clipping = true\nweight_bits = 8\nprobability_bits = 8\nprotected_bits = 8\n";

const SWEEP: &str = r#"
format = 1
traces = ["short.jsonl", "long.jsonl"]
plans = ["recorded", "half.toml"]

[[machine]]
name = "vssa-512"
set.array.order = ["grouped", "arrival"]
set.dram.bandwidth_gbps = [16.0, 32.0, 64.0]

[[machine]]
name = "systolic-128"

[[machine]]
name = "spatten-eighth"
"#;

/// (6 + 1 + 1) machines, 2 traces, 2 plans.
const POINTS: usize = 32;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = TempDir::new().unwrap();
        write_trace(&folder.path().join("short.jsonl"), &[5, 9]);
        write_trace(&folder.path().join("long.jsonl"), &[48; 4]);
        let mut plan = PLAN.to_owned() + "[[layer]]\nr8 = 1.0\nr4 = 0.0\nr0 = 0.0\n";
        for _ in 1..6 {
            plan += "[[layer]]\nr8 = 0.0\nr4 = 0.5\nr0 = 0.5\n";
        }
        let place = Place { folder };
        place.write("half.toml", &plan);
        place.write("sweep.toml", SWEEP);
        place
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the sweep into a file; gives what it printed.
    fn sweep(&self, out: &str, more: &[&str]) -> String {
        let (sweep, out) = (self.path("sweep.toml"), self.path(out));
        stdout(&run(&[&["sweep", &sweep, "--out", &out], more].concat()))
    }

    fn refused(&self, out: &str, more: &[&str]) -> String {
        let (sweep, out) = (self.path("sweep.toml"), self.path(out));
        let (code, error) = failure(&[&["sweep", &sweep, "--out", &out], more].concat());
        assert_eq!(code, 1, "{error}");
        error
    }

    fn shares(&self, of: usize) -> Vec<String> {
        (1..=of)
            .map(|share| {
                let name = format!("share-{share}-of-{of}.csv");
                self.sweep(&name, &["--shard", &format!("{share}/{of}")]);
                self.path(&name)
            })
            .collect()
    }
}

fn merge(out: &str, shares: &[&String]) -> Result<(), String> {
    let arguments = ["merge", out].into_iter();
    let arguments: Vec<&str> = arguments
        .chain(shares.iter().map(|share| share.as_str()))
        .collect();
    let output = run(&arguments);
    match output.status.code() {
        Some(0) => Ok(()),
        code => {
            assert_eq!(code, Some(1));
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }
}

fn rows(table: &str) -> Vec<std::collections::HashMap<String, String>> {
    let mut lines = table.lines().map(|line| {
        // No field of these tests has a quote or a comma within.
        line.split(',').map(str::to_owned).collect::<Vec<_>>()
    });
    let names = lines.next().unwrap();
    lines
        .map(|fields| names.iter().cloned().zip(fields).collect())
        .collect()
}

#[test]
fn rows_are_what_simulate_says() {
    let place = Place::new();
    let told: Value = serde_json::from_str(&place.sweep("t.csv", &["--json"])).unwrap();
    assert_eq!(
        (&told["points"], &told["simulated"]),
        (&POINTS.into(), &POINTS.into())
    );
    let table = place.read("t.csv").replace("\"\"", "'");
    let json = stdout(&run(&[
        "simulate",
        &place.path("long.jsonl"),
        "--machine",
        "vssa-512",
        "--set",
        "array.order=arrival",
        "--set",
        "dram.bandwidth_gbps=32.0",
        "--json",
    ]));
    let wanted: Value = serde_json::from_str(&json).unwrap();
    let wanted = &wanted["machines"][0];
    let rows = rows(&table);
    for scope in ["attention", "encoder"] {
        let found: Vec<_> = rows
            .iter()
            .filter(|row| {
                row["machine"] == "vssa-512"
                    && row["settings"].contains("arrival")
                    && row["settings"].contains("32")
                    && row["trace"] == "long.jsonl"
                    && row["plan"] == "recorded"
                    && row["scope"] == scope
            })
            .collect();
        assert_eq!(found.len(), 1);
        let (row, wanted) = (found[0], &wanted[scope]);
        assert_eq!(row["cycles"], wanted["cycles"].to_string());
        assert_eq!(
            row["dram_read_bytes"],
            wanted["dram_read_bytes"].to_string()
        );
        let energy: f64 = row["energy_uj"].parse().unwrap();
        let pj = wanted["energy_total_pj"].as_f64().unwrap();
        assert!((energy - pj / 1e6).abs() < 1e-6, "{energy} {pj}");
        let active = wanted["element_cycles"]["active"].to_string();
        assert_eq!(row["active_element_cycles"], active);
        assert_eq!(
            (row["inputs"].as_str(), row["tokens"].as_str()),
            ("4", "192")
        );
    }
    // The plain array is fed the dense model, whatever the plan; the other one gains.
    let cycles = |machine: &str, plan: &str| -> u64 {
        let row = rows.iter().find(|row| {
            row["machine"] == machine
                && row["plan"] == plan
                && row["trace"] == "long.jsonl"
                && row["scope"] == "encoder"
        });
        row.unwrap()["cycles"].parse().unwrap()
    };
    assert_eq!(
        cycles("systolic-128", "recorded"),
        cycles("systolic-128", "half.toml")
    );
    assert!(cycles("vssa-512", "recorded") > cycles("vssa-512", "half.toml"));
    for row in &rows {
        let from = match row["plan"].as_str() {
            "recorded" => "recorded",
            _ => "from_importance",
        };
        assert_eq!(row["tiers"], from);
    }
}

#[test]
fn the_bytes_are_the_same_on_any_threads_and_in_shares() {
    let place = Place::new();
    place.sweep("one.csv", &["--threads", "1"]);
    let wanted = place.read("one.csv");
    place.sweep("two.csv", &["--threads", "2"]);
    assert!(place.read("two.csv") == wanted);
    // A complete table is left alone.
    assert!(
        place
            .sweep("two.csv", &[])
            .contains(", 0 of them simulated now")
    );
    assert!(place.read("two.csv") == wanted);

    // More shares than points: some have none.
    for of in [1, 3, POINTS + 1] {
        let shares = place.shares(of);
        let mut order: Vec<&String> = shares.iter().collect();
        order.reverse();
        merge(&place.path("merged.csv"), &order).unwrap();
        assert!(place.read("merged.csv") == wanted, "{of} shares");
        assert!(
            place
                .sweep("merged.csv", &[])
                .contains(", 0 of them simulated now")
        );
    }
}

#[test]
fn shares_that_do_not_join_are_refused_by_name() {
    let place = Place::new();
    let shares = place.shares(3);
    let out = place.path("merged.csv");
    let refused = |shares: &[&String]| {
        let error = merge(&out, shares).unwrap_err();
        assert!(!Path::new(&out).exists());
        error
    };
    let [first, second, third] = &shares[..] else {
        panic!()
    };

    let error = refused(&[first, third]);
    assert!(error.contains("share 2/3 is missing"), "{error}");
    let error = refused(&[third]);
    assert!(error.contains("1/3, 2/3"), "{error}");
    let error = refused(&[first, second, third, second]);
    assert!(
        error.contains("share-2-of-3.csv: is share 2/3, and so is"),
        "{error}"
    );

    let halves = place.shares(2);
    let error = refused(&[first, second, &halves[0]]);
    assert!(error.contains("share-1-of-2.csv: is share 1/2"), "{error}");

    // A figure that was changed by hand.
    let text = place.read("share-2-of-3.csv");
    let row = text.lines().nth(3).unwrap();
    let damaged = text.replace(row, &row.replace(",encoder,", ",encoder,1"));
    assert_ne!(damaged, text);
    place.write("damaged.csv", &damaged);
    let error = refused(&[first, &place.path("damaged.csv"), third]);
    assert!(error.contains("damaged.csv: is damaged"), "{error}");

    place.sweep("whole.csv", &[]);
    let error = refused(&[first, second, &place.path("whole.csv")]);
    assert!(error.contains("whole.csv: is a whole table"), "{error}");

    // What a share that was killed leaves.
    let unfinished = unfinished(&text, 6);
    place.write("killed.csv", &unfinished);
    let error = refused(&[first, &place.path("killed.csv"), third]);
    assert!(
        error.contains("killed.csv: share 2/3 is not finished"),
        "{error}"
    );
    place.sweep("killed.csv", &["--shard", "2/3"]);
    assert!(place.read("killed.csv") == text);
    let error = place.refused("killed.csv", &["--shard", "1/3"]);
    assert!(
        error.contains("killed.csv") && error.contains("share 2/3"),
        "{error}"
    );

    place.write("sweep.toml", &SWEEP.replace("16.0, ", ""));
    place.sweep("foreign.csv", &["--shard", "2/3"]);
    let error = refused(&[first, &place.path("foreign.csv"), third]);
    assert!(error.contains("foreign.csv: is of sweep"), "{error}");
    let error = place.refused("share-1-of-3.csv", &["--shard", "1/3"]);
    assert!(error.contains("is of another sweep"), "{error}");
}

/// A finished share or table as it was when it had so many lines of rows.
fn unfinished(text: &str, lines: usize) -> String {
    let (heading, rest) = text.split_once('\n').unwrap();
    let at = heading.rfind("\"rows_sha256\"").unwrap();
    let kept: String = rest.split_inclusive('\n').take(1 + lines).collect();
    format!("{}\"rows_sha256\":null}}\n{kept}", &heading[..at])
}

#[test]
fn a_sweep_that_is_killed_goes_on() {
    let place = Place::new();
    place.sweep("wanted.csv", &[]);
    let wanted = place.read("wanted.csv");

    let out = place.path("t.csv");
    let lines = || fs::read_to_string(&out).map_or(0, |text| text.lines().count());
    let mut killed = 0;
    for least in [4, 25] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dtatrans"))
            .args([
                "sweep",
                &place.path("sweep.toml"),
                "--out",
                &out,
                "--threads",
                "1",
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while lines() < least && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "too slow");
            std::thread::sleep(Duration::from_micros(200));
        }
        // SIGKILL.
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        assert!(lines() >= least);
    }
    assert_eq!(killed, 2, "it was quicker than the test");
    let left = place.read("t.csv");
    assert!(left.starts_with("# {") && left.lines().count() < wanted.lines().count());

    // A line that was not written whole, as a machine that loses power may leave.
    let mut file = File::options().append(true).open(&out).unwrap();
    file.write_all(&wanted.as_bytes()[wanted.len() - 90..wanted.len() - 20])
        .unwrap();
    drop(file);
    let told: Value = serde_json::from_str(&place.sweep("t.csv", &["--json"])).unwrap();
    assert!(
        told["simulated"].as_u64().unwrap() < POINTS as u64,
        "{told}"
    );
    assert!(place.read("t.csv") == wanted);
}

#[test]
fn a_sweep_that_grew_keeps_its_points() {
    let place = Place::new();
    place.sweep("wanted.csv", &[]);
    place.write(
        "sweep.toml",
        &SWEEP.replace("[16.0, 32.0, 64.0]", "[16.0, 64.0]"),
    );
    place.sweep("t.csv", &[]);
    place.write("sweep.toml", SWEEP);
    let told: Value = serde_json::from_str(&place.sweep("t.csv", &["--json"])).unwrap();
    assert_eq!(told["simulated"], 8);
    assert!(place.read("t.csv") == place.read("wanted.csv"));

    // One that shrank, or has other names, is another one.
    place.write(
        "sweep.toml",
        &SWEEP.replace("\"half.toml\"", "\"./half.toml\""),
    );
    let error = place.refused("t.csv", &[]);
    assert!(
        error.contains("t.csv: is of another sweep: line"),
        "{error}"
    );
    place.write("sweep.toml", &SWEEP.replace(", \"half.toml\"", ""));
    let error = place.refused("t.csv", &[]);
    assert!(error.contains("is not of this one"), "{error}");
    assert!(place.read("t.csv") == place.read("wanted.csv"));
}

#[test]
fn a_table_is_written_by_one_sweep_at_a_time() {
    let place = Place::new();
    let file = File::create(place.path("t.csv")).unwrap();
    file.lock().unwrap();
    let error = place.refused("t.csv", &[]);
    assert!(
        error.contains("t.csv: another sweep is writing it"),
        "{error}"
    );
    drop(file);
    place.sweep("t.csv", &[]);
}

#[test]
fn what_is_no_table_is_left_alone() {
    let place = Place::new();
    for text in [
        "important\n",
        "point,machine\n1,2\n",
        "# {\"format\":\"other\"}\nx\n",
    ] {
        place.write("notes.csv", text);
        let error = place.refused("notes.csv", &[]);
        assert!(
            error.contains("notes.csv: ") && error.contains("is no table"),
            "{error}"
        );
        assert_eq!(place.read("notes.csv"), text);
    }
    let error = place.refused("sweep.toml", &[]);
    assert!(error.contains("own file"), "{error}");
}

#[test]
fn mistakes_in_a_sweep_are_named() {
    let place = Place::new();
    for (from, to, wanted) in [
        ("format = 1", "format = 2", "format: is 2"),
        ("traces =", "trace =", "did you mean `traces`?"),
        ("array.order", "array.ordre", "did you mean `order`?"),
        (
            "array.order",
            "array.order = []\nset.dram.device",
            "machine.set.array.order: has no values",
        ),
        ("\"grouped\",", "\"random\",", "unknown variant `random`"),
        (
            "vssa-512",
            "vssa-513",
            "no such file, and no built-in machine",
        ),
        (
            "\"short.jsonl\",",
            "\"none.jsonl\",",
            "none.jsonl: No such file",
        ),
        (
            "\"short.jsonl\",",
            "\"half.toml\",",
            "half.toml: trace: line 1",
        ),
        ("\"recorded\",", "\"short.jsonl\",", "short.jsonl: plan: "),
        (
            "16.0, 32.0",
            "64.0, 32.0",
            "two points are the same: vssa-512",
        ),
        (
            "[\"short.jsonl\", \"long.jsonl\"]",
            "[]",
            "traces: has none",
        ),
    ] {
        assert!(SWEEP.contains(from), "{from}");
        place.write("sweep.toml", &SWEEP.replacen(from, to, 1));
        let error = place.refused("t.csv", &[]);
        assert!(error.contains(wanted), "{to}: {error}");
        assert!(!Path::new(&place.path("t.csv")).exists());
    }
    let of_other_depth = place.read("half.toml") + "[[layer]]\nr8 = 1.0\nr4 = 0.0\nr0 = 0.0\n";
    place.write("half.toml", &of_other_depth);
    place.write("sweep.toml", SWEEP);
    let error = place.refused("t.csv", &[]);
    let wanted = "plan half.toml on trace short.jsonl: plan: has 7 layers, but the model has 6";
    assert!(error.contains(wanted), "{error}");
}

#[test]
fn the_plot_has_the_front_and_the_same_bytes() {
    let place = Place::new();
    let plot = |name: &str| {
        let told = place.sweep("t.csv", &["--plot", &place.path(name), "--json"]);
        (
            place.read(name),
            serde_json::from_str::<Value>(&told).unwrap(),
        )
    };
    let (svg, told) = plot("a.svg");
    assert_eq!(plot("b.svg").0, svg);
    let document = svg.trim_end();
    assert!(document.starts_with("<svg xmlns=") && document.ends_with("</svg>"));
    let fronts = told["fronts"].as_array().unwrap();
    let plans: Vec<&Value> = fronts.iter().map(|front| &front["plan"]).collect();
    assert_eq!(plans, ["recorded", "half.toml"]);
    for front in fronts {
        // SpAtten runs no encoder.
        assert_eq!(front["configurations"], 7);
        let points = front["front"].as_array().unwrap();
        assert!(!points.is_empty());
        for pair in points.windows(2) {
            assert!(pair[0]["time_us"].as_f64() < pair[1]["time_us"].as_f64());
            assert!(pair[0]["energy_uj"].as_f64() > pair[1]["energy_uj"].as_f64());
        }
    }
    let named: usize = fronts
        .iter()
        .map(|front| front["front"].as_array().unwrap().len())
        .sum();
    assert_eq!(svg.matches("class=\"name\"").count(), named);
    let dots = svg.matches("<title>").count() - 1;
    assert_eq!(dots, 2 * 7);

    let shares = place.shares(2);
    let merged = place.path("merged.csv");
    let again = place.path("c.svg");
    stdout(&run(&[
        "merge", &merged, &shares[0], &shares[1], "--plot", &again,
    ]));
    assert_eq!(place.read("c.svg"), svg);
}
