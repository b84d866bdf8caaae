//! Writes what fuzzing begins with: small files that are right.
//!
//!     seeds CORPUS    writes CORPUS/TARGET/NAME

use std::fs;
use std::path::Path;

use dtatrans_accel::Machine;
use dtatrans_precision::trace::{Generation, Head, Header, Input, KeptTokens, Layer, Move, Writer};
use dtatrans_precision::{ModelShape, Plan, Tier};

#[allow(dead_code)]
#[path = "../../crates/model/tests/support/gguf.rs"]
mod gguf;
#[allow(dead_code)]
#[path = "../../crates/model/tests/support/plans.rs"]
mod plans;
#[allow(dead_code)]
#[path = "../../crates/model/tests/support/tiny_llama.rs"]
mod tiny_llama;

fn main() {
    let corpus = std::env::args().nth(1).expect("usage: seeds CORPUS");
    let write = |target: &str, name: &str, bytes: Vec<u8>| {
        let folder = Path::new(&corpus).join(target);
        fs::create_dir_all(&folder).expect("a writable folder");
        fs::write(folder.join(name), bytes).expect("a writable folder");
    };
    write("gguf", "tiny", tiny_llama::gguf().bytes());
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for file in files(&own.join("plans")).chain(files(&own.join("studies/plans/stsb"))) {
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let name = file
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned();
            write("plan", &name, fs::read(&file).expect("a plan"));
        }
    }
    for file in files(&own.join("studies/plans/smollm2")) {
        let name = file
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        write(
            "plan",
            &format!("smollm2-{name}"),
            fs::read(&file).expect("a plan"),
        );
    }
    for name in Machine::builtin_names() {
        let text = Machine::builtin_toml(name).expect("is built in");
        write("machine", name, text.into());
    }
    write("trace", "generation", trace());
    let head = own.join("rtl/cosim/tests/data/head.jsonl");
    write("trace", "operands", fs::read(head).expect("a trace"));
}

fn files(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// Two tokens read at once and two behind them.
fn trace() -> Vec<u8> {
    let model = ModelShape {
        layers: 2,
        hidden: 16,
        heads: 4,
        key_value_heads: 2,
        head_dim: 4,
        intermediate: 32,
        gated: true,
        rotary: true,
        causal: true,
        ..ModelShape::bert_base()
    };
    let head = Head {
        magnitude: 0.5,
        unsure_queries: 1,
    };
    let layer = Layer {
        tiers: vec![Tier::Eight, Tier::Four],
        importance: vec![0.5, 0.25],
        heads: vec![head; model.heads],
        operands: Vec::new(),
    };
    let moved = Move {
        after: 2,
        token: 0,
        to: Tier::Four,
    };
    let set = KeptTokens {
        tiers: vec![Tier::Eight, Tier::Zero],
        moves: vec![moved],
    };
    let input = Input {
        id: "0".into(),
        tokens: ["a", "b", "c", "d"].map(String::from).to_vec(),
        layers: vec![layer; model.layers],
        generation: Some(Generation {
            caches: vec![vec![set.clone()], vec![set; 2]],
        }),
    };
    let plan = Plan::dense_eight(model.layers);
    let mut writer = Writer::new(Vec::new(), &Header { model, plan }).expect("memory");
    writer.write(&input).expect("memory");
    writer.finish().expect("memory")
}
