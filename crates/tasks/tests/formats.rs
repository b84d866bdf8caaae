//! Do the readers take what the formats allow, and name file and line of what they do not?
#![allow(missing_docs)]

use std::path::Path;

use dtatrans_tasks::Error;
use dtatrans_tasks::data::{cola, conll, labelled, movie_reviews, squad, sst2, stsb, wikitext};
use proptest::prelude::*;

/// The message that a user sees.
fn message<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    outcome.unwrap_err().to_string()
}

fn path() -> &'static Path {
    Path::new("data.tsv")
}

#[test]
fn stsb_rows() {
    let text = b"sentence1\tsentence2\tscore\n\
        A \"man\" is dancing.\tIt's 'he'.\t5.000\n\
        a\tb\t0";
    let rows = stsb::parse(text, path()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].first, "A \"man\" is dancing.");
    assert_eq!(rows[0].second, "It's 'he'.");
    assert_eq!((rows[0].score, rows[1].score), (5.0, 0.0));
}

#[test]
fn sst2_rows() {
    let rows = sst2::parse(b"sentence\tlabel\nwell-conceived \t1\r\nbad\t0\n", path()).unwrap();
    assert_eq!(rows[0].sentence, "well-conceived ");
    assert_eq!([rows[0].positive, rows[1].positive], [true, false]);
}

#[test]
fn cola_rows() {
    let text = b"gj04\t1\t\tThe sailors rode.\ncj99\t0\t*\tYou want \"least\n";
    let rows = cola::parse(text, path()).unwrap();
    assert_eq!([rows[0].acceptable, rows[1].acceptable], [true, false]);
    assert_eq!((&*rows[1].source, &*rows[1].mark), ("cj99", "*"));
    assert_eq!(rows[1].sentence, "You want \"least");
}

#[test]
fn movie_review_rows() {
    let text = "7\t-2.5\tDull.\r\n1\t0.705882352941\tthe clich\u{e9}s\u{2028}disappear";
    let rows = movie_reviews::parse(text.as_bytes(), path()).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&*rows[0].id, rows[0].mean_rating), ("7", -2.5));
    assert_eq!(rows[0].text, "Dull.");
    assert_eq!(rows[1].text, "the clich\u{e9}s\u{2028}disappear");
    assert_eq!([rows[0].positive(), rows[1].positive()], [false, true]);
}

#[test]
fn labelled_texts_with_and_without_a_header() {
    let plain = labelled::parse(b"1\tgood film\n0\tbad\r\n", path()).unwrap();
    assert_eq!(plain[0].text, "good film");
    assert_eq!([plain[0].positive, plain[1].positive], [true, false]);
    let headed = labelled::parse(b"sentence\tlabel\ngood film\t1\nbad\t0\n", path()).unwrap();
    assert_eq!(headed, plain);
    assert_eq!(
        message(labelled::parse(b"1\tgood\n2\tbad\n", path())),
        "data.tsv:2: expected the label 0 or 1, found \"2\""
    );
}

#[test]
fn wikitext_articles() {
    let text = " \n = Brool = \n \n The brool is a <unk> . \n = not a title = \n It grows . \n \n\
        = = Care = = \n \n Water it . \n \n = = = Soil = = = \n\n = Tarn = Vindel = \n \n Deep . \n";
    let articles = wikitext::parse(text.as_bytes(), path()).unwrap();
    let titles: Vec<&str> = articles.iter().map(|a| a.title.as_str()).collect();
    assert_eq!(titles, ["Brool", "Tarn = Vindel"]);
    let words: Vec<&str> = articles[0].words().collect();
    assert_eq!(
        words.join(" "),
        "Brool The brool is a <unk> . not a title It grows . Care Water it . Soil"
    );
    assert_eq!(articles[1].lines, ["Tarn = Vindel", "Deep ."]);
    assert_eq!(
        message(wikitext::parse(b"\n\n text \n", path())),
        "data.tsv:3: expected a title line \" = Title = \", found \"text\""
    );
    assert_eq!(
        message(wikitext::parse(b" \n\n", path())),
        "data.tsv: no rows"
    );
}

