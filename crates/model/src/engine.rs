//! A model made ready to run.

use std::path::Path;

use dtatrans_kernels::Isa;
use dtatrans_precision::{Calibration, Plan, Tier, trace};
use rayon::prelude::*;

use crate::bert::{Embeddings, ReadOut, Weights};
use crate::layers::{AttentionHead, DenseLayers, PlannedLayers};
use crate::{Checkpoint, Encoding, ModelError, calibration};

/// The most tokens that run as one batch, unless one sequence alone has more:
/// enough to fill the matrix products, few enough to stay in the caches.
const BATCH_TOKENS: usize = 384;

/// What a model computes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// Integers, each token at the bits that the plan gives it.
    Plan(Plan),
}

/// What a run keeps besides its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail<'a> {
    /// Nothing more.
    Value,
    /// What the trace of a run under a plan needs.
    Trace,
    /// As [`Detail::Trace`], with the operands of these heads.
    Operands(&'a [AttentionHead]),
    /// The hidden states after the embedding and after each layer.
    HiddenStates,
}

/// What a run gives for one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The embedding, or one logit per label; of a head that reads out every
    /// token, all logits of the first token, then those of the next.
    pub value: Vec<f32>,
    /// The tier of each token at each layer; empty at f32.
    pub tiers: Vec<Vec<Tier>>,
    /// One record per layer, with [`Detail::Trace`] or [`Detail::Operands`] under a
    /// plan.
    pub trace: Vec<trace::Layer>,
    /// With [`Detail::HiddenStates`]: one (tokens, hidden) matrix per layer, and
    /// before them the embedded tokens.
    pub hidden_states: Vec<Vec<f32>>,
}

/// A model made ready to run at one precision.
pub struct Engine {
    embeddings: Embeddings,
    layers: Layers,
    read_out: ReadOut,
    width: usize,
}

enum Layers {
    Dense(DenseLayers),
    Planned(Box<PlannedLayers>),
}

impl Engine {
    /// Reads the checkpoint's weights and lays them out, quantized where the
    /// precision asks for it.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] naming a tensor that is missing or unfit,
    /// [`ModelError::Plan`] if the plan is for another depth.
    pub fn new(
        checkpoint: &Checkpoint,
        precision: &Precision,
        isa: Isa,
    ) -> Result<Engine, ModelError> {
        let (tensors, config) = (&checkpoint.tensors, &checkpoint.config);
        let weights = Weights::new(tensors, config);
        Ok(Engine {
            embeddings: Embeddings::read(tensors, config, isa)?,
            layers: match precision {
                Precision::F32 => Layers::Dense(DenseLayers::read(&weights, isa)?),
                Precision::Plan(plan) => Layers::Planned(Box::new(PlannedLayers::read(
                    &weights,
                    config.vocab_size,
                    plan,
                    isa,
                )?)),
            },
            read_out: ReadOut::read(tensors, config, &checkpoint.head, isa)?,
            width: config.hidden_size,
        })
    }

