//! Does `calibrate` write what its plan then runs with, the same bytes each time,
//! or say what is wrong and write nothing?

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::{failure, run, stdout, tiny_with_tokenizer};
use tempfile::TempDir;

/// Asks for both parts of a calibration: a map at each layer, and a prior.
const PLAN: &str = "calibration = \"my.safetensors\"
format = 1
compensation = \"keys-values+predict\"
rank = 4
prior = true
rotation = true
clipping = true
weight_bits = 8
probability_bits = \"tier\"
protected_bits = 4

[[layer]]
r8 = 0.2
r4 = 0.4
r0 = 0.4

[[layer]]
r8 = 0.2
r4 = 0.4
r0 = 0.4

[[layer]]
r8 = 0.2
r4 = 0.4
r0 = 0.4
";

/// A model, a plan and texts.
struct Workplace {
    model: TempDir,
    folder: TempDir,
}

impl Workplace {
    fn new() -> Workplace {
        let workplace = Workplace {
            model: tiny_with_tokenizer(),
            folder: TempDir::new().unwrap(),
        };
        workplace.write("plan.toml", PLAN);
        // Sixty texts of 4 to 20 tokens that say nothing.
        let text = |i: usize| -> String {
            let letter = |j: usize| char::from(b'a' + ((i * 7 + j * j * 3) % 26) as u8);
            let words = (0..2 + i % 17).map(|j| format!("{} ", letter(j)));
            words.chain(["\n".into()]).collect()
        };
        workplace.write("texts.txt", (0..60).map(text).collect::<String>());
        workplace
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.at(name), content).unwrap();
    }

    fn model(&self) -> &str {
        self.model.path().to_str().unwrap()
    }

    /// The names of all files, in order.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// The arguments of a command on this model and plan, and more.
    fn arguments(&self, command: &str, more: &[&str]) -> Vec<String> {
        let plan = self.path("plan.toml");
        let first = [command, "--model", self.model(), "--plan", &plan];
        first
            .iter()
            .chain(more)
            .map(|&argument| argument.into())
            .collect()
    }

    fn run(&self, command: &str, more: &[&str]) -> String {
        let arguments = self.arguments(command, more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        stdout(&run(&arguments))
    }

    /// That a command fails with this code, naming this, and leaves all files as
    /// they were.
    fn refuses(&self, command: &str, more: &[&str], code: i32, words: &[&str]) {
        let before = self.files();
        let arguments = self.arguments(command, more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (got, error) = failure(&arguments);
        assert_eq!(got, code, "{arguments:?}: {error}");
        for word in words {
            assert!(error.contains(word), "{arguments:?}: {error}");
        }
        if code == 1 {
            assert!(error.starts_with("error: "), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        assert_eq!(self.files(), before, "{arguments:?}");
    }
}

#[test]
fn a_plan_runs_once_it_is_calibrated() {
    let here = Workplace::new();
    let texts = here.path("texts.txt");
    let missing = [
        "my.safetensors",
        "no such file",
        "`dtatrans calibrate` makes it",
    ];
    for command in ["run", "trace"] {
        here.refuses(command, &["a b c"], 1, &missing);
    }
    let report = here.run("calibrate", &["--file", &texts, "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(here.files(), ["my.safetensors", "plan.toml", "texts.txt"]);
    let written = fs::read(here.at("my.safetensors")).unwrap();
    assert_eq!(report["file"], here.path("my.safetensors"));
    assert_eq!(report["bytes"], written.len());
    assert_eq!(report["texts"], 60);
    let words = fs::read_to_string(&texts)
        .unwrap()
        .split_whitespace()
        .count();
    assert_eq!(report["tokens"], words + 2 * 60);
    // A prior of 200 tokens, and at each layer two factors and an offset; halves.
    assert!(written.len() > 2 * (200 + 3 * (2 * 4 * 64 + 64)));

    let line = here.run("run", &["--json", "a b c"]);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["embedding"].as_array().unwrap().len(), 64);
    assert_eq!(here.run("trace", &["a b c", "d"]).lines().count(), 3);
    // For people, and over what was there.
    here.write("my.safetensors", "old");
    let text = here.run("calibrate", &["--file", &texts]);
    assert!(
        text.contains("my.safetensors") && text.contains("60 texts"),
        "{text}"
    );
    assert_eq!(fs::read(here.at("my.safetensors")).unwrap(), written);
}

#[test]
fn the_bytes_are_the_same_on_any_number_of_threads_and_from_any_source() {
    let here = Workplace::new();
    let texts = here.path("texts.txt");
    let calibrate = |more: &[&str]| {
        let out = here.path("out.safetensors");
        let arguments = [more, &["--output", &out]].concat();
        here.run("calibrate", &arguments);
        fs::read(out).unwrap()
    };
    let want = calibrate(&["--file", &texts, "--threads", "1"]);
    assert!(calibrate(&["--file", &texts, "--threads", "2"]) == want);
    let lines = fs::read_to_string(&texts).unwrap();
    assert!(calibrate(&lines.lines().collect::<Vec<_>>()) == want);
    // The calibration is of these texts.
    assert!(calibrate(&lines.lines().skip(10).collect::<Vec<_>>()) != want);
    assert!(!here.at("my.safetensors").exists());
}

#[test]
fn a_task_s_texts_will_do() {
    let here = Workplace::new();
    let lines = fs::read_to_string(here.at("texts.txt")).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let pairs = lines
        .chunks(2)
        .map(|pair| format!("{}\t{}\t2.5\n", pair[0], pair[1]));
    let header = "sentence1\tsentence2\tscore\n".to_owned();
    here.write(
        "pairs.tsv",
        [header].into_iter().chain(pairs).collect::<String>(),
    );
    let data = here.path("pairs.tsv");
    let report = here.run("calibrate", &["--task", "stsb", "--data", &data, "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["texts"], 60);
    let by_task = fs::read(here.at("my.safetensors")).unwrap();
    here.run("calibrate", &["--file", &here.path("texts.txt")]);
    assert!(fs::read(here.at("my.safetensors")).unwrap() == by_task);
    for (options, want) in [
        (&["--task", "stsb"][..], "--task stsb needs --data FILE"),
        (&["--data", &data, "a"], "--data needs --task"),
        (
            &["--task", "stsb", "--data", &data, "a"],
            "cannot be used with",
        ),
        (
            &["--task", "stsb", "--data", &data, "--file", &data],
            "cannot be used with",
        ),
        (&["--task", "rhymes"], "rhymes"),
    ] {
        here.refuses("calibrate", options, 2, &[want, "--help"]);
    }
    here.write("pairs.tsv", "sentence1\tsentence2\tscore\na\tb\t6\n");
    here.refuses(
        "calibrate",
        &["--task", "stsb", "--data", &data],
        1,
        &[&data, ":2: "],
    );
}

#[test]
fn plans_that_cannot_be_calibrated_are_refused() {
    let here = Workplace::new();
    let texts = here.path("texts.txt");
    for (from, to, want) in [
        // Its first layer mixes tiers.
        (
            "prior = true",
            "prior = false",
            "layer 0 must give all tokens one tier",
        ),
        (
            "calibration = \"my.safetensors\"",
            "",
            "has no key `calibration`: name a file with --output",
        ),
        ("rank = 4", "rank = 0", "rank = 0"),
        ("format = 1", "format = 2", "format = 2"),
        (
            "[[layer]]\nr8 = 0.2\nr4 = 0.4\nr0 = 0.4\n",
            "",
            "2 layers, but the model has 3",
        ),
        ("keys-values+predict", "melt", "compensation = \"melt\""),
    ] {
        assert!(PLAN.contains(from), "{from}");
        here.write("plan.toml", PLAN.replacen(from, to, 1));
        here.refuses("calibrate", &["--file", &texts], 1, &[want]);
    }
    let unneeded = PLAN.replacen("prior = true", "prior = false", 1).replace(
        "r8 = 0.2\nr4 = 0.4\nr0 = 0.4",
        "r8 = 1.0\nr4 = 0.0\nr0 = 0.0",
    );
    let plan = here.path("plan.toml");
    here.write("plan.toml", unneeded);
    here.refuses(
        "calibrate",
        &["--file", &texts],
        1,
        &[&plan, "needs no calibration"],
    );
    here.write("plan.toml", b"\xff");
    here.refuses("calibrate", &["--file", &texts], 1, &[&plan]);
    fs::remove_file(here.at("plan.toml")).unwrap();
    here.refuses("calibrate", &["--file", &texts], 1, &[&plan]);
    let (code, error) = failure(&["calibrate", "--file", &texts]);
    assert!(code == 2 && error.contains("--plan <FILE>"), "{error}");
}

/// The file that was there stays, and no temporary one is left.
#[test]
fn texts_that_will_not_do_are_refused_and_nothing_is_written() {
    let here = Workplace::new();
    here.write("my.safetensors", "precious");
    here.write("empty", "");
    here.write("no-text", b"fine\nf\xff\xfene\n");
    here.write("few", "a b c d e f\ng h i j k l\n");
    let path = |name: &str| here.path(name);
    for (options, words) in [
        (&["--file", &path("none")][..], &["none"][..]),
        (&["--file", &path("empty")], &["empty: is empty: no texts"]),
        (&["--file", &path("no-text")], &["line 2: is not UTF-8"]),
        (
            &["--file", &path("few")],
            &[
                "layer 0: only",
                "were at 0 bits in these texts: at least 128 are needed",
            ],
        ),
        (
            &["a b c", "--truncation", "error", "--max-length", "4"],
            &["limit is 4"],
        ),
        (
            &["--file", &path("few"), "--isa", "pentium"],
            &["--isa pentium"],
        ),
    ] {
        here.refuses("calibrate", options, 1, words);
    }
    here.refuses(
        "calibrate",
        &["--file", &path("few"), "a b c"],
        2,
        &["cannot be used with"],
    );
    assert_eq!(fs::read(here.at("my.safetensors")).unwrap(), b"precious");
}

#[test]
fn what_cannot_be_written_is_named() {
    let here = Workplace::new();
    let texts = here.path("texts.txt");
    fs::create_dir(here.at("folder")).unwrap();
    for name in ["no/such/folder/out", "folder"] {
        let out = here.path(name);
        let options = ["--file", &texts, "--output", &out];
        here.refuses("calibrate", &options, 1, &["cannot write", &out]);
    }
    assert_eq!(fs::read_dir(here.at("folder")).unwrap().count(), 0);
}

/// A calibration that is damaged, or another plan's, is refused by its file's name
/// or by what it lacks.
#[test]
fn a_calibration_that_does_not_fit_its_plan_is_refused() {
    let here = Workplace::new();
    here.run("calibrate", &["--file", &here.path("texts.txt")]);
    let good = fs::read(here.at("my.safetensors")).unwrap();
    for (from, to, want) in [
        (
            "rank = 4",
            "rank = 5",
            "a map of rank 4, the plan asks for a map of rank 5",
        ),
        (
            "keys-values+predict",
            "attention+predict",
            "layer 0: lacks the map that the plan asks for",
        ),
        (
            "keys-values+predict",
            "predict-diagonal",
            "a map of rank 4, the plan asks for a diagonal map",
        ),
    ] {
        here.write("plan.toml", PLAN.replacen(from, to, 1));
        here.refuses("run", &["a b c"], 1, &["calibration: ", want]);
    }
    here.write(
        "plan.toml",
        PLAN.replacen("calibration", "# calibration", 1),
    );
    let unnamed = "the plan needs one (`dtatrans calibrate` makes it)";
    here.refuses("run", &["a b c"], 1, &[unnamed]);
    here.write("plan.toml", PLAN);
    for (bytes, want) in [
        (&good[..good.len() / 2], "is no safetensors file"),
        (b"", "is no safetensors file"),
        (b"not one at all", "is no safetensors file"),
    ] {
        here.write("my.safetensors", bytes);
        here.refuses("run", &["a b c"], 1, &[&here.path("my.safetensors"), want]);
    }
    here.write("my.safetensors", good);
    here.run("run", &["a b c"]);
}
