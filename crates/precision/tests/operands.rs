//! Do a trace's operands round-trip, and is every mistake in them named?

use dtatrans_precision::trace::{
    Head, Header, Input, Layer, OperandRows, Operands, Reader, Writer,
};
use dtatrans_precision::{ModelShape, Plan, Tier, TraceError};
use proptest::prelude::*;

fn header() -> Header {
    Header {
        model: ModelShape {
            layers: 1,
            hidden: 6,
            heads: 3,
            key_value_heads: 3,
            head_dim: 2,
            intermediate: 16,
            ..ModelShape::bert_base()
        },
        plan: Plan::dense_eight(1),
    }
}

fn rows<C: Copy>(bits: &[Tier], codes: &[[C; 2]]) -> OperandRows<C> {
    OperandRows {
        bits: bits.to_vec(),
        scales: vec![0.1; codes.len()],
        codes: codes.iter().map(|row| row.to_vec()).collect(),
    }
}

/// Tokens at 8, 0 and 4 bits, the second of which is attended to, and an average that
/// attends.
fn operands(head: usize) -> Operands {
    use Tier::{Eight, Four, Zero};
    let queries = [Eight, Zero, Four, Eight];
    let keys = [Eight, Four, Four];
    Operands {
        head,
        score_scale: 0.5,
        query: rows(&queries, &[[-127, 100], [7, -7], [1, 0]]),
        key: rows(&keys, &[[127, -90], [6, 5], [0, -1]]),
        value: rows(&keys, &[[3, -120], [-7, 1], [2, 4]]),
        probability: OperandRows {
            codes: vec![vec![255, 0, 31], vec![15, 2, 0], vec![1, 1, 255]],
            ..rows(&queries, &[[0, 0]; 3])
        },
        score_sums: vec![vec![-25129, -262, -100], vec![1519, 7, 7], vec![127, 6, 0]],
        context_sums: vec![vec![827, -30476], vec![31, -1798], vec![506, 901]],
    }
}

fn input() -> Input {
    let head = Head {
        magnitude: 1.5,
        unsure_queries: 2,
    };
    Input {
        id: "a".into(),
        tokens: ["[CLS]", "a", "[SEP]"].map(String::from).to_vec(),
        layers: vec![Layer {
            tiers: vec![Tier::Eight, Tier::Zero, Tier::Four],
            importance: vec![0.5, 0.25, 0.125],
            heads: vec![head; 3],
            operands: vec![operands(0), operands(2)],
        }],
        generation: None,
    }
}

