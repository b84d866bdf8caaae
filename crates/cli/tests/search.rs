//! Does the search find a plan within its budget, the same one each time, and
//! go on where it was stopped?

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dtatrans_precision::{Plan, Ratio, compensation};
use serde_json::Value;
use support::{failure, has_minilm, program, run, stdout};

/// Sentences for a search that takes seconds.
const TEXTS: &str = "A plane is taking off.\nAn air plane is taking off.\n\
    A man is playing a flute.\nA man is eating a banana.\nA woman peels a potato.\n\
    Two dogs run on grass.\nThe stock market fell.\nTokens that nobody attends to need no bits.\n";

fn pairs(folder: &Path) -> String {
    let rows = "sentence1\tsentence2\tscore\n\
        A plane is taking off.\tAn air plane is taking off.\t5.0\n\
        A man is playing a flute.\tA man is eating a banana.\t1.0\n\
        A woman peels a potato.\tA woman is peeling a potato.\t4.8\n\
        A cat sleeps.\tA cat is asleep on a chair.\t4.0\n\
        A man cuts a rope.\tA man slices bread.\t1.6\n\
        Two dogs run on grass.\tThe stock market fell.\t0.0\n";
    let data = folder.join("pairs.tsv");
    fs::write(&data, rows).unwrap();
    data.to_str().unwrap().to_owned()
}

fn texts(folder: &Path) -> String {
    let file = folder.join("texts.txt");
    fs::write(&file, TEXTS).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_search_gives_the_same_bytes_stopped_or_not() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let texts = texts(folder.path());
    let search = |journal: &str, out: &str| {
        let arguments = [
            "search",
            "--objective",
            "agreement",
            "--texts",
            &texts,
            "--budget",
            "5",
            "-n",
            "16",
            "--seed",
            "3",
            "--vary",
            "compensation=keys-values,carry",
            "--journal",
            journal,
            "--out",
            out,
            "--json",
        ];
        stdout(&run(&arguments))
    };
    let want = search(&path("whole.jsonl"), &path("whole.toml"));
    let journal = fs::read(path("whole.jsonl")).unwrap();
    assert_eq!(journal.iter().filter(|&&byte| byte == b'\n').count(), 17);
    // As a kill in the middle of a line leaves it.
    fs::write(path("cut.jsonl"), &journal[..journal.len() / 2]).unwrap();
    assert_eq!(search(&path("cut.jsonl"), &path("cut.toml")), want);
    assert_eq!(fs::read(path("cut.jsonl")).unwrap(), journal);
    let plan = fs::read_to_string(path("whole.toml")).unwrap();
    assert_eq!(fs::read_to_string(path("cut.toml")).unwrap(), plan);
    assert!(
        plan.starts_with("# Found by `dtatrans search`: minilm"),
        "{plan}"
    );

    let report: Value = serde_json::from_str(&want).unwrap();
    let joint = &report["strategies"][0];
    assert_eq!(joint["evaluations"], 16);
    let chosen = &joint["chosen"];
    assert!(chosen["upper_loss"].as_f64().unwrap() <= 5.0);
    assert!(chosen["cost"].as_f64().unwrap() <= 0.3);
    assert!(plan.ends_with(chosen["plan"].as_str().unwrap()));
    assert!(joint["pareto"].as_array().unwrap().len() > 2);
    // The plan runs, and is priced as the search says.
    let line = stdout(&run(&[
        "run",
        "--plan",
        &path("whole.toml"),
        "--json",
        "A text.",
    ]));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["plan"], "minilm, 5 points");

    let (code, error) = failure(&[
        "search",
        "--objective",
        "agreement",
        "--texts",
        &texts,
        "--budget",
        "5",
        "-n",
        "16",
        "--seed",
        "4",
        "--journal",
        &path("whole.jsonl"),
    ]);
    assert_eq!(code, 1);
    assert!(
        error.contains("whole.jsonl: is of another search: "),
        "{error}"
    );
    assert_eq!(fs::read(path("whole.jsonl")).unwrap(), journal);
}

/// Killed without warning, and started again, until it is done.
#[test]
fn a_killed_search_goes_on_and_ends_with_the_same_bytes() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let texts = texts(folder.path());
    let arguments = |journal: &str| -> Vec<String> {
        let fixed = [
            "search",
            "--objective",
            "agreement",
            "--texts",
            &texts,
            "--budget",
            "5",
            "-n",
            "24",
            "--json",
            "--journal",
            journal,
        ];
        fixed.map(str::to_owned).to_vec()
    };
    let finish = |journal: &str| {
        let arguments = arguments(journal);
        stdout(&run(&arguments
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()))
    };
    let want = finish(&path("whole.jsonl"));
    let journal = path("killed.jsonl");
    let lines = || {
        let bytes = fs::read(&journal).unwrap_or_default();
        bytes.iter().filter(|&&byte| byte == b'\n').count()
    };
    let mut kills = 0;
    for stop in [4, 12] {
        let mut search = Command::new(env!("CARGO_BIN_EXE_dtatrans"))
            .args(arguments(&journal))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while lines() < stop && search.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        search.kill().unwrap();
        let status = search.wait().unwrap();
        kills += usize::from(!status.success());
    }
    assert!(kills > 0, "it was done before it could be killed");
    assert_eq!(finish(&journal), want);
    assert_eq!(
        fs::read(&journal).unwrap(),
        fs::read(path("whole.jsonl")).unwrap()
    );
}

