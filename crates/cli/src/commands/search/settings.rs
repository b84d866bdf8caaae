//! What a search depends on: its space, and what its journal must agree in.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use dtatrans_accel::Machine;
use dtatrans_assets::sha256_hex;
use dtatrans_model::{Checkpoint, Precision};
use dtatrans_precision::{Plan, Ratio};
use dtatrans_search::{PlanSpace, Variation};
use serde_json::{Value, json};

use crate::args::{CostArgument, PrecisionArguments, ScopeArgument, SearchArguments};
use crate::{machines, precision};

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
    let layers = checkpoint.config.num_hidden_layers;
    let Some(file) = &arguments.base else {
        return Ok(Plan::dense_four(layers));
    };
    let asked = PrecisionArguments {
        plan: Some(file.clone()),
        bits: None,
    };
    let asked = precision::asked(&asked, checkpoint).map_err(|error| {
        // The same file by its own option's name.
        let text = format!("{error:#}").replacen("--plan ", "--base ", 1);
        anyhow::anyhow!(text)
    })?;
    match asked {
        Some(Precision::Plan(plan)) => Ok(plan),
        _ => Ok(Plan::new(vec![Ratio::ALL_FOUR; layers])?),
    }
}

/// `--vary`: `key,key`, or `key=value,value`.
fn variations(vary: &[String]) -> Result<Vec<Variation>> {
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
    data: &Path,
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
    set("data", hash_of(data)?);
    set("max_length", json!(checkpoint.tokenizer()?.limit()));
    set("objective", json!(objective(arguments)));
    set("cost", json!(name_of(arguments.cost)));
    set("scope", json!(name_of(scope)));
    if matches!(arguments.cost, CostArgument::Cycles | CostArgument::Energy) {
        let machine = &arguments.machine;
        machines::open(machine)?;
        let value = match Machine::builtin_toml(machine) {
            Some(text) => json!({"bytes": text.len(), "sha256": sha256_hex(text.as_bytes())}),
            None => hash_of(Path::new(machine))?,
        };
        set("machine", value);
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

fn hash_of(file: &Path) -> Result<Value> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(json!({"bytes": bytes.len(), "sha256": sha256_hex(&bytes)}))
}
