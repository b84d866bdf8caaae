//! Do tasks ask a model what they say they ask, and score its answers by their rules?
#![allow(missing_docs)]

mod support;

use dtatrans_model::{Encoding, Head, Output};
use dtatrans_tasks::{Error, Part, ProbeFiles, TaskSource};
use support::{encoder, files, output, tokenizer, values};

/// A WikiText file with articles of these numbers of words, of three tokens each: the article's
/// letter, and the word's number.
fn articles(words: &[usize]) -> String {
    let article = |(&words, letter): (&usize, char)| {
        let text: Vec<String> = (0..words)
            .map(|word| format!("{letter}{word:02}"))
            .collect();
        format!(
            " = {letter} = \n\n {} \n = = {letter} = = \n",
            text.join(" ")
        )
    };
    let articles: Vec<String> = words.iter().zip('a'..).map(article).collect();
    articles.join("\n")
}

fn long_text(path: &std::path::Path, part: Part, window_tokens: usize) -> TaskSource {
    TaskSource::LongText {
        articles: vec![path.to_owned()],
        part,
        window_tokens,
    }
}

#[test]
fn windows_hold_as_many_whole_words_as_fit() {
    // Title and heading have a token each: 1 + 3 n + 1.
    let (_folder, [file]) = files([&articles(&[11, 9, 7, 10])]);
    let tokenizer = tokenizer();
    let texts = |part| -> Vec<String> {
        let task = long_text(&file, part, 12).open().unwrap();
        let prepared = task.prepare(&tokenizer, &encoder()).unwrap();
        let text = |input: &Encoding| -> String {
            let tokens = input.tokens[1..input.len() - 1].concat();
            tokens.replace("##", "")
        };
        prepared.inputs().iter().map(text).collect()
    };
    // At most 10 tokens of text; what is left at the end of an article is dropped.
    let choosing = [
        "aa00a01a02",
        "a03a04a05",
        "a06a07a08",
        "cc00c01c02",
        "c03c04c05",
    ];
    assert_eq!(texts(Part::Choosing), choosing);
    // What is left of b fills a window.
    let reporting = [
        "bb00b01b02",
        "b03b04b05",
        "b06b07b08b",
        "dd00d01d02",
        "d03d04d05",
        "d06d07d08",
    ];
    assert_eq!(texts(Part::Reporting), reporting);
}

#[test]
fn a_continuation_is_sought_among_all_other_windows() {
    let (_folder, [file]) = files([&articles(&[11, 1, 7])]);
    let task = long_text(&file, Part::Choosing, 12).open().unwrap();
    assert_eq!(task.metrics(), ["mrr", "recall@1"]);
    let prepared = task.prepare(&tokenizer(), &encoder()).unwrap();
    // Windows a0, a1, a2 and c0, c1: 4 + 2 queries.
    assert_eq!((prepared.inputs().len(), prepared.items()), (5, 6));
    let at = |degrees: f32| output(vec![degrees.to_radians().cos(), degrees.to_radians().sin()]);
    // a1 finds a0, 30 degrees away, since a2, closer to it, is left out.
    let outputs = [0.0, 30.0, 40.0, 60.0, 100.0].map(at);
    let metrics = prepared.score(&outputs).unwrap();
    // From c0, a2 is 20, a1 30 and c1 40 degrees away: rank 3. All other queries have rank 1.
    let got = values(&metrics);
    assert!(
        (got[0] - 100.0 * (5.0 + 1.0 / 3.0) / 6.0).abs() < 1e-9,
        "{got:?}"
    );
    assert!((got[1] - 100.0 * 5.0 / 6.0).abs() < 1e-9, "{got:?}");
    // Articles are drawn, and weigh by their queries.
    assert_eq!(metrics[1].items(), 2);
    assert_eq!(metrics[1].points(&[2, 0]), Some(100.0));
    assert_eq!(metrics[1].points(&[0, 3]), Some(50.0));
    assert_eq!(metrics[1].points(&[0, 0]), None);
    let short = prepared.score(&outputs[1..]);
    assert!(matches!(short, Err(Error::Lengths { .. })));
}

#[test]
fn long_texts_that_give_no_query_are_refused() {
    let (_folder, [file]) = files([&articles(&[3, 3])]);
    let refuse = |window_tokens| {
        let task = long_text(&file, Part::Choosing, window_tokens)
            .open()
            .unwrap();
        let outcome = task.prepare(&tokenizer(), &encoder());
        outcome.err().unwrap().to_string()
    };
    assert_eq!(
        refuse(48),
        "none of the 1 choosing articles has two windows of 48 tokens"
    );
    for tokens in [0, 2, 49] {
        assert_eq!(
            refuse(tokens),
            format!("windows of {tokens} tokens: must be 3 to 48 for this model")
        );
    }
    // A word longer than a window is one.
    let task = long_text(&file, Part::Choosing, 3).open().unwrap();
    let prepared = task.prepare(&tokenizer(), &encoder()).unwrap();
    let lengths: Vec<usize> = prepared.inputs().iter().map(Encoding::len).collect();
    assert_eq!(lengths, [3, 5, 5, 5, 3]);
}

