//! The forward pass in integers, under a plan.
//!
//! At each layer the tokens of a sequence get their tiers from the importance
//! that the layers before have left. Only computed tokens are gathered into the
//! products; what a 0-bit token still does is its compensation. All matrix
//! products multiply integers and scale after; everything that decides or
//! quantizes looks at one sequence alone, so that neither the batch nor its
//! order changes a bit.

mod attention;
mod balance;
mod cache;
mod calibrate;
mod change;
mod decode;
mod operands;
mod prepare;
mod rows;

use std::sync::Arc;

use dtatrans_kernels::Isa;
use dtatrans_precision::cache::CachePlan;
use dtatrans_precision::compensation::Change;
use dtatrans_precision::workload::rotation_block;
use dtatrans_precision::{Bits, Calibration, Plan, PlanError, Tier, trace};

pub(crate) use self::cache::{Reading, TieredCache};
use self::change::{AverageChanges, Estimator};
pub use self::operands::AttentionHead;
pub(crate) use self::operands::Traced;
use self::prepare::{Preparation, Quantized, Quantizers};
use self::rows::{LayerRows, Sequence, gather, select, select_codes};
use super::{Layer, Linear, Norm, NormPlace, Source, Structure};
use crate::{Encoding, ModelError};

/// A model's layers, quantized as a plan asks.
pub(crate) struct PlannedLayers {
    quantizers: Quantizers,
    plan: Plan,
    structure: Structure,
    layers: Vec<PlannedLayer>,
    /// One score per token id, in units of the mean; may be empty.
    prior: Vec<f32>,
}

struct PlannedLayer {
    attention_norm: Norm,
    input: Preparation,
    query: Quantized,
    /// W_k and W_v side by side.
    key_value: Quantized,
    context: Preparation,
    output: Quantized,
    feed_forward_norm: Norm,
    attended: Preparation,
    /// Of a gated network W_gate and W_up side by side.
    up: Quantized,
    wide: Preparation,
    down: Quantized,
    /// Where the plan estimates the change of 0-bit tokens.
    estimator: Option<Estimator>,
}

/// What happened to one sequence.
pub(crate) struct Record {
    /// One entry per layer and token.
    pub(crate) tiers: Vec<Vec<Tier>>,
    /// The tokens whose last states the read-out may average.
    pub(crate) read_out: Vec<bool>,
    /// One entry per layer; empty if not asked for.
    pub(crate) trace: Vec<trace::Layer>,
    /// Keys and values, where they were to be kept.
    pub(crate) reading: Option<Reading>,
}

/// A layer halfway: the attention has run.
struct Halfway {
    rows: LayerRows,
    /// The prepared and quantized states before the layer.
    input: prepare::Codes,
    /// States after the attention half, of those who attended.
    attended: Vec<f32>,
    /// What the attention added to the averages of 0-bit tokens.
    change: Vec<f32>,
}

impl PlannedLayers {
    /// Reads and quantizes all layers; `vocabulary` is how many token ids there
    /// are.
    pub(crate) fn read(
        source: &dyn Source,
        vocabulary: usize,
        plan: &Plan,
        isa: Isa,
    ) -> Result<PlannedLayers, ModelError> {
        let mut model = PlannedLayers::uncalibrated(source, plan, isa)?;
        if plan.needs_calibration() {
            let Some(calibration) = &plan.parameters else {
                return Err(ModelError::Calibration(
                    "the plan needs one (`dtatrans calibrate` makes it), and none is given".into(),
                ));
            };
            check(calibration, plan, &model.structure, vocabulary)?;
            for (index, maps) in calibration.layers.iter().enumerate() {
                if plan.predicts_at(index)
                    && let Some(map) = maps.of(plan.compensation_at(index))
                {
                    model.set_estimator(index, map);
                }
            }
            if plan.prior() {
                model.prior.clone_from(&calibration.prior);
            }
        }
        Ok(model)
    }