#[test]
fn conll_sentences() {
    let text = b"-DOCSTART- -X- -X- O\n\nMira NNP I-NP I-PER\nsings VBZ I-VP O\r\n\n\n\
        -DOCSTART- O\n\nTarn NNP I-NP B-LOC";
    let sentences = conll::parse(text, path()).unwrap();
    assert_eq!(sentences.len(), 2);
    assert_eq!(sentences[0].words, ["Mira", "sings"]);
    assert_eq!(sentences[0].tags, ["I-PER", "O"]);
    assert_eq!(sentences[1].tags, ["B-LOC"]);
    for (text, want) in [
        (
            "a O\nb",
            "data.tsv:2: expected a word and its tag, found one column",
        ),
        ("a O\n\nb X O", "data.tsv:3: expected 2 columns, found 3"),
        (
            "a PER\n",
            "data.tsv:1: expected a tag O, B-..., I-..., E-... or S-..., found \"PER\"",
        ),
        ("-DOCSTART- O\n\n", "data.tsv: no rows"),
        ("", "data.tsv: no rows"),
    ] {
        assert_eq!(message(conll::parse(text.as_bytes(), path())), want);
    }
}

/// A SQuAD file of one question.
fn squad_file(version: &str, question: &str) -> Vec<u8> {
    format!(
        r#"{{"version": "{version}", "data": [{{"title": "Brools", "paragraphs": [
            {{"context": "The brool is red.", "qas": [{question}]}}]}}]}}"#
    )
    .into_bytes()
}

#[test]
fn squad_questions() {
    let answered = r#"{"id": "q", "question": "Which colour?",
        "answers": [{"text": "red", "answer_start": 13}, {"text": "is red", "answer_start": 10}]}"#;
    let questions = squad::parse(&squad_file("1.1", answered), path()).unwrap();
    assert_eq!(questions[0].question, "Which colour?");
    assert_eq!(questions[0].context, "The brool is red.");
    assert_eq!(questions[0].answers, ["red", "is red"]);
    assert!(!questions[0].may_lack_answer);
    let unanswerable = r#"{"id": "q", "question": "How old?", "answers": [],
        "plausible_answers": [{"text": "red", "answer_start": 13}], "is_impossible": true}"#;
    let both = [unanswerable, answered].join(",");
    let questions = squad::parse(&squad_file("v2.0", &both), path()).unwrap();
    assert!(questions.iter().all(|question| question.may_lack_answer));
    assert!(questions[0].answers.is_empty());
    let place = "data.tsv: data[0].paragraphs[0].qas[0]: ";
    for (version, from, to, want) in [
        (
            "1.1",
            r#""answers": ["#,
            r#""answer": ["#,
            "data.tsv: missing field `answers`",
        ),
        (
            "1.1",
            r#""text": "red","#,
            "",
            "data.tsv: missing field `text`",
        ),
        (
            "1.1",
            r#""id": "q""#,
            r#""id": 7"#,
            "data.tsv: invalid type: integer `7`",
        ),
        (
            "v2.0",
            r#""id": "q""#,
            r#""id": "q", "is_impossible": true"#,
            place,
        ),
    ] {
        assert!(answered.contains(from), "{from}");
        let file = squad_file(version, &answered.replacen(from, to, 1));
        let error = message(squad::parse(&file, path()));
        assert!(error.starts_with(want), "{error}");
    }
    let none = r#"{"id": "q", "question": "How old?", "answers": []}"#;
    let error = message(squad::parse(&squad_file("1.1", none), path()));
    assert_eq!(error, format!("{place}has no answers"));
    assert_eq!(
        message(squad::parse(&squad_file("1.1", ""), path())),
        "data.tsv: no rows"
    );
    for bytes in [&b""[..], b"[", b"null", &[b'['; 100_000]] {
        assert!(message(squad::parse(bytes, path())).starts_with("data.tsv: "));
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let rows = sst2::parse(b"\xef\xbb\xbfsentence\tlabel\r\ngood\t1\r\n", path()).unwrap();
    assert_eq!(rows[0].sentence, "good");
}

#[test]
fn files_without_rows() {
    for text in [&b""[..], b"\n", b"\r\n", b"\xef\xbb\xbf"] {
        let name = String::from_utf8_lossy(text).into_owned();
        let stsb = message(stsb::parse(text, path()));
        assert!(
            stsb.contains("no rows") || stsb.contains("header"),
            "{name:?}: {stsb}"
        );
        assert!(movie_reviews::parse(text, path()).is_err(), "{name:?}");
        assert!(cola::parse(text, path()).is_err(), "{name:?}");
    }
    assert_eq!(message(stsb::parse(b"", path())), "data.tsv: no rows");
    assert_eq!(message(cola::parse(b"", path())), "data.tsv: no rows");
    let only_header = b"sentence\tlabel\n";
    assert_eq!(
        message(sst2::parse(only_header, path())),
        "data.tsv: no rows"
    );
}

