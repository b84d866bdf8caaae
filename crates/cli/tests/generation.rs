//! Does `run` generate with a decoder as its help says?

mod support;

use serde_json::Value;
use support::{failure, has_smollm2, program, repository, run, stdout, tiny};

const PROMPT: &str = "Gravity is explained to a child as follows:";

/// `run --model smollm2` with these arguments.
fn generate(arguments: &[&str]) -> String {
    stdout(&run(&[&["run", "--model", "smollm2"], arguments].concat()))
}

fn generate_json(arguments: &[&str]) -> Vec<Value> {
    let text = generate(&[&["--json"], arguments].concat());
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_likeliest_text_is_that_of_hugging_face() {
    if !has_smollm2() {
        return;
    }
    let wanted = "\n\nImagine a bowling ball with a mass of 100 kilograms. If you were to throw \
                  it at the ground, it would roll down a hill";
    let limit = ["--bits", "32", "--max-new-tokens", "32"];
    assert_eq!(
        generate(&[&limit[..], &[PROMPT]].concat()),
        format!("{wanted}\n")
    );
    let lines = generate_json(&[&limit[..], &["--threads", "1", "Two", PROMPT]].concat());
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["text"], wanted);
    assert_eq!(lines[1]["prompt_tokens"], 10);
    assert_eq!(lines[1]["new_tokens"], 32);
    assert_eq!(lines[1]["finish"], "length");

    let stopped =
        generate_json(&[&limit[..], &["--stop", " kilograms", "--stop", "x", PROMPT]].concat());
    assert_eq!(
        stopped[0]["text"],
        "\n\nImagine a bowling ball with a mass of 100"
    );
    assert_eq!(stopped[0]["finish"], "stop");
}

#[test]
fn draws_depend_on_the_seed_alone() {
    if !has_smollm2() {
        return;
    }
    let sample = |more: &[&str]| {
        let some = [
            "--bits",
            "32",
            "--max-new-tokens",
            "12",
            "--temperature",
            "0.9",
            "--top-p",
            "0.95",
            "--top-k",
            "50",
            "--repetition-penalty",
            "1.1",
        ];
        generate_json(&[&some[..], more].concat())
    };
    let first = sample(&["Once upon a time", "Once upon a time"]);
    assert_ne!(first[0]["text"], first[1]["text"]);
    assert_eq!(
        first,
        sample(&["--threads", "1", "Once upon a time", "Once upon a time"])
    );
    assert_ne!(
        first,
        sample(&["--seed", "1", "Once upon a time", "Once upon a time"])
    );
}

#[test]
fn a_conversation_goes_on() {
    if !has_smollm2() {
        return;
    }
    let chat = [
        "run",
        "--model",
        "smollm2",
        "--bits",
        "32",
        "--chat",
        "--max-new-tokens",
        "40",
    ];
    let turns = "What is the capital of France?\nAnd of Italy?\n";
    let output = program(&chat).write_stdin(turns).output().unwrap();
    let text = stdout(&output);
    assert_eq!(
        text,
        "> What is the capital of France?\nThe capital of France is Paris.\n\
         > And of Italy?\nThe capital of Italy is Rome.\n"
    );
    let lines = stdout(
        &program(&[&chat[..], &["--json", "--system", "Answer in one word."]].concat())
            .write_stdin(turns)
            .output()
            .unwrap(),
    );
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["finish"], "end");
    // The first turn has been read already.
    assert!(lines[1]["prompt_tokens"].as_u64().unwrap() < 25);
}