    /// As [`read`](PlannedLayers::read), without what a calibration gives.
    pub(crate) fn uncalibrated(
        source: &dyn Source,
        plan: &Plan,
        isa: Isa,
    ) -> Result<PlannedLayers, ModelError> {
        let structure = source.structure();
        plan.check_depth(structure.layers)?;
        if structure.causal {
            refuse_averages(plan)?;
            refuse_pruning(plan)?;
        }
        let quantizers = Quantizers::new(plan, isa);
        let mut before = source.entry_norm()?;
        let mut layers = Vec::new();
        for index in 0..structure.layers {
            let layer = source.layer(index)?;
            let next = layer.feed_forward_norm.clone();
            layers.push(PlannedLayer::new(
                layer,
                before.as_ref(),
                &structure,
                plan,
                &quantizers,
            ));
            before = Some(next);
        }
        Ok(PlannedLayers {
            quantizers,
            plan: plan.clone(),
            structure,
            layers,
            prior: Vec::new(),
        })
    }

    fn set_estimator(&mut self, index: usize, map: &dtatrans_precision::calibration::ChangeMap) {
        let layer = &self.layers[index];
        let input = match self.plan.compensation_at(index).attends() {
            true => &layer.attended,
            false => &layer.input,
        };
        let estimator = Estimator::new(map, input, &self.quantizers);
        self.layers[index].estimator = Some(estimator);
    }

