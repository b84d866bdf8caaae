//! Do the commands do what their help says, on a real model?

mod support;

use serde_json::Value;
use support::{has_minilm, program, repository, run, stdout};

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = stdout(&run(&["--help"]));
    for command in [
        "demo",
        "run",
        "eval",
        "trace",
        "simulate",
        "models",
        "completions",
        "man",
    ] {
        assert!(help.contains(command), "{command}");
        let help = stdout(&run(&[command, "--help"]));
        assert!(help.contains("Example"), "{command}: {help}");
    }
}

#[test]
fn completions_and_manual_pages_are_generated() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&run(&["completions", shell])).contains("dtatrans"));
    }
    let folder = tempfile::tempdir().unwrap();
    stdout(&run(&["man", folder.path().to_str().unwrap()]));
    for page in ["dtatrans.1", "dtatrans-run.1", "dtatrans-simulate.1"] {
        let text = std::fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn models_lists_what_is_built_in() {
    let models: Value = serde_json::from_str(&stdout(&run(&["models", "--json"]))).unwrap();
    assert_eq!(models["models"][0]["name"], "minilm");
    assert!(stdout(&run(&["models"])).contains("minilm"));
}

#[test]
fn run_gives_the_same_bytes_from_every_source_and_on_any_number_of_threads() {
    if !has_minilm() {
        return;
    }
    let texts = [
        "A fine film.",
        "",
        "Ein Film, den niemand braucht; [SEP] nobody.",
        "😀",
    ];
    let want = stdout(&run(&[&["run", "--json"], &texts[..]].concat()));
    let lines = json_lines(&want);
    assert_eq!(lines.len(), texts.len());
    for (line, text) in lines.iter().zip(texts) {
        assert_eq!(line["text"], text);
        assert_eq!(line["plan"], "minilm");
        let embedding = line["embedding"].as_array().unwrap();
        assert_eq!(embedding.len(), 384);
        let squares: f64 = embedding.iter().map(|x| x.as_f64().unwrap().powi(2)).sum();
        assert!((squares - 1.0).abs() < 1e-4);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("texts"), texts.join("\r\n")).unwrap();
    let from_file = run(&["run", "--json", "--file", &path("texts"), "--threads", "1"]);
    assert_eq!(stdout(&from_file), want);
    let output = program(&["run", "--json", "--output", &path("out")])
        .write_stdin(texts.join("\n"))
        .output()
        .unwrap();
    assert!(stdout(&output).is_empty());
    assert_eq!(std::fs::read_to_string(path("out")).unwrap(), want);
    let scalar = run(&[&["run", "--json", "--isa", "scalar"], &texts[..]].concat());
    assert_eq!(stdout(&scalar), want);
}

#[test]
fn precisions_agree_and_differ_as_they_should() {
    if !has_minilm() {
        return;
    }
    let embedding = |options: &[&str]| -> Vec<f64> {
        let text = "The processing elements wait for the slowest operand.";
        let line = stdout(&run(&[&["run", "--json", text], options].concat()));
        let line: Value = serde_json::from_str(&line).unwrap();
        let values = line["embedding"].as_array().unwrap();
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let cosine = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let float = embedding(&["--bits", "32"]);
    let eight = embedding(&["--bits", "8"]);
    let four = embedding(&["--bits", "4"]);
    let plan = embedding(&["--plan", &repository("plans/minilm.toml")]);
    assert_eq!(plan, embedding(&[]));
    assert_eq!(plan, embedding(&["--plan", "default"]));
    assert!(cosine(&float, &eight) > 0.999);
    assert!(cosine(&float, &four) > 0.95);
    assert!(cosine(&float, &four) < cosine(&float, &eight));
    // Two feed-forward networks are estimated.
    assert!(cosine(&float, &plan) > 0.85);
}

#[test]
fn long_texts_are_cut_with_a_warning_or_refused() {
    if !has_minilm() {
        return;
    }
    let text = "word ".repeat(600);
    let output = run(&["run", "--json", &text]);
    let line: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&line["tokens"], &line["cut"]), (&512.into(), &90.into()));
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        warning.contains("1 of 1 texts cut to 512 tokens"),
        "{warning}"
    );
    let line = stdout(&run(&["run", "--json", "--max-length", "16", &text]));
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["tokens"], 16);
    let (code, error) = support::failure(&["run", "--truncation", "error", &text]);
    assert_eq!(code, 1);
    assert!(error.contains("602 tokens: the limit is 512"), "{error}");
}

