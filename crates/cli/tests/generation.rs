//! Does `run` generate with a decoder as its help says?

mod support;

use dtatrans_precision::Tier;
use dtatrans_precision::trace::Reader;
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
    for command in ["calibrate", "search", "eval"] {
        let task: &[&str] = match command {
            "calibrate" => &["--plan", plan, "a"],
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
        (&["--windows", "0"], 2, "at least 1"),
    ] {
        let (got, error) = failure(&[&base[..], more].concat());
        assert!(got == code && error.contains(what), "{more:?}: {error}");
    }
    let (code, error) = failure(&["eval", "--task", "lm", "--data", file.to_str().unwrap()]);
    assert!(code == 1 && error.contains("needs a decoder"), "{error}");
}

/// A plan of 30 layers at 8 bits whose cache is this.
fn plan_with_cache(folder: &std::path::Path, name: &str, ratios: &str, cache: &str) -> String {
    let mut text = format!(
        "format = 1\nname = \"{name}\"\ncompensation = \"keys-values\"\nrotation = true\n\
         balance = true\nclipping = true\nweight_bits = 8\nprobability_bits = 8\n\
         protected_bits = 8\n"
    );
    text += &format!("[[layer]]\n{ratios}\n").repeat(30);
    text += &format!("[cache]\n{cache}\n");
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

const EIGHT: &str = "r8 = 1.0\nr4 = 0.0\nr0 = 0.0";

#[test]
fn caches_are_compared_and_searched() {
    if !has_smollm2() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.txt");
    let text = "The cat sat on the mat, and the dog lay by the door.\nNobody spoke a word.\n";
    std::fs::write(&file, text.repeat(24)).unwrap();
    let data = file.to_str().unwrap();
    let protect = "first = 2\nnewest = 4";
    let tiers = plan_with_cache(
        folder.path(),
        "tiers",
        EIGHT,
        &format!("policy = \"attention\"\nr8 = 0.2\nr4 = 0.4\nr0 = 0.4\nhalf_life = 16\n{protect}"),
    );
    let window = plan_with_cache(
        folder.path(),
        "window",
        EIGHT,
        &format!("policy = \"recent\"\nr8 = 0.3\nr4 = 0.0\nr0 = 0.7\nscope = \"layer\"\n{protect}"),
    );
    let base = ["--json", "--model", "smollm2", "--data", data];
    let lm = ["--task", "lm", "--context", "40", "--score", "12"];
    let eval = |more: &[&str]| -> Vec<Value> {
        let text = stdout(&run(&[&["eval"], &base[..], more].concat()));
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let plans = ["--plan", &tiers, "--plan", &window, "--against-f32"];
    let reports = eval(&[&lm[..], &plans, &["--windows", "2"]].concat());
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0]["plan"], "tiers");
    for report in &reports {
        assert!(report["against_f32"]["divergence"].as_f64().unwrap() > 0.0);
        assert!(report["cache_share"].as_f64().unwrap() < 0.9);
        assert_eq!(report["window_losses"].as_array().unwrap().len(), 2);
        let interval = &report["against_f32"]["perplexity_percent"];
        assert!(interval["low"].as_f64() <= interval["high"].as_f64());
    }
    // Alone the same as together.
    let alone = eval(&[&lm[..], &plans[2..], &["--windows", "2"]].concat());
    assert_eq!(alone[0]["window_losses"], reports[1]["window_losses"]);

    let needle = [
        "--task",
        "needle",
        "--prompts",
        "2",
        "--least-tokens",
        "80",
        "--most-tokens",
        "120",
    ];
    let saved = folder.path().join("prompts.jsonl");
    let save = ["--save-prompts", saved.to_str().unwrap()];
    let reports = eval(&[&needle[..], &plans, &save].concat());
    assert_eq!(reports.len(), 3);
    assert_eq!(reports[0]["plan"], "f32");
    let prompts = std::fs::read_to_string(&saved).unwrap();
    let prompts: Vec<Value> = prompts
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(prompts.len(), 2);
    assert_eq!(prompts[1]["answer"].as_str().unwrap().len(), 5);
    assert_eq!(
        prompts[1]["ids"].as_array().unwrap().len() as u64,
        reports[0]["tokens"][1].as_u64().unwrap()
    );
    for report in &reports {
        assert_eq!(report["answered"].as_array().unwrap().len(), 2);
        let tokens = report["tokens"][0].as_u64().unwrap();
        assert!((60..=130).contains(&tokens), "{tokens}");
    }

    let out = folder.path().join("found.toml");
    let search = [
        "search",
        "--json",
        "--model",
        "smollm2",
        "--task",
        "lm",
        "--data",
        data,
        "--base",
        &tiers,
        "--cost-budget",
        "0.7",
        "--context",
        "40",
        "--score",
        "8",
        "--windows",
        "1",
        "-n",
        "3",
        "--step",
        "0.5",
        "--out",
        out.to_str().unwrap(),
    ];
    let found: Value = serde_json::from_str(&stdout(&run(&search))).unwrap();
    let chosen = &found["strategies"][0]["chosen"];
    assert!(chosen["cost"].as_f64().unwrap() <= 0.7);
    assert_eq!(found["cost"], "cache-bytes");
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(
        text.contains("[cache]") && text.contains("cost budget 0.7"),
        "{text}"
    );

    // A plan whose tiers look ahead cannot be scored so.
    let mixed = plan_with_cache(
        folder.path(),
        "mixed",
        EIGHT,
        "policy = \"recent\"\nr8 = 1.0\nr4 = 0.0\nr0 = 0.0",
    );
    let text = std::fs::read_to_string(&mixed).unwrap();
    let (first, rest) = text.split_at(text.rfind("[[layer]]").unwrap());
    let rest = rest.replacen(EIGHT, "r8 = 0.5\nr4 = 0.5\nr0 = 0.0", 1);
    std::fs::write(&mixed, first.to_owned() + &rest).unwrap();
    for (command, more, code, what) in [
        (
            "eval",
            &["--task", "lm", "--window-tokens", "40", "--plan", &mixed][..],
            1,
            "depend on later tokens",
        ),
        (
            "eval",
            &["--task", "needle", "--most-tokens", "900"],
            1,
            "must be at most",
        ),
        (
            "eval",
            &[
                "--task",
                "needle",
                "--least-tokens",
                "10",
                "--most-tokens",
                "8000",
            ],
            1,
            "need more",
        ),
        (
            "eval",
            &["--task", "needle", "--context", "3", "--score", "1"],
            2,
            "--task lm",
        ),
        (
            "search",
            &["--task", "lm", "--cost-budget", "0.5", "--cost", "energy"],
            1,
            "cache-bytes",
        ),
        (
            "search",
            &["--task", "lm", "--cost-budget", "0.5", "--context", "9000"],
            1,
            "at most 8192",
        ),
        ("search", &["--task", "lm"], 2, "--budget"),
        (
            "search",
            &["--task", "stsb", "--budget", "1", "--score", "3"],
            1,
            "--task lm",
        ),
        (
            "eval",
            &["--task", "lm", "--prompts", "3"],
            2,
            "--task needle",
        ),
    ] {
        let (got, error) =
            failure(&[&[command, "--model", "smollm2", "--data", data], more].concat());
        assert!(got == code && error.contains(what), "{more:?}: {error}");
    }

    // The tiers of the tokens that are read at once.
    let cost = ["--cost", "element-cycles", "--scope", "encoder"];
    let found = run(&[&search[..], &cost].concat());
    let found: Value = serde_json::from_str(&stdout(&found)).unwrap();
    let chosen = &found["strategies"][0]["chosen"];
    let saved = chosen["encoder_saved"].as_f64().unwrap();
    assert_eq!(chosen["cost"].as_f64().unwrap(), 1.0 - saved);
    assert!(saved >= 0.3, "{saved}");
    let (code, error) = failure(&[&search[..], &["--cost", "energy"]].concat());
    assert_eq!(code, 1);
    assert!(
        error.contains("must be cache-bytes or element-cycles"),
        "{error}"
    );
}

