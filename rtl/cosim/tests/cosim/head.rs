//! Does the array give the integers that the CPU engine gives, on one attention head
//! of a real model and a real sentence?
//!
//! `../data/head.jsonl` is what `dtatrans trace` wrote of head 5 at layer 3 of
//! all-MiniLM-L6-v2 (a test of the program writes it again and compares):
//!
//! ```text
//! dtatrans trace --plan rtl/cosim/tests/data/mixed.toml --operands 3:5 \
//!     --file rtl/cosim/tests/data/sentence.txt --output rtl/cosim/tests/data/head.jsonl
//! ```
//!
//! Queries and keys enter the RTL in grouped order, zeros of 4 bits fill its tiles.
//! The host scales the sums that leave, takes the softmax and quantizes the
//! probabilities, which then meet the values.

use dtatrans_accel::array_shape::ArrayShape;
use dtatrans_accel::vssa::timing::Timing;
use dtatrans_accel::vssa::{Order, operands};
use dtatrans_cosim::array::{ARRAYS, Kind, Operand};
use dtatrans_kernels::{Isa, vector};
use dtatrans_precision::trace::{Header, Input, Operands, Reader};
use dtatrans_precision::workload::{Operation, Product, RightBits};
use dtatrans_precision::{Bits, Tier};

use crate::bench::{Bench, Cycles, Side, Work};

const LAYER: usize = 3;

fn trace() -> (Header, Input) {
    let text = include_bytes!("../data/head.jsonl");
    let mut reader = Reader::new(&text[..]).unwrap();
    let input = reader.read().unwrap().unwrap();
    (reader.header().clone(), input)
}

/// A line of operands on its way into an array: its number, and the width and the
/// code of each step.
struct Line {
    number: usize,
    steps: Vec<(Bits, i16)>,
}

/// Rows of codes, each at its own bits, in grouped order.
fn grouped<C: Copy + Into<i16>>(widths: &[Bits], codes: &[Vec<C>]) -> Vec<Line> {
    let rows = widths.iter().zip(codes).enumerate();
    let mut lines: Vec<Line> = rows
        .map(|(number, (&bits, codes))| Line {
            number,
            steps: codes.iter().map(|&code| (bits, code.into())).collect(),
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.steps[0].0));
    lines
}

/// One line a channel: the values' codes, each step at the bits of its key.
fn channels(widths: &[Bits], codes: &[Vec<i8>]) -> Vec<Line> {
    let channel = |number: usize| Line {
        number,
        steps: widths
            .iter()
            .zip(codes)
            .map(|(&bits, row)| (bits, i16::from(row[number])))
            .collect(),
    };
    (0..codes[0].len()).map(channel).collect()
}

/// The operands of a tile's lines; zeros of 4 bits stand for those that lack.
fn tile(lines: &[Line], size: usize, of_rows: bool, unsigned: bool) -> Vec<Vec<Operand>> {
    let steps = lines[0].steps.len();
    let zeros = vec![(Bits::Four, 0); steps];
    let line = |line: usize| {
        let codes = lines.get(line).map_or(&zeros, |line| &line.steps);
        let operand = |(step, &(bits, code)): (usize, &(Bits, i16))| Operand {
            wide: bits == Bits::Eight,
            code,
            unsigned,
            last: of_rows && step + 1 == steps,
        };
        codes.iter().enumerate().map(operand).collect()
    };
    (0..size).map(line).collect()
}

/// The product of rows and columns on an array: its sums in the lines' own numbers,
/// and the cycles that it took.
fn multiply(
    bench: &mut Bench,
    kind: &Kind,
    rows: &[Line],
    columns: &[Line],
    unsigned: bool,
) -> (Vec<Vec<i32>>, u64) {
    let mut work = Work {
        rows: Side::new(),
        columns: Side::new(),
    };
    let mut places = Vec::new();
    // All rows pass a tile of columns before the next.
    for columns in columns.chunks(kind.columns) {
        for rows in rows.chunks(kind.rows) {
            work.rows.push(tile(rows, kind.rows, true, unsigned));
            work.columns.push(tile(columns, kind.columns, false, false));
            places.push((rows, columns));
        }
    }
    let begin = bench.cycle;
    let at_once = |side: &Side| -> Cycles {
        let line = |line: &Vec<Operand>| vec![begin; line.len()];
        let tile = |tile: &Vec<Vec<Operand>>| tile.iter().map(line).collect();
        side.iter().map(tile).collect()
    };
    let (tiles, last) = bench
        .run(&work, &at_once(&work.rows), &at_once(&work.columns))
        .unwrap_or_else(|difference| panic!("{kind:?}: {difference}"));
    let mut sums = vec![vec![0; columns.len()]; rows.len()];
    for (tile, (rows, columns)) in tiles.iter().zip(places) {
        for (row, values) in rows.iter().zip(tile) {
            for (column, &value) in columns.iter().zip(values) {
                sums[row.number][column.number] = value;
            }
        }
    }
    (sums, (last + 1 - begin) as u64)
}

