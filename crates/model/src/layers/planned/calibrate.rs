//! Finds the maps that estimate the changes of 0-bit tokens.
//!
//! All texts pass the model together, layer by layer, under the plan. Before a
//! layer is finished, its map is fitted by least squares to what it sees of
//! the states that its 0-bit tokens have there, earlier estimates and
//! quantization included, and to the changes that the layer would make to them at f32; then the texts go on
//! with it. Fitting on the states of an unquantized run instead lets the errors
//! of layers add up.

use dtatrans_kernels::F32Gemm;
use dtatrans_precision::Calibration;
use dtatrans_precision::calibration::{ChangeMap, LayerMaps};
use dtatrans_precision::compensation::Change;
use rayon::prelude::*;

use super::rows::{LayerRows, Sequence, gather, select};
use super::{Halfway, PlannedLayers};
use crate::layers::DenseLayers;
use crate::layers::least_squares::Sums;
use crate::{Encoding, ModelError};

/// How much a token id's prior holds on to the mean: as much as this many
/// sightings.
const PRIOR_SIGHTINGS: f32 = 4.0;

/// One batch on its way.
struct Batch<'a> {
    states: Vec<f32>,
    lengths: Vec<usize>,
    sequences: Vec<Sequence<'a>>,
    halfway: Option<Halfway>,
}

impl PlannedLayers {
    /// Calibrates the model in place on batches of embedded texts, (tokens,
    /// hidden) each. `dense` is the same model at f32, `eight` at 8 bits; `done`
    /// is called once per layer and batch.
    pub(crate) fn calibrate(
        &mut self,
        dense: &DenseLayers,
        eight: &PlannedLayers,
        batches: Vec<(Vec<f32>, Vec<&Encoding>)>,
        vocabulary: usize,
        done: &(dyn Fn() + Sync),
    ) -> Result<Calibration, ModelError> {
        if self.plan.prior() {
            self.prior = eight.prior_of(&batches, vocabulary);
        }
        let mut batches: Vec<Batch> = batches
            .into_iter()
            .map(|(mut states, inputs)| {
                let sequences = self.sequences(&mut states, &inputs);
                Batch {
                    lengths: inputs.iter().map(|input| input.len()).collect(),
                    states,
                    sequences,
                    halfway: None,
                }
            })
            .collect();
        let mut layers = Vec::new();
        for index in 0..self.layers.len() {
            batches.par_iter_mut().for_each(|batch| {
                for sequence in &mut batch.sequences {
                    sequence.choose_tiers(&self.plan, index);
                }
                let Batch {
                    states, sequences, ..
                } = batch;
                batch.halfway = Some(self.attend_layer(index, states, sequences, None));
            });
            let mut maps = LayerMaps::default();
            if self.plan.predicts_at(index) {
                let map = self.fit(index, dense, &batches)?;
                self.set_estimator(index, &map);
                *maps.of_mut(self.plan.compensation_at(index)) = Some(map);
            }
            layers.push(maps);
            batches.par_iter_mut().for_each(|batch| {
                let halfway = batch.halfway.take().expect("just put there");
                self.finish_layer(index, &mut batch.states, &batch.sequences, halfway);
                done();
            });
        }
        Ok(Calibration {
            layers,
            prior: self.prior.clone(),
        })
    }

    fn fit(
        &self,
        index: usize,
        dense: &DenseLayers,
        batches: &[Batch],
    ) -> Result<ChangeMap, ModelError> {
        let width = self.structure.hidden;
        let (isa, norms) = (self.quantizers.isa, self.structure.norms);
        let layer = &self.layers[index];
        let compensation = self.plan.compensation_at(index);
        let sums = |batch: &Batch| {
            let halfway = batch.halfway.as_ref().expect("the attention has run");
            let LayerRows {
                queries, left_out, ..
            } = &halfway.rows;
            let tokens: usize = batch.lengths.iter().sum();
            let (seen, change) = if compensation.attends() {
                let base = select(&halfway.attended, queries, left_out);
                let change = dense.feed_forward(index, &base);
                (layer.feed_forward_norm.enter(isa, norms, base), change)
            } else {
                let states = &batch.states[..tokens * width];
                let change = dense.change(index, states, &batch.lengths);
                let base = gather(states, left_out, width);
                let seen = layer.attention_norm.enter(isa, norms, base);
                (seen, gather(&change, left_out, width))
            };
            Sums::of(&F32Gemm::new(), &seen, &change, width)
        };
        let mut total = Sums::new(width);
        // A few at a time, added in order: memory stays small and the result
        // does not depend on the threads.
        for some in batches.chunks(8) {
            let parts: Vec<Sums> = some.par_iter().map(sums).collect();
            for part in &parts {
                total.add(part);
            }
        }
        if total.rows() < 2 * width {
            return Err(ModelError::Calibration(format!(
                "layer {index}: only {} tokens were at 0 bits in these texts: at least {} are needed",
                total.rows(),
                2 * width
            )));
        }
        match compensation.change() {
            Change::Diagonal => Ok(total.diagonal()),
            _ => total.low_rank(self.plan.rank.min(width)).ok_or_else(|| {
                ModelError::Calibration(format!("layer {index}: the states are degenerate"))
            }),
        }
    }

    /// The attention that each token id receives at the first layer on average,
    /// in units of the mean.
    fn prior_of(&self, batches: &[(Vec<f32>, Vec<&Encoding>)], vocabulary: usize) -> Vec<f32> {
        let mut sums = vec![PRIOR_SIGHTINGS; vocabulary];
        let mut counts = vec![PRIOR_SIGHTINGS; vocabulary];
        let gains: Vec<Vec<Vec<f32>>> = batches
            .par_iter()
            .map(|(states, inputs)| {
                let mut states = states.clone();
                let mut sequences = self.sequences(&mut states, inputs);
                for sequence in &mut sequences {
                    sequence.choose_tiers(&self.plan, 0);
                }
                self.attend_layer(0, &mut states, &mut sequences, None);
                sequences
                    .into_iter()
                    .map(|sequence| sequence.scores)
                    .collect()
            })
            .collect();
        for ((_, inputs), gains) in batches.iter().zip(gains) {
            for (input, gains) in inputs.iter().zip(gains) {
                for (&id, gain) in input.ids.iter().zip(gains) {
                    sums[id as usize] += gain * input.len() as f32;
                    counts[id as usize] += 1.0;
                }
            }
        }
        sums.iter().zip(counts).map(|(sum, n)| sum / n).collect()
    }
}