#[test]
fn a_budget_bounds_the_cache() {
    if !has_smollm2() {
        return;
    }
    let base = ["--max-new-tokens", "110", "--stats", "Once upon a time"];
    let steps = |more: &[&str]| -> Vec<Value> {
        let lines = generate_json(&[more, &base[..]].concat());
        lines[0]["stats"]["steps"].as_array().unwrap().clone()
    };
    let all = steps(&["--bits", "8"]);
    let last = &all[all.len() - 1];
    assert_eq!(last["upper"].as_f64(), last["tokens"].as_f64());
    for (budget, bound) in [("1200KiB", 1200 * 1024), ("80tokens", usize::MAX)] {
        for step in steps(&["--kv-budget", budget]) {
            assert!(step["bytes"].as_u64().unwrap() <= bound as u64, "{step}");
            if bound == usize::MAX {
                let kept = step["upper"].as_f64().unwrap() + step["lower"].as_f64().unwrap();
                assert!(kept <= 80.0, "{step}");
            }
        }
    }
    for (more, code, what) in [
        (
            &["--kv-budget", "10KiB"][..],
            1,
            "68 tokens that a cache always keeps",
        ),
        (
            &["--kv-budget", "1MiB", "--bits", "32"],
            1,
            "at f32 it keeps everything",
        ),
        (&["--kv-budget", "ten"], 2, "number"),
        (&["--kv-budget", "0"], 2, "at least 1"),
    ] {
        let (got, error) = failure(&[&["run", "--model", "smollm2"], more, &["a"]].concat());
        assert!(got == code && error.contains(what), "{more:?}: {error}");
    }
}

