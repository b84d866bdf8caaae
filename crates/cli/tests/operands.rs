//! Does `trace --operands` write what it says, and nothing else change by it?

mod support;

use std::fs::File;
use std::io::BufReader;

use dtatrans_precision::trace::{Input, Reader};
use support::{failure, has_minilm, program, repository, run, stdout, tiny, tiny_with_tokenizer};

fn read(path: &str) -> Vec<Input> {
    let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let mut inputs = Vec::new();
    while let Some(input) = reader.read().unwrap() {
        inputs.push(input);
    }
    inputs
}

/// By layer the heads whose operands an input has.
fn heads(input: &Input) -> Vec<Vec<usize>> {
    let of_layer = |layer: &dtatrans_precision::trace::Layer| {
        layer.operands.iter().map(|one| one.head).collect()
    };
    input.layers.iter().map(of_layer).collect()
}

#[test]
fn operands_are_those_of_the_heads_that_are_named_and_change_nothing_else() {
    let model = tiny_with_tokenizer();
    let model = model.path().to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // More texts than run at once with the operands of all heads.
    let texts: Vec<String> = (0..100)
        .map(|i| format!("a b {}", "c ".repeat(i % 7)))
        .collect();
    std::fs::write(path("texts"), texts.join("\n")).unwrap();
    let trace = |name: &str, options: &[&str]| {
        let (out, texts) = (path(name), path("texts"));
        let common = [
            "trace", "--model", model, "--file", &texts, "--output", &out,
        ];
        assert!(stdout(&run(&[&common, options].concat())).is_empty());
        std::fs::read_to_string(out).unwrap()
    };
    let plain = trace("plain", &[]);
    let some = trace("some", &["--operands", "2:3,0:1", "--operands", "2:0,2:3"]);
    let all = trace("all", &["--operands", "0,1,2", "--threads", "1"]);
    assert_eq!(all, trace("all", &["--operands", "2,1,1:2,0"]));

    let want = read(&path("plain"));
    assert_eq!(want.len(), texts.len());
    for (name, of_input) in [
        ("plain", vec![vec![], vec![], vec![]]),
        ("some", vec![vec![1], vec![], vec![0, 3]]),
        ("all", vec![vec![0, 1, 2, 3]; 3]),
    ] {
        let mut inputs = read(&path(name));
        for input in &mut inputs {
            assert_eq!(heads(input), of_input, "{name}");
            for layer in &mut input.layers {
                layer.operands.clear();
            }
        }
        assert!(inputs == want, "{name}");
    }
    let header = |text: &str| text.lines().next().map(str::to_owned);
    assert_eq!(header(&plain), header(&some));

    // Machines do not look at them.
    let simulation = |name: &str| {
        let out = stdout(&run(&[
            "simulate",
            &path(name),
            "--json",
            "--machine",
            "vssa-512",
        ]));
        out.replace(&path(name), "trace")
    };
    assert_eq!(simulation("plain"), simulation("all"));
}

#[test]
fn what_does_not_exist_is_named_and_nothing_is_written() {
    let model = tiny_with_tokenizer();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.jsonl");
    let gpt2 = tiny("tiny-gpt2");
    for (model, operands, code, want) in [
        (
            model.path(),
            "3",
            1,
            "--operands 3: the model has layers 0 to 2",
        ),
        (
            model.path(),
            "0,2:4",
            1,
            "--operands 2:4: the model has heads 0 to 3",
        ),
        (
            model.path(),
            "2:",
            2,
            "must be a layer, such as 3, or a head",
        ),
        (
            model.path(),
            "-1",
            2,
            "must be a layer, such as 3, or a head",
        ),
        (
            &gpt2,
            "0",
            1,
            "is a decoder, and --operands needs an encoder",
        ),
    ] {
        let operands = format!("--operands={operands}");
        let (got, error) = failure(&[
            "trace",
            "--model",
            model.to_str().unwrap(),
            &operands,
            "--output",
            out.to_str().unwrap(),
            "a b",
        ]);
        assert_eq!(got, code, "{operands}: {error}");
        assert!(error.contains(want), "{operands}: {error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// The head that the co-simulation runs is what this program writes today.
#[test]
fn the_head_of_the_co_simulation_is_written_again_byte_by_byte() {
    if !has_minilm() {
        return;
    }
    let plan = repository("rtl/cosim/tests/data/mixed.toml");
    let sentence = std::fs::read(repository("rtl/cosim/tests/data/sentence.txt")).unwrap();
    let want = std::fs::read_to_string(repository("rtl/cosim/tests/data/head.jsonl")).unwrap();
    for isa in [None, Some("scalar")] {
        let isa = isa.map_or(vec![], |isa| vec!["--isa", isa]);
        let common = ["trace", "--plan", &plan, "--operands", "3:5"];
        let output = program(&[&common[..], &isa].concat())
            .write_stdin(sentence.clone())
            .output()
            .unwrap();
        assert!(stdout(&output) == want, "{isa:?}");
    }
}
