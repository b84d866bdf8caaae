//! The table of a sweep on disk.
//!
//! A complete table is plain CSV: a line of column names, and the rows of the points in
//! their order. While it is not complete, or is a share, a line stands before it:
//!
//! ```text
//! # {"format":"dtatrans-sweep","version":1,"program":"0.1.0","sweep":"3f...","points":1000,"share":"1/3","rows_sha256":null}
//! ```
//!
//! Rows are appended whole, and are on the disk before the sweep counts them. A process
//! that is killed leaves the rows of at most one point in part, the last one's, which is
//! therefore simulated again. What changes the file otherwise is written beside it and
//! renamed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{Share, Sweep, SweepError, digest, rows};

/// Name of the file format.
const FORMAT: &str = "dtatrans-sweep";
/// Version of the file format.
const VERSION: u32 = 1;

/// The line before a table that is a share, or is not complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heading {
    format: String,
    version: u32,
    /// Version of the program that wrote it.
    pub(crate) program: String,
    /// The sweep's digest.
    pub(crate) sweep: String,
    /// Points of the whole sweep.
    pub(crate) points: usize,
    /// Which share; without one the whole.
    pub(crate) share: Option<String>,
    /// Hash of what follows, once that is complete.
    rows_sha256: Option<String>,
}

/// The text of a table, taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) heading: Option<Heading>,
    /// All rows, with what may follow of a last one.
    body: &'a str,
    complete: bool,
}

/// A table on disk that is being filled. Nobody else can fill it meanwhile.
pub struct Table {
    path: PathBuf,
    file: File,
    heading: Heading,
    share: Option<Share>,
    /// The lines of the points that it has.
    rows: BTreeMap<usize, String>,
}

/// A table as it was found.
pub enum Opened {
    /// It has all its points: its text.
    Complete(String),
    /// It lacks some, or their order.
    Open(Table),
}

impl Table {
    /// Opens the table of a sweep, or of a share of it, and begins it if there is none.
    /// Points that it has are kept. A whole table may also have been written for a
    /// smaller sweep: a sweep that has grown goes on with it.
    ///
    /// # Errors
    /// A [`SweepError`]: the file cannot be read or written, is being written by another
    /// process, or has other things than points of this sweep. It is then left as it was.
    pub fn open(
        path: &Path,
        sweep: &Sweep,
        share: Option<Share>,
        program: &str,
    ) -> Result<Opened, SweepError> {
        let mut locked = lock(path)?;
        let mut bytes = Vec::new();
        locked
            .read_to_end(&mut bytes)
            .map_err(SweepError::io(path))?;
        let heading = Heading {
            format: FORMAT.into(),
            version: VERSION,
            program: program.into(),
            sweep: sweep.digest().into(),
            points: sweep.points().len(),
            share: share.map(|share| share.to_string()),
            rows_sha256: None,
        };
        let kept = match bytes.is_empty() {
            true => BTreeMap::new(),
            false => {
                // A row that was not written whole may end within a character.
                let text = String::from_utf8_lossy(&bytes);
                let parts = Parts::of(path, &text)?;
                parts.check(path, &heading)?;
                parts.rows_of(path, sweep)?
            }
        };
        let mut table = Table {
            path: path.into(),
            file: locked,
            heading,
            share,
            rows: kept,
        };
        let (pending, text) = (table.pending(), table.text());
        if pending.is_empty() && text.as_bytes() == bytes {
            return Ok(Opened::Complete(text));
        }
        let started = table.heading.line() + &table.body();
        table.file = table.replace(&started)?;
        Ok(Opened::Open(table))
    }

    /// How many points it has.
    pub fn kept(&self) -> usize {
        self.rows.len()
    }

    /// The numbers of the points that it lacks.
    pub fn pending(&self) -> Vec<usize> {
        let share = self.share.unwrap_or(Share::WHOLE);
        let numbers = share.numbers(self.heading.points);
        numbers
            .filter(|number| !self.rows.contains_key(number))
            .collect()
    }

