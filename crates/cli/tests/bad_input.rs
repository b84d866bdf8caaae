//! Is bad input refused in one plain line, with the right exit code and nothing
//! half-written?

mod support;

use support::{failure, has_minilm, program, repository, tiny};

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["frobnicate"][..],
        &["run", "--bits", "5", "text"],
        &["run", "--bits", "8", "--plan", "x.toml", "text"],
        &["run", "--threads", "0", "text"],
        &["eval", "--task", "stsb"],
        &["simulate"],
    ] {
        assert_eq!(failure(arguments).0, 2, "{arguments:?}");
    }
}

/// Each option belongs to one task, and each task has data it cannot do without.
#[test]
fn options_of_another_task_are_wrong_usage() {
    for (task, options, want) in [
        ("stsb", &[][..], "--task stsb needs --data FILE"),
        ("long-text", &[], "--task long-text needs --data FILE"),
        ("squad", &[], "--task squad needs --data FILE"),
        ("probe", &["--data", "x"], "--task probe needs --train FILE"),
        ("probe", &["--train", "x"], "--task probe needs --data FILE"),
        (
            "probe",
            &["--train", "x", "--data", "y", "--part", "choosing"],
            "--part is for the built-in movie reviews, not for --data",
        ),
        (
            "sst2",
            &["--data", "x", "--exclude", "y"],
            "--exclude is for --task movie-snippets, not for sst2",
        ),
        (
            "movie-snippets",
            &["--train", "x"],
            "--train is for --task probe, not for movie-snippets",
        ),
        (
            "cola",
            &["--data", "x", "--part", "choosing"],
            "--part is for --task long-text or probe, not for cola",
        ),
        (
            "conll2003",
            &["--data", "x", "--window-tokens", "9"],
            "--window-tokens is for --task long-text, not for conll2003",
        ),
        ("long-text", &["--data", "x", "--part", "all"], "--part"),
        (
            "long-text",
            &["--data", "x", "--window-tokens", "many"],
            "--window-tokens",
        ),
        ("rhymes", &[], "rhymes"),
    ] {
        let (code, error) = failure(&[&["eval", "--task", task], options].concat());
        assert_eq!(code, 2, "{task} {options:?}");
        assert!(error.contains(want), "{error}");
        assert!(error.contains("--help"), "{error}");
    }
}

