//! What stands before and behind the layers: is it run, at what it costs, and does it
//! leave the layers as they are?

mod setup;

use dtatrans_accel::{Machine, ScopeReport};
use dtatrans_precision::trace::{Generation, Header, Input, KeptTokens};
use dtatrans_precision::workload::{Operation, Workload};
use dtatrans_precision::{Bits, Ends, ModelShape, Reads, Tier};
use setup::{edited, encoder, minilm, run};

fn ends(reads: Reads, pooler: bool, outputs: usize) -> Option<Ends> {
    Some(Ends {
        vocabulary: 30_522,
        tables: 3,
        reads,
        pooler,
        outputs,
    })
}

/// All that can stand behind an encoder, and a decoder's head.
fn kinds() -> [Option<Ends>; 5] {
    [
        ends(Reads::Mean, false, 0),
        ends(Reads::First, false, 0),
        ends(Reads::First, true, 2),
        ends(Reads::Each, false, 9),
        ends(Reads::Last, false, 30_522),
    ]
}

/// Of a mixed input, with these ends or none.
fn mixed(ends: Option<Ends>, n: usize) -> (Header, Input) {
    let header = setup::header_tier_probabilities(ModelShape { ends, ..minilm() });
    let input = setup::scattered(&header, n, 20, 40);
    (header, input)
}

fn conserved(scope: &ScopeReport) {
    assert_eq!(scope.element_cycles.total(), scope.cycles * scope.elements);
    assert_eq!(scope.operation_cycles.values().sum::<u64>(), scope.cycles);
}

#[test]
fn the_other_scopes_are_what_they_are_without() {
    for n in [1, 25, 130] {
        for name in Machine::builtin_names() {
            let (header, input) = mixed(None, n);
            let without = run(name, &header, &input);
            assert_eq!(without.model, None);
            for ends in kinds() {
                let (header, input) = mixed(ends, n);
                let with = run(name, &header, &input);
                assert_eq!(with.attention, without.attention, "{name} {ends:?}");
                assert_eq!(with.encoder, without.encoder, "{name} {ends:?}");
                assert_eq!(with.model.is_some(), with.encoder.is_some());
            }
        }
    }
}

#[test]
fn what_is_computed_is_the_workloads() {
    for ends in kinds() {
        let (header, input) = mixed(ends, 70);
        let work = input.workload(&header);
        let behind = work.ends.as_ref().unwrap();
        let macs: u64 = behind.products.iter().map(|product| product.macs()).sum();
        for name in Machine::builtin_names() {
            let report = run(name, &header, &input);
            let Some(model) = &report.model else {
                assert!(name.starts_with("spatten"), "{name}");
                continue;
            };
            conserved(model);
            let layers = encoder(&report);
            assert_eq!(model.macs_executed, layers.macs_executed + macs, "{name}");
            assert_eq!(model.macs_dense, layers.macs_dense + macs);
            assert!(model.cycles > layers.cycles);
            assert!(model.energy.total_pj() > layers.energy.total_pj());
            let embedding = &model.products[&(0, Operation::Embedding)];
            assert_eq!((embedding.m, embedding.macs), (70, 0));
            if name.starts_with("vssa") {
                let active = work.element_cycles().encoder + 4 * macs;
                assert_eq!(model.element_cycles.active, active);
            }
        }
    }
}

/// One layer on a buffer that has room for everything: each byte moves once.
#[test]
fn bytes_by_hand() {
    let (n, d) = (64, 768);
    let big = |name: &str| {
        edited(
            name,
            "bytes = 131072\nbanks = 8",
            "bytes = 8388608\nbanks = 16",
        )
    };
    let tables = 2 * (2 * n * d + d);
    let hidden = 2 * n * d;
    for (ends, read, written) in [
        // The states, and their mean.
        (ends(Reads::Mean, false, 0), 2 * n * d, 2 * d),
        // They are where they shall be.
        (ends(Reads::First, false, 0), 0, 0),
        // One state, its code, two matrices and what the pooler made; two codes and
        // two sums of 16 bits.
        (
            ends(Reads::First, true, 2),
            2 * d + d + d * d + d + 2 * d,
            d + d + 2 * 2,
        ),
        // All states, their codes, and one matrix; the codes and nine sums of each.
        (
            ends(Reads::Each, false, 9),
            2 * n * d + n * d + 9 * d,
            n * d + 2 * 9 * n,
        ),
        (
            ends(Reads::Last, false, 5_000),
            2 * d + d + 5_000 * d,
            d + 2 * 5_000,
        ),
    ] {
        let header = setup::header(ModelShape {
            layers: 1,
            ends,
            ..ModelShape::bert_base()
        });
        let input = setup::uniform(&header, n as usize, Tier::Eight);
        for name in ["vssa-512", "systolic-128"] {
            let report = big(name).simulate(&header, &input).unwrap();
            let (layers, model) = (encoder(&report), report.model.as_ref().unwrap());
            assert_eq!(
                model.dram_read_bytes - layers.dram_read_bytes,
                tables + read,
                "{name} {ends:?}"
            );
            assert_eq!(
                model.dram_write_bytes - layers.dram_write_bytes,
                hidden + written,
                "{name} {ends:?}"
            );
        }
    }
}