/// Each layer chooses its compensation; plans that need a calibration are tried
/// and written with one.
#[test]
fn layers_choose_their_compensation_and_the_plan_comes_with_its_calibration() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let texts = texts(folder.path());
    // Enough tokens for the maps of 384 channels.
    let words = [
        "plane", "flute", "banana", "potato", "market", "token", "grass",
    ];
    let many: String = (0..250)
        .map(|n| {
            let [a, b, c] = [n % 7, n / 7 % 7, n / 49 % 7].map(|word| words[word]);
            format!("The {a} of a {b} is no {c} number {n}.\n")
        })
        .collect();
    let calibration_texts = path("many.txt");
    fs::write(&calibration_texts, many).unwrap();
    let mut base = Plan::new(vec![Ratio::ALL_FOUR; 6]).unwrap();
    base.compensation = compensation::find("attention+predict").unwrap();
    base.calibration = Some("of-the-base.safetensors".into());
    fs::write(path("base.toml"), base.to_toml()).unwrap();
    let search = |journal: &str, out: &str, tokens: &str| {
        program(&[
            "search",
            "--objective",
            "agreement",
            "--texts",
            &texts,
            "--calibration-texts",
            &calibration_texts,
            "--calibration-tokens",
            tokens,
            "--budget",
            "30",
            "--scope",
            "encoder",
            "--step",
            "0.5",
            "-n",
            "5",
            "--base",
            &path("base.toml"),
            "--vary",
            "layer-compensation=keys-values+predict",
            "--vary",
            "balance",
            "--validate",
            &texts,
            "--journal",
            journal,
            "--out",
            out,
            "--json",
        ])
        .output()
        .unwrap()
    };
    let (journal, out) = (path("s.jsonl"), path("my.toml"));
    let report = stdout(&search(&journal, &out, "2800"));
    let bytes = fs::read(&journal).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("\"calibration tokens\":2800"));
    fs::write(path("cut.jsonl"), &bytes[..bytes.len() / 2]).unwrap();
    let again = stdout(&search(&path("cut.jsonl"), &out, "2800"));
    assert_eq!(again, report);
    assert_eq!(fs::read(path("cut.jsonl")).unwrap(), bytes);

    let report: Value = serde_json::from_str(&report).unwrap();
    let found = &report["strategies"][0];
    assert!(found["chosen"]["keys"]["balance"].is_string());
    let plan = fs::read_to_string(&out).unwrap();
    assert!(plan.contains("calibration = \"my.safetensors\""), "{plan}");
    // It runs as it was validated.
    let line = stdout(&run(&["run", "--plan", &out, "--file", &texts, "--json"]));
    assert_eq!(line.lines().count(), 8);
    let (code, error) = {
        let output = search(&journal, &out, "1000");
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    assert_eq!(code, Some(1));
    assert!(
        error.contains("calibration tokens is 2800 there"),
        "{error}"
    );
    // A sample that is too small gives way to all texts, and too few texts are
    // refused with a way out.
    let output = search(&path("few.jsonl"), &out, "300");
    assert!(output.status.success());
    fs::write(&calibration_texts, "A text.\n").unwrap();
    let output = search(&path("fewer.jsonl"), &out, "300");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--calibration-texts"), "{error}");
}

#[test]
fn a_task_is_searched_on_a_machine_and_compared_on_unseen_data() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = pairs(folder.path());
    let journal = folder.path().join("s.jsonl");
    let arguments = [
        "search",
        "--task",
        "stsb",
        "--data",
        &data,
        "--budget",
        "40",
        "-n",
        "14",
        "--cost",
        "energy",
        "--scope",
        "encoder",
        "--validate",
        &data,
        "--compare",
        "--journal",
        journal.to_str().unwrap(),
    ];
    let report = stdout(&run(&[&arguments[..], &["--json"]].concat()));
    let report: Value = serde_json::from_str(&report).unwrap();
    let strategies = report["strategies"].as_array().unwrap();
    assert_eq!(strategies.len(), 4);
    for found in strategies {
        let name = found["strategy"].as_str().unwrap();
        assert_eq!(found["evaluations"], 14, "{name}");
        // On the same data the same is measured.
        assert_eq!(
            found["validated"]["loss"], found["chosen"]["loss"],
            "{name}"
        );
        assert_eq!(
            found["validated"]["cost"], found["chosen"]["cost"],
            "{name}"
        );
    }
    for name in [
        "s.jsonl",
        "s.uniform.jsonl",
        "s.linear.jsonl",
        "s.random.jsonl",
    ] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    assert!(stdout(&run(&arguments)).contains("uniform"));
}