#[test]
fn a_trace_of_a_generation_says_what_became_of_the_cache() {
    if !has_smollm2() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steps.jsonl");
    let path = path.to_str().unwrap();
    let text = "The cache of a decoder holds a key and a value of each token at each layer. ";
    let prompt = text.repeat(12);
    let options = [
        "--model",
        "smollm2",
        "--max-new-tokens",
        "5",
        "--kv-budget",
        "100tokens",
    ];
    stdout(&run(
        &[&["trace", "-o", path], &options[..], &[&prompt]].concat()
    ));

    let file = std::fs::File::open(path).unwrap();
    let mut reader = Reader::new(std::io::BufReader::new(file)).unwrap();
    assert_eq!(reader.header().model.key_value_heads, 3);
    let input = reader.read().unwrap().unwrap();
    let answer = &generate_json(&[&["--stats"], &options[2..], &[&prompt]].concat())[0];
    let steps = answer["stats"]["steps"].as_array().unwrap();
    // The last token of the prompt is the first that comes alone, and the last of the
    // answer is not read any more.
    assert_eq!(
        input.read() as u64 + 1,
        answer["prompt_tokens"].as_u64().unwrap()
    );
    assert_eq!(
        input.tokens.len() as u64,
        steps.last().unwrap()["tokens"].as_u64().unwrap()
    );
    let mut replay = input.replay();
    let mut kept = Vec::new();
    while let Some(layers) = replay.step() {
        let sets: Vec<_> = layers.iter().flatten().collect();
        assert_eq!(sets.len(), 30 * 3);
        let count = |tier| {
            let counts = sets
                .iter()
                .map(|set| set.iter().filter(|&&t| t == tier).count());
            counts.sum::<usize>() as f64 / sets.len() as f64
        };
        kept.push((count(Tier::Eight), count(Tier::Four)));
    }
    assert_eq!(kept.len(), 5);
    // A token attends to what the step before it left, and to itself.
    for (step, (eight, four)) in steps.iter().zip(&kept[1..]) {
        assert_eq!(step["upper"].as_f64().unwrap() + 1.0, *eight);
        assert_eq!(step["lower"].as_f64().unwrap(), *four);
    }

    let report = stdout(&run(&["simulate", path, "--machine", "vssa-512", "--json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["machines"][0]["decoding"]["tokens"], 5);
    let table = stdout(&run(&["simulate", path]));
    assert!(table.contains("5 came one by one"), "{table}");
    assert!(table.contains("all with embedding and head"), "{table}");
    // The head over 49,152 tokens is read for each of them.
    let decoding = &report["machines"][0]["decoding"];
    let read = |scope: &str| decoding[scope]["dram_read_bytes"].as_u64().unwrap();
    let head = 5 * 49_152 * 576;
    let more = read("model") - read("encoder");
    assert!(more > head && more < head + head / 50, "{more}");

    let (code, error) = failure(&["trace", "--model", "smollm2", "a"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("text 1: has one token, and a trace needs two"),
        "{error}"
    );
    let (code, error) = failure(&["trace", "--model", "smollm2", "--bits", "32", "One two"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("a trace is of a run under a plan"),
        "{error}"
    );
}

#[test]
fn what_is_for_decoders_alone_is_refused_by_encoders() {
    let folder = support::tiny_with_tokenizer();
    let model = folder.path().to_str().unwrap();
    for (command, option) in [
        ("run", &["--temperature", "0.5"][..]),
        ("run", &["--stats"]),
        ("run", &["--chat"]),
        ("trace", &["--max-new-tokens", "3"]),
        ("trace", &["--kv-budget", "3tokens"]),
    ] {
        let (code, error) = failure(&[&[command, "--model", model, "a"], option].concat());
        assert_eq!(code, 1);
        let want = format!("is an encoder, and {} needs a decoder", option[0]);
        assert!(error.contains(&want), "{error}");
    }
}
