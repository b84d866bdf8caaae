//! `sweep.toml`: what to simulate.
//!
//! ```toml
//! format = 1                              # version of this schema
//! traces = ["reviews.jsonl"]              # files of `dtatrans trace`
//! plans = ["recorded", "my-plan.toml"]    # optional
//!
//! [[machine]]
//! name = "vssa-512"                       # a built-in machine or a machine file
//! set.array.rows = [4, 8, 16]             # its keys, each with the values to try
//! set.array.order = ["grouped", "arrival"]
//!
//! [[machine]]
//! name = "systolic-128"
//! ```
//!
//! Files are looked for from the folder of the sweep's file.

use std::path::{Path, PathBuf};

use dtatrans_accel::Machine;
use dtatrans_accel::machine::nearest_key;
use serde::Deserialize;

use crate::SweepError;

/// Version of the format of sweep files.
pub const FORMAT: u32 = 1;

/// What stands for the plan that a trace was recorded under.
pub const RECORDED: &str = "recorded";

/// A sweep's file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepFile {
    /// Version of the schema.
    pub format: u32,
    /// The machines.
    #[serde(default)]
    pub machine: Vec<MachineEntry>,
    /// Files of traces.
    pub traces: Vec<String>,
    /// Files of plans, or [`RECORDED`].
    #[serde(default = "recorded")]
    pub plans: Vec<String>,
    /// Where it stands.
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

/// A machine of a sweep's file, and what to change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineEntry {
    /// A built-in machine's name, or a machine file.
    pub name: String,
    /// Keys of the machine, each with the values to try.
    #[serde(default)]
    pub set: toml::Table,
}

fn recorded() -> Vec<String> {
    vec![RECORDED.to_owned()]
}

impl SweepFile {
    /// Reads a sweep's file.
    ///
    /// # Errors
    /// A [`SweepError`] that names the key at fault.
    pub fn read(path: &Path) -> Result<SweepFile, SweepError> {
        let text = read_text(path)?;
        let mut file: SweepFile = toml::from_str(&text).map_err(|error| {
            let mut reason = error.to_string().trim_end().replace('\n', "\n  ");
            if let Some(meant) = nearest_key(error.message()) {
                reason += &format!("; did you mean `{meant}`?");
            }
            SweepError::Syntax {
                file: path.into(),
                reason,
            }
        })?;
        file.path = path.into();
        if file.format != FORMAT {
            let reason = format!("is {}: this program reads format {FORMAT}", file.format);
            return Err(file.refuse("format", reason));
        }
        for (key, none) in [
            ("machine", file.machine.is_empty()),
            ("traces", file.traces.is_empty()),
            ("plans", file.plans.is_empty()),
        ] {
            if none {
                return Err(file.refuse(key, "has none".into()));
            }
        }
        Ok(file)
    }

    /// The error for a key.
    pub(crate) fn refuse(&self, key: &str, reason: String) -> SweepError {
        SweepError::Value {
            file: self.path.clone(),
            key: key.to_owned(),
            reason,
        }
    }

    /// A file that the sweep names.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        match self.path.parent() {
            Some(folder) => folder.join(name),
            None => name.into(),
        }
    }

    /// The text of a machine's file.
    pub(crate) fn machine_text(&self, name: &str) -> Result<String, SweepError> {
        if let Some(text) = Machine::builtin_toml(name) {
            return Ok(text.to_owned());
        }
        let file = self.beside(name);
        if !file.exists() {
            let names: Vec<_> = Machine::builtin_names().collect();
            let reason = format!(
                "{name}: no such file, and no built-in machine (there are: {})",
                names.join(", ")
            );
            return Err(self.refuse("machine.name", reason));
        }
        read_text(&file)
    }
}

/// The text of a file.
pub(crate) fn read_text(file: &Path) -> Result<String, SweepError> {
    let bytes = std::fs::read(file).map_err(SweepError::io(file))?;
    String::from_utf8(bytes).map_err(|error| SweepError::Syntax {
        file: file.into(),
        reason: format!("is not UTF-8: {}", error.utf8_error()),
    })
}