    /// Appends the rows of points, which are on the disk when this returns.
    pub(crate) fn append(&mut self, batch: Vec<(usize, String)>) -> Result<(), SweepError> {
        let text: String = batch.iter().map(|(_, rows)| rows.as_str()).collect();
        let written = self.file.write_all(text.as_bytes());
        written
            .and_then(|()| self.file.sync_data())
            .map_err(SweepError::io(&self.path))?;
        self.rows.extend(batch);
        Ok(())
    }

    /// Puts the points in their order, once none is lacking; gives the text of the
    /// complete table.
    ///
    /// # Errors
    /// [`SweepError::Io`].
    ///
    /// # Panics
    /// If there are points that it lacks.
    pub fn finish(self) -> Result<String, SweepError> {
        assert!(self.pending().is_empty(), "points are lacking");
        let text = self.text();
        self.replace(&text)?;
        Ok(text)
    }

    /// The names of the columns and all rows in order.
    fn body(&self) -> String {
        rows::heading() + &self.rows.values().map(String::as_str).collect::<String>()
    }

    /// The text of the complete table.
    fn text(&self) -> String {
        let body = self.body();
        match self.share {
            None => body,
            Some(_) => {
                let heading = Heading {
                    rows_sha256: Some(digest(&body)),
                    ..self.heading.clone()
                };
                heading.line() + &body
            }
        }
    }

    /// Writes the file anew and gives it, locked.
    fn replace(&self, text: &str) -> Result<File, SweepError> {
        replace(&self.path, text.as_bytes()).map_err(SweepError::io(&self.path))
    }
}

impl Heading {
    fn line(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("# {json}\n")
    }

    /// Sweep and version, for people.
    pub(crate) fn sweep_and_program(&self) -> String {
        format!("{} of dtatrans {}", self.sweep, self.program)
    }
}

impl<'a> Parts<'a> {
    /// Takes the text of a table apart.
    pub(crate) fn of(path: &Path, text: &'a str) -> Result<Parts<'a>, SweepError> {
        let refuse = |reason: &str| SweepError::Table {
            file: path.into(),
            reason: reason.into(),
        };
        let (heading, rest) = match text
            .strip_prefix("# ")
            .and_then(|text| text.split_once('\n'))
        {
            None => (None, text),
            Some((line, rest)) => {
                let heading: Heading = serde_json::from_str(line)
                    .map_err(|error| refuse(&format!("line 1: is no table of a sweep: {error}")))?;
                if heading.format != FORMAT || heading.version != VERSION {
                    let (format, version) = (&heading.format, heading.version);
                    return Err(refuse(&format!(
                        "line 1: format \"{format}\" version {version}: this program reads \"{FORMAT}\" version {VERSION}"
                    )));
                }
                (Some(heading), rest)
            }
        };
        let Some(body) = rest.strip_prefix(rows::heading().as_str()) else {
            return Err(refuse("is no table of a sweep, or one with other columns"));
        };
        let complete = match &heading {
            None => true,
            Some(heading) => match &heading.rows_sha256 {
                None => false,
                Some(hash) if *hash == digest(rest) => true,
                Some(_) => {
                    return Err(refuse(
                        "is damaged: its rows are not those that were written",
                    ));
                }
            },
        };
        Ok(Parts {
            heading,
            body,
            complete,
        })
    }

    /// Whether it has all that it is to have.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// That the table is of the share that is wanted, and of a share's own sweep.
    fn check(&self, path: &Path, wanted: &Heading) -> Result<(), SweepError> {
        let foreign = |reason: String| {
            Err(SweepError::Foreign {
                file: path.into(),
                reason,
            })
        };
        let name = |share: &Option<String>| match share {
            None => "a whole table".to_owned(),
            Some(share) => format!("share {share}"),
        };
        let found = self.heading.as_ref();
        let share = found.and_then(|heading| heading.share.clone());
        if share != wanted.share {
            let (found, wanted) = (name(&share), name(&wanted.share));
            return foreign(format!("it is {found}, and {wanted} is asked for"));
        }
        match found {
            Some(found) if share.is_some() && found.sweep != wanted.sweep => foreign(format!(
                "it has {}, and this is {}",
                found.sweep_and_program(),
                wanted.sweep_and_program()
            )),
            _ => Ok(()),
        }
    }

    /// The points and their lines. What may not be whole is left out.
    pub(crate) fn groups(&self, path: &Path) -> Result<Vec<Group<'a>>, SweepError> {
        let before = if self.heading.is_some() { 2 } else { 1 };
        let mut groups: Vec<Group> = Vec::new();
        for (index, line) in self.body.split_inclusive('\n').enumerate() {
            if !line.ends_with('\n') && !self.complete {
                break;
            }
            let number = before + index + 1;
            let Some(fields) = rows::fields(line) else {
                return Err(SweepError::Table {
                    file: path.into(),
                    reason: format!("line {number}: is no row of a sweep's table"),
                });
            };
            let identity = rows::identity_of(&fields);
            match groups.last_mut() {
                Some(last) if last.identity == identity => last.lines.push(line),
                _ => groups.push(Group {
                    identity,
                    key: fields[0].to_owned(),
                    line: number,
                    lines: vec![line],
                }),
            }
        }
        if !self.complete {
            // Whether the last point has all its rows cannot be told.
            groups.pop();
        }
        Ok(groups)
    }