    /// The first of these heads that the model does not have.
    pub(crate) fn lacks<'a>(&self, heads: &'a [AttentionHead]) -> Option<&'a AttentionHead> {
        let Structure {
            layers,
            heads: of_layer,
            ..
        } = self.structure;
        heads
            .iter()
            .find(|at| at.layer >= layers || at.head >= of_layer)
    }

    /// Runs all layers on the hidden states of a batch, (tokens, hidden).
    /// `after` sees the states after each layer.
    pub(crate) fn run(
        &self,
        states: &mut Vec<f32>,
        batch: &[&Encoding],
        traced: Traced,
        after: impl FnMut(&[f32]),
    ) -> Vec<Record> {
        let sequences = self.sequences(states, batch);
        self.run_sequences(states, sequences, traced, after)
    }

    /// As [`PlannedLayers::run`] on one text; gives all that caches need of it,
    /// with what its tokens received under each of the decays, and the records of the
    /// layers, if they are asked for.
    pub(crate) fn read_text(
        &self,
        states: &mut Vec<f32>,
        text: &Encoding,
        decays: Vec<f32>,
        with_trace: bool,
        after: impl FnMut(&[f32]),
    ) -> (Reading, Vec<trace::Layer>) {
        let mut sequences = self.sequences(states, &[text]);
        sequences[0].record.reading = Some(Reading {
            tokens: text.len(),
            decays,
            layers: Vec::new(),
            tiers: Vec::new(),
        });
        let traced = with_trace.then_some(&[][..]);
        let mut records = self.run_sequences(states, sequences, traced, after);
        let record = records.pop().expect("one sequence ran");
        let mut reading = record.reading.expect("just put there");
        reading.tiers = record.tiers;
        (reading, record.trace)
    }

    fn run_sequences(
        &self,
        states: &mut Vec<f32>,
        mut sequences: Vec<Sequence>,
        traced: Traced,
        mut after: impl FnMut(&[f32]),
    ) -> Vec<Record> {
        let end = states.len() - sequences.len() * self.structure.hidden;
        for index in 0..self.layers.len() {
            self.run_layer(index, states, &mut sequences, traced);
            after(&states[..end]);
        }
        states.truncate(end);
        let last = self.plan.compensation_at(self.layers.len() - 1);
        sequences
            .into_iter()
            .map(|mut sequence| {
                sequence.note_read_out(last.change() != Change::None);
                sequence.record
            })
            .collect()
    }

    /// The sequences of a batch; behind its states one row is set aside for each.
    fn sequences<'a>(&self, states: &mut Vec<f32>, batch: &[&'a Encoding]) -> Vec<Sequence<'a>> {
        let tokens: usize = batch.iter().map(|input| input.len()).sum();
        let width = self.structure.hidden;
        states.resize(states.len() + batch.len() * width, 0.0);
        let mut start = 0;
        let sequence = |(index, input): (usize, &&'a Encoding)| {
            let scores = match self.prior.as_slice() {
                [] => vec![0.0; input.len()],
                // In units of the mean, which is 1/n of the attention.
                prior => {
                    let score = |&id: &u32| prior[id as usize] / input.len() as f32;
                    input.ids.iter().map(score).collect()
                }
            };
            let sequence = Sequence::new(input, start, tokens + index, scores, &self.structure);
            start += input.len();
            sequence
        };
        batch.iter().enumerate().map(sequence).collect()
    }

    fn run_layer(
        &self,
        index: usize,
        states: &mut [f32],
        sequences: &mut [Sequence],
        traced: Traced,
    ) {
        for sequence in sequences.iter_mut() {
            sequence.choose_tiers(&self.plan, index);
        }
        let halfway = self.attend_layer(index, states, sequences, traced);
        self.finish_layer(index, states, sequences, halfway);
    }

    /// The first half of a layer whose tiers are chosen.
    fn attend_layer(
        &self,
        index: usize,
        states: &mut [f32],
        sequences: &mut [Sequence],
        traced: Traced,
    ) -> Halfway {
        let layer = &self.layers[index];
        let width = self.structure.hidden;
        let compensation = self.plan.compensation_at(index);
        let rows = LayerRows::new(sequences, compensation);
        if compensation.change() == Change::Fused {
            self.fuse(states, sequences, width);
        }
        let by = &self.quantizers;
        let (inputs, queries, keys) = (&rows.inputs, &rows.queries, &rows.keys);
        let (isa, norms) = (by.isa, self.structure.norms);
        let norm = &layer.attention_norm;
        let seen = norm.enter(isa, norms, gather(states, inputs, width));
        let input = by.quantize(seen, width, &inputs.bits, &layer.input);
        let query = by.linear(&select_codes(&input, inputs, queries), &layer.query);
        let key_value = if keys.len() == inputs.len() {
            by.linear(&input, &layer.key_value)
        } else {
            by.linear(&select_codes(&input, inputs, keys), &layer.key_value)
        };
        let context = self.attention(index, query, key_value, queries, keys, sequences, traced);

        let wide = self.structure.query_width();
        let context = by.quantize(context, wide, &queries.bits, &layer.context);
        let change = by.linear(&context, &layer.output);
        let mut attended = gather(states, queries, width);
        norm.leave(isa, norms, &mut attended, &change);
        let tokens = states.len() / width - sequences.len();
        Halfway {
            change: AverageChanges::rows_of(&change, queries, tokens, width),
            rows,
            input,
            attended,
        }
    }

    /// The second half of a layer.
    fn finish_layer(
        &self,
        index: usize,
        states: &mut [f32],
        sequences: &[Sequence],
        halfway: Halfway,
    ) {
        let layer = &self.layers[index];
        let width = self.structure.hidden;
        let by = &self.quantizers;
        let compensation = self.plan.compensation_at(index);
        let Halfway {
            rows,
            input,
            attended,
            change,
        } = halfway;

        let mut computed = select(&attended, &rows.queries, &rows.computed);
        let bits = &rows.computed.bits;
        let (isa, norms) = (by.isa, self.structure.norms);
        let norm = &layer.feed_forward_norm;
        let seen = norm.enter(isa, norms, computed.clone());
        let codes = by.quantize(seen, width, bits, &layer.attended);
        let wide = self.structure.activate(isa, by.linear(&codes, &layer.up));
        let codes = by.quantize(wide, layer.down.k(), bits, &layer.wide);
        let out = by.linear(&codes, &layer.down);
        norm.leave(isa, norms, &mut computed, &out);

        let left_out = &rows.left_out;
        let tokens = states.len() / width - sequences.len();
        match compensation.change() {
            _ if left_out.len() == 0 => {}
            Change::None => {}
            Change::Fused => {
                let averages = rows.computed.places.iter().copied();
                let changes = AverageChanges {
                    places: averages.filter(|&place| place >= tokens).collect(),
                    attention: change,
                    feed_forward: AverageChanges::rows_of(&out, &rows.computed, tokens, width),
                };
                self.take_on_changes(layer, states, sequences, &changes);
            }
            Change::Diagonal | Change::LowRank if compensation.attends() => {
                let base = select(&attended, &rows.queries, left_out);
                let seen = norm.enter(isa, norms, base.clone());
                let bits = vec![Bits::Four; left_out.len()];
                let codes = || by.quantize(seen.clone(), width, &bits, &layer.attended);
                self.estimate(layer, base, &seen, codes, left_out, states);
            }
            Change::Diagonal | Change::LowRank => {
                let base = gather(states, left_out, width);
                let seen = layer.attention_norm.enter(isa, norms, base.clone());
                let codes = || select_codes(&input, &rows.inputs, left_out);
                self.estimate(layer, base, &seen, codes, left_out, states);
            }
        }
        let places = rows.computed.places.iter();
        for (&place, row) in places.zip(computed.chunks_exact(width)) {
            states[place * width..(place + 1) * width].copy_from_slice(row);
        }
    }
}

