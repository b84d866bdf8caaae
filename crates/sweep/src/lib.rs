//! Sweeps: machines x traces x plans, simulated on all cores into one table.
//!
//! A [`SweepFile`] says what to simulate, [`Sweep`] has it read and checked: the
//! [`Point`]s in their order, each with a key that is a hash of all that its figures
//! depend on. [`Sweep::run`] simulates what a [`Table`] lacks. The table is a CSV file
//! on disk that grows by whole rows, so that a sweep that was killed goes on where it
//! was; once it is complete it has the points in their order, and the same bytes whoever
//! computed them. [`Share`]s of a sweep are computed apart and [`merge`]d.
//!
//! Reading order: `file` (sweep.toml), `points`, `rows` (columns), `run`, `table` (on
//! disk), `merge`, `configuration` (what a Pareto plot shows). `docs/sweep.md` describes
//! the files.

mod axes;
mod configuration;
mod error;
mod file;
mod merge;
mod points;
mod rows;
mod run;
mod share;
mod table;

pub use configuration::{Configuration, configurations};
pub use error::SweepError;
pub use file::{FORMAT, MachineEntry, RECORDED, SweepFile};
pub use merge::merge;
pub use points::{Point, Sweep};
pub use rows::{COLUMNS, SCOPES};
pub use run::Outcome;
pub use share::Share;
pub use table::{Opened, Table};

/// SHA-256 of bytes, as hexadecimal digits.
fn digest(bytes: impl AsRef<[u8]>) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(bytes.as_ref());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
