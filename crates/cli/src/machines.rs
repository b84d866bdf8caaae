//! From `--machine` to simulated machines, and traces run on them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use dtatrans_accel::machine::Setting;
use dtatrans_accel::{Machine, RunReport};
use dtatrans_precision::trace::{Header, Input};

use crate::texts;
/// The machine of a built-in name or of a machine file, with changes to it.
pub(crate) fn open(name: &str, settings: &[Setting]) -> Result<Machine> {
    let what = || format!("--machine {name}");
    if let Some(text) = Machine::builtin_toml(name) {
        return Machine::from_toml_with(text, settings).with_context(what);
    }
    let file = Path::new(name);
    if !file.exists() {
        let names: Vec<_> = Machine::builtin_names().collect();
        bail!(
            "--machine {name}: no such file, and no built-in machine (there are: {})",
            names.join(", ")
        );
    }
    let text = texts::read_utf8(file).with_context(what)?;
    Machine::from_toml_with(&text, settings).with_context(what)
}

/// The machines of these names or files, or all that are built in if there are none.
pub(crate) fn open_all(names: &[String], settings: &[Setting]) -> Result<Vec<Machine>> {
    match names {
        [] => Machine::builtin_names()
            .map(|name| open(name, settings))
            .collect(),
        names => names.iter().map(|name| open(name, settings)).collect(),
    }
}

/// The sums of many inputs' reports, one per machine.
pub(crate) struct Sums<'a> {
    machines: &'a [Machine],
    sums: Vec<Option<RunReport>>,
}

impl<'a> Sums<'a> {
    pub(crate) fn new(machines: &'a [Machine]) -> Sums<'a> {
        Sums {
            machines,
            sums: vec![None; machines.len()],
        }
    }

    /// Runs an input on every machine.
    pub(crate) fn add(&mut self, header: &Header, input: &Input) -> Result<()> {
        for (machine, sum) in self.machines.iter().zip(&mut self.sums) {
            let report = machine.simulate(header, input)?;
            match sum {
                Some(sum) => sum.add(&report)?,
                None => *sum = Some(report),
            }
        }
        Ok(())
    }

    /// The sums; empty if no input was added.
    pub(crate) fn finish(self) -> Vec<RunReport> {
        self.sums.into_iter().flatten().collect()
    }
}
