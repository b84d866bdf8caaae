//! `dtatrans trace`: what each token got.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Context, Prompt, Settings, Watcher};
use dtatrans_model::{
    AnyCheckpoint, AttentionHead, Checkpoint, Decoder, DecoderCheckpoint, Detail, Engine, Precision,
};
use dtatrans_precision::trace::{Generation, Header, Input, KeptTokens, Move, Writer};
use dtatrans_precision::{ModelShape, Plan, Tier};
use indicatif::ProgressBar;

use crate::args::{OperandsArgument, TraceArguments};
use crate::{console, decoder, interrupt, model, output, precision, texts};

/// Inputs that run at once, so that a long list of texts needs little memory.
const CHUNK: usize = 1024;
/// Heads whose operands are held at once, each about a megabyte at 384 tokens.
const HEADS: usize = 256;

pub(crate) fn run(arguments: &TraceArguments, isa: Isa) -> Result<()> {
    match model::open_any(&arguments.run.model)? {
        AnyCheckpoint::Encoder(checkpoint) => {
            if let Some(name) = arguments.generation.given() {
                let model = &arguments.run.model.model;
                bail!("--model {model}: is an encoder, and {name} needs a decoder");
            }
            of_encoder(&checkpoint, arguments, isa)
        }
        AnyCheckpoint::Decoder(checkpoint) => {
            if !arguments.operands.is_empty() {
                let model = &arguments.run.model.model;
                bail!("--model {model}: is a decoder, and --operands needs an encoder");
            }
            of_decoder(&checkpoint, arguments, isa)
        }
    }
}

/// The heads whose operands are asked for.
fn heads(asked: &[OperandsArgument], model: &ModelShape) -> Result<Vec<AttentionHead>> {
    let mut heads = Vec::new();
    for argument in asked {
        let &OperandsArgument { layer, head } = argument;
        if layer >= model.layers {
            let last = model.layers - 1;
            bail!("--operands {argument}: the model has layers 0 to {last}");
        }
        let of_layer = match head {
            Some(head) if head >= model.heads => {
                let last = model.heads - 1;
                bail!("--operands {argument}: the model has heads 0 to {last}");
            }
            Some(head) => head..head + 1,
            None => 0..model.heads,
        };
        heads.extend(of_layer.map(|head| AttentionHead { layer, head }));
    }
    heads.sort_unstable();
    heads.dedup();
    Ok(heads)
}

