//! Does `eval` say how far a run is from f32, for several plans as for each
//! alone?

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{failure, has_minilm, run, stdout};

const PAIRS: &str = "sentence1\tsentence2\tscore\n\
    A plane is taking off.\tAn air plane is taking off.\t5.0\n\
    A man is playing a flute.\tA man is eating a banana.\t1.0\n\
    A woman peels a potato.\tA woman is peeling a potato.\t4.8\n\
    A cat sleeps.\tA cat is asleep on a chair.\t4.0\n\
    Two dogs run on grass.\tThe stock market fell.\t0.0\n";

/// The file of a plan that gives a share of the tokens 0 bits at the later
/// layers.
fn plan(folder: &Path, name: &str, r0: f64) -> String {
    let keys = format!(
        "format = 1\nname = \"{name}\"\ncompensation = \"keys-values\"\nrotation = true\n\
        clipping = true\nweight_bits = 8\nprobability_bits = \"tier\"\nprotected_bits = 4\n"
    );
    let layer = |r0: f64| format!("[[layer]]\nr8 = 0.0\nr4 = {:.1}\nr0 = {r0:.1}\n", 1.0 - r0);
    let layers = [0.0, 0.0, r0, r0, r0, 0.0].map(layer).concat();
    file(folder, &format!("{name}.toml"), &(keys + &layers))
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// One object per plan, without the time that it took.
fn lines(arguments: &[&str]) -> Vec<Value> {
    let output = run(&[&["eval", "--json"], arguments].concat());
    let lines = stdout(&output);
    let object = |line: &str| -> Value {
        let mut object: Value = serde_json::from_str(line).unwrap();
        assert!(object["seconds"].take().as_f64().unwrap() > 0.0);
        object
    };
    lines.lines().map(object).collect()
}

#[test]
fn several_plans_give_what_each_gives_alone() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path(), "pairs.tsv", PAIRS);
    let [some, many] =
        [("some", 0.2), ("many", 0.7)].map(|(name, r0)| plan(folder.path(), name, r0));
    let stsb = ["--task", "stsb", "--data", &data, "--against-f32"];
    let eval = |plans: &[&str]| lines(&[&stsb[..], plans].concat());
    let both = eval(&["--plan", &some, "--plan", &many]);
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], eval(&["--plan", &some])[0]);
    assert_eq!(both[1], eval(&["--plan", &many])[0]);
    assert_eq!(
        (&both[0]["plan"], &both[1]["plan"]),
        (&"some".into(), &"many".into())
    );
    let text = stdout(&run(&[
        &["eval"],
        &stsb[..],
        &["--plan", &some, "--plan", &many],
    ]
    .concat()));
    assert_eq!(text.matches("deviation from f32: ").count(), 2, "{text}");
    assert!(text.contains("1 - correlation of pair cosines"), "{text}");

    let (code, error) = failure(&[&["eval", "--bits", "8", "--plan", &some], &stsb[..]].concat());
    assert_eq!(code, 2);
    assert!(error.contains("cannot be used with"), "{error}");
    let missing = [
        &["eval", "--plan", &some, "--plan", "no-such.toml"],
        &stsb[..],
    ]
    .concat();
    let (code, error) = failure(&missing);
    assert_eq!(code, 1);
    assert!(error.contains("--plan no-such.toml"), "{error}");
}

#[test]
fn a_deviation_is_nothing_at_f32_and_grows_with_what_is_left_out() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path(), "pairs.tsv", PAIRS);
    let eval = |options: &[&str]| {
        let stsb = ["--task", "stsb", "--data", &data];
        lines(&[&stsb[..], options].concat()).remove(0)
    };
    let of = |options: &[&str]| {
        let report = eval(&[options, &["--against-f32"]].concat());
        let deviation = &report["deviation"];
        assert_eq!(deviation["measure"], "pair-cosines");
        [&deviation["value"], &deviation["mean_cosine_distance"]].map(|x| x.as_f64().unwrap())
    };
    let float = of(&["--bits", "32"]);
    assert!(float.iter().all(|&deviation| deviation < 1e-6), "{float:?}");
    let [eight, four] = ["8", "4"].map(|bits| of(&["--bits", bits]));
    let many = of(&["--plan", &plan(folder.path(), "many", 0.9)]);
    for index in 0..2 {
        assert!(0.0 < eight[index] && eight[index] < four[index]);
        assert!(four[index] < many[index]);
    }
    let alone = eval(&["--bits", "4"]);
    assert_eq!(alone.get("deviation"), None);
    // [CLS] and [SEP] count.
    let tokens = alone["tokens_mean"].as_f64().unwrap();
    assert!((5.0..12.0).contains(&tokens), "{tokens}");

    // The seed moves the interval and nothing else.
    let interval = |seed: &str| {
        let report = eval(&["--bits", "4", "--against-f32", "--seed", seed]);
        (
            report["value"].clone(),
            report["against_f32"]["difference"].clone(),
        )
    };
    assert_eq!(interval("0"), interval("0"));
    assert_eq!(interval("0").0, interval("7").0);
    assert_eq!(interval("0").1["difference"], interval("7").1["difference"]);
}

#[test]
fn embeddings_that_nothing_ranks_deviate_by_their_cosine() {
    if !has_minilm() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = "1\tA wonderful film.\n1\tI loved it.\n0\tA dreadful film.\n0\tI hated it.\n";
    let data = file(folder.path(), "texts.tsv", rows);
    let probe = [
        "--task", "probe", "--train", &data, "--data", &data, "--bits", "4",
    ];
    let report = lines(&[&probe[..], &["--against-f32"]].concat()).remove(0);
    let deviation = &report["deviation"];
    assert_eq!(deviation["measure"], "cosine");
    assert!(deviation["value"].as_f64().unwrap() > 0.0);
    assert_eq!(deviation["value"], deviation["mean_cosine_distance"]);
    let text = stdout(&run(&[&["eval"], &probe[..], &["--against-f32"]].concat()));
    assert!(text.contains("deviation from f32: "), "{text}");
    assert_eq!(text.matches("mean of 1 - cosine").count(), 1, "{text}");
}
