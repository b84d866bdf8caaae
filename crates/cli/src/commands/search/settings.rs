//! What a search depends on: its space, and what its journal must agree in.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use dtatrans_accel::Machine;
use dtatrans_accel::machine::Setting;
use dtatrans_assets::sha256_hex;
use dtatrans_model::Checkpoint;
use dtatrans_precision::Plan;
use dtatrans_search::{PlanSpace, Variation};
use serde_json::{Value, json};

use crate::args::{CostArgument, ScopeArgument, SearchArguments};
use crate::{machines, precision};

use super::subject::{Subject, hash_of};

/// The files of a checkpoint that decide what it computes.
const MODEL_FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "modules.json",
    "1_Pooling/config.json",
];

/// The plans to choose from.
pub(super) fn space(arguments: &SearchArguments, checkpoint: &Checkpoint) -> Result<PlanSpace> {
    let variations = variations(&arguments.vary)?;
    let template = template(arguments, checkpoint)?;
    Ok(PlanSpace::new(&template, arguments.step, &variations)?)
}

/// The plan whose keys are kept. Its ratios are among the first that are tried
/// only where the user named it.
fn template(arguments: &SearchArguments, checkpoint: &Checkpoint) -> Result<Plan> {
    let layers = checkpoint.layers();
    let Some(file) = &arguments.base else {
        return Ok(Plan::dense_four(layers));
    };
    if file.as_os_str() == "default" {
        return precision::default_plan(checkpoint);
    }
    // Its calibration, if it has one, is not needed: each plan gets its own.
    let what = || format!("--base {}", file.display());
    let text = std::fs::read_to_string(file).with_context(what)?;
    let plan = Plan::from_toml(&text).with_context(what)?;
    plan.check_depth(layers).with_context(what)?;
    Ok(plan)
}

/// `--vary`: `key,key`, or `key=value,value`.
pub(super) fn variations(vary: &[String]) -> Result<Vec<Variation>> {
    let mut variations = Vec::new();
    for text in vary {
        match text.split_once('=') {
            Some((key, values)) => variations.push(Variation {
                key: key.trim().replace('-', "_"),
                values: values.split(',').map(|value| parse(value.trim())).collect(),
            }),
            None => {
                for key in text.split(',') {
                    let key = key.trim().replace('-', "_");
                    variations.push(Variation::of_key(&key).with_context(|| "--vary")?);
                }
            }
        }
    }
    Ok(variations)
}

/// A number or a truth value, or else a word.
fn parse(value: &str) -> Value {
    match serde_json::from_str(value) {
        Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
        _ => json!(value),
    }
}

/// Whatever decides what an evaluation gives, by name.
pub(super) fn fingerprint(
    arguments: &SearchArguments,
    subject: &Subject,
    cost: CostArgument,
    scope: ScopeArgument,
    space: &PlanSpace,
    checkpoint: &Checkpoint,
) -> Result<BTreeMap<String, Value>> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
    for name in MODEL_FILES {
        let file = checkpoint.folder().join(name);
        if file.exists() {
            set(&format!("model {name}"), hash_of(&file)?);
        }
    }
    for (name, value) in subject.settings()? {
        set(&name, value);
    }
    if space.may_need_calibration() {
        let texts = match &arguments.calibration_texts {
            Some(file) => hash_of(file)?,
            None => json!("those searched on"),
        };
        set("calibration texts", texts);
        set("calibration tokens", json!(arguments.calibration_tokens));
    }
    set("max_length", json!(checkpoint.tokenizer()?.limit()));
    set("objective", json!(objective(arguments)));
    set("cost", json!(name_of(cost)));
    set("scope", json!(name_of(scope)));
    if matches!(cost, CostArgument::Cycles | CostArgument::Energy) {
        let machine = &arguments.machine;
        machines::open(machine, &arguments.set)?;
        let value = match Machine::builtin_toml(machine) {
            Some(text) => json!({"bytes": text.len(), "sha256": sha256_hex(text.as_bytes())}),
            None => hash_of(Path::new(machine))?,
        };
        set("machine", value);
        if !arguments.set.is_empty() {
            let changes: Vec<String> = arguments.set.iter().map(Setting::to_string).collect();
            set("machine changes", json!(changes));
        }
    }
    set("base", serde_json::to_value(space.template())?);
    Ok(settings)
}

/// The objective's name.
pub(super) fn objective(arguments: &SearchArguments) -> String {
    match arguments.task {
        Some(task) => name_of(task),
        None => "agreement".into(),
    }
}

/// A choice as the command line names it.
pub(super) fn name_of(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