/// A linear layer on top of the layers, whose inputs are computed at 8 bits.
pub(crate) struct PlannedHead {
    input: Preparation,
    weights: Quantized,
}

impl PlannedLayers {
    /// Quantizes a linear layer for what stands on top of these layers.
    pub(crate) fn head(&self, linear: &Linear) -> PlannedHead {
        let input = self.quantizers.preparation(linear.k, None);
        PlannedHead {
            weights: self.quantizers.weights(&[linear], &input),
            input,
        }
    }

    /// What such a layer makes of rows.
    pub(crate) fn apply(&self, head: &PlannedHead, rows: &[f32]) -> Vec<f32> {
        let width = head.weights.k();
        let bits = vec![Bits::Eight; rows.len() / width];
        let by = &self.quantizers;
        let codes = by.quantize(rows.to_vec(), width, &bits, &head.input);
        by.linear(&codes, &head.weights)
    }

    /// An empty cache of a plan for these layers.
    pub(crate) fn cache(&self, plan: &Arc<CachePlan>) -> TieredCache {
        TieredCache::new(plan, &self.structure)
    }

    /// The cache of a plan after a text.
    pub(crate) fn cache_after(&self, reading: &Reading, plan: &Arc<CachePlan>) -> TieredCache {
        let mut cache = self.cache(plan);
        cache.fill(reading, |layer| self.arithmetic(layer));
        cache
    }
}

/// That a calibration has what a plan asks for, in a model's sizes.
fn check(
    calibration: &Calibration,
    plan: &Plan,
    structure: &Structure,
    vocabulary: usize,
) -> Result<(), ModelError> {
    let refuse = |reason: String| Err(ModelError::Calibration(reason));
    let (layers, width) = (structure.layers, structure.hidden);
    if calibration.layers.len() != layers {
        return refuse(format!(
            "has {} layers, the model {layers}",
            calibration.layers.len()
        ));
    }
    for (layer, maps) in calibration.layers.iter().enumerate() {
        if !plan.predicts_at(layer) {
            continue;
        }
        let Some(map) = maps.of(plan.compensation_at(layer)) else {
            return refuse(format!(
                "layer {layer}: lacks the map that the plan asks for"
            ));
        };
        if map.channels() != width {
            let channels = map.channels();
            return refuse(format!(
                "layer {layer}: has {channels} channels, not {width}"
            ));
        }
        let wanted = match plan.compensation_at(layer).change() {
            Change::LowRank => Some(plan.rank.min(width)),
            _ => None,
        };
        if map.rank() != wanted {
            let say = |rank: Option<usize>| match rank {
                Some(rank) => format!("a map of rank {rank}"),
                None => "a diagonal map".into(),
            };
            return refuse(format!(
                "layer {layer}: has {}, the plan asks for {}",
                say(map.rank()),
                say(wanted)
            ));
        }
    }
    if plan.prior() && calibration.prior.len() != vocabulary {
        return refuse(format!(
            "prior: has {} token ids, the model {}",
            calibration.prior.len(),
            vocabulary
        ));
    }
    Ok(())
}

