//! What can go wrong between a name and a folder of checked files.

use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an asset could not be fetched, checked or found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No built-in asset has this name.
    #[error("unknown asset '{name}' (known: {})", known.join(", "))]
    UnknownAsset {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<&'static str>,
    },
    /// Neither an override nor a home folder says where the cache is.
    #[error("no cache folder: set DTATRANS_CACHE, or HOME")]
    NoCacheFolder,
    /// The cache folder cannot be made or written.
    #[error("cannot write to the cache folder {}: {source}", path.display())]
    CacheNotWritable {
        /// The folder or file that could not be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The disk (or the user's quota) is full.
    #[error("no space left on the disk that holds {}", path.display())]
    DiskFull {
        /// The file being written.
        path: PathBuf,
    },
    /// Reading or writing failed in some other way.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The Python interpreter is not there.
    #[error(
        "cannot run '{}' ({source}): install Python 3, or set DTATRANS_PYTHON to an interpreter",
        python.display()
    )]
    PythonMissing {
        /// The interpreter that was tried.
        python: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The interpreter has no pip.
    #[error(
        "'{}' has no pip: install it, or set DTATRANS_PYTHON to an interpreter that has it",
        python.display()
    )]
    PipMissing {
        /// The interpreter that was tried.
        python: PathBuf,
    },
    /// pip reported a failure.
    #[error("pip could not download {requirement} ({status}):\n{stderr_tail}")]
    PipFailed {
        /// `name==version`.
        requirement: String,
        /// pip's exit status.
        status: String,
        /// The last lines that pip wrote to its standard error.
        stderr_tail: String,
    },
    /// The package index cannot be reached.
    #[error(
        "cannot download {requirement}: the package index cannot be reached \
         (offline, or blocked by a firewall or proxy)"
    )]
    Offline {
        /// `name==version`.
        requirement: String,
        /// The last lines that pip wrote to its standard error.
        stderr_tail: String,
    },
    /// A file is not the one that the catalogue pins.
    #[error("{what} is not the expected file: expected sha256 {expected}, got {got}")]
    HashMismatch {
        /// The file: a path, or an archive's name.
        what: String,
        /// The pinned SHA-256.
        expected: String,
        /// The SHA-256 found.
        got: String,
    },
    /// The archive lacks a file that the catalogue wants.
    #[error("{archive} has no member '{member}'")]
    MemberMissing {
        /// The archive's file name.
        archive: String,
        /// The name looked for.
        member: String,
    },
    /// The archive cannot be read as a wheel or source distribution.
    #[error("{archive} cannot be unpacked: {reason}")]
    BadArchive {
        /// The archive's file name.
        archive: String,
        /// What the reader met.
        reason: String,
    },
    /// The asset is not in the cache, or not completely.
    #[error("'{name}' is not in the cache {}", root.display())]
    NotCached {
        /// The asset's name.
        name: String,
        /// The cache folder.
        root: PathBuf,
    },
    /// The caller asked to stop; nothing unfinished was left behind.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Classifies a failed write below the cache folder.
    pub(crate) fn writing(path: &Path, source: io::Error) -> Error {
        use io::ErrorKind as E;
        let path = path.to_owned();
        match source.kind() {
            E::StorageFull | E::QuotaExceeded => Error::DiskFull { path },
            E::PermissionDenied
            | E::ReadOnlyFilesystem
            | E::NotADirectory
            | E::AlreadyExists
            | E::NotFound => Error::CacheNotWritable { path, source },
            _ => Error::Io { path, source },
        }
    }

    /// Wraps a failed read.
    pub(crate) fn reading(path: &Path, source: io::Error) -> Error {
        Error::Io {
            path: path.to_owned(),
            source,
        }
    }
}
