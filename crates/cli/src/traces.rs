//! Traces: of a run just made, or read from files or standard input, on another model's
//! shape if one was asked for.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail};
use dtatrans_accel::{Machine, RunReport};
use dtatrans_model::{Checkpoint, Encoding, Output};
use dtatrans_precision::trace::{Header, Input, Reader};
use dtatrans_precision::{ModelShape, Plan};
use indicatif::ProgressBar;

use crate::console;
use crate::machines::Sums;

/// A trace in memory.
pub(crate) struct Traced {
    pub(crate) header: Header,
    pub(crate) inputs: Vec<Input>,
}

impl Traced {
    /// The trace of a run of an encoder on texts, made with [`Detail::Trace`].
    ///
    /// [`Detail::Trace`]: dtatrans_model::Detail::Trace
    pub(crate) fn of(
        checkpoint: &Checkpoint,
        plan: &Plan,
        texts: &[Encoding],
        outputs: &[Output],
    ) -> Traced {
        let inputs = texts.iter().zip(outputs).enumerate();
        let inputs = inputs.map(|(index, (text, output))| Input {
            id: index.to_string(),
            tokens: text.tokens.clone(),
            layers: output.trace.clone(),
            generation: None,
        });
        Traced {
            header: Header {
                model: checkpoint.shape(),
                plan: plan.clone(),
            },
            inputs: inputs.collect(),
        }
    }

    /// The same on another shape.
    pub(crate) fn on_shape(&self, shape: &ModelShape) -> Traced {
        let inputs = self.inputs.iter().map(|input| input.on_shape(shape));
        Traced {
            header: self.header.on_shape(shape),
            inputs: inputs.collect(),
        }
    }

    /// What a machine says of the first `inputs` inputs together.
    pub(crate) fn simulate(&self, machine: Machine, inputs: usize) -> Result<RunReport> {
        let machines = [machine];
        let mut sums = Sums::new(&machines);
        for input in self.inputs.iter().take(inputs) {
            sums.add(&self.header, input)?;
        }
        sums.finish().pop().context("a trace without inputs")
    }
}

/// A trace that is read input by input.
pub(crate) struct Trace {
    name: String,
    header: Header,
    /// The shape that inputs are mapped to.
    shape: Option<ModelShape>,
    remark: Option<String>,
    reader: Reader<Box<dyn BufRead>>,
    bar: ProgressBar,
}

impl Trace {
    /// Reads the header of a file, or of standard input if it is called `-`; `shapes` are
    /// those to map it to, the one of its own kind if there are several.
    pub(crate) fn open(file: &Path, shapes: &[ModelShape]) -> Result<Trace> {
        let name = file.display().to_string();
        let what = || name.clone();
        let (from, length): (Box<dyn BufRead>, u64) = if file.as_os_str() == "-" {
            (Box::new(BufReader::new(std::io::stdin())), 0)
        } else {
            let handle = File::open(file).with_context(what)?;
            let length = handle.metadata().with_context(what)?.len();
            (Box::new(BufReader::new(handle)), length)
        };
        let bar = console::byte_bar("simulating", length);
        let from: Box<dyn BufRead> = Box::new(BufReader::new(bar.wrap_read(from)));
        let reader = Reader::new(from).with_context(what)?;
        let own = reader.header();
        let shape = match shapes {
            [] => None,
            [one] => Some(one),
            several => {
                let causal = own.model.causal;
                let found = several.iter().find(|shape| shape.causal == causal);
                let kind = if causal { "decoder" } else { "encoder" };
                let none = || format!("{name}: --shape: none of those given is a {kind}'s");
                Some(found.with_context(none)?)
            }
        };
        let (header, remark) = match shape {
            None => (own.clone(), None),
            Some(shape) => {
                let remark = format!(
                    "tiers of {}'s run, mapped by relative depth",
                    own.model.name
                );
                (own.on_shape(shape), Some(remark))
            }
        };
        Ok(Trace {
            name,
            header,
            shape: shape.cloned(),
            remark,
            reader,
            bar,
        })
    }

    /// The file, as it was given.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The header, of the shape that was asked for.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Where the tiers come from, if not from a run of this model.
    pub(crate) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// The next input, on the shape that was asked for; `None` behind the last.
    pub(crate) fn read(&mut self) -> Result<Option<Input>> {
        let input = self.reader.read().with_context(|| self.name.clone())?;
        let (Some(input), Some(shape)) = (&input, &self.shape) else {
            return Ok(input);
        };
        if input.generation.is_some() && !shape.causal {
            bail!(
                "{}: --shape {}: is an encoder's, and tokens of input `{}` came one by one",
                self.name,
                shape.name,
                input.id
            );
        }
        Ok(Some(input.on_shape(shape)))
    }

    /// Ends what is shown of the progress.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