    /// The lines of each point of the sweep.
    fn rows_of(&self, path: &Path, sweep: &Sweep) -> Result<BTreeMap<usize, String>, SweepError> {
        let numbers: BTreeMap<&str, usize> = sweep
            .points()
            .iter()
            .enumerate()
            .map(|(number, point)| (point.key.as_str(), number))
            .collect();
        let mut rows = BTreeMap::new();
        for group in self.groups(path)? {
            let foreign = |reason: &str| SweepError::Foreign {
                file: path.into(),
                reason: format!("line {}: point {} {reason}", group.line, group.key),
            };
            let Some(&number) = numbers.get(group.key.as_str()) else {
                return Err(foreign(
                    "is not of this one, or was computed by another version of the program",
                ));
            };
            if sweep.points()[number].identity != group.identity {
                return Err(foreign("has other names there"));
            }
            if rows.insert(number, group.lines.concat()).is_some() {
                return Err(SweepError::Table {
                    file: path.into(),
                    reason: format!(
                        "line {}: point {} stands there twice",
                        group.line, group.key
                    ),
                });
            }
        }
        Ok(rows)
    }
}

/// Lines of one point.
pub(crate) struct Group<'a> {
    /// Their first columns.
    pub(crate) identity: String,
    /// The point.
    pub(crate) key: String,
    /// Number of the first line, from 1.
    pub(crate) line: usize,
    /// The lines with their ends.
    pub(crate) lines: Vec<&'a str>,
}

/// Opens a file, or makes it, for this process alone.
fn lock(path: &Path) -> Result<File, SweepError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(SweepError::io(path))?;
    let busy = || SweepError::Busy { file: path.into() };
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => busy(),
        TryLockError::Error(source) => SweepError::io(path)(source),
    })?;
    // Another process may have renamed a new file to here in between.
    match is_at(&file, path).map_err(SweepError::io(path))? {
        true => Ok(file),
        false => Err(busy()),
    }
}

/// Whether a file is the one that stands at a path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (own, there) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> std::io::Result<bool> {
    Ok(true)
}

/// Writes a file by way of a temporary one beside it, and gives it locked, at its end.
pub(crate) fn replace(path: &Path, text: &[u8]) -> std::io::Result<File> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut temporary = NamedTempFile::with_prefix_in(".dtatrans-", folder)?;
    temporary.write_all(text)?;
    make_readable(temporary.as_file())?;
    temporary.as_file().sync_all()?;
    temporary.as_file().try_lock()?;
    Ok(temporary.persist(path)?)
}

/// Temporary files are private; results have the permissions of any new file.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> std::io::Result<()> {
    Ok(())
}