/// Data is read before a model is fetched or opened.
#[test]
fn bad_data_of_every_task_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.tsv");
    std::fs::write(&good, "sentence\tlabel\nfine\t1\n").unwrap();
    let good = good.to_str().unwrap();
    let bad = folder.path().join("bad");
    for (task, content, want) in [
        ("stsb", "sentence1\tsentence2\tscore\na\tb\t6\n", ":2: "),
        ("sst2", "sentence\tlabel\na\t1\nb\t2\n", ":3: "),
        ("cola", "x\t1\t\ta\nx\t1\ta\n", ":2: "),
        ("movie-snippets", "1\t5\ta\n", ":1: "),
        ("probe", "1\ta\n1\n", ":2: "),
        ("long-text", "\nno title\n", ":2: "),
        ("conll2003", "a O\nb X\n", ":2: "),
        ("squad", "{\"data\": [{}]}", "missing field `paragraphs`"),
        ("squad", "", "line 1 column 0"),
    ] {
        std::fs::write(&bad, content).unwrap();
        let bad = bad.to_str().unwrap();
        let mut arguments = vec!["eval", "--task", task, "--data", bad];
        if task == "probe" {
            arguments.extend(["--train", good]);
        }
        let (code, error) = failure(&arguments);
        assert_eq!(code, 1, "{error}");
        assert!(error.contains(bad) && error.contains(want), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    std::fs::write(&bad, "1\t-1.5\tFINE!\n").unwrap();
    let bad = bad.to_str().unwrap();
    let snippets = ["eval", "--task", "movie-snippets", "--data", bad];
    let (code, error) = failure(&[&snippets[..], &["--exclude", good]].concat());
    assert_eq!(code, 1);
    assert!(error.contains("all 1 occur in the excluded"), "{error}");
    let missing = [&snippets[..], &["--exclude", "no-such-file"]].concat();
    assert!(failure(&missing).1.contains("no-such-file"));
}

#[test]
fn what_is_missing_is_named() {
    for (arguments, want) in [
        (
            &["run", "--model", "no-such-model", "text"][..],
            "no-such-model",
        ),
        (&["run", "--isa", "pentium", "text"], "--isa pentium"),
        (&["run", "--file", "no-such-file"], "no-such-file"),
        (
            &["eval", "--task", "stsb", "--data", "no-such-file"],
            "no-such-file",
        ),
        (&["simulate", "no-such-trace"], "no-such-trace"),
        (
            &["simulate", "no-such-trace", "--machine", "no-such-machine"],
            "no-such-machine",
        ),
    ] {
        let (code, error) = failure(arguments);
        assert_eq!(code, 1, "{arguments:?}");
        assert!(
            error.starts_with("error: ") && error.contains(want),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_checkpoint_without_tokenizer_or_of_another_family_is_refused() {
    let folder = tiny("tiny-bert");
    let (code, error) = failure(&["run", "--model", folder.to_str().unwrap(), "text"]);
    assert_eq!(code, 1);
    assert!(error.contains("tokenizer.json"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), r#"{"model_type":"t5"}"#).unwrap();
    let (code, error) = failure(&["run", "--model", folder.path().to_str().unwrap(), "text"]);
    assert_eq!(code, 1);
    assert!(error.contains("config.json: model_type: `t5`"), "{error}");
}

#[test]
fn texts_that_are_empty_or_no_text_are_refused() {
    for (input, want) in [
        (&b""[..], "standard input: is empty"),
        (
            b"fine\nf\xff\xfene\n",
            "standard input: line 2: is not UTF-8",
        ),
    ] {
        let output = program(&["run"]).write_stdin(input).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn a_bad_plan_is_refused_with_file_and_field() {
    if !has_minilm() {
        return;
    }
    let head = "format = 1\ncompensation = \"carry\"\nrotation = true\nclipping = true\n\
        weight_bits = 8\nprobability_bits = 8\nprotected_bits = 8\n";
    let first = "[[layer]]\nr8 = 0.0\nr4 = 1.0\nr0 = 0.0\n";
    let last = "[[layer]]\nr8 = 0.1\nr4 = 0.6\nr0 = 0.3\n";
    let good = [head, &first.repeat(5), last].concat();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.toml");
    for (from, to, want) in [
        ("r0 = 0.3", "r0 = 0.2", "layer 5: r8 + r4 + r0"),
        ("rotation = true", "rotatoin = true", "rotatoin"),
        ("format = 1", "format = 9", "format = 9"),
        (first, "", "5 layers, but the model has 6"),
        ("format = 1", "", "missing field `format`"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let (code, error) = failure(&["run", "--plan", file.to_str().unwrap(), "text"]);
        assert_eq!(code, 1);
        assert!(
            error.contains("plan.toml") && error.contains(want),
            "{error}"
        );
    }
    for bytes in [&b""[..], b"\xff"] {
        std::fs::write(&file, bytes).unwrap();
        let (code, error) = failure(&["run", "--plan", file.to_str().unwrap(), "text"]);
        assert_eq!(code, 1);
        assert!(error.contains("plan.toml"), "{error}");
    }
}

#[test]
fn a_bad_trace_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.jsonl");
    let version_4 = br#"{"format":"dtatrans-trace","version":4}"#;
    for (bytes, want) in [
        (&b""[..], "is empty"),
        (version_4, "version 4"),
        (b"not json\n", "line 1"),
        (b"{}\n", "line 1: missing field `format`"),
        (b"\xff\n", "line 1: is not UTF-8"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let (code, error) = failure(&["simulate", file.to_str().unwrap()]);
        assert_eq!(code, 1);
        assert!(
            error.contains("bad.jsonl") && error.contains(want),
            "{error}"
        );
    }
}

#[test]
fn a_bad_machine_is_refused_with_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("machine.toml");
    let good = std::fs::read_to_string(repository("machines/vssa-512.toml")).unwrap();
    std::fs::write(&file, good.replacen("rows = ", "rowz = ", 1)).unwrap();
    let (code, error) = failure(&["simulate", "x", "--machine", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        error.contains("machine.toml") && error.contains("rowz"),
        "{error}"
    );
}

/// A failing run leaves the file that was there, and no temporary one.
#[test]
fn nothing_is_half_written() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.json");
    std::fs::write(&out, "precious").unwrap();
    let long = "word ".repeat(600);
    let path = out.to_str().unwrap();
    let (code, _) = failure(&["run", "--truncation", "error", "--output", path, &long]);
    assert_eq!(code, 1);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let missing = folder.path().join("no/such/folder/out.json");
    let (code, error) = failure(&["run", "--output", missing.to_str().unwrap(), "text"]);
    assert_eq!(code, 1);
    assert!(error.contains("out.json"), "{error}");
}

/// Ctrl-C in the middle of a run leaves neither the file nor a temporary one.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    std::fs::write(
        &texts,
        "A text that takes its time, again and again.\n".repeat(20_000),
    )
    .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dtatrans"))
        .args(["trace", "--file", texts.to_str().unwrap(), "--output"])
        .arg(folder.path().join("out.jsonl"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let entries = || std::fs::read_dir(folder.path()).unwrap().count();
    let start = Instant::now();
    while entries() < 2 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no temporary file appeared"
        );
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(entries(), 1);
}
