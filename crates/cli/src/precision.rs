//! From `--plan` and `--bits` to what a model computes in.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use dtatrans_model::{Checkpoint, Precision, calibration};
use dtatrans_precision::{Calibration, Plan};

use crate::args::{BitsArgument, PrecisionArguments};

/// The plan that ships for all-MiniLM-L6-v2.
const MINILM: &str = include_str!("../../../plans/minilm.toml");

/// The plan that a model runs under by default: its own if one ships with the
/// program, else all tokens at 8 bits.
pub(crate) fn default_plan(checkpoint: &Checkpoint) -> Result<Plan> {
    if checkpoint.name == "minilm" {
        return Ok(Plan::from_toml(MINILM)?);
    }
    Ok(Plan::dense_eight(checkpoint.config.num_hidden_layers))
}

/// What the arguments ask for; `None` if they say nothing.
pub(crate) fn asked(
    arguments: &PrecisionArguments,
    checkpoint: &Checkpoint,
) -> Result<Option<Precision>> {
    let layers = checkpoint.config.num_hidden_layers;
    let precision = match (&arguments.plan, arguments.bits) {
        (Some(name), _) if name.as_os_str() == "default" => {
            Precision::Plan(default_plan(checkpoint)?)
        }
        (Some(file), _) => {
            let what = || format!("--plan {}", file.display());
            let text = std::fs::read(file).with_context(what)?;
            let text = String::from_utf8(text)
                .map_err(|error| anyhow::anyhow!("is not UTF-8: {}", error.utf8_error()))
                .with_context(what)?;
            let mut plan = Plan::from_toml(&text).with_context(what)?;
            plan.check_depth(layers).with_context(what)?;
            if plan.needs_calibration() {
                plan.parameters = read_calibration(&plan, file).with_context(what)?;
            }
            Precision::Plan(plan)
        }
        (None, Some(BitsArgument::Float)) => Precision::F32,
        (None, Some(BitsArgument::Eight)) => Precision::Plan(Plan::dense_eight(layers)),
        (None, Some(BitsArgument::Four)) => Precision::Plan(Plan::dense_four(layers)),
        (None, None) => return Ok(None),
    };
    Ok(Some(precision))
}

/// The calibration that a plan names, which lies beside the plan's file.
fn read_calibration(plan: &Plan, plan_file: &Path) -> Result<Option<Arc<Calibration>>> {
    let Some(name) = &plan.calibration else {
        return Ok(None);
    };
    let folder = plan_file.parent().unwrap_or(Path::new("."));
    let file = folder.join(name);
    let what = || format!("calibration {}", file.display());
    let bytes = std::fs::read(&file).with_context(what)?;
    Ok(Some(Arc::new(calibration::from_bytes(&bytes, &file)?)))
}

/// A precision's name for people: `f32`, or the plan's name.
pub(crate) fn name(precision: &Precision) -> String {
    match precision {
        Precision::F32 => "f32".into(),
        Precision::Plan(plan) if plan.name.is_empty() => "plan".into(),
        Precision::Plan(plan) => plan.name.clone(),
    }
}
