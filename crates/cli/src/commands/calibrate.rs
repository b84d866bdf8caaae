//! `dtatrans calibrate`: the parameters that a plan needs of a model.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Engine, calibration};
use dtatrans_precision::Plan;
use dtatrans_tasks::Part;
use serde::Serialize;

use crate::args::CalibrateArguments;
use crate::{console, model, output, task, texts};

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    bytes: usize,
    texts: usize,
    tokens: usize,
}

pub(crate) fn run(arguments: &CalibrateArguments, isa: Isa, json: bool) -> Result<()> {
    let what = || format!("--plan {}", arguments.plan.display());
    let text = std::fs::read_to_string(&arguments.plan).with_context(what)?;
    let plan = Plan::from_toml(&text).with_context(what)?;
    if !plan.needs_calibration() {
        bail!("{}: needs no calibration", what());
    }
    let file = match (&arguments.output, &plan.calibration) {
        (Some(file), _) => file.clone(),
        (None, Some(name)) => arguments.plan.with_file_name(name),
        (None, None) => bail!(
            "{}: has no key `calibration`: name a file with --output",
            what()
        ),
    };
    let checkpoint = model::open(&arguments.model)?;
    let inputs = match arguments.task {
        Some(task) => {
            let source = task::source_of("calibrate", task, &arguments.task_files, Part::Choosing)?;
            let task = source.open()?;
            let prepared = task.prepare(checkpoint.tokenizer()?, &checkpoint.head)?;
            texts::warn_of_cuts(checkpoint.tokenizer()?, prepared.inputs());
            prepared.inputs().to_vec()
        }
        None => {
            task::refuse_files("calibrate", &arguments.task_files);
            let texts = texts::read(&arguments.texts)?;
            texts::encode(checkpoint.tokenizer()?, &texts)?
        }
    };
    let bar = console::count_bar("calibrating", 0, "steps");
    let calibration = Engine::calibrate(&checkpoint, &plan, &inputs, isa, &|steps| {
        bar.set_length(steps as u64);
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let bytes = calibration::to_bytes(&calibration)?;
    output::write_file(&file, |out| Ok(out.write_all(&bytes)?))?;
    let report = Report {
        bytes: bytes.len(),
        texts: inputs.len(),
        tokens: inputs.iter().map(|input| input.len()).sum(),
        file,
    };
    if json {
        return output::print_json(&report);
    }
    output::print_line(format!(
        "{}: {} bytes, from {} texts of {} tokens together",
        report.file.display(),
        report.bytes,
        report.texts,
        report.tokens
    ))
}
