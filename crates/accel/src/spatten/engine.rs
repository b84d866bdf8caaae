//! The modules of the attention pipeline: how many cycles each works on a head.
//!
//! Queries pass fetcher, Q x K, softmax, the decision on low bits, the choice of
//! values and P x V; all modules work at once, on different queries. Their widths
//! and rules are those of the release's RTL (mit-han-lab/spatten, Chisel files named
//! below): a key SRAM's line has as many keys as the multipliers take in a cycle.

use serde::Deserialize;

use super::TopK;
use super::quantization::Widths;
use crate::AccelError;
use crate::machine::check;

/// Width of the operands on the chip, in bits (HPCA 2021, section IV).
pub(super) const OPERAND_BITS: u64 = 12;
/// Lines of the SRAMs come in twos: one for each of two heads whose 6-bit rows lie
/// side by side (`maxFusedMatrix` of `SpAttenController.scala`).
const LINES_AT_ONCE: u64 = 2;
/// Latencies in cycles, from the release's model of BERT
/// (`simulator/src/bert.cpp`): Q x K is SRAM 1, multipliers 1, adder tree 9; softmax
/// is scaling 7, exponential 21, sum 23, division 29, quantizing 7; P x V is 1 + 1 + 1.
const QUERY_KEY_LATENCY: u64 = 11;
const SOFTMAX_LATENCY: u64 = 87;
const VALUE_LATENCY: u64 = 3;

/// The table `[engine]` of a machine file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Engine {
    pub(super) query_key_multipliers: u64,
    pub(super) value_multipliers: u64,
    /// Scores that softmax, the importance accumulators and the way out of the top-k
    /// engine take in a cycle.
    pub(super) softmax_per_cycle: u64,
}

/// The attention of one head.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadWork {
    /// Queries that share the head's keys and values.
    pub(super) queries: u64,
    /// Keys that each of them meets.
    pub(super) keys: u64,
    /// Values that each of them keeps.
    pub(super) values: u64,
    pub(super) head_dim: u64,
    /// How many of the queries are expected to be computed again with the low bits.
    pub(super) unsure: f64,
    /// Whether it takes the values that the head before chose.
    pub(super) shares_choice: bool,
    pub(super) widths: Widths,
}

/// Cycles that each module works.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    pub(super) query_key: f64,
    pub(super) softmax: f64,
    pub(super) choice: f64,
    pub(super) value: f64,
}

impl Pace {
    pub(super) fn add(&mut self, other: &Pace) {
        self.query_key += other.query_key;
        self.softmax += other.softmax;
        self.choice += other.choice;
        self.value += other.value;
    }
}

impl HeadWork {
    /// Scalar products of the pruned head, each once.
    pub(super) fn macs(&self) -> u64 {
        self.queries * (self.keys + self.values) * self.head_dim
    }

    /// Scalar products that are computed again.
    pub(super) fn macs_again(&self) -> u64 {
        (self.unsure * (self.keys * self.head_dim) as f64).round() as u64
    }

    /// Whether queries choose among the values.
    pub(super) fn chooses(&self) -> bool {
        self.values < self.keys
    }
}

impl Engine {
    pub(super) fn check(&self) -> Result<(), AccelError> {
        for (key, value) in [
            ("engine.query_key_multipliers", self.query_key_multipliers),
            ("engine.value_multipliers", self.value_multipliers),
            ("engine.softmax_per_cycle", self.softmax_per_cycle),
        ] {
            check::between(key, value, 1, 1 << 16)?;
        }
        Ok(())
    }

    /// What the modules work on a head.
    ///
    /// A query whose scores are computed again passes Q x K and softmax twice. The
    /// top-k engine holds one query at a time, from its first score to its last
    /// (`TopKDummy` of `TopK.scala`); a query that keeps all values passes it by.
    pub(super) fn pace(&self, top_k: &TopK, head: &HeadWork) -> Pace {
        let queries = head.queries as f64;
        let passes = queries + head.unsure;
        let rows = head.keys.div_ceil(self.softmax_per_cycle) as f64;
        let choose = match (head.chooses(), head.shares_choice) {
            (false, _) => 0.0,
            (true, true) => rows,
            (true, false) => rows + top_k.cycles(head.keys, head.values) as f64,
        };
        let keys = lines(head.keys, head.head_dim, self.query_key_multipliers);
        let values = lines(head.values, head.head_dim, self.value_multipliers);
        Pace {
            query_key: passes * keys as f64,
            softmax: passes * rows,
            choice: queries * choose,
            value: queries * values as f64,
        }
    }

