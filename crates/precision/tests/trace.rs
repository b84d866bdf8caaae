//! Does a trace round-trip, and is a malformed one refused with its line?

use std::io::BufReader;

use dtatrans_precision::trace::{
    Generation, Head, Header, Input, KeptTokens, Layer, Move, Reader, Writer,
};
use dtatrans_precision::{Ends, ModelShape, Plan, Reads, Tier, TraceError};

fn header() -> Header {
    Header {
        model: ModelShape {
            name: "two layers".into(),
            layers: 2,
            hidden: 8,
            heads: 2,
            key_value_heads: 2,
            head_dim: 4,
            intermediate: 16,
            ..ModelShape::bert_base()
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
        operands: Vec::new(),
    };
    Input {
        id: "a".into(),
        tokens: vec!["[CLS]".into(), "é\n".into(), "[SEP]".into()],
        layers: vec![layer; 2],
        generation: None,
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
        ("\"version\":3", "\"version\":4,\"new\":0", "version 4"),
        ("\"version\":3", "\"version\":1", "versions 2 to 3"),
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
        (
            "\"key_value_heads\":2",
            "\"key_value_heads\":3",
            "line 1: model.key_value_heads: 3: must divide the 2 heads",
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

#[test]
fn what_stands_before_and_behind_the_layers_is_told_or_not() {
    let text = written();
    assert!(!text.contains("ends"));
    // As the version before wrote it.
    let old = text.replacen("\"version\":3", "\"version\":2", 1);
    assert_eq!(read(&old).unwrap(), [input()]);

    let mut header = header();
    header.model.ends = Some(Ends {
        vocabulary: 100,
        tables: 2,
        reads: Reads::Last,
        pooler: false,
        outputs: 100,
    });
    let writer = Writer::new(Vec::new(), &header).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    let reader = Reader::new(BufReader::new(text.as_bytes())).unwrap();
    assert_eq!(reader.header(), &header);
    for (from, to, want) in [
        (
            "\"vocabulary\":100",
            "\"vocabulary\":0",
            "model.ends.vocabulary: 0",
        ),
        ("\"tables\":2", "\"tables\":4", "model.ends.tables: 4"),
        (
            "\"outputs\":100",
            "\"outputs\":2000000",
            "model.ends.outputs: 2000000",
        ),
        (
            "\"last\"",
            "\"mean\"",
            "model.ends.outputs: a head on the mean",
        ),
        ("\"last\"", "\"middle\"", "unknown variant `middle`"),
        ("\"tables\"", "\"table\"", "unknown field `table`"),
    ] {
        assert!(text.contains(from), "{from}");
        let message = read(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message.contains(want), "{to}: {message}");
    }
    let text = text.replacen("\"last\",\"pooler\":false", "\"each\",\"pooler\":true", 1);
    let message = read(&text).unwrap_err().to_string();
    assert!(message.contains("model.ends.pooler: true"), "{message}");
}

/// A decoder's header and an input of which three tokens were read at once and three
/// came one by one.
fn generated() -> (Header, Input) {
    let mut header = header();
    header.model.causal = true;
    let moved = |after, token, to| Move { after, token, to };
    let set = |moves| KeptTokens {
        tiers: vec![Tier::Eight, Tier::Zero, Tier::Four],
        moves,
    };
    let first = vec![
        moved(3, 0, Tier::Four),
        moved(3, 2, Tier::Zero),
        moved(4, 4, Tier::Four),
    ];
    let mut input = input();
    input.tokens.extend(["a", "b", "c"].map(String::from));
    input.generation = Some(Generation {
        // Of two key-value heads, together at one layer and apart at the other.
        caches: vec![vec![set(first)], vec![set(Vec::new()); 2]],
    });
    (header, input)
}

#[test]
fn a_generation_round_trips_and_is_replayed() {
    let (header, input) = generated();
    let mut writer = Writer::new(Vec::new(), &header).unwrap();
    writer.write(&input).unwrap();
    let text = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert!(
        text.contains("\"moves\":[[3,0,4],[3,2,0],[4,4,4]]"),
        "{text}"
    );
    assert_eq!(read(&text).unwrap(), std::slice::from_ref(&input));

    let digits = |tiers: &[Tier]| tiers.iter().map(|tier| tier.digit()).collect::<String>();
    let mut replay = input.replay();
    let mut seen = Vec::new();
    while let Some(layers) = replay.step() {
        assert_eq!(layers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        seen.push((digits(&layers[0][0]), digits(&layers[1][1])));
    }
    let want = [("8048", "8048"), ("40088", "80488"), ("400848", "804888")];
    assert_eq!(seen, want.map(|(a, b)| (a.to_owned(), b.to_owned())));

    for (from, to, want) in [
        (
            "\"causal\":true",
            "\"causal\":false",
            "line 2: generation: the model sees",
        ),
        (
            "[3,0,4]",
            "[3,4,4]",
            "generation.caches[0][0].moves: token 4 after token 3",
        ),
        ("[3,0,4]", "[2,0,4]", "moves: token 0 after token 2"),
        ("[3,0,4]", "[6,0,4]", "moves: token 0 after token 6"),
        ("[3,0,4]", "[3,0,5]", "tier 5: must be 8, 4 or 0"),
        ("[3,0,4]", "[5,0,4]", "moves: not in the order of the steps"),
        (
            ",\"a\",\"b\",\"c\"]",
            "]",
            "line 2: tokens: 3 tokens, 3 of which were read at once",
        ),
        (
            "\"caches\":[[{",
            "\"caches\":[[],[{",
            "generation.caches: 3 layers",
        ),
        (
            "{\"tiers\":\"804\",\"moves\":[]}]]",
            "{\"tiers\":\"80\",\"moves\":[]}]]",
            "generation.caches[1][1].tiers: 2 tiers for 3 tokens",
        ),
        (
            ",{\"tiers\":\"804\",\"moves\":[]}]]",
            "],[]]",
            "generation.caches: 3 layers",
        ),
        (
            "[[3,0,4],[3,2,0],[4,4,4]]}]",
            "[]}],[]",
            "generation.caches: 3 layers",
        ),
        (
            "[[3,0,4],[3,2,0],[4,4,4]]}]",
            "[]},{\"tiers\":\"804\",\"moves\":[]},{\"tiers\":\"804\",\"moves\":[]}]",
            "generation.caches[0]: 3 sets of 2 key-value heads",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let message = read(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(message.contains(want), "{to}: {message}");
    }
}
