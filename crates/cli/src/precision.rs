//! From `--plan` and `--bits` to what a model computes in.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use dtatrans_model::{Checkpoint, DecoderCheckpoint, Precision, calibration};
use dtatrans_precision::{Calibration, Plan};

use crate::args::{BitsArgument, EvalPrecisionArguments, PrecisionArguments};
use crate::texts;

/// The plan that ships for all-MiniLM-L6-v2, and its calibration.
const MINILM: &str = include_str!("../../../plans/minilm.toml");
const MINILM_CALIBRATION: &[u8] = include_bytes!("../../../plans/minilm.safetensors");

/// The plan that ships for texts of some 384 tokens, and its calibration.
const MINILM_LONG: &str = include_str!("../../../plans/minilm-384.toml");
const MINILM_LONG_CALIBRATION: &[u8] = include_bytes!("../../../plans/minilm-384.safetensors");

/// SpAtten's cascade on the same model and texts at the same loss.
const MINILM_SPATTEN: &str = include_str!("../../../plans/minilm-384-spatten.toml");

/// The plan that ships for SmolLM2-135M-Instruct.
const SMOLLM2: &str = include_str!("../../../plans/smollm2.toml");

/// What a precision depends on of a model.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    name: &'a str,
    layers: usize,
    decodes: bool,
}

impl<'a> From<&'a Checkpoint> for Target<'a> {
    fn from(checkpoint: &'a Checkpoint) -> Target<'a> {
        Target {
            name: &checkpoint.name,
            layers: checkpoint.layers(),
            decodes: false,
        }
    }
}

impl<'a> From<&'a DecoderCheckpoint> for Target<'a> {
    fn from(checkpoint: &'a DecoderCheckpoint) -> Target<'a> {
        Target {
            name: &checkpoint.name,
            layers: checkpoint.config.layers,
            decodes: true,
        }
    }
}

/// The plan that a model runs under by default: its own if one ships with the
/// program, else all tokens at 8 bits.
pub(crate) fn default_plan<'a>(model: impl Into<Target<'a>>) -> Result<Plan> {
    let model = model.into();
    if model.name == "minilm" {
        return shipped(MINILM, MINILM_CALIBRATION, "plans/minilm.safetensors");
    }
    if model.name == "smollm2" {
        return Ok(Plan::from_toml(SMOLLM2)?);
    }
    Ok(match model.decodes {
        true => decoder_plan(model.layers),
        false => Plan::dense_eight(model.layers),
    })
}

/// The plan that an encoder runs long texts under by default.
pub(crate) fn long_plan(model: &Checkpoint) -> Result<Plan> {
    match model.name.as_str() {
        "minilm" => shipped(
            MINILM_LONG,
            MINILM_LONG_CALIBRATION,
            "plans/minilm-384.safetensors",
        ),
        _ => default_plan(model),
    }
}

/// The plan by which SpAtten prunes an encoder on long texts at the loss of
/// [`long_plan`], if one ships.
pub(crate) fn cascade_plan(model: &Checkpoint) -> Result<Option<Plan>> {
    Ok(match model.name.as_str() {
        "minilm" => Some(Plan::from_toml(MINILM_SPATTEN)?),
        _ => None,
    })
}

/// A plan that comes with the program.
fn shipped(plan: &str, parameters: &[u8], file: &str) -> Result<Plan> {
    let mut plan = Plan::from_toml(plan)?;
    let calibration = calibration::from_bytes(parameters, Path::new(file))?;
    plan.parameters = Some(Arc::new(calibration));
    Ok(plan)
}

/// All tokens at 8 bits, balanced: what a decoder computes in unless the user says
/// otherwise.
pub(crate) fn decoder_plan(layers: usize) -> Plan {
    let mut plan = Plan::dense_eight(layers);
    plan.balance = true;
    plan
}

/// What the arguments ask for; `None` if they say nothing.
pub(crate) fn asked<'a>(
    arguments: &PrecisionArguments,
    model: impl Into<Target<'a>>,
) -> Result<Option<Precision>> {
    let model = model.into();
    Ok(match (&arguments.plan, arguments.bits) {
        (Some(file), _) => Some(Precision::Plan(plan_of(file, model)?)),
        (None, Some(bits)) => Some(of_bits(bits, model)),
        (None, None) => None,
    })
}

/// What the arguments of `eval` ask for: f32 if they say nothing.
pub(crate) fn asked_of_eval<'a>(
    arguments: &EvalPrecisionArguments,
    model: impl Into<Target<'a>>,
) -> Result<Vec<Precision>> {
    let model = model.into();
    let plans = arguments.plan.iter();
    let plans = plans.map(|file| Ok(Precision::Plan(plan_of(file, model)?)));
    Ok(match (plans.collect::<Result<Vec<_>>>()?, arguments.bits) {
        (plans, None) if !plans.is_empty() => plans,
        (_, Some(bits)) => vec![of_bits(bits, model)],
        (_, None) => vec![Precision::F32],
    })
}

/// The same for every token.
fn of_bits(bits: BitsArgument, model: Target) -> Precision {
    let layers = model.layers;
    match bits {
        BitsArgument::Float => Precision::F32,
        BitsArgument::Eight if model.decodes => Precision::Plan(decoder_plan(layers)),
        BitsArgument::Eight => Precision::Plan(Plan::dense_eight(layers)),
        BitsArgument::Four => Precision::Plan(Plan::dense_four(layers)),
    }
}

/// The plan of a file, with its calibration if it needs one, or the default one.
pub(crate) fn plan_of(file: &Path, model: Target) -> Result<Plan> {
    if file.as_os_str() == "default" {
        return default_plan(model);
    }
    let what = || format!("--plan {}", file.display());
    let text = texts::read_utf8(file).with_context(what)?;
    let mut plan = Plan::from_toml(&text).with_context(what)?;
    plan.check_depth(model.layers).with_context(what)?;
    if plan.needs_calibration() {
        plan.parameters = read_calibration(&plan, file).with_context(what)?;
    }
    Ok(plan)
}

/// The calibration that a plan names, which lies beside the plan's file.
fn read_calibration(plan: &Plan, plan_file: &Path) -> Result<Option<Arc<Calibration>>> {
    let Some(name) = &plan.calibration else {
        return Ok(None);
    };
    let folder = plan_file.parent().unwrap_or(Path::new("."));
    let file = folder.join(name);
    let what = || format!("calibration {}", file.display());
    let bytes = std::fs::read(&file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!("no such file: `dtatrans calibrate` makes it"),
        _ => error.into(),
    });
    let bytes = bytes.with_context(what)?;
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
