//! Do the metrics of entities and answers give the figures of their reference implementations? The
//! cases and their figures were made by `data/make.py`.
#![allow(missing_docs)]

use std::path::Path;

use dtatrans_tasks::answers::AnswerScore;
use dtatrans_tasks::counted::{CountedEntities, CountedMean, CountedMetric, EntityMetric};
use dtatrans_tasks::entities::{EntityCounts, Tag};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(name: &str) -> T {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn assert_close(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() < 1e-9, "{what}: {got}, not {want}");
}

fn all(metric: &dyn CountedMetric) -> f64 {
    metric.points(&vec![1; metric.items()]).unwrap()
}

fn tags(sentence: &str) -> Vec<Tag<'_>> {
    let tags = sentence.split(' ');
    tags.map(|tag| Tag::parse(tag).unwrap()).collect()
}

#[derive(Deserialize)]
struct EntityCase {
    truth: Vec<String>,
    predicted: Vec<String>,
    precision: f64,
    recall: f64,
    f1: f64,
}

#[test]
fn entities_are_counted_as_seqeval_counts_them() {
    let cases: Vec<EntityCase> = read("entities.json");
    assert_eq!(cases.len(), 80);
    for case in cases {
        let pairs = case.predicted.iter().zip(&case.truth);
        let counts: Vec<EntityCounts> = pairs
            .map(|(predicted, truth)| EntityCounts::of(&tags(predicted), &tags(truth)))
            .collect();
        for (metric, want) in [
            (EntityMetric::Precision, case.precision),
            (EntityMetric::Recall, case.recall),
            (EntityMetric::F1, case.f1),
        ] {
            let counted = CountedEntities::new(metric, counts.clone()).unwrap();
            let what = format!("{metric:?} of {:?} for {:?}", case.predicted, case.truth);
            assert_close(all(&counted), want, &what);
        }
    }
}

#[derive(Deserialize)]
struct AnswerCases {
    cases: Vec<AnswerCase>,
    exact: f64,
    f1: f64,
}

#[derive(Deserialize)]
struct AnswerCase {
    answers: Vec<String>,
    predicted: String,
    exact: f64,
    f1: f64,
}

#[test]
fn answers_score_as_in_the_official_evaluation() {
    let AnswerCases { cases, exact, f1 } = read("answers.json");
    assert_eq!(cases.len(), 200);
    let mut scores = Vec::new();
    for case in cases {
        let score = AnswerScore::best(&case.predicted, &case.answers);
        let what = format!("{:?} for {:?}", case.predicted, case.answers);
        assert_close(score.exact, case.exact, &what);
        assert_close(score.f1, case.f1, &what);
        scores.push(score);
    }
    let mean = |value: fn(&AnswerScore) -> f64| {
        let values = scores.iter().map(|score| [value(score)]);
        all(&CountedMean::new(values).unwrap())
    };
    assert_close(mean(|score| score.exact), exact, "exact match");
    assert_close(mean(|score| score.f1), f1, "f1");
}
