//! SpAtten's pruning schedule.

use dtatrans_precision::{Plan, Pruning, Ratio, compensation};
use serde::Deserialize;

use crate::AccelError;
use crate::machine::check;

/// Who says which tokens, heads and values stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The machine's own schedule.
    #[default]
    Schedule,
    /// The trace: its plan, under which tokens leave for good.
    Trace,
}

/// What is kept at each layer.
///
/// Published (HPCA 2021, section V): no token is pruned in the first 15 % of the
/// layers and no head in the first 30 %; over the others the ratio changes
/// linearly, with r_start + r_end = 2 r_avg. The shares themselves were tuned by
/// task and are not public: those of a machine file are ours.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Whether the shares below count, or those of the trace's plan.
    #[serde(default)]
    pub source: Source,
    /// Share of the layers, from the first, that keep all tokens.
    pub token_free_layers: f64,
    /// Share of the tokens kept at the first layer that prunes.
    pub token_keep_start: f64,
    /// Mean share of the tokens kept over the layers that prune.
    pub token_keep_average: f64,
    /// Share of the layers, from the first, that keep all heads.
    pub head_free_layers: f64,
    /// Share of the heads kept at the first layer that prunes.
    pub head_keep_start: f64,
    /// Mean share of the heads kept over the layers that prune.
    pub head_keep_average: f64,
    /// Share of the values kept for each query (local value pruning).
    pub value_keep: f64,
}

impl Schedule {
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::share("pruning.token_free_layers", self.token_free_layers)?;
        check::share("pruning.head_free_layers", self.head_free_layers)?;
        check::share("pruning.value_keep", self.value_keep)?;
        for (name, start, average) in [
            ("token", self.token_keep_start, self.token_keep_average),
            ("head", self.head_keep_start, self.head_keep_average),
        ] {
            check::share(&format!("pruning.{name}_keep_start"), start)?;
            let key = format!("pruning.{name}_keep_average");
            // Pruned tokens stay pruned, and the last layer keeps some.
            if !(average > start / 2.0 && average <= start) {
                let allowed = format!("above {} and at most {start}", start / 2.0);
                return Err(check::refuse(&key, average, &allowed));
            }
        }
        Ok(())
    }

    /// The share of the tokens at each layer, in thousandths.
    pub fn token_thousandths(&self, layers: usize) -> Vec<u16> {
        shares(
            layers,
            self.token_free_layers,
            self.token_keep_start,
            self.token_keep_average,
        )
    }

    /// The schedule as a plan: what is kept at 8 bits, what is pruned dropped for good.
    ///
    /// # Panics
    /// If `layers` is 0.
    pub fn plan(&self, layers: usize) -> Plan {
        let kept = self.token_thousandths(layers).into_iter();
        let ratio = |kept| Ratio::from_thousandths(kept, 0).expect("a share is at most 1");
        let mut plan = Plan::new(kept.map(ratio).collect()).expect("the first layer keeps all");
        plan.name = "SpAtten's schedule".into();
        plan.compensation = &compensation::Drop;
        plan.rotation = false;
        let heads = shares(
            layers,
            self.head_free_layers,
            self.head_keep_start,
            self.head_keep_average,
        );
        let values = (self.value_keep * 1000.0).round().max(1.0) / 1000.0;
        for (layer, heads) in heads.into_iter().enumerate() {
            let heads = f64::from(heads.max(1)) / 1000.0;
            let pruning = Pruning::from_shares(heads, values).expect("shares above 0");
            let kept = plan.set_pruning_at(layer, pruning);
            kept.expect("the first layer keeps all heads");
        }
        plan
    }
}

/// The share kept at each layer, in thousandths: all over the free layers, at
/// least the first, then linear from `start` to `2 average - start`.
fn shares(layers: usize, free: f64, start: f64, average: f64) -> Vec<u16> {
    let free = ((layers as f64 * free).ceil() as usize).clamp(1, layers.max(1));
    let pruning = layers.saturating_sub(free);
    (0..layers)
        .map(|layer| {
            let share = match layer.checked_sub(free) {
                None => 1.0,
                Some(_) if pruning == 1 => average,
                Some(index) => {
                    start + 2.0 * (average - start) * index as f64 / (pruning - 1) as f64
                }
            };
            (share * 1000.0).round() as u16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fall_linearly_around_their_average() {
        let shares = shares(12, 0.15, 0.9, 0.7);
        assert_eq!(shares[..2], [1000, 1000]);
        assert_eq!((shares[2], shares[11]), (900, 500));
        let mean = shares[2..]
            .iter()
            .map(|&share| f64::from(share))
            .sum::<f64>()
            / 10.0;
        assert!((mean - 700.0).abs() < 1.0);
        assert!(shares.windows(2).all(|pair| pair[1] <= pair[0]));
    }

    #[test]
    fn the_first_layer_is_always_kept() {
        for layers in 1..30 {
            assert_eq!(shares(layers, 0.01, 0.9, 0.7)[0], 1000);
        }
    }
}
