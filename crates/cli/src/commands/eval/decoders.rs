//! What the tasks of decoders share.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::error::ErrorKind;
use dtatrans_model::{AnyCheckpoint, DecoderCheckpoint, Precision};
use dtatrans_precision::cache::CachePlan;

use crate::args::{EvalArguments, PartArgument};
use crate::{model, precision};

/// Plans that differ in their caches alone: one decoder reads a text for all.
pub(super) struct Together {
    pub(super) precision: Precision,
    pub(super) names: Vec<String>,
    /// One per name; at f32 none.
    pub(super) caches: Vec<Arc<CachePlan>>,
}

impl Together {
    /// f32 alone.
    pub(super) fn f32() -> Together {
        Together {
            precision: Precision::F32,
            names: vec![precision::name(&Precision::F32)],
            caches: Vec::new(),
        }
    }
}

/// Puts plans together that differ in name and cache alone.
pub(super) fn group(precisions: Vec<Precision>, layers: usize) -> Vec<Together> {
    let mut groups: Vec<Together> = Vec::new();
    for precision in precisions {
        let name = precision::name(&precision);
        let (bare, cache) = match precision {
            Precision::F32 => (Precision::F32, None),
            Precision::Plan(mut plan) => {
                let cache = plan.cache.take();
                let cache = cache.unwrap_or_else(|| Arc::new(CachePlan::all_eight(layers)));
                plan.name = String::new();
                (Precision::Plan(plan), Some(cache))
            }
        };
        match groups.iter_mut().find(|group| group.precision == bare) {
            Some(group) => {
                group.names.push(name);
                group.caches.extend(cache);
            }
            None => groups.push(Together {
                precision: bare,
                names: vec![name],
                caches: cache.into_iter().collect(),
            }),
        }
    }
    groups
}

/// The decoder of the arguments.
pub(super) fn open(arguments: &EvalArguments) -> Result<DecoderCheckpoint> {
    match model::open_any(&arguments.model)? {
        AnyCheckpoint::Decoder(checkpoint) => Ok(*checkpoint),
        AnyCheckpoint::Encoder(_) => bail!(
            "--model {}: is an encoder, and --task {} needs a decoder",
            arguments.model.model,
            arguments.task.name()
        ),
    }
}

/// The half of a text that counts, cut at the end of a line.
pub(super) fn part(text: &str, part: Option<PartArgument>) -> &str {
    let middle = text.floor_char_boundary(text.len() / 2);
    let middle = text[..middle].rfind('\n').map_or(middle, |end| end + 1);
    match part {
        None => text,
        Some(PartArgument::Choosing) => &text[..middle],
        Some(PartArgument::Reporting) => &text[middle..],
    }
}

/// Whether the options fit the tasks of decoders.
pub(super) fn check(task: &str, arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    let files = &arguments.files;
    if files.data.is_empty() {
        let message = format!("--task {task} needs --data FILE");
        return Err((ErrorKind::MissingRequiredArgument, message));
    }
    if !files.exclude.is_empty() || !files.train.is_empty() {
        let message = format!("--exclude and --train are not for --task {task}");
        return Err((ErrorKind::ArgumentConflict, message));
    }
    Ok(())
}
