//! The parameters of plans that need a calibration.
//!
//! A layer's parameters depend on what the plan does before it, so that each
//! plan has its own. While searching they come from a sample of the texts; the
//! plan that was found gets them from all.
//!
//! A share of 0-bit tokens may be so small that too few are left to fit a map
//! to. The plan is then calibrated on all texts, and if that is not enough, as
//! if half of the tokens were at 0 bits at such layers.

use std::sync::Arc;

use anyhow::{Context, Result};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Encoding, Engine, ModelError};
use dtatrans_precision::{Calibration, Plan};
use serde_json::json;

use crate::args::SearchArguments;
use crate::texts;

use super::subject::read_texts;

/// Finds parameters on one set of texts.
pub(super) struct Calibrator<'a> {
    checkpoint: &'a Checkpoint,
    isa: Isa,
    all: Vec<Encoding>,
    sample: Vec<Encoding>,
}

impl<'a> Calibrator<'a> {
    /// Takes the texts that the arguments name, or else those given.
    pub(super) fn open(
        arguments: &SearchArguments,
        otherwise: &[Encoding],
        checkpoint: &'a Checkpoint,
        isa: Isa,
    ) -> Result<Calibrator<'a>> {
        let all = match &arguments.calibration_texts {
            Some(file) => texts::encode(checkpoint.tokenizer()?, &read_texts(file)?)?,
            None => otherwise.to_vec(),
        };
        Ok(Calibrator {
            checkpoint,
            isa,
            sample: sample(&all, arguments.calibration_tokens as usize),
            all,
        })
    }

    /// Gives the plan the parameters that it needs, if any, from the sample.
    pub(super) fn fit(&self, plan: &mut Plan) -> Result<()> {
        let wide = widened(plan);
        self.first(
            plan,
            &[(plan, &self.sample), (plan, &self.all), (&wide, &self.all)],
        )
        .map(|found| plan.parameters = found)
    }

    /// Gives the plan the parameters that it needs, if any, from all texts.
    pub(super) fn fit_on_all(&self, plan: &mut Plan) -> Result<()> {
        let wide = widened(plan);
        self.first(plan, &[(plan, &self.all), (&wide, &self.all)])
            .map(|found| plan.parameters = found)
    }

    /// What the first attempt finds that has enough to go by.
    fn first(
        &self,
        plan: &Plan,
        attempts: &[(&Plan, &Vec<Encoding>)],
    ) -> Result<Option<Arc<Calibration>>> {
        if !plan.needs_calibration() {
            return Ok(None);
        }
        let mut outcome = Err(ModelError::Calibration("no texts".into()));
        for (plan, inputs) in attempts {
            outcome = Engine::calibrate(self.checkpoint, plan, inputs, self.isa, &|_| ());
            if !matches!(outcome, Err(ModelError::Calibration(_))) {
                break;
            }
        }
        let found = outcome.context("more texts (--calibration-texts) may help")?;
        Ok(Some(Arc::new(found)))
    }
}

/// The plan with at least half of the tokens at 0 bits where it predicts their
/// changes.
fn widened(plan: &Plan) -> Plan {
    let mut file = serde_json::to_value(plan).expect("a plan is plain data");
    for (layer, ratio) in plan.layers().iter().enumerate() {
        if plan.predicts_at(layer) && ratio.r0() < 0.5 {
            let eight = ratio.r8().min(0.5);
            let table = &mut file["layer"][layer];
            table["r8"] = json!(eight);
            table["r4"] = json!(0.5 - eight);
            table["r0"] = json!(0.5);
        }
    }
    serde_json::from_value(file).expect("shares sum to 1")
}

/// Texts with about that many tokens together, evenly from all.
fn sample(all: &[Encoding], tokens: usize) -> Vec<Encoding> {
    let total: usize = all.iter().map(|input| input.len()).sum();
    if total <= tokens {
        return all.to_vec();
    }
    let kept = |texts: usize| texts * tokens / total;
    (0..all.len())
        .filter(|&index| kept(index + 1) > kept(index))
        .map(|index| all[index].clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use dtatrans_precision::{Ratio, compensation};

    use super::*;

    fn encoding(tokens: usize) -> Encoding {
        Encoding::from_ids(vec![1; tokens], vec![0; tokens])
    }

    #[test]
    fn a_sample_is_spread_evenly() {
        let all: Vec<Encoding> = (10..20).map(encoding).collect();
        let lengths = |tokens| -> Vec<usize> {
            let sample = sample(&all, tokens);
            sample.iter().map(|input| input.len()).collect()
        };
        assert_eq!(lengths(145), (10..20).collect::<Vec<_>>());
        assert_eq!(lengths(1000).len(), 10);
        assert_eq!(lengths(72).len(), 4);
        assert_eq!(lengths(58), [12, 14, 17, 19]);
    }

    #[test]
    fn small_shares_are_widened_where_they_are_predicted() {
        let ratio = |eight, four| Ratio::from_thousandths(eight, four).unwrap();
        let ratios = vec![
            Ratio::ALL_FOUR,
            ratio(600, 300),
            ratio(600, 300),
            ratio(0, 200),
        ];
        let mut plan = Plan::new(ratios).unwrap();
        for layer in [0, 1, 3] {
            plan.set_compensation_at(layer, &compensation::AttentionPredict);
        }
        let want = [
            Ratio::ALL_FOUR,
            ratio(500, 0),
            ratio(600, 300),
            ratio(0, 200),
        ];
        assert_eq!(widened(&plan).layers(), want);
        assert_eq!(
            widened(&plan).compensation_at(3).name(),
            "attention+predict"
        );
    }
}
