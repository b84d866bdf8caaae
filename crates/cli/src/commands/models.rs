//! `dtatrans models`: what is built in, what is cached, and where.

use anyhow::Result;
use dtatrans_assets::Cache;
use serde::Serialize;

use crate::{console, model, output};

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    about: &'static str,
    package: String,
    download_bytes: u64,
    /// The folder, if the model is cached.
    cached: Option<String>,
    cached_bytes: u64,
}

pub(crate) fn run(json: bool) -> Result<()> {
    let cache = Cache::user()?;
    let entries: Vec<Entry> = model::models()
        .map(|asset| Entry {
            name: asset.name,
            about: asset.summary,
            package: format!("{} {} (PyPI)", asset.package.name, asset.package.version),
            download_bytes: asset.package.size_bytes,
            cached: cache.path(asset).map(|folder| folder.display().to_string()),
            cached_bytes: cache.size_bytes(asset),
        })
        .collect();
    if json {
        #[derive(Serialize)]
        struct Models {
            cache: String,
            models: Vec<Entry>,
        }
        return output::print_json(&Models {
            cache: cache.root().display().to_string(),
            models: entries,
        });
    }
    let mut table = console::text_table(&["model", "what", "from", "cached"]);
    for entry in entries {
        let cached = entry.cached.unwrap_or_else(|| {
            format!(
                "no: {} MB to fetch on first use",
                entry.download_bytes.div_ceil(1_000_000)
            )
        });
        table.add_row([entry.name, entry.about, &entry.package, &cached]);
    }
    output::print_line(table)?;
    output::print_line(format!(
        "cache folder: {} (DTATRANS_CACHE moves it)",
        cache.root().display()
    ))
}
