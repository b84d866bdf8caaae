//! `dtatrans headline`: the paper's figures beside ours, on shapes that it names.

mod goals;
mod lengths;
mod passages;

use std::path::Path;

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{AnyCheckpoint, Checkpoint, DecoderCheckpoint};
use dtatrans_precision::{ModelShape, Plan};
use serde::Serialize;

use crate::args::{HeadlineArguments, ModelArguments, TruncationArgument};
use crate::ladder::{self, Ladder};
use crate::{model, output, precision};

use goals::{Goal, Sensitivity};
use lengths::Row;

/// Tokens of the texts that are read by the encoder, and of the prompts of the decoder.
const ENCODER_TOKENS: [usize; 3] = [128, 384, 512];
const DECODER_TOKENS: [usize; 3] = [128, 384, 992];
/// The length that goals are stated for.
const GOAL_TOKENS: usize = 384;
/// Tokens that the decoder adds to each prompt.
const NEW_TOKENS: usize = 32;

#[derive(Serialize)]
struct Headline {
    /// What the figures are of.
    note: String,
    encoder: String,
    encoder_plan: String,
    /// Mean cosine to f32 of what SpAtten prunes at equal loss, beside the plan's own.
    spatten_mean_cosine: Option<f64>,
    decoder: String,
    decoder_plan: String,
    texts: usize,
    goals: Vec<Goal>,
    sensitivity: Vec<Sensitivity>,
    rows: Vec<Row>,
    ladder: Ladder,
}

pub(crate) fn run(arguments: &HeadlineArguments, isa: Isa, json: bool) -> Result<()> {
    let AnyCheckpoint::Encoder(mut encoder) = open(&arguments.model)? else {
        bail!(
            "--model {}: is a decoder, and the attention's figures need an encoder",
            arguments.model
        );
    };
    let AnyCheckpoint::Decoder(decoder) = open(&arguments.decoder)? else {
        bail!("--decoder {}: is an encoder", arguments.decoder);
    };
    let plan = encoder_plan(arguments.plan.as_deref(), &encoder)?;
    let decoder_plan = decoder_plan(arguments.decoder_plan.as_deref(), &decoder)?;
    let pieces = passages::read(arguments.file.as_deref())?;
    let count = usize::from(arguments.texts);
    let shapes = [
        larger(ModelShape::bert_base(), encoder.shape()),
        larger(
            ModelShape::gpt2_small(),
            decoder.config.shape(&decoder.name),
        ),
    ];

    let mut rows = Vec::new();
    let mut of_goals = None;
    for tokens in ENCODER_TOKENS {
        let texts = lengths::encoder_texts(&mut encoder, &pieces, tokens, count)?;
        let (row, traced) = lengths::encoder_row(&encoder, isa, &plan, &texts, &shapes[0])?;
        rows.push(row);
        if tokens == GOAL_TOKENS {
            of_goals = Some((texts, traced));
        }
    }
    let (goal_texts, traced) = of_goals.context("the goals' length is among the lengths")?;
    let cascade = match &arguments.spatten_plan {
        Some(file) => Some(precision::plan_of(file, (&*encoder).into())?),
        // The one that ships has the loss of the other that does.
        None if arguments.plan.is_none() => precision::cascade_plan(&encoder)?,
        None => None,
    };
    let mut cascade_row = None;
    if let Some(cascade) = &cascade {
        let traced = lengths::encoder_row(&encoder, isa, cascade, &goal_texts, &shapes[0])?;
        cascade_row = Some(traced);
    }
    let runs = goals::Runs {
        plan: &traced,
        cascade: cascade_row.as_ref().map(|(_, traced)| traced),
    };
    for tokens in DECODER_TOKENS {
        let texts = lengths::decoder_texts(&decoder, &pieces, tokens, count)?;
        rows.push(lengths::decoder_row(
            &decoder,
            isa,
            &decoder_plan,
            &texts,
            &shapes[1],
        )?);
    }

    let setup = ladder::Setup {
        checkpoint: &encoder,
        isa,
        plan: &plan,
        texts: &goal_texts,
        shape: Some(&shapes[0]),
        vssa: dtatrans_accel::Machine::builtin_toml("vssa-512").unwrap_or_default(),
        settings: &[],
    };
    let ladder = ladder::climb_by_cosine(&setup)?;
    let headline = Headline {
        note: format!(
            "Shapes of {} and {}; tokens and tiers are those of {} and {} on real texts, layers mapped by relative depth.",
            shapes[0].name, shapes[1].name, encoder.name, decoder.name
        ),
        encoder: encoder.name.clone(),
        encoder_plan: plan.name.clone(),
        spatten_mean_cosine: cascade_row.as_ref().and_then(|(row, _)| row.mean_cosine),
        decoder: decoder.name.clone(),
        decoder_plan: decoder_plan.name.clone(),
        texts: count,
        goals: goals::of(&runs)?,
        sensitivity: goals::sensitivity(&runs)?,
        rows,
        ladder,
    };
    if json {
        return output::print_json(&headline);
    }
    print(&headline)
}

fn open(name: &str) -> Result<AnyCheckpoint> {
    model::open_any(&ModelArguments {
        model: name.to_owned(),
        max_length: None,
        truncation: TruncationArgument::Cut,
    })
}

fn encoder_plan(file: Option<&Path>, checkpoint: &Checkpoint) -> Result<Plan> {
    match file {
        Some(file) => precision::plan_of(file, checkpoint.into()),
        None => precision::long_plan(checkpoint),
    }
}

fn decoder_plan(file: Option<&Path>, checkpoint: &DecoderCheckpoint) -> Result<Plan> {
    match file {
        Some(file) => precision::plan_of(file, checkpoint.into()),
        None => precision::default_plan(checkpoint),
    }
}

/// The shape that a model's runs are simulated on: its own, if that is as deep as the one
/// that figures are stated for.
fn larger(wanted: ModelShape, own: ModelShape) -> ModelShape {
    match own.layers >= wanted.layers && own.hidden >= wanted.hidden {
        true => own,
        false => wanted,
    }
}

fn print(headline: &Headline) -> Result<()> {
    output::print_line(&headline.note)?;
    goals::print(&headline.goals, &headline.sensitivity)?;
    if let Some(cosine) = headline.spatten_mean_cosine {
        output::print_line(format!(
            "At equal loss, by its plan at 8 bits, SpAtten has a mean cosine to f32 of {cosine:.4} at {GOAL_TOKENS} tokens"
        ))?;
    }
    lengths::print(&headline.rows)?;
    ladder::print(&headline.ladder)
}
