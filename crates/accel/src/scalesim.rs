//! Reports by the names and columns of SCALE-Sim 3.0.0 (Raj et al., ISPASS 2025), for
//! the tools that read those: a row for each product of a run, in its order.
//!
//! Where SCALE-Sim counts words, these are bytes: the operands of one product have
//! several widths. Unlike there, cycles are counts, not the index of the last one,
//! and those of a product are its share of a run in which products overlap.

use std::collections::BTreeMap;
use std::fmt::Write;

use dtatrans_precision::workload::Operation;

use crate::recording::Recording;
use crate::schedule::Unit;

/// The first and the last cycle of something.
#[derive(Clone, Copy, Debug)]
struct Extent {
    start: u64,
    stop: u64,
}

/// The reports of a run: file names and contents.
pub fn reports(recording: &Recording) -> [(&'static str, String); 3] {
    let mut compute = String::from(
        "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %, \
         Mapping Efficiency %, Compute Util %,\n",
    );
    let mut bandwidth = String::from(
        "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW, Avg OFMAP SRAM BW, Avg IFMAP DRAM BW, \
         Avg FILTER DRAM BW, Avg OFMAP DRAM BW,\n",
    );
    let mut detailed = String::from("LayerID, ");
    for memory in ["SRAM", "DRAM"] {
        for (operand, access) in [("IFMAP", "Reads"), ("Filter", "Reads"), ("OFMAP", "Writes")] {
            let _ = write!(
                detailed,
                "{memory} {operand} Start Cycle, {memory} {operand} Stop Cycle, \
                 {memory} {operand} {access}, "
            );
        }
    }
    detailed.truncate(detailed.trim_end().len());
    detailed.push('\n');

    let extents = extents(recording);
    for (id, (key, extents)) in in_order(recording, &extents).into_iter().enumerate() {
        let Some(product) = recording.report.products.get(&key) else {
            continue;
        };
        let causes = product.element_cycles;
        let per_cent = |part: u64, whole: u64| match whole {
            0 => 0.0,
            _ => 100.0 * part as f64 / whole as f64,
        };
        let waits = causes.dram + causes.vector + causes.sort;
        let stalls = waits / recording.elements.max(1);
        let begin = [Unit::Read, Unit::Array]
            .iter()
            .filter_map(|unit| Some(extents.get(unit)?.start))
            .min()
            .unwrap_or(0);
        let end = extents
            .get(&Unit::Array)
            .map_or(begin, |extent| extent.stop);
        let _ = writeln!(
            compute,
            "{id}, {}, {}, {stalls}, {}, {}, {},",
            end - begin,
            product.cycles,
            per_cent(causes.active, causes.total()),
            per_cent(causes.active, causes.active + causes.tail),
            per_cent(causes.active, causes.total() - waits),
        );
        let results = (
            product.copies * product.m * product.n,
            product.dram_write_bytes,
        );
        let moved = [
            product.sram_read_bytes[0],
            product.sram_read_bytes[1],
            results.0,
            product.dram_read_bytes[0],
            product.dram_read_bytes[1],
            results.1,
        ];
        let _ = write!(bandwidth, "{id}, ");
        for bytes in moved {
            let _ = write!(
                bandwidth,
                "{}, ",
                bytes as f64 / product.cycles.max(1) as f64
            );
        }
        bandwidth.truncate(bandwidth.trim_end().len());
        bandwidth.push('\n');
        let _ = write!(detailed, "{id}, ");
        let units = [
            Unit::Array,
            Unit::Array,
            Unit::Drain,
            Unit::Read,
            Unit::Read,
            Unit::Write,
        ];
        for (unit, bytes) in units.into_iter().zip(moved) {
            let extent = extents.get(&unit).copied();
            let Extent { start, stop } = extent.unwrap_or(Extent { start: 0, stop: 0 });
            let _ = write!(detailed, "{start}, {stop}, {bytes}, ");
        }
        detailed.truncate(detailed.trim_end().len());
        detailed.push('\n');
    }
    [
        ("COMPUTE_REPORT.csv", compute),
        ("BANDWIDTH_REPORT.csv", bandwidth),
        ("DETAILED_ACCESS_REPORT.csv", detailed),
    ]
}

type Key = (usize, Operation);
type Extents = BTreeMap<Unit, Extent>;

/// When each unit worked for each layer and operation.
fn extents(recording: &Recording) -> BTreeMap<Key, Extents> {
    let mut all: BTreeMap<Key, Extents> = BTreeMap::new();
    for span in &recording.timeline.spans {
        let units = all.entry(recording.products[span.product]).or_default();
        let extent = units.entry(span.unit).or_insert(Extent {
            start: span.begin,
            stop: span.end,
        });
        extent.start = extent.start.min(span.begin);
        extent.stop = extent.stop.max(span.end);
    }
    all
}

/// Layers and operations in the order in which they are run.
fn in_order<'a>(
    recording: &Recording,
    extents: &'a BTreeMap<Key, Extents>,
) -> Vec<(Key, &'a Extents)> {
    let mut keys: Vec<Key> = Vec::new();
    for key in &recording.products {
        if !keys.contains(key) {
            keys.push(*key);
        }
    }
    keys.into_iter()
        .filter_map(|key| Some((key, extents.get(&key)?)))
        .collect()
}
