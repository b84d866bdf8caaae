//! What stands in for the change of 0-bit tokens.

use dtatrans_precision::Bits;
use dtatrans_precision::calibration::ChangeMap;
use dtatrans_precision::workload::rotation_block;

use super::prepare::{Codes, Preparation, Quantized, Quantizers};
use super::rows::{Rows, Sequence};
use super::{Linear, PlannedLayer, PlannedLayers};

/// A map that estimates a change, ready to run.
pub(super) enum Estimator {
    Diagonal {
        gain: Vec<f32>,
        offset: Vec<f32>,
    },
    LowRank {
        down: Quantized,
        /// Of the states between the factors.
        middle: Preparation,
        up: Quantized,
    },
}

impl Estimator {
    /// Quantizes a map for states that `input` prepares.
    pub(super) fn new(map: &ChangeMap, input: &Preparation, quantizers: &Quantizers) -> Estimator {
        match map {
            ChangeMap::Diagonal { gain, offset } => Estimator::Diagonal {
                gain: gain.clone(),
                offset: offset.clone(),
            },
            ChangeMap::LowRank { down, up, offset } => {
                let (channels, rank) = (offset.len(), up.len() / offset.len());
                let mut down = Linear {
                    weight: down.clone(),
                    bias: vec![0.0; rank],
                    n: rank,
                    k: channels,
                };
                let mut up = Linear {
                    weight: up.clone(),
                    bias: offset.clone(),
                    n: channels,
                    k: rank,
                };
                // Between the factors the rotation is free.
                quantizers.rotate_outputs(&mut down, rotation_block(rank));
                quantizers.rotate_inputs(&mut up, rotation_block(rank));
                let middle = Preparation::plain();
                Estimator::LowRank {
                    down: quantizers.weights(&[&down], input),
                    up: quantizers.weights(&[&up], &middle),
                    middle,
                }
            }
        }
    }
}

impl PlannedLayers {
    /// Writes the weighted average of each sequence's 0-bit tokens into the row
    /// set aside for it.
    pub(super) fn fuse(&self, states: &mut [f32], sequences: &[Sequence], width: usize) {
        for sequence in sequences {
            let tokens: Vec<usize> = sequence.left_out().collect();
            if tokens.is_empty() {
                continue;
            }
            // Some forms of importance have scores below 0; none says more than that the
            // token counts least.
            let weight = |&token: &usize| sequence.scores[token].max(0.0);
            let weights: Vec<f32> = tokens.iter().map(weight).collect();
            let sum: f32 = weights.iter().sum();
            let mut average = vec![0.0; width];
            for (&token, weight) in tokens.iter().zip(weights) {
                // Scores may all be 0 where no token could attend.
                let share = match sum > 0.0 {
                    true => weight / sum,
                    false => 1.0 / tokens.len() as f32,
                };
                let place = (sequence.start + token) * width;
                for (average, value) in average.iter_mut().zip(&states[place..place + width]) {
                    *average += share * value;
                }
            }
            states[sequence.average * width..(sequence.average + 1) * width]
                .copy_from_slice(&average);
        }
    }

    /// The states of the 0-bit tokens after a layer, from the changes that it
    /// made to their averages before its two norms.
    pub(super) fn take_on_changes(
        &self,
        layer: &PlannedLayer,
        states: &mut [f32],
        sequences: &[Sequence],
        changes: &AverageChanges,
    ) {
        let width = self.structure.hidden;
        for sequence in sequences {
            let Some(row) = changes.places.iter().position(|&p| p == sequence.average) else {
                continue;
            };
            let row = row * width..(row + 1) * width;
            for token in sequence.left_out() {
                let place = (sequence.start + token) * width;
                let state = &mut states[place..place + width];
                for (change, norm) in [
                    (&changes.attention[row.clone()], &layer.attention_norm),
                    (&changes.feed_forward[row.clone()], &layer.feed_forward_norm),
                ] {
                    norm.leave(self.quantizers.isa, self.structure.norms, state, change);
                }
            }
        }
    }

    /// Estimates the 0-bit tokens' states after a layer: `base` are the states
    /// that the estimate adds to, `seen` what the layer sees of them, `codes` the
    /// same quantized, where the estimate multiplies.
    pub(super) fn estimate(
        &self,
        layer: &PlannedLayer,
        base: Vec<f32>,
        seen: &[f32],
        codes: impl FnOnce() -> Codes,
        left_out: &Rows,
        states: &mut [f32],
    ) {
        let width = self.structure.hidden;
        let estimator = layer.estimator.as_ref().expect("the plan was checked");
        let change: Vec<f32> = match estimator {
            Estimator::Diagonal { gain, offset } => seen
                .chunks_exact(width)
                .flat_map(|row| {
                    let channels = row.iter().zip(gain).zip(offset);
                    channels.map(|((x, gain), offset)| x * gain + offset)
                })
                .collect(),
            Estimator::LowRank { down, middle, up } => {
                let states = self.quantizers.linear(&codes(), down);
                let bits = vec![Bits::Four; left_out.len()];
                let rank = up.k();
                let codes = self.quantizers.quantize(states, rank, &bits, middle);
                self.quantizers.linear(&codes, up)
            }
        };
        let mut rows = base;
        let (isa, norms) = (self.quantizers.isa, self.structure.norms);
        layer
            .feed_forward_norm
            .leave(isa, norms, &mut rows, &change);
        for (&place, row) in left_out.places.iter().zip(rows.chunks_exact(width)) {
            states[place * width..(place + 1) * width].copy_from_slice(row);
        }
    }
}

/// What a layer added to the averages of 0-bit tokens, before each of its norms.
pub(super) struct AverageChanges {
    /// The averages' places in the batch.
    pub(super) places: Vec<usize>,
    /// One row each.
    pub(super) attention: Vec<f32>,
    /// One row each.
    pub(super) feed_forward: Vec<f32>,
}

impl AverageChanges {
    /// The rows of averages among `rows`: places from `tokens` on.
    pub(super) fn rows_of(values: &[f32], rows: &Rows, tokens: usize, width: usize) -> Vec<f32> {
        let averages = rows.places.iter().zip(values.chunks_exact(width));
        averages
            .filter(|(place, _)| **place >= tokens)
            .flat_map(|(_, row)| row.iter().copied())
            .collect()
    }
}
