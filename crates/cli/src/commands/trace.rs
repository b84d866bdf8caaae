//! `dtatrans trace`: what each token got.

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Detail, Engine, Precision};
use dtatrans_precision::trace::{Header, Input, Writer};

use crate::args::RunArguments;
use crate::{console, model, output, precision, texts};

/// Inputs that run at once, so that a long list of texts needs little memory.
const CHUNK: usize = 1024;

pub(crate) fn run(arguments: &RunArguments, isa: Isa) -> Result<()> {
    let texts = texts::read(&arguments.texts)?;
    let checkpoint = model::open(&arguments.model)?;
    let plan = match precision::asked(&arguments.precision, &checkpoint)? {
        Some(Precision::Plan(plan)) => plan,
        Some(Precision::F32) => bail!("--bits 32: a trace is of a run under a plan"),
        None => precision::default_plan(&checkpoint)?,
    };
    let inputs = texts::encode(checkpoint.tokenizer()?, &texts)?;
    let engine = Engine::new(&checkpoint, &Precision::Plan(plan.clone()), isa)?;
    let header = Header {
        model: checkpoint.shape(),
        plan,
    };
    let bar = console::count_bar("tracing", inputs.len(), "texts");
    output::write_to(arguments.output.as_deref(), |out| {
        let mut writer = Writer::new(out, &header)?;
        for (chunk, inputs) in inputs.chunks(CHUNK).enumerate() {
            let outputs = engine.run(inputs, Detail::Trace, &|done| bar.inc(done as u64))?;
            for (index, (input, result)) in inputs.iter().zip(outputs).enumerate() {
                writer.write(&Input {
                    id: (chunk * CHUNK + index).to_string(),
                    tokens: input.tokens.clone(),
                    layers: result.trace,
                })?;
            }
        }
        writer.finish()?;
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
}