fn written(input: &Input) -> String {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    writer.write(input).unwrap();
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn read(text: &str) -> Result<Option<Input>, TraceError> {
    Reader::new(text.as_bytes())?.read()
}

#[test]
fn operands_round_trip() {
    let text = written(&input());
    assert!(text.contains("\"query\":{\"bits\":\"8048\""), "{text}");
    assert_eq!(read(&text).unwrap(), Some(input()));
    let widths = operands(0).key.widths().into_iter();
    assert_eq!(widths.map(|w| w.bits()).collect::<Vec<_>>(), [8, 4, 4]);
}

#[test]
fn without_operands_nothing_of_them_is_written() {
    let mut input = input();
    input.layers[0].operands.clear();
    assert!(!written(&input).contains("operands"));
}

#[test]
fn mistakes_are_named_with_their_place() {
    let text = written(&input());
    for (from, to, want) in [
        (
            "\"causal\":false",
            "\"causal\":true",
            "layers[0].operands: the model does not see all tokens",
        ),
        (
            "\"head\":2",
            "\"head\":3",
            "layers[0].operands[1].head: 3: the model has 3 heads",
        ),
        (
            "\"head\":2",
            "\"head\":0",
            "operands[1].head: 0: heads must rise",
        ),
        (
            "\"head\":0",
            "\"head\":-1",
            "line 2: invalid value: integer `-1`",
        ),
        (
            "\"score_scale\":0.5",
            "\"score_scale\":-0.5",
            "operands[0].score_scale: -0.5",
        ),
        (
            "\"score_scale\":0.5",
            "\"score_scale\":-0.5",
            "operands[0].score_scale: -0.5",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"80\"",
            "operands[0].query.bits: 2 digits for 3 tokens",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"80480\"",
            "operands[0].query.bits: behind the tokens",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"8044\"",
            "operands[0].query.bits: behind the tokens",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"8848\"",
            "operands[0].query.bits: token 1 has 8, its tier is 0",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"8088\"",
            "operands[0].query.bits: token 2 has 8, its tier is 4",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"0048\"",
            "operands[0].query.bits: token 0 has 0, its tier is 8",
        ),
        (
            "\"query\":{\"bits\":\"8048\"",
            "\"query\":{\"bits\":\"8448\"",
            "operands[0].probability.bits: are not of the tokens",
        ),
        (
            "\"value\":{\"bits\":\"844\"",
            "\"value\":{\"bits\":\"804\"",
            "operands[0].value.bits: are not those of the keys",
        ),
        ("\"bits\":\"844\"", "\"bits\":\"8x4\"", "tier `x`"),
        (
            "\"scales\":[0.1,0.1,0.1]",
            "\"scales\":[0.1,0.1]",
            "operands[0].query.scales: 2 scales for 3 rows",
        ),
        (
            "\"scales\":[0.1,0.1,0.1]",
            "\"scales\":[0.1,-0.1,0.1]",
            "operands[0].query.scales[1]: -0.1",
        ),
        (
            "[0.1,0.1,0.1]",
            "[0.1,null,0.1]",
            "line 2: invalid type: null",
        ),
        (
            "[[-127,100],[7,-7],[1,0]]",
            "[[-127,100],[7,-7]]",
            "operands[0].query.codes: 2 rows, not 3",
        ),
        (
            "[[-127,100],[7,-7],[1,0]]",
            "[[-127,100],[7],[1,0]]",
            "operands[0].query.codes[1]: 1 numbers, not 2",
        ),
        (
            "[7,-7]",
            "[8,-7]",
            "operands[0].query.codes[1]: 8: is no code of 4 bits",
        ),
        (
            "[-127,100]",
            "[-128,100]",
            "operands[0].query.codes[0]: -128: is no code of 8 bits",
        ),
        (
            "[-127,100]",
            "[128,100]",
            "line 2: invalid value: integer `128`",
        ),
        (
            "[15,2,0]",
            "[16,2,0]",
            "operands[0].probability.codes[1]: 16: is no code of 4 bits",
        ),
        (
            "[15,2,0]",
            "[15,2]",
            "operands[0].probability.codes[1]: 2 numbers",
        ),
        (
            "[255,0,31]",
            "[256,0,31]",
            "line 2: invalid value: integer `256`",
        ),
        (
            "[6,5]",
            "[6,4]",
            "operands[0].score_sums[0][1]: -262: the codes give -362",
        ),
        (
            "[1519,7,7]",
            "[1519,8,7]",
            "operands[0].score_sums[1][1]: 8: the codes give 7",
        ),
        ("[1519,7,7],", "", "operands[0].score_sums: 2 rows, not 3"),
        (
            "[506,901]",
            "[506,902]",
            "operands[0].context_sums[2][1]: 902: the codes give 901",
        ),
        (
            "[506,901]",
            "[506]",
            "operands[0].context_sums[2]: 1 numbers, not 2",
        ),
        (
            "\"context_sums\"",
            "\"contextsums\"",
            "unknown field `contextsums`",
        ),
        ("\"head\":0,", "", "missing field `head`"),
    ] {
        assert!(text.contains(from), "{from}");
        let message = read(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(
            message.contains("line ") && message.contains(want),
            "{to}: {message}"
        );
    }
}

/// Sums that no product of codes could have are no overflow.
#[test]
fn the_widest_sums_are_compared() {
    for sum in [i32::MAX, i32::MIN] {
        let mut input = input();
        input.layers[0].operands[1].context_sums[0][0] = sum;
        let message = read(&written(&input)).unwrap_err().to_string();
        assert!(
            message.contains(&format!("{sum}: the codes give 827")),
            "{message}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// One byte of the operands is another one: the line is refused, or what has
    /// changed is a scale, which contradicts nothing.
    #[test]
    fn damage_is_refused_or_in_a_scale(place in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let text = written(&input());
        let begin = text.find("\"operands\"").unwrap();
        let mut bytes = text.into_bytes();
        let place = begin + place.index(bytes.len() - begin);
        bytes[place] = byte;
        let damaged = String::from_utf8(bytes).unwrap();
        if let Ok(Some(read)) = read(&damaged) {
            let mut like = read;
            let right = input();
            let both = like.layers[0].operands.iter_mut().zip(&right.layers[0].operands);
            for (operands, right) in both {
                operands.score_scale = right.score_scale;
                operands.query.scales.clone_from(&right.query.scales);
                operands.key.scales.clone_from(&right.key.scales);
                operands.value.scales.clone_from(&right.value.scales);
                operands.probability.scales.clone_from(&right.probability.scales);
                // Neither do other heads, or wider codes of probabilities.
                operands.probability.bits.clone_from(&right.probability.bits);
                operands.head = right.head;
            }
            prop_assert_eq!(like, right);
        }
    }

    /// Scales of any magnitude come back as they were.
    #[test]
    fn scales_keep_their_bits(bits in 0u32..f32::INFINITY.to_bits()) {
        let scale = f32::from_bits(bits);
        let mut input = input();
        input.layers[0].operands[0].query.scales[1] = scale;
        let read = read(&written(&input)).unwrap().unwrap();
        prop_assert_eq!(read.layers[0].operands[0].query.scales[1].to_bits(), bits);
    }
}
