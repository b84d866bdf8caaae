//! Are tokens that come one by one run as what they are: products of one row, for
//! which everything else is read?

mod setup;

use dtatrans_accel::{DecodingReport, Machine};
use dtatrans_precision::trace::{Generation, Header, Input, KeptTokens, Move};
use dtatrans_precision::workload::Workload;
use dtatrans_precision::{Bits, ModelShape, Tier};
use setup::{edited, run};

/// A decoder of grouped key-value heads and its input: `read` tokens at once, `steps`
/// one by one; of every tier as many as said, the others are gone.
fn generated(read: usize, steps: usize, tiers: &[Tier]) -> (Header, Input) {
    let model = ModelShape {
        heads: 9,
        key_value_heads: 3,
        hidden: 576,
        intermediate: 1536,
        layers: 3,
        gated: true,
        rotary: true,
        causal: true,
        ..ModelShape::bert_base()
    };
    let header = setup::header(model);
    let mut input = setup::uniform(&header, read, Tier::Eight);
    input.tokens = vec!["token".into(); read + steps];
    let set = KeptTokens {
        tiers: (0..read).map(|token| tiers[token % tiers.len()]).collect(),
        // A new token pushes one down at once.
        moves: (read..read + steps)
            .map(|after| Move {
                after,
                token: after,
                to: tiers[after % tiers.len()],
            })
            .collect(),
    };
    let caches = vec![vec![set; 3]; header.model.layers];
    input.generation = Some(Generation { caches });
    (header, input)
}

fn decoding(machine: &Machine, header: &Header, input: &Input) -> DecodingReport {
    machine.simulate(header, input).unwrap().decoding.unwrap()
}

#[test]
fn what_is_read_at_once_and_what_comes_after_are_apart() {
    let (header, input) = generated(64, 10, &[Tier::Eight]);
    let read = setup::uniform(&header, 64, Tier::Eight);
    for name in Machine::builtin_names() {
        let whole = run(name, &header, &input);
        let alone = run(name, &header, &read);
        assert_eq!(whole.attention, alone.attention, "{name}");
        assert_eq!(whole.encoder, alone.encoder);
        assert_eq!((whole.tokens, alone.tokens), (74, 64));
        assert_eq!(alone.decoding, None);
        let decoding = whole.decoding.unwrap();
        assert_eq!(decoding.tokens, 10);
        for scope in [Some(&decoding.attention), decoding.encoder.as_ref()] {
            let Some(scope) = scope else { continue };
            assert_eq!(scope.element_cycles.total(), scope.cycles * scope.elements);
            assert!(scope.utilisation() > 0.0 && scope.utilisation() <= 1.0);
        }
        let dense: u64 = (65..75)
            .flat_map(|tokens| {
                let work = Workload::dense_step(&header.model, tokens, Bits::Eight);
                work.products()
                    .map(|product| product.macs())
                    .collect::<Vec<_>>()
            })
            .sum();
        if let Some(encoder) = &decoding.encoder {
            assert_eq!(
                (encoder.macs_dense, encoder.macs_executed),
                (dense, dense),
                "{name}"
            );
        }
    }
}

/// Keys and values are read once a token for each key-value head, at the bits of
/// their tiers; the weights are read for each token.
#[test]
fn a_cache_at_tiers_is_read_at_its_bits() {
    let machine = Machine::builtin("vssa-512").unwrap();
    let reads = |tiers: &[Tier]| -> u64 {
        let (header, input) = generated(400, 1, tiers);
        decoding(&machine, &header, &input)
            .attention
            .dram_read_bytes
    };
    // By layer: 9 queries of 64 codes, and 3 heads of keys and values.
    let queries = 9 * 64;
    let bytes = |upper: u64, lower: u64| 3 * (queries + 3 * 2 * (upper * 64 + lower * 32));
    assert_eq!(reads(&[Tier::Eight]), bytes(401, 0));
    assert_eq!(reads(&[Tier::Four]), bytes(1, 400));
    let quarter = [Tier::Four, Tier::Zero, Tier::Four, Tier::Zero];
    assert_eq!(reads(&quarter), bytes(1, 200));

    let (header, input) = generated(400, 1, &[Tier::Eight]);
    let layers = decoding(&machine, &header, &input).encoder.unwrap();
    let weights = 3 * (2 * 576 * 576 + 576 * 2 * 192 + 3 * 576 * 1536);
    assert!(layers.dram_read_bytes > weights && layers.dram_read_bytes < weights * 11 / 10);
}

/// One row of queries leaves seven of eight rows of the array without work: what a
/// token takes is what reading takes.
#[test]
fn decoding_is_bound_by_the_bandwidth() {
    let time = |bandwidth: &str, tiers: &[Tier]| {
        let machine = edited(
            "vssa-4096",
            "bandwidth_gbps = 64.0",
            &format!("bandwidth_gbps = {bandwidth}"),
        );
        let (header, input) = generated(800, 4, tiers);
        let report = decoding(&machine, &header, &input);
        let layers = report.encoder.unwrap();
        (report.attention.cycles as f64, layers)
    };
    let (_, slow) = time("32.0", &[Tier::Eight]);
    let (attention, layers) = time("64.0", &[Tier::Eight]);
    let ratio = slow.cycles as f64 / layers.cycles as f64;
    assert!((1.7..=2.0).contains(&ratio), "{ratio}");
    assert!(layers.utilisation() < 0.1, "{}", layers.utilisation());
    // Fewer bits are read sooner.
    let (four, _) = time("64.0", &[Tier::Four]);
    assert!(four < 0.6 * attention, "{four} against {attention}");
}
