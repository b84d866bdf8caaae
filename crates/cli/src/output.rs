//! Where results go: standard output, or a file that is complete or absent.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use dtatrans_tasks::bootstrap::Interval;
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::interrupt::Unfinished;

/// Writes a file by way of a temporary one beside it.
pub(crate) fn write_file(
    file: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let what = || format!("cannot write {}", file.display());
    let temporary = NamedTempFile::with_prefix_in(".dtatrans-", folder).with_context(what)?;
    let unfinished = Unfinished::new(temporary.path());
    let mut writer = BufWriter::new(&temporary);
    fill(&mut writer)?;
    writer.flush().with_context(what)?;
    drop(writer);
    make_readable(&temporary).with_context(what)?;
    temporary.persist(file).with_context(what)?;
    drop(unfinished);
    Ok(())
}

/// Writes to the file, or to standard output if there is none.
pub(crate) fn write_to(
    file: Option<&Path>,
    fill: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    match file {
        Some(file) => write_file(file, fill),
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            fill(&mut out)?;
            Ok(out.flush()?)
        }
    }
}

/// Prints one JSON object on one line.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    write_json_line(&mut out, value)
}

/// Writes one JSON object on one line.
pub(crate) fn write_json_line(out: &mut dyn Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Prints a line of text.
pub(crate) fn print_line(text: impl std::fmt::Display) -> Result<()> {
    writeln!(anstream::stdout(), "{text}")?;
    Ok(())
}

/// A difference with its interval: `+0.13 % (-0.43 to +0.65, not resolved)`.
pub(crate) fn interval(interval: &Interval, decimals: usize, unit: &str) -> String {
    let number = |value: f64| format!("{value:+.decimals$}");
    let resolved = match interval.resolved {
        true => "",
        false => ", not resolved",
    };
    format!(
        "{}{unit} ({} to {}{resolved})",
        number(interval.difference),
        number(interval.low),
        number(interval.high)
    )
}

/// Whether an error comes from a reader that has gone away.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Temporary files are private; results have the permissions of any new file.
#[cfg(unix)]
fn make_readable(file: &NamedTempFile) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &NamedTempFile) -> io::Result<()> {
    Ok(())
}
