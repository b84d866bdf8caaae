//! What the tests of the program share.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::AtomicBool;

use assert_cmd::Command;
use dtatrans_assets::{Asset, Cache};

pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtatrans"));
    command.args(arguments);
    command
}

pub fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exit code and standard error of a call that must fail and print nothing
/// to standard output.
pub fn failure(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    (output.status.code().unwrap(), errors)
}

/// Makes sure that all-MiniLM-L6-v2 is cached; says so loudly where it cannot be
/// had.
pub fn has_minilm() -> bool {
    let cancel = AtomicBool::new(false);
    let found =
        Asset::find("minilm").and_then(|asset| Cache::user()?.ensure(asset, &mut |_| {}, &cancel));
    if let Err(error) = &found {
        eprintln!("SKIPPED: all-MiniLM-L6-v2 cannot be had: {error}");
    }
    found.is_ok()
}

/// A checkpoint of the model crate's tests.
pub fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/data")
        .join(name)
}

/// A plan or a machine of the repository.
pub fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    path.to_str().unwrap().to_owned()
}
