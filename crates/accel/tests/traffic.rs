//! Does DRAM carry what it must, and not more than the buffer forces?

mod setup;

use dtatrans_accel::Machine;
use dtatrans_precision::{ModelShape, Tier};
use setup::{edited, encoder, run, some_inputs};

#[test]
fn every_operand_is_read_and_every_result_written() {
    let model = ModelShape::bert_base();
    let header = setup::header(model.clone());
    let input = setup::uniform(&header, 64, Tier::Eight);
    let report = run("vssa-512", &header, &input);
    // q, k and v of 12 heads of 64 at 8 bits are read, the context is written.
    let matrix = 12 * 64 * 64 * 12;
    assert_eq!(report.attention.dram_read_bytes, 3 * matrix);
    assert_eq!(report.attention.dram_write_bytes, matrix);
    // Weights of 12 d^2 at least once.
    let weights = 12 * 12 * 768 * 768;
    assert!(encoder(&report).dram_read_bytes > weights);
    // Half the bits, half the bytes.
    let four = setup::uniform(&header, 64, Tier::Four);
    let four = run("vssa-512", &header, &four);
    assert_eq!(
        four.attention.dram_read_bytes * 2,
        report.attention.dram_read_bytes
    );
}

#[test]
fn with_a_buffer_for_everything_each_byte_moves_once() {
    let model = ModelShape {
        layers: 1,
        ..ModelShape::bert_base()
    };
    let (n, d) = (64, 768);
    let header = setup::header(model);
    let input = setup::uniform(&header, n as usize, Tier::Eight);
    let machine = edited(
        "vssa-512",
        "bytes = 131072\nbanks = 8",
        "bytes = 8388608\nbanks = 16",
    );
    let report = machine.simulate(&header, &input).unwrap();
    // Hidden states at 16 bits, at 8 for queries and for keys and values, q, k, v,
    // context, both feed-forward inputs, and the residual of two sums at 16.
    let read = 2 + 2 + 3 + 1 + (1 + 4) + 2 * 2;
    assert_eq!(encoder(&report).dram_read_bytes, 12 * d * d + read * n * d);
    // The quantized states, q, k, v, context, the inner activations, and two sums at
    // both widths.
    let written = 1 + 3 + 1 + 4 + 2 * (1 + 2);
    assert_eq!(encoder(&report).dram_write_bytes, written * n * d);
}

#[test]
fn keys_and_values_that_do_not_fit_are_read_again() {
    let header = setup::header(ModelShape::bert_base());
    let (layers, heads, tile_rows) = (12, 12, 384 / 4);
    let matrix = 384 * 64; // of one head, at 8 bits
    let input = setup::uniform(&header, 384, Tier::Eight);
    // 4 x 384 scores of 16 bits, twice, are 6 KiB; k and v 48 KiB more.
    for (kib, passes, spilled) in [(128, 1, 0), (48, tile_rows, 0), (4, tile_rows, 1)] {
        let bytes = format!("bytes = {}\nbanks = 1", kib * 1024);
        let machine = edited("vssa-512", "bytes = 131072\nbanks = 8", &bytes);
        let attention = machine.simulate(&header, &input).unwrap().attention;
        let scores = spilled * 384 * 384 * 2;
        assert_eq!(
            attention.dram_read_bytes,
            layers * heads * (matrix + passes * 2 * matrix + scores),
            "{kib} KiB"
        );
        assert_eq!(
            attention.dram_write_bytes,
            layers * heads * (matrix + scores)
        );
    }
}

#[test]
fn spatten_reads_keys_again_only_beyond_its_srams() {
    let model = ModelShape {
        layers: 1,
        ..ModelShape::bert_base()
    };
    let header = setup::header(model);
    // One layer keeps all tokens and heads; 2,048 keys of 64 x 12 bits fit.
    for n in [2048, 2050] {
        let input = setup::uniform(&header, n as usize, Tier::Eight);
        let report = run("spatten-eighth", &header, &input).attention;
        let again = 2 * (n - 2048) * (n - 1);
        assert_eq!(report.dram_read_bytes, 12 * 64 * (3 * n + again), "{n}");
    }
}

/// The mapper takes what it expects to be quickest, and of what is within a fiftieth of
/// that the thriftiest. On a token or two, where one tile is a large part of it all and
/// what follows waits for its end, runs differ more from what is expected.
#[test]
fn a_larger_buffer_never_takes_longer() {
    for name in ["vssa-512", "vssa-4096", "systolic-128"] {
        for (header, input) in some_inputs() {
            if input.tokens.len() < 25 {
                continue;
            }
            let mut last = u64::MAX;
            for kib in [64, 128, 1024, 16384] {
                let banks = format!("bytes = {}\nbanks = {}", kib * 1024, (kib / 16).min(32));
                let text = Machine::builtin_toml(name).unwrap();
                let start = text.find("bytes = ").unwrap();
                let end = start + text[start..].find("access_bits").unwrap();
                let text = format!("{}{banks}\n{}", &text[..start], &text[end..]);
                let machine = Machine::from_toml(&text).unwrap();
                let report = machine.simulate(&header, &input).unwrap();
                let encoder = encoder(&report);
                assert!(
                    encoder.cycles <= last.saturating_add(last / 20),
                    "{name} {kib} KiB: {} after {last}",
                    encoder.cycles
                );
                last = last.min(encoder.cycles);
            }
        }
    }
}

#[test]
fn starving_a_machine_is_charged_to_dram() {
    let header = setup::header(ModelShape::bert_base());
    let input = setup::uniform(&header, 25, Tier::Eight);
    let fed = run("vssa-512", &header, &input);
    let starved = edited("vssa-512", "bandwidth_gbps = 64.0", "bandwidth_gbps = 0.5");
    let starved = starved.simulate(&header, &input).unwrap();
    assert!(encoder(&starved).cycles > 2 * encoder(&fed).cycles);
    let waits = encoder(&starved).element_cycles;
    assert!(waits.dram > waits.total() / 2);
    assert_eq!(waits.active, encoder(&fed).element_cycles.active);
}
