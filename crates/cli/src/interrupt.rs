//! Ctrl-C and termination: nothing half-written stays behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);
static COOPERATING: AtomicBool = AtomicBool::new(false);
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Handles the signals from here on.
pub(crate) fn install() {
    // Without a handler the program still runs; it only cleans up less.
    let _ = ctrlc::set_handler(|| {
        let again = REQUESTED.swap(true, Ordering::SeqCst);
        if COOPERATING.load(Ordering::SeqCst) && !again {
            return;
        }
        if let Ok(files) = UNFINISHED.lock() {
            for file in files.iter() {
                let _ = std::fs::remove_file(file);
            }
        }
        std::process::exit(130);
    });
}

/// Whether the user asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Runs `body`, which watches the flag and cleans up itself: the first Ctrl-C
/// only raises the flag.
pub(crate) fn cooperate<R>(body: impl FnOnce(&AtomicBool) -> R) -> R {
    COOPERATING.store(true, Ordering::SeqCst);
    let result = body(&REQUESTED);
    COOPERATING.store(false, Ordering::SeqCst);
    result
}

/// A file to be removed if the program is stopped before this is dropped.
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    pub(crate) fn new(file: &Path) -> Unfinished {
        if let Ok(mut files) = UNFINISHED.lock() {
            files.insert(file.into());
        }
        Unfinished(file.into())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Ok(mut files) = UNFINISHED.lock() {
            files.remove(&self.0);
        }
    }
}
