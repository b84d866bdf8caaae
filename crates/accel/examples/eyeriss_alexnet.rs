//! Eyeriss on AlexNet: the model beside the chip and the study, as Markdown.
//!
//! ```text
//! cargo run --package dtatrans-accel --example eyeriss_alexnet
//! ```

#[path = "../tests/setup/alexnet.rs"]
mod alexnet;

use dtatrans_accel::eyeriss::chip::Chip;
use dtatrans_accel::eyeriss::search::{self, ISCA16};

fn main() {
    chip();
    println!();
    study();
}

/// Ours, published, and how far apart.
fn beside(ours: f64, published: f64, digits: usize) -> String {
    let apart = 100.0 * (ours / published - 1.0);
    format!("{ours:.digits$}, {published:.digits$} ({apart:+.1} %)")
}

/// The chip under its own mapping, batch 4, 200 MHz, link at 60 MHz.
fn chip() {
    println!(
        "| layer | active elements | processing ms | total ms | power mW | buffer MB | DRAM MB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let rows = alexnet::on_chip();
    for (published, ours) in &rows {
        println!(
            "| {} | {}, {} | {} | {} | {} | {} | {} |",
            published.layer,
            ours.active_elements,
            published.active_elements,
            beside(ours.processing_ms, published.processing_ms, 1),
            beside(ours.total_ms, published.total_ms, 1),
            beside(ours.power_mw, published.power_mw, 0),
            beside(ours.buffer_mb, published.buffer_mb, 1),
            beside(ours.dram_mb, published.dram_mb, 1),
        );
    }
    let sum = |of: &dyn Fn(usize) -> [f64; 2]| {
        let all = (0..rows.len()).map(of);
        all.fold([0.0; 2], |sum, each| [sum[0] + each[0], sum[1] + each[1]])
    };
    let processing = sum(&|at| [rows[at].1.processing_ms, rows[at].0.processing_ms]);
    let total = sum(&|at| [rows[at].1.total_ms, rows[at].0.total_ms]);
    let buffer = sum(&|at| [rows[at].1.buffer_mb, rows[at].0.buffer_mb]);
    let dram = sum(&|at| [rows[at].1.dram_mb, rows[at].0.dram_mb]);
    let energy = sum(&|at| {
        let (published, ours) = &rows[at];
        [
            ours.power_mw * ours.total_ms,
            published.power_mw * published.total_ms,
        ]
    });
    println!(
        "| all | | {} | {} | {} | {} | {} |",
        beside(processing[0], processing[1], 1),
        beside(total[0], total[1], 1),
        beside(energy[0] / total[0], energy[1] / total[1], 0),
        beside(buffer[0], buffer[1], 1),
        beside(dram[0], dram[1], 1),
    );
    println!();
    println!(
        "Frames a second: {}.",
        beside(4e3 / total[0], 4e3 / total[1], 1)
    );
}

/// The study of ISCA 2016, batch 16, 16 x 16 elements: energy in 10^9 multiply-accumulates.
fn study() {
    println!("| layer | arithmetic | DRAM | scratch pads | buffer | array |");
    println!("|---|---|---|---|---|---|");
    for layer in alexnet::in_study() {
        let shape = layer.shape();
        let mapping = search::least_energy(&Chip::ISCA16, &shape, &ISCA16)
            .expect("the array of the study fits its layers");
        let accesses = mapping.accesses(&shape);
        let cost = |each: f64, words: u64| each * words as f64 / 1e9;
        let sum = |words: [u64; 3]| words.iter().sum();
        println!(
            "| {} | {:.2}, {:.2} | {:.2}, {:.2} | {:.2}, {:.2} | {:.2} | {:.2} |",
            layer.layer,
            cost(1.0, shape.macs()),
            layer.alu,
            cost(ISCA16.dram, sum(accesses.dram)),
            layer.dram,
            cost(ISCA16.pads, accesses.pads),
            layer.pads,
            cost(ISCA16.buffer, sum(accesses.buffer)),
            cost(ISCA16.array, sum(accesses.array)),
        );
    }
}