/// Time is never the same twice, but what stands in the journal is.
#[test]
fn a_search_by_time_is_told_what_was_measured() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = texts(folder.path());
    let journal = folder.path().join("time.jsonl");
    let arguments = [
        "search",
        "--objective",
        "agreement",
        "--texts",
        &texts,
        "--budget",
        "20",
        "-n",
        "2",
        "--cost",
        "cpu-time",
        "--journal",
        journal.to_str().unwrap(),
        "--json",
    ];
    let first = stdout(&run(&arguments));
    assert_eq!(stdout(&run(&arguments)), first);
    let report: Value = serde_json::from_str(&first).unwrap();
    assert!(report["strategies"][0]["chosen"]["cost"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_budget_that_no_plan_keeps_writes_none() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = texts(folder.path());
    let out = folder.path().join("plan.toml");
    let output = program(&[
        "search",
        "--objective",
        "agreement",
        "--texts",
        &texts,
        "--budget",
        "0",
        "-n",
        "3",
        "--out",
        out.to_str().unwrap(),
    ])
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("none of the 3 plans stays within 0 points"),
        "{error}"
    );
    assert!(!out.exists());
}

#[test]
fn wrong_usage_is_refused() {
    for arguments in [
        &["search", "--budget", "1"][..],
        &["search", "--task", "stsb", "--budget", "1"],
        &["search", "--objective", "agreement", "--budget", "1"],
        &["search", "--task", "stsb", "--data", "x"],
        &["search", "--task", "stsb", "--data", "x", "--budget", "-1"],
        &[
            "search", "--task", "stsb", "--data", "x", "--budget", "1", "-n", "0",
        ],
        &[
            "search",
            "--task",
            "stsb",
            "--data",
            "x",
            "--exclude",
            "y",
            "--budget",
            "1",
        ],
        &[
            "search",
            "--objective",
            "agreement",
            "--texts",
            "x",
            "--data",
            "y",
            "--budget",
            "1",
        ],
        &[
            "search",
            "--task",
            "stsb",
            "--data",
            "x",
            "--budget",
            "1",
            "--validate-task",
            "stsb",
        ],
    ] {
        assert_eq!(failure(arguments).0, 2, "{arguments:?}");
    }
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = texts(folder.path());
    let base = [
        "search",
        "--objective",
        "agreement",
        "--texts",
        &texts,
        "--budget",
        "1",
        "-n",
        "2",
    ];
    for (more, want) in [
        (&["--step", "0.3"][..], "step 0.3"),
        (&["--vary", "layer"], "cannot vary `layer`"),
        (&["--vary", "weight-bits=5"], "weight_bits = 5"),
        (
            &["--vary", "rotation,rotation"],
            "`rotation` is varied twice",
        ),
        (
            &["--vary", "compensation,layer-compensation"],
            "cannot vary both",
        ),
        (
            &["--vary", "layer-compensation=none"],
            "layer_compensation = \"none\"",
        ),
        (&["--out", "my.safetensors"], "--out my.safetensors"),
        (&["--validate", "no-such-file"], "no-such-file"),
        (&["--base", "no-such-plan"], "--base no-such-plan"),
        (
            &["--cost", "cycles", "--machine", "no-such"],
            "--machine no-such",
        ),
        (
            &["--cost", "cycles", "--machine", "systolic-128"],
            "costs the same under every plan",
        ),
        (
            &[
                "--cost",
                "energy",
                "--scope",
                "encoder",
                "--machine",
                "spatten-eighth",
            ],
            "spatten-eighth",
        ),
        (
            &["--cost", "cpu-time", "--scope", "attention"],
            "--scope attention",
        ),
        (&["--journal", "no/such/folder/j"], "no/such/folder/j"),
        (&["--texts", "no-such-file"], "no-such-file"),
    ] {
        let arguments: Vec<&str> = match more[0] {
            "--texts" => [&base[..3], more, &base[5..]].concat(),
            _ => [&base[..], more].concat(),
        };
        let (code, error) = failure(&arguments);
        assert_eq!(code, 1, "{more:?}");
        assert!(
            error.starts_with("error: ") && error.contains(want),
            "{error}"
        );
    }
}
