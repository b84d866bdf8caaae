//! The place where one fetch builds an asset before it is renamed into the cache.
//!
//! `CACHE/staging/KIND/NAME/` holds a file `lock` and one folder `run-*` per fetch. Whoever holds
//! the lock is the only fetcher of that asset, so any other `run-*` folder was left by a process
//! that died, and is removed. The lock belongs to the open file: the system releases it when a
//! process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::progress::{Monitor, Step};
use crate::{Asset, Error, Result};

/// How often a waiting process looks whether the lock is free.
const LOCK_POLL: Duration = Duration::from_millis(50);
const RUN_PREFIX: &str = "run-";

/// A fetch's own folder; removed when dropped, with whatever is in it.
pub(crate) struct Staging {
    run: PathBuf,
    /// Held (where the file system can lock at all) until the folder is gone.
    _lock: File,
}

impl Staging {
    /// Waits for the asset's lock, clears what dead runs left, and makes a fresh folder.
    pub(crate) fn enter(root: &Path, asset: &Asset, monitor: &mut Monitor<'_>) -> Result<Staging> {
        let parent = root
            .join("staging")
            .join(asset.kind.folder())
            .join(asset.name);
        fs::create_dir_all(&parent).map_err(|e| Error::writing(&parent, e))?;
        let lock_path = parent.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|e| Error::writing(&lock_path, e))?;
        if wait_for(&lock, asset, monitor)? {
            remove_stale_runs(&parent);
        }
        let run = tempfile::Builder::new()
            .prefix(RUN_PREFIX)
            .tempdir_in(&parent)
            .map_err(|e| Error::writing(&parent, e))?
            .keep();
        Ok(Staging { run, _lock: lock })
    }

    /// The folder, empty at first.
    pub(crate) fn path(&self) -> &Path {
        &self.run
    }

    /// Makes a folder inside.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.run.join(name);
        fs::create_dir(&path).map_err(|e| Error::writing(&path, e))?;
        Ok(path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        remove_tree(&self.run);
    }
}

/// Takes the lock; false where the file system has no locks (some network mounts). There, two
/// fetches may run side by side, each in its own folder, and the rename decides.
fn wait_for(lock: &File, asset: &Asset, monitor: &mut Monitor<'_>) -> Result<bool> {
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {
                monitor.report(Step::Waiting, 0, asset.package.size_bytes)?;
                thread::sleep(LOCK_POLL);
            }
            Err(TryLockError::Error(_)) => return Ok(false),
        }
    }
}

/// What cannot be removed now is tried again by the next fetch, so failures are not reported.
fn remove_stale_runs(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(RUN_PREFIX) {
            remove_tree(&entry.path());
        }
    }
}

/// Removes a folder. A child process of a killed pip may still be writing into it for a moment, and
/// so a few attempts are made.
fn remove_tree(path: &Path) {
    for _ in 0..5 {
        if fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