#[test]
fn wrong_uses_are_told() {
    if !has_smollm2() {
        return;
    }
    let (code, error) = failure(&["run", "--model", "smollm2", "--temperature", "-1", "a"]);
    assert_eq!(code, 2, "{error}");
    let (code, error) = failure(&["run", "--model", "smollm2", "--system", "x", "a"]);
    assert_eq!(code, 2, "{error}");
    let (code, error) = failure(&[
        "run",
        "--model",
        "smollm2",
        "--bits",
        "32",
        "--max-length",
        "3",
        PROMPT,
    ]);
    assert!(
        code == 1 && error.contains("text 1: text of 10 tokens: the limit is 3"),
        "{error}"
    );
    let plan = &repository("plans/minilm.toml");
    let folder = tempfile::tempdir().unwrap();
    let pairs = folder.path().join("pairs.tsv");
    std::fs::write(
        &pairs,
        "sentence1\tsentence2\tscore\na b\tc d\t1\ne f\tg h\t2\n",
    )
    .unwrap();
    let data = pairs.to_str().unwrap();
    for command in ["trace", "calibrate", "search", "eval"] {
        let task: &[&str] = match command {
            "calibrate" => &["--plan", plan, "a"],
            "trace" => &["a"],
            "search" => &["--task", "stsb", "--data", data, "--budget", "1"],
            _ => &["--task", "stsb", "--data", data],
        };
        let (code, error) = failure(&[&[command, "--model", "smollm2"], task].concat());
        assert!(
            code == 1 && error.contains("is a decoder"),
            "{command}: {error}"
        );
    }
    let encoder = tiny("tiny-bert");
    let (code, error) = failure(&["run", "--model", encoder.to_str().unwrap(), "--chat", "a"]);
    assert!(
        code == 1 && error.contains("--chat needs a decoder"),
        "{error}"
    );
    let (code, error) = failure(&["run", "--model", "nowhere.gguf", "a"]);
    assert!(
        code == 1 && error.contains("no such folder or file"),
        "{error}"
    );
    let file = folder.path().join("empty.gguf");
    std::fs::write(&file, "").unwrap();
    let (code, error) = failure(&["run", "--model", file.to_str().unwrap(), "a"]);
    assert!(
        code == 1 && error.contains("empty.gguf: is empty"),
        "{error}"
    );
}

#[test]
fn perplexity_is_measured_in_windows_or_step_by_step() {
    if !has_smollm2() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    std::fs::write(
        &file,
        "The cat sat on the mat, and the dog lay by the door. ".repeat(12),
    )
    .unwrap();
    let base = [
        "eval",
        "--json",
        "--model",
        "smollm2",
        "--task",
        "lm",
        "--data",
        file.to_str().unwrap(),
    ];
    let report = |more: &[&str]| -> Value {
        serde_json::from_str(&stdout(&run(&[&base[..], more].concat()))).unwrap()
    };
    let whole = report(&["--window-tokens", "64", "--windows", "1"]);
    assert_eq!((&whole["n"], &whole["windows"]), (&63.into(), &1.into()));
    let steps = report(&["--context", "40", "--score", "24"]);
    assert_eq!(steps["n"], 24 * steps["windows"].as_u64().unwrap());
    // What comes again and again is foreseen.
    assert!(steps["value"].as_f64().unwrap() < whole["value"].as_f64().unwrap());
    let half = report(&["--part", "reporting", "--window-tokens", "64"]);
    assert!(half["tokens_in_part"].as_u64() < half["tokens_in_text"].as_u64());

    for (more, code, what) in [
        (&["--context", "8"][..], 2, "--score"),
        (&["--window-tokens", "1"], 1, "windows of 1 tokens"),
        (&["--window-tokens", "9000"], 1, "must be 2 to 8192"),
        (&["--window-tokens", "1000"], 1, "fewer than a window"),
        (&["--against-f32"], 2, "--against-f32"),
        (&["--windows", "0"], 2, "at least 1"),
    ] {
        let (got, error) = failure(&[&base[..], more].concat());
        assert!(got == code && error.contains(what), "{more:?}: {error}");
    }
    let (code, error) = failure(&["eval", "--task", "lm", "--data", file.to_str().unwrap()]);
    assert!(code == 1 && error.contains("needs a decoder"), "{error}");
}