    /// Cycles from a query's last score to its result, what the modules work on it
    /// apart: behind the last query nothing hides them.
    pub(super) fn latency(&self, head: &HeadWork) -> u64 {
        let scores = (QUERY_KEY_LATENCY + SOFTMAX_LATENCY) as f64;
        let again = match head.queries {
            0 => 0.0,
            queries => scores * head.unsure / queries as f64,
        };
        let value = lines(head.values, head.head_dim, self.value_multipliers);
        (scores + again).round() as u64 + VALUE_LATENCY + value
    }
}

/// Lines of so many rows, a cycle each: as many rows a line as there are multipliers
/// for, and lines in twos (`keymatNumLines` of `SpAttenController.scala`).
fn lines(rows: u64, head_dim: u64, multipliers: u64) -> u64 {
    let rows_a_line = (multipliers / head_dim.max(1)).max(1);
    let cycles_a_line = head_dim.div_ceil(multipliers).max(1);
    (rows.div_ceil(rows_a_line) * cycles_a_line).next_multiple_of(LINES_AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Engine = Engine {
        query_key_multipliers: 512,
        value_multipliers: 512,
        softmax_per_cycle: 8,
    };
    const TOP_K: TopK = TopK {
        per_cycle: 16,
        latency_cycles: 3,
    };

    fn head(queries: u64, keys: u64, values: u64) -> HeadWork {
        HeadWork {
            queries,
            keys,
            values,
            head_dim: 64,
            unsure: 0.0,
            shares_choice: false,
            widths: Widths::same(8),
        }
    }

    #[test]
    fn lines_hold_what_the_multipliers_take() {
        // Eight keys of 64 a line at full scale, one at an eighth; sixteen of 32.
        assert_eq!(lines(384, 64, 512), 48);
        assert_eq!(lines(25, 64, 512), 4);
        assert_eq!(lines(33, 64, 512), 6);
        assert_eq!(lines(25, 64, 64), 26);
        assert_eq!(lines(384, 32, 512), 24);
        assert_eq!(lines(10, 128, 64), 20);
        assert_eq!(lines(0, 64, 512), 0);
    }

    #[test]
    fn a_query_that_keeps_all_values_passes_the_top_k_engine_by() {
        let pace = FULL.pace(&TOP_K, &head(10, 128, 128));
        assert_eq!(pace.choice, 0.0);
        assert_eq!((pace.query_key, pace.softmax), (160.0, 160.0));
        let chosen = FULL.pace(&TOP_K, &head(10, 128, 64));
        let one = (TOP_K.cycles(128, 64) + 16) as f64;
        assert_eq!(chosen.choice, 10.0 * one);
        assert_eq!(chosen.value, 80.0);
        let shared = HeadWork {
            shares_choice: true,
            ..head(10, 128, 64)
        };
        assert_eq!(FULL.pace(&TOP_K, &shared).choice, 160.0);
    }

    #[test]
    fn an_unsure_query_passes_the_scores_twice_and_the_values_once() {
        let sure = FULL.pace(&TOP_K, &head(1, 512, 102));
        let unsure = HeadWork {
            unsure: 1.0,
            ..head(1, 512, 102)
        };
        let again = FULL.pace(&TOP_K, &unsure);
        assert_eq!(again.query_key, 2.0 * sure.query_key);
        assert_eq!(again.softmax, 2.0 * sure.softmax);
        assert_eq!((again.choice, again.value), (sure.choice, sure.value));
        assert_eq!(unsure.macs_again(), 512 * 64);
        let more = FULL.latency(&unsure) - FULL.latency(&head(1, 512, 102));
        assert_eq!(more, QUERY_KEY_LATENCY + SOFTMAX_LATENCY);
    }
}
