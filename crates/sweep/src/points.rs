//! The points of a sweep: everything read and checked before the first one runs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use dtatrans_accel::Machine;
use dtatrans_accel::machine::Setting;
use dtatrans_precision::Plan;
use dtatrans_precision::trace::{Header, Input, Reader};

use crate::file::read_text;
use crate::{RECORDED, SweepError, SweepFile, axes, digest, rows};

/// The most points of a sweep.
pub(crate) const MOST_POINTS: usize = 1 << 20;

/// Digits of a key or of a sweep's digest: 64 bits.
const DIGITS: usize = 16;

/// A sweep whose files are read: what is simulated, in the order of its table.
pub struct Sweep {
    file: SweepFile,
    machines: Vec<MachineChoice>,
    recordings: Vec<Recording>,
    points: Vec<Point>,
    digest: String,
}

/// A machine with its settings.
struct MachineChoice {
    /// As the sweep's file names it.
    name: String,
    settings: Vec<Setting>,
    text: String,
    /// All that the file and the settings say.
    resolved: String,
}

/// A trace under a plan.
pub(crate) struct Recording {
    /// The trace, as the sweep's file names it.
    pub(crate) trace: String,
    /// The plan, as the sweep's file names it.
    pub(crate) plan: String,
    /// Where the tiers come from.
    pub(crate) tiers: &'static str,
    pub(crate) header: Header,
    pub(crate) inputs: Vec<Input>,
    /// For each input the first one whose tiers are the same, itself or an earlier one.
    pub(crate) alike: Vec<usize>,
    /// All that figures depend on.
    content: String,
}

/// A machine on a trace under a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// A hash of all that its figures depend on: the machine's content, the trace's, the
    /// plan's, and the version of the program.
    pub key: String,
    /// The row's first columns, as they stand in the table.
    pub(crate) identity: String,
    machine: usize,
    recording: usize,
}

impl Sweep {
    /// Reads all that a sweep's file names. `program` is the version of the program,
    /// which is part of each key.
    ///
    /// # Errors
    /// A [`SweepError`] that names the file and the key at fault.
    pub fn open(path: &Path, program: &str) -> Result<Sweep, SweepError> {
        let file = SweepFile::read(path)?;
        let machines = machines(&file)?;
        let recordings = recordings(&file)?;
        if machines.len().saturating_mul(recordings.len()) > MOST_POINTS {
            let reason = format!("{} x {} points", machines.len(), recordings.len());
            return Err(file.refuse("machine", format!("{reason}: at most {MOST_POINTS}")));
        }
        let mut points = Vec::new();
        for (machine, choice) in machines.iter().enumerate() {
            for (recording, recorded) in recordings.iter().enumerate() {
                let content = [
                    "dtatrans-sweep",
                    program,
                    &choice.resolved,
                    &recorded.content,
                ]
                .join("\0");
                let key = digest(content)[..DIGITS].to_owned();
                let settings = axes::label(&choice.settings);
                let identity = rows::line([
                    key.as_str(),
                    &choice.name,
                    &settings,
                    &recorded.trace,
                    &recorded.plan,
                ]);
                points.push(Point {
                    key,
                    identity,
                    machine,
                    recording,
                });
            }
        }
        let mut sweep = Sweep {
            digest: of_identities(points.iter().map(|point| point.identity.as_str())),
            file,
            machines,
            recordings,
            points,
        };
        sweep.file.path = path.into();
        sweep.check_keys()?;
        Ok(sweep)
    }

    fn check_keys(&self) -> Result<(), SweepError> {
        let mut known = BTreeMap::new();
        for (number, point) in self.points.iter().enumerate() {
            if let Some(first) = known.insert(&point.key, number) {
                return Err(SweepError::Twice {
                    file: self.file.path.clone(),
                    one: self.describe(first),
                    other: self.describe(number),
                });
            }
        }
        Ok(())
    }

    /// The points, in the order of the table: by machine, its settings, trace and plan.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// What tells this sweep from others: a hash of its points with their names.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A point in words.
    pub(crate) fn describe(&self, number: usize) -> String {
        let point = &self.points[number];
        let choice = &self.machines[point.machine];
        let recording = self.recording(point);
        format!(
            "{} on {} under {}",
            choice.describe(),
            recording.trace,
            recording.plan
        )
    }

    pub(crate) fn recording(&self, point: &Point) -> &Recording {
        &self.recordings[point.recording]
    }

    /// Which machine a point runs on.
    pub(crate) fn machine_number(&self, number: usize) -> usize {
        self.points[number].machine
    }

    /// That machine.
    pub(crate) fn machine(&self, machine: usize) -> Result<Machine, SweepError> {
        self.machines[machine].build(&self.file)
    }
}

impl MachineChoice {
    fn describe(&self) -> String {
        match self.settings.as_slice() {
            [] => self.name.clone(),
            settings => format!("{}, {}", self.name, axes::label(settings)),
        }
    }