#[test]
fn eval_prints_one_object() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("pairs.tsv");
    let rows = "sentence1\tsentence2\tscore\n\
        A plane is taking off.\tAn air plane is taking off.\t5.0\n\
        A man is playing a flute.\tA man is eating a banana.\t1.0\n\
        A woman peels a potato.\tA woman is peeling a potato.\t4.8\n\
        Two dogs run on grass.\tThe stock market fell.\t0.0\n";
    std::fs::write(&data, rows).unwrap();
    let data = data.to_str().unwrap();
    let eval = |options: &[&str]| -> Value {
        let arguments = [
            &["eval", "--task", "stsb", "--data", data, "--json"],
            options,
        ]
        .concat();
        serde_json::from_str(&stdout(&run(&arguments))).unwrap()
    };
    let float = eval(&[]);
    assert_eq!(float["task"], "stsb");
    assert_eq!(float["metric"], "spearman");
    assert_eq!((&float["n"], &float["inputs"]), (&4.into(), &8.into()));
    assert_eq!(float["metrics"][0]["name"], "spearman");
    assert_eq!(float["metrics"][0]["value"], float["value"]);
    assert_eq!(float["plan"], "f32");
    assert!(float["value"].as_f64().unwrap() > 75.0);
    assert!(float["tier_shares"].is_null());
    let plan = eval(&["--plan", "default", "--against-f32"]);
    assert_eq!(plan["plan"], "minilm");
    assert_eq!(plan["against_f32"]["f32_value"], float["value"]);
    let shares = plan["tier_shares"].as_array().unwrap();
    assert_eq!(shares.len(), 6);
    for shares in shares {
        let sum: f64 = ["r8", "r4", "r0"]
            .iter()
            .map(|r| shares[r].as_f64().unwrap())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
    assert!(plan["saved"]["attention"].as_f64().unwrap() > 0.7);
    let eight = eval(&["--bits", "8"]);
    assert_eq!(eight["saved"]["encoder"], 0.0);
}

/// The JSON of `eval` with these arguments.
fn eval(arguments: &[&str]) -> Value {
    let arguments = [&["eval", "--json"], arguments].concat();
    serde_json::from_str(&stdout(&run(&arguments))).unwrap()
}

#[test]
fn eval_gives_all_metrics_of_long_texts() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("articles");
    let article = |title: &str, words: [&str; 4]| {
        let text = words.join(" ").repeat(8);
        format!("\n = {title} = \n\n {text} \n")
    };
    let articles = [
        article("Bread", ["flour", "yeast", "oven", "dough "]),
        article("Unused", ["never", "read", "by", "this "]),
        article("Ships", ["harbour", "sail", "mast", "anchor "]),
    ];
    std::fs::write(&data, articles.concat()).unwrap();
    let long_text = ["--task", "long-text", "--data", data.to_str().unwrap()];
    let options = ["--part", "choosing", "--window-tokens", "16"];
    let report = eval(&[&long_text[..], &options, &["--bits", "8", "--against-f32"]].concat());
    assert_eq!(report["metric"], "mrr");
    let [mrr, recall] = [0, 1].map(|index| &report["metrics"][index]);
    assert_eq!(
        (&mrr["name"], &recall["name"]),
        (&"mrr".into(), &"recall@1".into())
    );
    assert_eq!(report["value"], mrr["value"]);
    assert_eq!(report["against_f32"], mrr["against_f32"]);
    assert!(recall["against_f32"]["f32_value"].as_f64().is_some());
    // Breads continue breads.
    assert!(mrr["value"].as_f64().unwrap() > 60.0, "{report}");
    let text = stdout(&run(&[&["eval"], &long_text[..], &options].concat()));
    assert!(text.contains("mrr") && text.contains("recall@1"), "{text}");
    let (code, error) = support::failure(&[&["eval"], &long_text[..]].concat());
    assert_eq!(code, 1);
    assert!(
        error.contains("none of the 1 reporting articles"),
        "{error}"
    );
}