/// A decoder of three layers with the width and the vocabulary of SmolLM2-135M: `read`
/// tokens at once and `steps` one by one.
fn decoder(read: usize, steps: usize, vocabulary: usize) -> (Header, Input) {
    let header = setup::header(ModelShape {
        layers: 3,
        hidden: 576,
        heads: 9,
        key_value_heads: 3,
        intermediate: 1536,
        gated: true,
        rotary: true,
        causal: true,
        ends: Some(Ends {
            vocabulary,
            tables: 1,
            reads: Reads::Last,
            pooler: false,
            outputs: vocabulary,
        }),
        ..ModelShape::bert_base()
    });
    let mut input = setup::uniform(&header, read, Tier::Eight);
    input.tokens = vec!["token".into(); read + steps];
    let set = KeptTokens {
        tiers: vec![Tier::Eight; read],
        moves: Vec::new(),
    };
    input.generation = Some(Generation {
        caches: vec![vec![set]; 3],
    });
    (header, input)
}

/// A step ends in the head, whose weights are read for it.
#[test]
fn a_decoders_head_is_bound_by_its_weights() {
    let (header, input) = decoder(40, 4, 49_152);
    let report = run("vssa-4096", &header, &input);
    let head_bytes = 49_152 * 576;
    let decoding = report.decoding.as_ref().unwrap();
    let scopes = [
        (encoder(&report), report.model.as_ref().unwrap(), 1),
        (
            decoding.encoder.as_ref().unwrap(),
            decoding.model.as_ref().unwrap(),
            4,
        ),
    ];
    for (layers, model, heads) in scopes {
        conserved(model);
        let read = model.dram_read_bytes - layers.dram_read_bytes;
        let weights = heads * head_bytes;
        assert!(read > weights && read < weights + weights / 100, "{read}");
        // 64 bytes a cycle.
        let cycles = (model.cycles - layers.cycles) as f64;
        let ratio = cycles / (weights / 64) as f64;
        assert!((0.95..1.15).contains(&ratio), "{ratio}");
        assert!(model.products[&(3, Operation::Head)].macs == weights);
    }
    let dense: u64 = (41..45)
        .map(|tokens| {
            let work = Workload::dense_step(&header.model, tokens, Bits::Eight);
            let layers: u64 = work.products().map(|product| product.macs()).sum();
            layers + head_bytes
        })
        .sum();
    assert_eq!(decoding.model.as_ref().unwrap().macs_dense, dense);

    // Half the bandwidth, twice the time of the head.
    let slow = edited(
        "vssa-4096",
        "bandwidth_gbps = 64.0",
        "bandwidth_gbps = 32.0",
    );
    let slow = slow.simulate(&header, &input).unwrap().decoding.unwrap();
    let ratio = slow.model.unwrap().cycles as f64 / decoding.model.as_ref().unwrap().cycles as f64;
    assert!((1.8..=2.02).contains(&ratio), "{ratio}");
}

/// The weights' bits are the plan's.
#[test]
fn a_head_of_four_bits_is_read_in_half_the_bytes() {
    let reads = |bits| {
        let (mut header, input) = decoder(8, 1, 20_000);
        header.plan.weight_bits = bits;
        let decoding = run("vssa-4096", &header, &input).decoding.unwrap();
        decoding.model.unwrap().dram_read_bytes - decoding.encoder.unwrap().dram_read_bytes
    };
    // The row may be read again for each group of columns.
    let (eight, four) = (reads(Bits::Eight), reads(Bits::Four));
    let ratio = eight as f64 / four as f64;
    assert!((1.98..2.02).contains(&ratio), "{ratio}");
    assert!(four > 20_000 * 576 / 2);
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let (header, input) = mixed(ends(Reads::Last, false, 1 << 21), 4);
    let error = Machine::builtin("vssa-512")
        .unwrap()
        .simulate(&header, &input)
        .unwrap_err();
    assert!(error.to_string().contains("model.ends.outputs"), "{error}");
}
