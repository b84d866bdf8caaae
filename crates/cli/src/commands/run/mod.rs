//! `dtatrans run`: what a model makes of texts.

mod chat;
mod generation;
mod texts;
mod watch;

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::AnyCheckpoint;

use crate::args::RunCommandArguments;
use crate::model;

pub(crate) fn run(arguments: &RunCommandArguments, isa: Isa, json: bool) -> Result<()> {
    let RunCommandArguments { run, generation } = arguments;
    match model::open_any(&run.model)? {
        AnyCheckpoint::Encoder(_) if generation.chat => bail!(
            "--model {}: is an encoder, and --chat needs a decoder",
            run.model.model
        ),
        AnyCheckpoint::Encoder(checkpoint) => texts::run(&checkpoint, run, isa, json),
        AnyCheckpoint::Decoder(checkpoint) if generation.chat => {
            chat::run(&checkpoint, run, generation, isa, json)
        }
        AnyCheckpoint::Decoder(checkpoint) => {
            generation::run(&checkpoint, run, generation, isa, json)
        }
    }
}