#[test]
fn a_wrong_header() {
    assert_eq!(
        message(sst2::parse(b"good\t1\n", path())),
        "data.tsv:1: expected the header \"sentence\\tlabel\", found \"good\\t1\""
    );
}

#[test]
fn wrong_columns() {
    let row = |row: &str| format!("sentence1\tsentence2\tscore\na\tb\t1\n{row}");
    for (bad, found) in [("a\t1", 2), ("a\tb\tc\t1", 4), ("", 1)] {
        assert_eq!(
            message(stsb::parse(
                row(&format!("{bad}\na\tb\t1\n")).as_bytes(),
                path()
            )),
            format!("data.tsv:3: expected 3 tab-separated columns, found {found}")
        );
    }
}

#[test]
fn wrong_numbers() {
    for bad in ["x", "", "NaN", "nan", "inf", "-0.1", "5.1", "1,5", "1e999"] {
        let text = format!("sentence1\tsentence2\tscore\na\tb\t{bad}\n");
        assert_eq!(
            message(stsb::parse(text.as_bytes(), path())),
            format!("data.tsv:2: expected a score from 0 to 5, found {bad:?}")
        );
    }
    assert_eq!(
        message(movie_reviews::parse(b"1\t1.0\ta\n2\tNaN\tb", path())),
        "data.tsv:2: expected a mean rating from -4 to 4, found \"NaN\""
    );
}

#[test]
fn wrong_labels() {
    for bad in ["2", "-1", "", "true", "1.0", " 1"] {
        let expected = format!("data.tsv:2: expected the label 0 or 1, found {bad:?}");
        let text = format!("sentence\tlabel\na\t{bad}\n");
        assert_eq!(message(sst2::parse(text.as_bytes(), path())), expected);
        let text = format!("x\t1\t\ta\nx\t{bad}\t\ta");
        assert_eq!(message(cola::parse(text.as_bytes(), path())), expected);
    }
}

#[test]
fn what_is_not_utf8() {
    let text = "1\t1.0\ta\r\n2\t1.0\té".as_bytes();
    let broken = [text, b"\xff rest"].concat();
    assert_eq!(
        message(movie_reviews::parse(&broken, path())),
        "data.tsv:2:8: not UTF-8"
    );
    assert_eq!(
        message(cola::parse(b"\xe9", path())),
        "data.tsv:1:1: not UTF-8"
    );
}

#[test]
fn a_repeated_id() {
    assert_eq!(
        message(movie_reviews::parse(
            b"1\t1.0\ta\n2\t1.0\tb\n1\t1.0\tc",
            path()
        )),
        "data.tsv:3: the id \"1\" was used before"
    );
}

#[test]
fn files_are_read_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dev.tsv");
    assert!(message(sst2::read(&file)).starts_with(&format!("cannot read {}", file.display())));
    std::fs::write(&file, "sentence\tlabel\ngood\t1\n").unwrap();
    assert_eq!(sst2::read(&file).unwrap().len(), 1);
}

proptest! {
    /// Whatever the bytes, a reader answers; near-misses of the formats are more telling than noise.
    #[test]
    fn no_bytes_make_a_reader_panic(
        parts in prop::collection::vec(
            prop_oneof![
                Just(&b"\t"[..]), Just(&b"\n"[..]), Just(&b"\r\n"[..]), Just(&b"1"[..]),
                Just(&b"\xc3"[..]), Just(&b"\xa9"[..]), Just(&b"\xef\xbb\xbf"[..]),
                Just(&b" = "[..]), Just(&b"O\n"[..]), Just(&b"I-x"[..]), Just(&b"-DOCSTART-"[..]),
                Just(&b"{\"data\":["[..]), Just(&b"]}"[..]),
                Just(&b"sentence\tlabel\n"[..]), Just(&b"sentence1\tsentence2\tscore\n"[..]),
            ],
            0..20,
        )
    ) {
        let bytes = parts.concat();
        let _ = stsb::parse(&bytes, path());
        let _ = sst2::parse(&bytes, path());
        let _ = cola::parse(&bytes, path());
        let _ = movie_reviews::parse(&bytes, path());
        let _ = labelled::parse(&bytes, path());
        let _ = wikitext::parse(&bytes, path());
        let _ = conll::parse(&bytes, path());
        let _ = squad::parse(&bytes, path());
    }
}