#[test]
fn several_files_are_one_data_set() {
    let (_folder, [one, two]) = files(["x\t1\t\ta b\ny\t0\t*\tc\n", "z\t1\t\td\n"]);
    let task = TaskSource::Cola(vec![one, two]).open().unwrap();
    let two_labels = Head::Classifier {
        labels: ["no", "yes"].map(String::from).into(),
    };
    let prepared = task.prepare(&tokenizer(), &two_labels).unwrap();
    assert_eq!(prepared.items(), 3);
    let tokens: Vec<String> = prepared
        .inputs()
        .iter()
        .map(|i| i.tokens[1].clone())
        .collect();
    assert_eq!(tokens, ["a", "c", "d"]);
    let outputs = [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]].map(|logits| output(logits.into()));
    assert_eq!(values(&prepared.score(&outputs).unwrap()), [100.0]);
}

#[test]
fn a_probe_learns_from_outputs_and_is_tested_on_others() {
    let (_folder, [train, test]) =
        files(["1\ta\n0\tb\n1\tc\n0\td\n", "sentence\tlabel\na\t1\nb\t1\n"]);
    let source = TaskSource::Probe(ProbeFiles::Labelled {
        train: vec![train],
        test: vec![test],
    });
    let task = source.open().unwrap();
    let mut prepared = task.prepare(&tokenizer(), &encoder()).unwrap();
    assert_eq!(prepared.training_inputs().len(), 4);
    let tested = [output(vec![3.0, 1.0]), output(vec![-3.0, 1.0])];
    assert!(matches!(
        prepared.score(&tested),
        Err(Error::Untrained { .. })
    ));
    let outputs: Vec<Output> = [1.0, -1.0, 2.0, -2.0].map(|x| output(vec![x, 1.0])).into();
    prepared.train(&outputs).unwrap();
    assert_eq!(values(&prepared.score(&tested).unwrap()), [50.0]);
}

#[test]
fn tags_are_read_at_the_first_token_of_each_word() {
    let (_folder, [file]) = files(["ab B-x\nc I-x\nd O\n\n. O\nef B-y\n"]);
    let task = TaskSource::Conll(vec![file]).open().unwrap();
    let labels = ["O", "B-x", "I-x", "B-y"];
    let head = Head::Tokens {
        labels: labels.map(String::from).into(),
    };
    let prepared = task.prepare(&tokenizer(), &head).unwrap();
    let tokens = ["[CLS]", "a", "##b", "c", "d", "[SEP]"];
    assert_eq!(prepared.inputs()[0].tokens, tokens);
    // One label per token; what the others say does not count.
    let says = |labels: &[usize]| {
        let logits = labels.iter().flat_map(|&label| {
            let mut logits = [0.0; 4];
            logits[label] = 1.0;
            logits
        });
        output(logits.collect())
    };
    let outputs = [says(&[3, 1, 3, 2, 0, 1]), says(&[1, 1, 0, 3, 3])];
    let metrics = prepared.score(&outputs).unwrap();
    // Predicted x at words 0 to 1, then x at 0 and nothing: one right of two, one of two found.
    assert_eq!(values(&metrics), [50.0, 50.0, 50.0]);
    assert_eq!(metrics[0].points(&[1, 0]), Some(100.0));
    let unfit = Head::Tokens {
        labels: vec!["LABEL_0".into()],
    };
    for head in [unfit, Head::Span, encoder()] {
        let outcome = task.prepare(&tokenizer(), &head);
        assert!(matches!(outcome, Err(Error::Head { .. })));
    }
}

#[test]
fn answers_are_read_from_the_context_over_all_windows() {
    let context = format!("{} \u{e9}t\u{e9} end", "a ".repeat(60));
    let file = format!(
        r#"{{"data": [{{"paragraphs": [{{"context": "{context}", "qas": [
            {{"id": "1", "question": " who", "answers": [{{"text": "\u00e9t\u00e9"}}]}},
            {{"id": "2", "question": "why", "answers": [], "is_impossible": true}}
        ]}}]}}]}}"#
    );
    let (_folder, [file]) = files([&file]);
    let task = TaskSource::Squad(vec![file]).open().unwrap();
    let prepared = task.prepare(&tokenizer(), &Head::Span).unwrap();
    assert_eq!(prepared.items(), 2);
    let inputs = prepared.inputs();
    assert!(inputs.len() > 4 && inputs.iter().all(|input| input.len() <= 48));
    // The answer's tokens, e, ##t and ##e, are the best span where they occur.
    let answering = |input: &Encoding| {
        let mut logits = vec![0.0; 2 * input.len()];
        let place = input
            .tokens
            .windows(3)
            .position(|t| t == ["e", "##t", "##e"]);
        if let Some(place) = place {
            logits[2 * place] = 5.0;
            logits[2 * (place + 2) + 1] = 5.0;
        }
        output(logits)
    };
    let outputs: Vec<Output> = inputs.iter().map(answering).collect();
    let metrics = prepared.score(&outputs).unwrap();
    // The second question has no answer, but gets the same one.
    assert_eq!(values(&metrics), [50.0, 50.0]);
    assert_eq!(metrics[0].points(&[1, 0]), Some(100.0));
    // Sure that there is no answer, in every window.
    let none = |input: &Encoding| {
        let mut logits = vec![0.0; 2 * input.len()];
        logits[..2].fill(9.0);
        output(logits)
    };
    let outputs: Vec<Output> = inputs.iter().map(none).collect();
    assert_eq!(
        prepared.score(&outputs).unwrap()[1].points(&[0, 1]),
        Some(100.0)
    );
    assert!(task.prepare(&tokenizer(), &encoder()).is_err());
}
