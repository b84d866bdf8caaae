//! One file per command.

mod calibrate;
mod compare;
mod demo;
mod eval;
mod generate;
mod headline;
mod models;
mod run;
mod search;
mod simulate;
mod sweep;
mod trace;

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;

use crate::args::{Arguments, Command};

/// Runs the command that the user gave.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .build_global()?;
    }
    let json = arguments.json;
    let isa = isa(arguments.isa.as_deref())?;
    match &arguments.command {
        Command::Demo(arguments) => demo::run(arguments, isa, json),
        Command::Run(arguments) => run::run(arguments, isa, json),
        Command::Eval(arguments) => eval::run(arguments, isa, json),
        Command::Calibrate(arguments) => calibrate::run(arguments, isa, json),
        Command::Trace(arguments) => trace::run(arguments, isa),
        Command::Simulate(arguments) => simulate::run(arguments, json),
        Command::Headline(arguments) => headline::run(arguments, isa, json),
        Command::Sweep(arguments) => sweep::run(arguments, json),
        Command::Merge(arguments) => sweep::merge(arguments, json),
        Command::Compare(arguments) => compare::run(arguments, json),
        Command::Search(arguments) => search::run(arguments, isa, json),
        Command::Models => models::run(json),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { folder } => generate::manual(folder),
    }
}

fn isa(name: Option<&str>) -> Result<Isa> {
    let Some(name) = name else {
        return Ok(Isa::best());
    };
    match Isa::named(name) {
        Some(isa) => Ok(isa),
        None => {
            let names: Vec<_> = Isa::available().iter().map(|isa| isa.name()).collect();
            bail!("--isa {name}: this processor has {}", names.join(", "))
        }
    }
}