    fn build(&self, file: &SweepFile) -> Result<Machine, SweepError> {
        Machine::from_toml_with(&self.text, &self.settings).map_err(|source| SweepError::Machine {
            file: file.path.clone(),
            machine: self.describe(),
            source,
        })
    }
}

/// A hash of the rows' first columns.
pub(crate) fn of_identities<'a>(identities: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = identities.collect();
    digest(all.join("\n"))[..DIGITS].to_owned()
}

/// A name from a sweep's file that stands in the rows of its table.
fn check_name(file: &SweepFile, key: &str, name: &str) -> Result<(), SweepError> {
    match name.is_empty() || name.chars().any(char::is_control) {
        true => Err(file.refuse(key, format!("{name:?}: is no name of a file"))),
        false => Ok(()),
    }
}

fn machines(file: &SweepFile) -> Result<Vec<MachineChoice>, SweepError> {
    let mut choices = Vec::new();
    for entry in &file.machine {
        check_name(file, "machine.name", &entry.name)?;
        let text = file.machine_text(&entry.name)?;
        let combinations = axes::combinations(&entry.set)
            .map_err(|(key, reason)| file.refuse(&format!("machine.set.{key}"), reason))?;
        for settings in combinations {
            let mut choice = MachineChoice {
                name: entry.name.clone(),
                settings,
                text: text.clone(),
                resolved: String::new(),
            };
            choice.build(file)?;
            let label = axes::label(&choice.settings);
            check_name(file, "machine.set", &format!("{} {label}", choice.name))?;
            choice.resolved = Machine::resolve(&text, &choice.settings).map_err(|source| {
                SweepError::Machine {
                    file: file.path.clone(),
                    machine: choice.describe(),
                    source,
                }
            })?;
            choices.push(choice);
        }
    }
    Ok(choices)
}

fn recordings(file: &SweepFile) -> Result<Vec<Recording>, SweepError> {
    let mut plans = Vec::new();
    for name in &file.plans {
        check_name(file, "plans", name)?;
        plans.push(match name.as_str() {
            RECORDED => None,
            name => {
                let path = file.beside(name);
                let plan = Plan::from_toml(&read_text(&path)?)
                    .map_err(|source| SweepError::Plan { file: path, source })?;
                Some(plan)
            }
        });
    }
    let mut recordings = Vec::new();
    for trace in &file.traces {
        check_name(file, "traces", trace)?;
        let (header, inputs, hash) = read_trace(&file.beside(trace))?;
        for (name, plan) in file.plans.iter().zip(&plans) {
            recordings.push(match plan {
                None => Recording {
                    trace: trace.clone(),
                    plan: name.clone(),
                    tiers: "recorded",
                    header: header.clone(),
                    alike: alike(&inputs),
                    inputs: inputs.clone(),
                    content: [hash.as_str(), RECORDED].join("\0"),
                },
                Some(plan) => {
                    let inputs: Vec<Input> = inputs
                        .iter()
                        .map(|input| input.replanned(&header, plan))
                        .collect::<Result<_, _>>()
                        .map_err(|source| SweepError::Replan {
                            plan: name.clone(),
                            trace: trace.clone(),
                            source,
                        })?;
                    Recording {
                        trace: trace.clone(),
                        plan: name.clone(),
                        tiers: "from_importance",
                        alike: alike(&inputs),
                        inputs,
                        header: Header {
                            model: header.model.clone(),
                            plan: plan.clone(),
                        },
                        content: [hash.as_str(), &plan.to_toml()].join("\0"),
                    }
                }
            });
        }
    }
    Ok(recordings)
}

/// A trace's header, its inputs without their texts, and the hash of its file.
fn read_trace(file: &Path) -> Result<(Header, Vec<Input>, String), SweepError> {
    let bytes = std::fs::read(file).map_err(SweepError::io(file))?;
    let refuse = |source| SweepError::Trace {
        file: file.into(),
        source,
    };
    let mut reader = Reader::new(bytes.as_slice()).map_err(refuse)?;
    let header = reader.header().clone();
    let mut inputs = Vec::new();
    while let Some(mut input) = reader.read().map_err(refuse)? {
        // Only how many there are matters from here on.
        input.tokens.fill(String::new());
        for layer in &mut input.layers {
            layer.operands = Vec::new();
        }
        inputs.push(input);
    }
    match inputs.is_empty() {
        true => Err(SweepError::EmptyTrace { file: file.into() }),
        false => Ok((header, inputs, digest(&bytes))),
    }
}

/// For each input the first one whose tiers are the same: all that most machines look at.
/// Of inputs that were generated each is its own.
fn alike(inputs: &[Input]) -> Vec<usize> {
    let mut first = HashMap::new();
    let first_of = |(number, input): (usize, &Input)| match input.generation {
        Some(_) => number,
        None => *first.entry(input.tiers()).or_insert(number),
    };
    inputs.iter().enumerate().map(first_of).collect()
}