/// Codes and scales of the probabilities times the values' scales, as the engine
/// makes them of the sums.
fn probabilities(operands: &Operands, sums: &[Vec<i32>]) -> (Vec<Vec<u8>>, Vec<f32>) {
    let (isa, n) = (Isa::best(), operands.key.scales.len());
    let zeros = vec![0.0; n];
    let widths = operands.probability.widths().into_iter();
    let rows = widths.zip(sums).zip(&operands.query.scales);
    rows.map(|((bits, sums), &scale)| {
        let (mut row, mut codes) = (vec![0.0; n], vec![0; n]);
        vector::dequantize(isa, sums, scale, &operands.key.scales, &zeros, &mut row);
        vector::softmax(isa, &mut row, operands.score_scale);
        vector::receive(isa, &mut row, &mut vec![0.0; n], &operands.value.scales);
        let scale = vector::quantize_unsigned(isa, &row, bits.unsigned_limit(), &mut codes);
        (codes, scale)
    })
    .unzip()
}

/// One head's copy of a product that the trace implies.
fn product(header: &Header, input: &Input, operation: Operation) -> Product {
    let work = input.workload(header);
    let products = work.layers[LAYER].products.iter();
    let mut found = products.filter(|product| product.operation == operation);
    Product {
        count: 1,
        ..found.next().unwrap().clone()
    }
}

#[test]
fn a_head_gives_the_engines_integers_in_the_cycles_of_the_model() {
    let (header, input) = trace();
    let layer = &input.layers[LAYER];
    for tier in Tier::ALL {
        assert!(layer.tiers.contains(&tier), "{tier:?}");
    }
    let [head] = &layer.operands[..] else {
        panic!("{} heads", layer.operands.len());
    };
    let (query, key) = (head.query.widths(), head.key.widths());
    let (value, probability) = (head.value.widths(), head.probability.widths());
    let (scores, contexts) = (
        product(&header, &input, Operation::Score),
        product(&header, &input, Operation::Context),
    );
    assert_eq!((&scores.rows, &contexts.rows), (&query, &probability));
    assert_eq!(scores.right, RightBits::Columns(key.clone()));
    assert_eq!(contexts.right, RightBits::Steps(value.clone()));
    // Codes that have a sign at 8 bits would end at 127.
    let mut codes = head.probability.codes.iter().flatten();
    assert!(codes.any(|&code| code > 127));

    let mut total = 0;
    for kind in ARRAYS {
        let mut bench = Bench::new(kind, 1);
        let (sums, score_cycles) = multiply(
            &mut bench,
            kind,
            &grouped(&query, &head.query.codes),
            &grouped(&key, &head.key.codes),
            false,
        );
        assert_eq!(sums, head.score_sums, "{kind:?}");

        let (codes, scales) = probabilities(head, &sums);
        assert_eq!(codes, head.probability.codes, "{kind:?}");
        assert_eq!(scales, head.probability.scales, "{kind:?}");

        let (sums, context_cycles) = multiply(
            &mut bench,
            kind,
            &grouped(&probability, &codes),
            &channels(&value, &head.value.codes),
            true,
        );
        assert_eq!(sums, head.context_sums, "{kind:?}");

        // What the machines report of these products, whose elements are not the
        // naive ones.
        println!("{kind:?}: {score_cycles} and {context_cycles} cycles");
        total += score_cycles + context_cycles;
        if !kind.naive {
            let shape = ArrayShape {
                rows: kind.rows as u64,
                columns: kind.columns as u64,
                arrays: 1,
            };
            let cycles = |product| {
                let operands = operands(product, Order::Grouped);
                Timing::new(shape).run(&operands).0
            };
            assert_eq!(
                (score_cycles, context_cycles),
                (cycles(&scores), cycles(&contexts)),
                "{kind:?}"
            );
        }
    }
    println!("{total} cycles of arrays");
}
