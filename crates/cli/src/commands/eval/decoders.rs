//! What the tasks of decoders share.

use std::sync::Arc;

use anyhow::Result;
use clap::error::ErrorKind;
use dtatrans_model::{DecoderCheckpoint, Precision};
use dtatrans_precision::cache::CachePlan;

use crate::args::{EvalArguments, PartArgument};
use crate::{model, precision, task, texts};

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

/// What a decoder is measured on, and in what it computes.
pub(super) struct Subject {
    pub(super) text: String,
    pub(super) checkpoint: DecoderCheckpoint,
    pub(super) precisions: Vec<Precision>,
}

/// Reads what the arguments name. Ends the program with a message on usage where
/// they do not fit the task, which has a check of its own beside the common one.
pub(super) fn open(
    arguments: &EvalArguments,
    own_check: fn(&EvalArguments) -> Result<(), (ErrorKind, String)>,
) -> Result<Subject> {
    let fits = check(arguments).and_then(|()| own_check(arguments));
    if let Err((kind, message)) = fits {
        task::wrong_usage("eval", kind, message);
    }
    let text = texts::read_whole(&arguments.files.data)?;
    let checkpoint = model::open_decoder(&arguments.model, arguments.task)?;
    Ok(Subject {
        text,
        precisions: precision::asked_of_eval(&arguments.precisions, &checkpoint)?,
        checkpoint,
    })
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
fn check(arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    let (task, files) = (arguments.task.name(), &arguments.files);
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
