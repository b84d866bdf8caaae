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
    match model::open_any(&arguments.run.model)? {
        AnyCheckpoint::Encoder(checkpoint) => {
            let dialogue = arguments.dialogue.given();
            if let Some(name) = dialogue.or(arguments.generation.given()) {
                let model = &arguments.run.model.model;
                bail!("--model {model}: is an encoder, and {name} needs a decoder");
            }
            texts::run(&checkpoint, &arguments.run, isa, json)
        }
        AnyCheckpoint::Decoder(checkpoint) if arguments.dialogue.chat => {
            chat::run(&checkpoint, arguments, isa, json)
        }
        AnyCheckpoint::Decoder(checkpoint) => generation::run(&checkpoint, arguments, isa, json),
    }
}