/// An average of tokens would let each of them see those behind it.
fn refuse_averages(plan: &Plan) -> Result<(), PlanError> {
    let fused = |&layer: &usize| {
        plan.layers()[layer].leaves_out() && plan.compensation_at(layer).change() == Change::Fused
    };
    match (0..plan.layers().len()).find(fused) {
        None => Ok(()),
        Some(layer) => Err(PlanError::Value {
            field: "compensation",
            value: plan.compensation_at(layer).name().into(),
            allowed: "one without an average over tokens, which in a decoder would see later ones"
                .into(),
        }),
    }
}

/// A text that is read at once would lose heads and values that its cache then has.
fn refuse_pruning(plan: &Plan) -> Result<(), PlanError> {
    let Some(layer) = plan.first_pruned() else {
        return Ok(());
    };
    let pruning = plan.pruning_at(layer);
    let (field, share) = match pruning.head_share() < 1.0 {
        true => ("heads", pruning.head_share()),
        false => ("values", pruning.value_share()),
    };
    Err(PlanError::Layer {
        layer,
        source: Box::new(PlanError::Value {
            field,
            value: share.to_string(),
            allowed: "1 for a decoder: encoders alone prune heads and values".into(),
        }),
    })
}

impl PlannedLayer {
    /// Quantizes a layer; `before` is the norm that its states have passed where
    /// norms stand behind.
    fn new(
        mut layer: Layer,
        before: Option<&Norm>,
        structure: &Structure,
        plan: &Plan,
        quantizers: &Quantizers,
    ) -> PlannedLayer {
        let balanced = |mean_squares: &dyn Fn() -> Vec<f32>, linears: &[&Linear]| {
            let factors = || balance::factors(&mean_squares(), linears);
            let width = linears[0].k;
            quantizers.preparation(width, plan.balance.then(factors))
        };
        // The norms that the inputs of both halves have passed last.
        let (first, second) = match structure.norms {
            NormPlace::Before => (&layer.attention_norm, &layer.feed_forward_norm),
            NormPlace::After => (
                before.expect("norms behind begin with one"),
                &layer.attention_norm,
            ),
        };
        let input = balanced(
            &|| balance::of_norm(first),
            &[&layer.query, &layer.key, &layer.value],
        );
        let up: Vec<&Linear> = layer.gate.iter().chain([&layer.up]).collect();
        let attended = balanced(&|| balance::of_norm(second), &up);
        let wide = balanced(
            &|| balance::of_activation(second, structure.activation, &up),
            &[&layer.down],
        );
        let up = quantizers.weights(&up, &attended);
        // Per head: q and k by the same rotation, v by one that W_o takes back.
        // Where positions turn q and k, their rotation follows at run time.
        let block = rotation_block(structure.head_dim);
        if structure.rotary.is_none() {
            quantizers.rotate_outputs(&mut layer.query, block);
            quantizers.rotate_outputs(&mut layer.key, block);
        }
        quantizers.rotate_outputs(&mut layer.value, block);
        quantizers.rotate_inputs(&mut layer.output, block);
        let context = Preparation::plain();
        PlannedLayer {
            query: quantizers.weights(&[&layer.query], &input),
            key_value: quantizers.weights(&[&layer.key, &layer.value], &input),
            output: quantizers.weights(&[&layer.output], &context),
            down: quantizers.weights(&[&layer.down], &wide),
            up,
            input,
            context,
            attention_norm: layer.attention_norm,
            attended,
            wide,
            feed_forward_norm: layer.feed_forward_norm,
            estimator: None,
        }
    }
}