fn of_encoder(checkpoint: &Checkpoint, arguments: &TraceArguments, isa: Isa) -> Result<()> {
    let heads = heads(&arguments.operands, &checkpoint.shape())?;
    let (detail, chunk_size) = match heads.len() {
        0 => (Detail::Trace, CHUNK),
        count => (Detail::Operands(&heads), HEADS.div_ceil(count)),
    };
    let arguments = &arguments.run;
    let texts = texts::read(&arguments.texts)?;
    let plan = match precision::asked(&arguments.precision, checkpoint)? {
        Some(precision) => plan_of(precision)?,
        None => precision::default_plan(checkpoint)?,
    };
    let inputs = texts::encode(checkpoint.tokenizer()?, &texts)?;
    let engine = Engine::new(checkpoint, &Precision::Plan(plan.clone()), isa)?;
    let header = Header {
        model: checkpoint.shape(),
        plan,
    };
    let bar = console::count_bar("tracing", inputs.len(), "texts");
    output::write_to(arguments.output.as_deref(), |out| {
        let mut writer = Writer::new(out, &header)?;
        for (chunk, inputs) in inputs.chunks(chunk_size).enumerate() {
            let outputs = engine.run(inputs, detail, &|done| bar.inc(done as u64))?;
            for (index, (input, result)) in inputs.iter().zip(outputs).enumerate() {
                writer.write(&Input {
                    id: (chunk * chunk_size + index).to_string(),
                    tokens: input.tokens.clone(),
                    layers: result.trace,
                    generation: None,
                })?;
            }
        }
        writer.finish()?;
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
}

fn of_decoder(checkpoint: &DecoderCheckpoint, arguments: &TraceArguments, isa: Isa) -> Result<()> {
    let TraceArguments {
        run: arguments,
        generation,
        ..
    } = arguments;
    let texts = texts::read(&arguments.texts)?;
    let (decoder, precision) = decoder::open(checkpoint, arguments, generation, isa)?;
    let header = Header {
        model: checkpoint.config.shape(&checkpoint.name),
        plan: plan_of(precision)?,
    };
    let settings = decoder::settings(checkpoint, generation);
    let prompts = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let what = || format!("text {}", index + 1);
            let ids = decoder::encode(checkpoint, text).with_context(what)?;
            if ids.len() < 2 && settings.max_new_tokens > 0 {
                bail!(
                    "text {}: has one token, and a trace needs two to go on",
                    index + 1
                );
            }
            Ok(ids)
        })
        .collect::<Result<Vec<_>>>()?;
    let bar = console::count_bar("tracing", texts.len() * settings.max_new_tokens, "tokens");
    output::write_to(arguments.output.as_deref(), |out| {
        let mut writer = Writer::new(out, &header)?;
        for (index, ids) in prompts.into_iter().enumerate() {
            let input = of_prompt(checkpoint, &decoder, &ids, &settings, &bar)?;
            bar.set_position(((index + 1) * settings.max_new_tokens) as u64);
            let id = index.to_string();
            writer.write(&Input { id, ..input })?;
        }
        writer.finish()?;
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(())
}

/// One text: all but its last token is read at once, and from there on tokens come
/// one by one.
pub(crate) fn of_prompt(
    checkpoint: &DecoderCheckpoint,
    decoder: &Decoder,
    ids: &[u32],
    settings: &Settings,
    bar: &ProgressBar,
) -> Result<Input> {
    let tokenizer = checkpoint.tokenizer()?;
    let goes_on = settings.max_new_tokens > 0;
    let (read, rest) = ids.split_at(ids.len() - usize::from(goes_on));
    let (context, layers) = decoder.read_traced(read)?;
    let mut ids = ids.to_vec();
    let mut generation = None;
    if goes_on {
        let prompts = vec![Prompt {
            context: context.clone(),
            ids: rest.to_vec(),
        }];
        let (generated, caches) = interrupt::cooperate(|cancel| {
            let mut recorder = Recorder::new(&context, bar, cancel);
            let generated = decoder.generate(tokenizer, prompts, settings, &mut recorder)?;
            anyhow::Ok((generated, recorder.caches))
        })?;
        for generated in generated {
            // The last token is not read any more.
            let seen = generated.ids.len() - generated.unread.len();
            ids.extend(&generated.ids[..seen]);
        }
        generation = Some(Generation { caches });
    }
    Ok(Input {
        id: String::new(),
        tokens: tokenizer.tokens(&ids),
        layers,
        generation,
    })
}

/// Notes what becomes of a cache with each token.
struct Recorder<'a> {
    tiers: Vec<Vec<Vec<Tier>>>,
    caches: Vec<Vec<KeptTokens>>,
    bar: &'a ProgressBar,
    cancel: &'a AtomicBool,
}

impl<'a> Recorder<'a> {
    fn new(context: &Context, bar: &'a ProgressBar, cancel: &'a AtomicBool) -> Recorder<'a> {
        let tiers = context.tiers();
        let kept = |tiers: &Vec<Tier>| KeptTokens {
            tiers: tiers.clone(),
            moves: Vec::new(),
        };
        Recorder {
            caches: tiers
                .iter()
                .map(|sets| sets.iter().map(kept).collect())
                .collect(),
            tiers,
            bar,
            cancel,
        }
    }
}

impl Watcher for Recorder<'_> {
    fn text(&mut self, _: usize, _: &str) -> bool {
        !self.cancel.load(Ordering::SeqCst)
    }

    fn context(&mut self, _: usize, context: &Context) {
        let after = context.tokens() - 1;
        let now = context.tiers();
        let before = std::mem::take(&mut self.tiers);
        let sets = self.caches.iter_mut().flatten();
        let tiers = before.iter().flatten().zip(now.iter().flatten());
        for (set, (before, now)) in sets.zip(tiers) {
            let before = before.iter().copied().chain([Tier::Eight]);
            let changes = before.zip(now).enumerate();
            set.moves.extend(
                changes
                    .filter(|(_, (before, now))| before != *now)
                    .map(|(token, (_, &to))| Move { after, token, to }),
            );
        }
        self.tiers = now;
        self.bar.inc(1);
    }
}

fn plan_of(precision: Precision) -> Result<Plan> {
    match precision {
        Precision::Plan(plan) => Ok(plan),
        Precision::F32 => bail!("--bits 32: a trace is of a run under a plan"),
    }
}