#[test]
fn eval_trains_a_probe_and_takes_several_files() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, rows: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, rows).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good", "1\tA wonderful film.\n1\tI loved it, a delight.\n");
    let bad = file("bad", "0\tA dreadful film.\n0\tI hated it, a waste.\n");
    let tests = file("tests", "sentence\tlabel\nDelightful.\t1\nAwful.\t0\n");
    let train = ["--train", &good, "--train", &bad];
    let probe = |data: &[&str]| eval(&[&["--task", "probe"], &train[..], data].concat());
    let report = probe(&["--data", &tests, "--data", &good]);
    assert_eq!(
        (&report["metric"], &report["n"]),
        (&"accuracy".into(), &4.into())
    );
    assert!(report["value"].as_f64().unwrap() >= 75.0, "{report}");
    let (code, error) = support::failure(&["eval", "--task", "sst2", "--data", &tests]);
    assert_eq!(code, 1);
    assert!(
        error.contains("must be a classifier of two labels"),
        "{error}"
    );
}

#[test]
fn a_trace_can_be_simulated() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let path = path.to_str().unwrap();
    let texts = [
        "Tokens that nobody attends to need no bits at all.",
        "Short.",
    ];
    stdout(&run(&[&["trace", "--output", path], &texts[..]].concat()));
    let lines = json_lines(&std::fs::read_to_string(path).unwrap());
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["format"], "dtatrans-trace");
    assert_eq!(
        lines[0]["model"]["ends"],
        serde_json::json!({
            "vocabulary": 30522, "tables": 3, "reads": "mean", "pooler": false, "outputs": 0
        })
    );
    assert_eq!(lines[1]["layers"].as_array().unwrap().len(), 6);

    let simulation: Value =
        serde_json::from_str(&stdout(&run(&["simulate", path, "--json"]))).unwrap();
    assert_eq!(simulation["inputs"], 2);
    let machines = simulation["machines"].as_array().unwrap();
    let cycles = |name: &str, scope: &str| {
        let machine = machines
            .iter()
            .find(|machine| machine["machine"] == name)
            .unwrap();
        machine[scope]["cycles"].as_f64()
    };
    // The variable-speed array gains on the plain one of as many multipliers.
    for scope in ["attention", "encoder"] {
        let (ours, plain) = (cycles("vssa-512", scope), cycles("systolic-128", scope));
        assert!(ours.unwrap() < plain.unwrap(), "{scope}");
    }
    assert!(cycles("spatten-eighth", "attention").is_some());
    assert!(cycles("spatten-eighth", "encoder").is_none());
    assert!(cycles("spatten-eighth", "model").is_none());
    // The embedding and the mean are little beside six layers.
    for name in ["vssa-512", "systolic-128", "eyeriss"] {
        let [all, layers] = ["model", "encoder"].map(|scope| cycles(name, scope).unwrap());
        assert!(
            all > layers && all < 1.1 * layers,
            "{name}: {all} and {layers}"
        );
    }

    // A machine file of the user's own, and standard input.
    let machine = repository("machines/vssa-512.toml");
    let own = program(&["simulate", "-", "--machine", &machine, "--json"])
        .write_stdin(std::fs::read(path).unwrap())
        .output()
        .unwrap();
    let own: Value = serde_json::from_str(&stdout(&own)).unwrap();
    let built_in = machines
        .iter()
        .find(|machine| machine["machine"] == "vssa-512");
    assert_eq!(Some(&own["machines"][0]), built_in);
    let tables = stdout(&run(&["simulate", path]));
    assert!(
        tables.contains("vssa-512") && tables.contains("│ model "),
        "{tables}"
    );

    let wide = [
        "simulate",
        path,
        "--machine",
        "vssa-512",
        "--set",
        "array.rows=64",
        "--json",
    ];
    let wide: Value = serde_json::from_str(&stdout(&run(&wide))).unwrap();
    assert_eq!(wide["machines"][0]["machine"], "vssa-512, array.rows = 64");
    assert_ne!(
        wide["machines"][0]["attention"],
        own["machines"][0]["attention"]
    );
}
