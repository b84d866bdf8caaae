//! What a run under a plan spent: tokens by tier, and element-cycles.

use dtatrans_model::Output;
use dtatrans_precision::workload::{ElementCycles, Saved, Workload};
use dtatrans_precision::{Bits, ModelShape, Plan, Tier};
use serde::Serialize;

/// Shares of tokens by tier, summing to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TierShares {
    /// At 8 bits.
    pub r8: f64,
    /// At 4 bits.
    pub r4: f64,
    /// At 0 bits.
    pub r0: f64,
}

/// What a run spent, summed over its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Shares of tokens by tier at each layer.
    pub tier_shares: Vec<TierShares>,
    /// Element-cycles spent.
    pub spent: ElementCycles,
    /// Element-cycles of the dense 8-bit model on the same inputs.
    pub dense: ElementCycles,
}

impl Work {
    /// Adds up what the outputs of a run under `plan` spent.
    pub fn of(shape: &ModelShape, plan: &Plan, outputs: &[Output]) -> Work {
        Work::of_tiers(shape, plan, outputs.iter().map(|output| &output.tiers[..]))
    }

    /// Adds up what inputs spent whose tokens had these tiers, by layer, under `plan`.
    pub fn of_tiers<'a>(
        shape: &ModelShape,
        plan: &Plan,
        inputs: impl Iterator<Item = &'a [Vec<Tier>]>,
    ) -> Work {
        let mut counts = vec![[0usize; 3]; shape.layers];
        let (mut spent, mut dense) = (ElementCycles::default(), ElementCycles::default());
        for tiers in inputs {
            spent.add(Workload::under_plan(shape, plan, tiers).element_cycles());
            let tokens = tiers.first().map_or(0, Vec::len);
            dense.add(Workload::dense(shape, tokens, Bits::Eight).element_cycles());
            for (counts, tiers) in counts.iter_mut().zip(tiers) {
                for tier in tiers {
                    counts[match tier {
                        Tier::Eight => 0,
                        Tier::Four => 1,
                        Tier::Zero => 2,
                    }] += 1;
                }
            }
        }
        let shares = |[eight, four, zero]: [usize; 3]| {
            let all = (eight + four + zero).max(1) as f64;
            TierShares {
                r8: eight as f64 / all,
                r4: four as f64 / all,
                r0: zero as f64 / all,
            }
        };
        Work {
            tier_shares: counts.into_iter().map(shares).collect(),
            spent,
            dense,
        }
    }

    /// The shares of the dense 8-bit model's element-cycles that were saved.
    pub fn saved(&self) -> Saved {
        Saved::new(self.spent, self.dense)
    }
}
