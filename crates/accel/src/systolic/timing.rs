//! Cycles of a matrix product on a plain systolic array.

use serde::Deserialize;

use crate::array_shape::ArrayShape;
use crate::report::Breakdown;

/// What stays in the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataflow {
    /// Results: rows of M, columns of N.
    OutputStationary,
    /// Weights: rows of K, columns of N.
    WeightStationary,
    /// Inputs: rows of K, columns of M.
    InputStationary,
}

/// Whether the folds of a product overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Load, skew and drain of each fold stand alone: SCALE-Sim's closed form.
    Serial,
    /// Folds follow one another without a gap: stationary operands are loaded
    /// into a second register, results drain from a shadow register, as in
    /// `rtl/src/plain_array.sv`.
    Overlapped,
}

/// A product of an M x K and a K x N matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gemm {
    /// Rows of the result.
    pub m: u64,
    /// Columns of the result.
    pub n: u64,
    /// Length of the reduction.
    pub k: u64,
}

/// Cycles of one product on one array.
///
/// Serial, these are SCALE-Sim's (version 3.0.0, the variant of its code, in
/// which an output-stationary fold takes R + C + K - 2 cycles, not the
/// 2 R + C + K - 2 of its paper); a fold is charged the whole array:
///
/// * output-stationary: ceil(M/R) ceil(N/C) (R + C + K - 2)
/// * weight-stationary: ceil(K/R) ceil(N/C) (2 R + C + M - 2)
/// * input-stationary: ceil(K/R) ceil(M/C) (2 R + C + N - 2)
pub fn cycles(shape: ArrayShape, dataflow: Dataflow, overlap: Overlap, gemm: Gemm) -> u64 {
    run(shape, dataflow, overlap, gemm, 1).0
}

/// Cycles of `copies` equal products, and what the elements do in them.
pub(super) fn run(
    shape: ArrayShape,
    dataflow: Dataflow,
    overlap: Overlap,
    gemm: Gemm,
    copies: u64,
) -> (u64, Breakdown) {
    let ArrayShape { rows, columns, .. } = shape;
    let Gemm { m, n, k } = gemm;
    // Folds, and the cycles for which operands stream through one.
    let (folds, stream) = match dataflow {
        Dataflow::OutputStationary => (m.div_ceil(rows) * n.div_ceil(columns), k),
        Dataflow::WeightStationary => (k.div_ceil(rows) * n.div_ceil(columns), m),
        Dataflow::InputStationary => (k.div_ceil(rows) * m.div_ceil(columns), n),
    };
    let folds = folds * copies;
    if folds == 0 || stream == 0 {
        return (0, Breakdown::default());
    }
    let cycles = match (overlap, dataflow) {
        // The results of a fold leave in R + 1 cycles; the skew and the last drain
        // stand alone.
        (Overlap::Overlapped, Dataflow::OutputStationary) => {
            stream + (folds - 1) * stream.max(rows + 1) + 2 * rows + columns - 1
        }
        // The first load stands alone; the next takes its R cycles under the
        // stream; the last fold's skew ends the sequence.
        (Overlap::Overlapped, _) => rows + folds * stream.max(rows) + rows + columns - 2,
        (Overlap::Serial, Dataflow::OutputStationary) => folds * (rows + columns + stream - 2),
        (Overlap::Serial, _) => folds * (2 * rows + columns + stream - 2),
    };
    let all = cycles * shape.elements();
    let active = copies * m * n * k;
    let streamed = folds * stream * shape.elements();
    // The skew of the operands; what else is not streaming is loads and drains.
    let skews = match overlap {
        Overlap::Serial => folds,
        Overlap::Overlapped => 1,
    };
    let fill = (skews * (rows + columns - 2) * shape.elements()).min(all - streamed);
    let breakdown = Breakdown {
        active,
        tail: streamed - active,
        fill,
        drain: all - streamed - fill,
        ..Breakdown::default()
    };
    (cycles, breakdown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_hides_all_but_the_edges() {
        let shape = ArrayShape {
            rows: 8,
            columns: 16,
            arrays: 1,
        };
        let gemm = Gemm {
            m: 128,
            n: 768,
            k: 768,
        };
        for dataflow in [
            Dataflow::OutputStationary,
            Dataflow::WeightStationary,
            Dataflow::InputStationary,
        ] {
            let serial = run(shape, dataflow, Overlap::Serial, gemm, 1);
            let overlapped = run(shape, dataflow, Overlap::Overlapped, gemm, 1);
            // All dimensions divide, so nothing but edges is lost.
            let ideal = gemm.m * gemm.n * gemm.k / shape.elements();
            assert!(overlapped.0 > ideal && overlapped.0 <= ideal + 2 * 8 + 16);
            assert!(serial.0 > overlapped.0);
            assert_eq!(overlapped.1.tail, 0);
            for (cycles, breakdown) in [serial, overlapped] {
                assert_eq!(breakdown.total(), cycles * shape.elements());
            }
        }
    }
}
