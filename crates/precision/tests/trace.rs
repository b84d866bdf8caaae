//! Does a trace round-trip, and is a malformed one refused with its line?

use std::io::BufReader;

use dtatrans_precision::trace::{Head, Header, Input, Layer, Reader, Writer};
use dtatrans_precision::{ModelShape, Plan, Tier, TraceError};

fn header() -> Header {
    Header {
        model: ModelShape {
            name: "two layers".into(),
            layers: 2,
            hidden: 8,
            heads: 2,
            head_dim: 4,
            intermediate: 16,
            causal: false,
        },
        plan: Plan::dense_four(2),
    }
}

fn input() -> Input {
    let layer = Layer {
        tiers: vec![Tier::Eight, Tier::Zero, Tier::Four],
        importance: vec![0.5, 0.25, 0.125],
        heads: vec![
            Head {
                magnitude: 1.5,
                unsure_queries: 2
            };
            2
        ],
    };
    Input {
        id: "a".into(),
        tokens: vec!["[CLS]".into(), "é\n".into(), "[SEP]".into()],
        layers: vec![layer; 2],
    }
}

fn written() -> String {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    writer.write(&input()).unwrap();
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn read(text: &str) -> Result<Vec<Input>, TraceError> {
    let mut reader = Reader::new(BufReader::new(text.as_bytes()))?;
    let mut inputs = Vec::new();
    while let Some(input) = reader.read()? {
        inputs.push(input);
    }
    Ok(inputs)
}

#[test]
fn a_trace_round_trips() {
    let text = written();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(read(&text).unwrap(), [input()]);
    let reader = Reader::new(BufReader::new(text.as_bytes())).unwrap();
    assert_eq!(reader.header(), &header());
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (from, to, want) in [
        ("dtatrans-trace", "other", "format `other`"),
        ("\"version\":1", "\"version\":2,\"new\":0", "version 2"),
        ("\"hidden\":8", "\"hidden\":0", "model.hidden"),
        ("\"layers\":2", "\"layers\":3", "line 1: plan"),
        ("\"causal\"", "\"casual\"", "line 1: unknown field `casual`"),
        (
            "\"tiers\":\"804\"",
            "\"tiers\":\"80\"",
            "line 2: layers[0].tiers: 2 tiers for 3",
        ),
        (
            "\"tiers\":\"804\"",
            "\"tiers\":\"000\"",
            "line 2: layers[0].tiers: no token",
        ),
        ("\"tiers\":\"804\"", "\"tiers\":\"805\"", "tier `5`"),
        ("[0.5,0.25,0.125]", "[0.5]", "line 2: layers[0].importance"),
        ("[0.5,0.25,0.125]", "[null]", "line 2"),
        (
            "[\"[CLS]\",\"é\\n\",\"[SEP]\"]",
            "[]",
            "line 2: tokens: is empty",
        ),
    ] {
        let text = written();
        assert!(text.contains(from), "{from}");
        let message = read(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message.contains(want), "{to}: {message}");
    }
    assert!(matches!(read(""), Err(TraceError::Empty)));
    let text = written();
    assert!(read(&text[..text.len() - 10]).is_err());
    let binary = [text.as_bytes(), b"\xff\xfe\n"].concat();
    let mut reader = Reader::new(BufReader::new(&binary[..])).unwrap();
    reader.read().unwrap();
    let message = reader.read().unwrap_err().to_string();
    assert!(message.contains("line 3: is not UTF-8"), "{message}");
}
