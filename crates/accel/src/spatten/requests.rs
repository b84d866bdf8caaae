//! The public traces on a machine.

use super::assembly::Assembly;
use super::engine::{HeadWork, OPERAND_BITS};
use super::quantization::Widths;
use super::{PublicTrace, Request, SpAtten};
use crate::accelerator::Run;
use crate::energy::Actions;
use crate::report::RunReport;
use crate::scope::Scope;
use crate::{AccelError, Machine};

/// The widest keys that the fetcher takes at once: wider ones, up to those of the
/// multipliers, come in two parts (`TestSpAtten.scala`).
const WIDEST_FETCH: u64 = 8;

/// What follows what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A request follows the one before without a gap, as the release's test bench
    /// feeds them: its published figures are of that kind.
    Streamed,
    /// A layer begins when the one before has ended, as in a model.
    LayerByLayer,
}

impl Machine {
    /// Runs a trace of SpAtten's public release. The tokens of the report are the
    /// steps of generation, its dense computation that of all heads on all tokens.
    ///
    /// # Errors
    /// [`AccelError::NoPublicTraces`] if the machine is none of SpAtten's,
    /// [`AccelError::TooLong`] if the trace is beyond what is simulated, and as
    /// [`simulate`](Machine::simulate).
    pub fn simulate_public_trace(
        &self,
        trace: &PublicTrace,
        order: Order,
    ) -> Result<RunReport, AccelError> {
        let spatten = self.accelerator().spatten();
        let spatten = spatten.ok_or_else(|| AccelError::NoPublicTraces {
            machine: self.name().to_owned(),
            kind: self.kind(),
        })?;
        let dense = dense_macs(trace).ok_or_else(|| AccelError::TooLong {
            machine: self.name().to_owned(),
        })?;
        let mut run = spatten.requests(trace, order);
        let fed = run.fed.clone();
        let context = self.context(&run);
        let attention = context.report(&mut run, Scope::Attention, dense, None)?;
        Ok(RunReport {
            machine: self.name().to_owned(),
            kind: self.kind(),
            fed,
            technology: *self.technology(),
            area: self.area().clone(),
            inputs: 1,
            tokens: trace.iterations(),
            attention,
            encoder: None,
            model: None,
            decoding: None,
        })
    }
}

/// Scalar products of the dense model, all heads on all tokens so far; `None` beyond
/// what is simulated.
fn dense_macs(trace: &PublicTrace) -> Option<u64> {
    let heads = u128::from(trace.heads());
    let of_layer = |rows: &[Request]| {
        let row = rows[0];
        2 * heads * u128::from(row.length) * u128::from(row.head_dim)
    };
    let macs: u128 = trace.layers().map(of_layer).sum();
    // Requests may name a head twice: they are not more than they say.
    let asked = trace.requests.iter();
    let asked: u128 = asked
        .map(|row| 4 * u128::from(row.keys) * u128::from(row.head_dim))
        .sum();
    (macs.max(asked) <= crate::machine::MOST_MACS)
        .then(|| u64::try_from(macs).ok())
        .flatten()
}

impl SpAtten {
    fn requests(&self, trace: &PublicTrace, order: Order) -> Run {
        let mut assembly = match order {
            Order::Streamed => Assembly::streaming(),
            Order::LayerByLayer => Assembly::default(),
        };
        let layers = trace.layers().count();
        for (number, rows) in trace.layers().enumerate() {
            let heads: Vec<HeadWork> = rows.iter().enumerate().map(work).collect();
            let drains = order == Order::LayerByLayer || number + 1 == layers;
            let layer = self.attention(rows[0].layer as usize, &heads, drains);
            assembly.add(layer, 0, Actions::default());
        }
        let fed = match order {
            Order::Streamed => "the requests of a public trace, one behind the other",
            Order::LayerByLayer => "the requests of a public trace, layer by layer",
        };
        assembly.run(fed)
    }
}

/// A request of a layer, its number in it first.
fn work((number, row): (usize, &Request)) -> HeadWork {
    let two_parts = (WIDEST_FETCH + 1..=OPERAND_BITS).contains(&row.key_bits);
    let (key, key_low) = match two_parts {
        true => (WIDEST_FETCH, row.key_bits - WIDEST_FETCH),
        false => (row.key_bits, row.low_bits),
    };
    let widths = Widths {
        query: row.query_bits,
        key,
        key_low,
        value: row.value_bits,
    };
    HeadWork {
        queries: 1,
        keys: row.keys,
        values: row.values,
        head_dim: row.head_dim,
        unsure: if two_parts || row.requantized {
            1.0
        } else {
            0.0
        },
        shares_choice: widths.pairs_heads() && number % 2 == 1,
        widths,
    }
}