    /// Runs the model on each input, several at a time, on all threads of the
    /// current rayon pool. `done` is told how many inputs more are finished.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] or [`ModelError::Input`] if an input has no token,
    /// too many, or an id without an embedding, or if under a plan none of its
    /// tokens is sure to be computed, or if operands are asked for of a head that
    /// the model does not have; [`ModelError::NotFinite`] if a result would not be
    /// a number.
    pub fn run(
        &self,
        inputs: &[Encoding],
        detail: Detail,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Output>, ModelError> {
        for input in inputs {
            self.check(input)?;
        }
        if let (Layers::Planned(planned), Detail::Operands(heads)) = (&self.layers, detail)
            && let Some(AttentionHead { layer, head }) = planned.lacks(heads)
        {
            let reason = format!("the model has no head {head} at layer {layer}");
            return Err(ModelError::Input(reason));
        }
        let batches = batches_of(inputs);
        let outputs: Vec<Option<Vec<Output>>> = batches
            .par_iter()
            .map(|batch| {
                let batch: Vec<&Encoding> = batch.iter().map(|&index| &inputs[index]).collect();
                let outputs = self.run_batch(&batch, detail);
                done(batch.len());
                outputs
            })
            .collect();
        let mut placed: Vec<Option<Output>> = inputs.iter().map(|_| None).collect();
        for (batch, outputs) in batches.iter().zip(outputs) {
            let outputs = outputs.ok_or(ModelError::NotFinite)?;
            for (&index, output) in batch.iter().zip(outputs) {
                placed[index] = Some(output);
            }
        }
        Ok(placed.into_iter().flatten().collect())
    }

    /// Runs a model on texts under a plan that needs a calibration, and finds the
    /// parameters that suit it. `done` is called once per layer and batch, and
    /// told how many calls there will be.
    ///
    /// # Errors
    /// As [`Engine::new`] and [`Engine::run`]; [`ModelError::Calibration`] if the
    /// texts are too few.
    pub fn calibrate(
        checkpoint: &Checkpoint,
        plan: &Plan,
        inputs: &[Encoding],
        isa: Isa,
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Calibration, ModelError> {
        let (tensors, config) = (&checkpoint.tensors, &checkpoint.config);
        let embeddings = Embeddings::read(tensors, config, isa)?;
        let weights = Weights::new(tensors, config);
        let dense = DenseLayers::read(&weights, isa)?;
        let eight = Plan::dense_eight(config.num_hidden_layers);
        let eight = PlannedLayers::uncalibrated(&weights, &eight, isa)?;
        let mut planned = PlannedLayers::uncalibrated(&weights, plan, isa)?;
        for input in inputs {
            embeddings.check(input)?;
            if !input.protected.contains(&true) {
                return Err(unprotected());
            }
        }
        let batches: Vec<_> = batches_of(inputs)
            .into_iter()
            .map(|batch| {
                let batch: Vec<&Encoding> = batch.iter().map(|&index| &inputs[index]).collect();
                (embeddings.embed(&batch), batch)
            })
            .collect();
        let calls = batches.len() * config.num_hidden_layers;
        let calibration =
            planned.calibrate(&dense, &eight, batches, config.vocab_size, &|| done(calls))?;
        // What a file would give back, so that both run alike.
        let bytes = calibration::to_bytes(&calibration)?;
        calibration::from_bytes(&bytes, Path::new("calibration"))
    }

    fn check(&self, input: &Encoding) -> Result<(), ModelError> {
        self.embeddings.check(input)?;
        // A plan may leave all other tokens out. Where every token is read out,
        // those come from their last states, but without one computed token no
        // state would have been computed at all.
        let read = match self.read_out.reads_first() {
            true => &input.protected[..1],
            false => &input.protected[..],
        };
        if matches!(self.layers, Layers::Planned(_)) && !read.contains(&true) {
            return Err(unprotected());
        }
        Ok(())
    }

    /// `None` if the states did not stay finite.
    fn run_batch(&self, batch: &[&Encoding], detail: Detail) -> Option<Vec<Output>> {
        let lengths: Vec<usize> = batch.iter().map(|input| input.len()).collect();
        let mut states = self.embeddings.embed(batch);
        let mut hidden = Vec::new();
        let keep = detail == Detail::HiddenStates;
        if keep {
            hidden.push(states.clone());
        }
        let mut after = |states: &[f32]| {
            if keep {
                hidden.push(states.to_vec());
            }
        };
        let records = match &self.layers {
            Layers::Dense(dense) => {
                dense.run_whole(&mut states, &lengths, &mut after);
                None
            }
            Layers::Planned(planned) => {
                let traced = match detail {
                    Detail::Trace => Some(&[][..]),
                    Detail::Operands(heads) => Some(heads),
                    Detail::Value | Detail::HiddenStates => None,
                };
                Some(planned.run(&mut states, batch, traced, &mut after))
            }
        };
        // Residuals carry what is not finite from any layer to the last states.
        if !states.iter().all(|state| state.is_finite()) {
            return None;
        }
        let mut records = records.map(Vec::into_iter);
        let mut start = 0;
        let outputs: Vec<Output> = lengths
            .iter()
            .map(|&n| {
                let place = start * self.width..(start + n) * self.width;
                start += n;
                let record = records.as_mut().and_then(Iterator::next);
                let (tiers, trace, fresh) = match record {
                    Some(record) => (record.tiers, record.trace, record.read_out),
                    None => (Vec::new(), Vec::new(), vec![true; n]),
                };
                Output {
                    value: self.read_out.apply(&states[place.clone()], &fresh),
                    tiers,
                    trace,
                    hidden_states: hidden
                        .iter()
                        .map(|all| all[place.clone()].to_vec())
                        .collect(),
                }
            })
            .collect();
        let finite = |output: &Output| output.value.iter().all(|value| value.is_finite());
        outputs.iter().all(finite).then_some(outputs)
    }
}

fn unprotected() -> ModelError {
    ModelError::Input("under a plan a token that the result depends on must be protected".into())
}

/// Which inputs run together: longest first, so that no thread is left with a
/// long one at the end.
fn batches_of(inputs: &[Encoding]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(inputs[index].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = usize::MAX;
    for index in order {
        if tokens.saturating_add(inputs[index].len()) > BATCH_TOKENS {
            batches.push(Vec::new());
            tokens = 0;
        }
        tokens += inputs[index].len();
        batches.last_mut().expect("one was pushed").push(index);
    }
    batches
}
