//! When each unit did what while a machine ran an input, and that as a trace in
//! Chrome's trace-event format, which Perfetto and chrome://tracing show.

use std::ops::Range;

use dtatrans_precision::workload::Operation;
use serde::Serialize;
use serde_json::json;

use crate::report::{Cause, ScopeReport};
use crate::schedule::{Timeline, Unit};

/// Bins of the counter of utilisation in a trace.
const COUNTER_BINS: usize = 400;

/// A machine's run of one input, over time: all products, or the attention where it
/// has no engine for others.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Name of the machine.
    pub machine: String,
    /// Clock, in GHz.
    pub clock_ghz: f64,
    /// Multiplying elements.
    pub elements: u64,
    /// Arrays that they stand in.
    pub arrays: u64,
    /// Layer and operation of each product.
    pub products: Vec<(usize, Operation)>,
    /// What the run took.
    pub report: ScopeReport,
    /// What was done when.
    pub timeline: Timeline,
}

/// An event of the trace-event format (Duca and Sinclair, "Trace Event Format"):
/// complete events, counters and the names of tracks.
#[derive(Debug, Serialize)]
struct Event {
    name: String,
    cat: &'static str,
    ph: &'static str,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    pid: u64,
    tid: u64,
    args: serde_json::Value,
}

impl Recording {
    /// Number of layers.
    pub fn layers(&self) -> usize {
        let spans = self.timeline.spans.iter();
        let layers = spans.map(|span| self.products[span.product].0 + 1);
        layers.max().unwrap_or(0)
    }

    /// Shares of what elements do, in equal parts of the run; see
    /// [`Timeline::shares`].
    pub fn shares(&self, bins: usize) -> Vec<[f64; Cause::ALL.len()]> {
        self.timeline.shares(bins, self.elements)
    }

    /// The trace of some layers, as JSON. A cycle is shown as a microsecond, so that no
    /// time is rounded.
    pub fn trace_events(&self, layers: Range<usize>) -> String {
        let within = |product: usize| layers.contains(&self.products[product].0);
        let arrays = Unit::ALL.len() as u64;
        let mut events = vec![name("process_name", 0, &self.machine)];
        for (track, unit) in (0..).zip(Unit::ALL) {
            // Arrays have tracks of their own.
            if unit != Unit::Array {
                events.push(name("thread_name", track, unit.label()));
            }
        }
        for array in 0..self.arrays {
            events.push(name(
                "thread_name",
                arrays + array,
                &format!("array {array}"),
            ));
        }
        let mut product_of = Vec::new();
        let (mut first, mut last) = (u64::MAX, 0);
        for span in &self.timeline.spans {
            if span.block >= product_of.len() {
                product_of.resize(span.block + 1, span.product);
            }
            product_of[span.block] = span.product;
            if !within(span.product) {
                continue;
            }
            (first, last) = (first.min(span.begin), last.max(span.end));
            if span.unit == Unit::Array {
                continue;
            }
            events.push(self.complete(
                span.product,
                (span.begin, span.end),
                span.unit as u64,
                json!({ "block": span.block }),
            ));
        }
        for work in &self.timeline.work {
            let Some(&product) = product_of.get(work.block) else {
                continue;
            };
            if !within(product) {
                continue;
            }
            let shares: serde_json::Map<String, serde_json::Value> = Cause::ALL
                .iter()
                .filter(|&&cause| work.element_cycles.of(cause) > 0)
                .map(|&cause| {
                    let name = format!("{} element_cycles", cause.label());
                    (name, work.element_cycles.of(cause).into())
                })
                .collect();
            events.push(self.complete(
                product,
                (work.begin, work.end),
                arrays + work.lane as u64,
                json!({ "block": work.block, "elements": shares }),
            ));
        }
        if first < last {
            let width = self.timeline.cycles.max(1) as f64 / COUNTER_BINS as f64;
            for (bin, shares) in self.shares(COUNTER_BINS).iter().enumerate() {
                let ts = (bin as f64 * width) as u64;
                if (first..last).contains(&ts) {
                    let per_cent = (100.0 * shares[Cause::Active as usize]).round() as u64;
                    events.push(Event {
                        name: "utilisation, %".into(),
                        cat: "array",
                        ph: "C",
                        ts,
                        dur: None,
                        pid: 0,
                        tid: 0,
                        args: json!({ "active": per_cent }),
                    });
                }
            }
        }
        json!({
            "traceEvents": events,
            "otherData": {
                "machine": self.machine,
                "time": "1 us is 1 cycle",
                "clock_ghz": self.clock_ghz,
            },
        })
        .to_string()
    }

    fn complete(
        &self,
        product: usize,
        (begin, end): (u64, u64),
        track: u64,
        args: serde_json::Value,
    ) -> Event {
        let (layer, operation) = self.products[product];
        Event {
            name: format!("layer {layer} {}", operation.label()),
            cat: "unit",
            ph: "X",
            ts: begin,
            dur: Some(end - begin),
            pid: 0,
            tid: track,
            args,
        }
    }
}

/// The name of the process or of a track.
fn name(what: &str, track: u64, name: &str) -> Event {
    Event {
        name: what.into(),
        cat: "__metadata",
        ph: "M",
        ts: 0,
        dur: None,
        pid: 0,
        tid: track,
        args: json!({ "name": name }),
    }
}
