//! Another plan on a recorded input: its tiers, chosen by the importance that the trace
//! has.
//!
//! This is an approximation. The recorded importance is that of the plan which the model
//! ran under; under another one tokens would have attended to others, in other precision,
//! and received another share. A trace recorded at 8 bits throughout has the importance
//! of the whole model, which no plan has touched. What is exact: the plan that a trace
//! was recorded under gives the tiers that the trace has, and this is checked of each
//! input before another plan is applied.

use super::{Header, Input, Layer};
use crate::assignment::{Rule, assign};
use crate::compensation::Change;
use crate::{Plan, ReplanError, Tier};

impl Input {
    /// This input as if it had been recorded under another plan, its tiers chosen by the
    /// recorded importance. `header` is the trace's. What the heads' records say stays;
    /// operands, which belong to the recorded tiers, are left out.
    ///
    /// The first and the last token count as protected, as in each text that
    /// `dtatrans trace` writes.
    ///
    /// # Errors
    /// A [`ReplanError`] if the trace does not have what the plan ranks by.
    pub fn replanned(&self, header: &Header, plan: &Plan) -> Result<Input, ReplanError> {
        check(header, plan)?;
        if self.generation.is_some() {
            return Err(ReplanError::Generation {
                input: self.id.clone(),
            });
        }
        let recorded = self.tiers();
        let again = self.tiers_under(&header.plan, &header.plan);
        if let Some(layer) = (0..recorded.len()).find(|&layer| again[layer] != recorded[layer]) {
            return Err(ReplanError::NotReproduced {
                input: self.id.clone(),
                layer,
            });
        }
        let tiers = self.tiers_under(plan, &header.plan);
        let layers = self.layers.iter().zip(tiers);
        Ok(Input {
            id: self.id.clone(),
            tokens: self.tokens.clone(),
            layers: layers
                .map(|(layer, tiers)| Layer {
                    tiers,
                    operands: Vec::new(),
                    importance: layer.importance.clone(),
                    heads: layer.heads.clone(),
                })
                .collect(),
            generation: None,
        })
    }

    /// By layer the tiers of a plan on the importance that was recorded under another.
    fn tiers_under(&self, plan: &Plan, recorded: &Plan) -> Vec<Vec<Tier>> {
        let n = self.read();
        let protected: Vec<bool> = (0..n).map(|token| token == 0 || token + 1 == n).collect();
        let mut gone = vec![false; n];
        let start = vec![0.0; n];
        let mut tiers = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let scores = match index {
                0 => &start,
                _ => &self.layers[index - 1].importance,
            };
            let chosen = match index == 0 && ranks_from_the_start(plan) {
                // Only the same shares come here: see `check`.
                true => {
                    debug_assert!(same_start(plan, recorded));
                    layer.tiers.clone()
                }
                false => assign(
                    scores,
                    Rule {
                        ratio: plan.layers()[index],
                        protected: &protected,
                        protected_bits: plan.protected_bits,
                        gone: &gone,
                        round_to: plan.round_to,
                    },
                ),
            };
            if !plan.compensation_at(index).may_return() {
                for (gone, tier) in gone.iter_mut().zip(&chosen) {
                    *gone |= !tier.is_computed();
                }
            }
            tiers.push(chosen);
        }
        tiers
    }
}

/// Whether the first layer ranks tokens, by scores that no trace has.
fn ranks_from_the_start(plan: &Plan) -> bool {
    !plan.layers()[0].is_uniform()
}

/// Whether two plans give the first layer the same tiers, if by the same scores.
fn same_start(one: &Plan, other: &Plan) -> bool {
    one.layers()[0] == other.layers()[0]
        && one.protected_bits == other.protected_bits
        && one.round_to == other.round_to
}

/// That a trace has what a plan ranks by.
fn check(header: &Header, plan: &Plan) -> Result<(), ReplanError> {
    plan.check_depth(header.model.layers)?;
    let recorded = &header.plan;
    let (own, theirs) = (plan.importance.name(), recorded.importance.name());
    if own != theirs {
        return Err(ReplanError::Importance {
            plan: own,
            recorded: theirs,
        });
    }
    if plan.prior() != recorded.prior() {
        return Err(ReplanError::Prior {
            plan: plan.prior(),
            recorded: recorded.prior(),
        });
    }
    if ranks_from_the_start(plan) && !same_start(plan, recorded) {
        return Err(ReplanError::FirstLayer);
    }
    let fused = |&layer: &usize| {
        plan.layers()[layer].leaves_out() && plan.compensation_at(layer).change() == Change::Fused
    };
    match (0..plan.layers().len()).find(fused) {
        Some(layer) if header.model.causal => Err(ReplanError::Average { layer }),
        _ => Ok(()),
    }
}
