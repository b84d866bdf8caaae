//! The journal: every evaluation on disk before the next one begins.
//!
//! A journal is a JSON Lines file. The first line is the [`Header`], each other
//! line one evaluation:
//!
//! ```json
//! {"format":"dtatrans-search","version":2,"settings":{...},"options":{...},"genes":[...]}
//! {"candidate":[1,0,3],"loss":0.4,"standard_error":0.2,"guide":0.003,"cost":0.31}
//! ```
//!
//! Each line is on the disk before the search goes on. A process that is killed
//! leaves at most one line without an end, which is dropped when the journal is
//! opened again; the search then goes on and ends with the same bytes as one
//! that was never stopped, if its evaluations do not depend on time. A journal
//! of other settings is refused by the first setting that differs.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Candidate, Evaluation, Gene, JournalError, Options, Search, Space};

/// Name of the file format.
pub const FORMAT: &str = "dtatrans-search";
/// Version of the file format. A change of what a search asks for raises it
/// too.
pub const VERSION: u32 = 3;

/// The first line of a journal: all that decides what is evaluated, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    format: String,
    version: u32,
    /// What the caller's evaluations depend on, such as the model's and the
    /// data's sizes and hashes, by name.
    pub settings: BTreeMap<String, Value>,
    /// How the search runs.
    pub options: Options,
    /// What it chooses from.
    pub genes: Vec<Gene>,
}

impl Header {
    /// The header of a search whose evaluations depend on these settings.
    pub fn new<S: Space>(search: &Search<S>, settings: BTreeMap<String, Value>) -> Header {
        Header {
            format: FORMAT.into(),
            version: VERSION,
            settings,
            options: search.options().clone(),
            genes: search.space().genes().to_vec(),
        }
    }

    /// The first field that differs, with its values in `self` and in `other`.
    fn difference(&self, other: &Header) -> Option<(String, String, String)> {
        let fields = |header: &Header| -> BTreeMap<String, Value> {
            let mut fields = header.settings.clone();
            let value = serde_json::to_value(header).expect("a header is plain data");
            let entries = |name: &str| value[name].as_object().cloned().unwrap_or_default();
            fields.extend(entries("options"));
            for index in 0..header.genes.len() {
                fields.insert(format!("gene {index}"), value["genes"][index].clone());
            }
            fields
        };
        let (own, their) = (fields(self), fields(other));
        let names = own.keys().chain(their.keys());
        let name = names
            .into_iter()
            .find(|name| own.get(*name) != their.get(*name))?;
        let show = |value: Option<&Value>| value.map_or("absent".into(), Value::to_string);
        Some((name.clone(), show(own.get(name)), show(their.get(name))))
    }
}

/// An evaluation as it stands in its line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    candidate: Candidate,
    loss: f64,
    standard_error: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guide: Option<f64>,
    cost: f64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    measures: BTreeMap<String, f64>,
}

/// An open journal, to which evaluations are appended.
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens a journal, or begins it if there is none, and tells the search what
    /// stands in it. Gives the number of evaluations that did.
    ///
    /// # Errors
    /// A [`JournalError`]: the file cannot be read or written, is being written
    /// by another process, is of another search, or holds what is no evaluation
    /// of this one. It is then left as it was.
    pub fn open<S: Space>(
        path: &Path,
        header: &Header,
        search: &mut Search<S>,
    ) -> Result<(Journal, usize), JournalError> {
        let io = |source| JournalError::Io {
            file: path.into(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::Busy { file: path.into() },
            TryLockError::Error(source) => io(source),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        if whole == 0 && !torn_header(&bytes) {
            return Err(JournalError::Line {
                file: path.into(),
                line: 1,
                reason: "is no header of a journal".into(),
            });
        }
        let told = read(path, &bytes[..whole], header, search)?;
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut journal = Journal {
            path: path.into(),
            file,
        };
        if whole == 0 {
            journal.write(header)?;
        }
        Ok((journal, told))
    }

    /// Appends an evaluation; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn append(
        &mut self,
        candidate: &Candidate,
        evaluation: &Evaluation,
    ) -> Result<(), JournalError> {
        let evaluation = evaluation.clone();
        self.write(&Line {
            candidate: candidate.clone(),
            loss: evaluation.loss,
            standard_error: evaluation.standard_error,
            guide: evaluation.guide,
            cost: evaluation.cost,
            measures: evaluation.measures,
        })
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let mut text = serde_json::to_vec(line).expect("plain data");
        text.push(b'\n');
        let written = self.file.write_all(&text);
        written
            .and_then(|()| self.file.sync_data())
            .map_err(|source| JournalError::Io {
                file: self.path.clone(),
                source,
            })
    }
}

/// Whether the bytes are the beginning of a header, or nothing.
fn torn_header(bytes: &[u8]) -> bool {
    let start = format!("{{\"format\":\"{FORMAT}\"");
    let shared = bytes.len().min(start.len());
    bytes[..shared] == start.as_bytes()[..shared]
}

/// Tells the search what stands in whole lines; gives how many evaluations.
fn read<S: Space>(
    path: &Path,
    bytes: &[u8],
    header: &Header,
    search: &mut Search<S>,
) -> Result<usize, JournalError> {
    let refuse = |line: usize, reason: String| JournalError::Line {
        file: path.into(),
        line,
        reason,
    };
    let mut told = 0;
    for (index, text) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        if index == 0 {
            check_header(path, text, header)?;
            continue;
        }
        let line: Line =
            serde_json::from_slice(text).map_err(|error| refuse(number, error.to_string()))?;
        if !search.takes(&line.candidate) {
            let reason = "candidate: does not fit the space, or is there twice".into();
            return Err(refuse(number, reason));
        }
        if told == search.options().evaluations {
            return Err(refuse(number, "more evaluations than `evaluations`".into()));
        }
        let evaluation = Evaluation {
            loss: line.loss,
            standard_error: line.standard_error,
            guide: line.guide,
            cost: line.cost,
            measures: line.measures,
        };
        if let Some(field) = evaluation.fault() {
            return Err(refuse(number, format!("{field}: must be a finite number")));
        }
        search.tell(line.candidate, evaluation);
        told += 1;
    }
    Ok(told)
}

fn check_header(path: &Path, text: &[u8], wanted: &Header) -> Result<(), JournalError> {
    let refuse = |reason: String| JournalError::Line {
        file: path.into(),
        line: 1,
        reason,
    };
    let value: Value = serde_json::from_slice(text).map_err(|error| refuse(error.to_string()))?;
    let (format, version) = (&value["format"], &value["version"]);
    if format != FORMAT || version != VERSION {
        return Err(refuse(format!(
            "format {format} version {version}: this program reads \"{FORMAT}\" version {VERSION}"
        )));
    }
    let found: Header = serde_json::from_value(value).map_err(|error| refuse(error.to_string()))?;
    match found.difference(wanted) {
        None => Ok(()),
        Some((field, found, wanted)) => Err(JournalError::Differs {
            file: path.into(),
            field,
            found,
            wanted,
        }),
    }
}
