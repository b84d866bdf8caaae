//! `dtatrans search --task lm`: how much each layer of a decoder's cache keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision};
use dtatrans_precision::Plan;
use dtatrans_precision::cache::CachePlan;
use dtatrans_search::{CacheSpace, Evaluation, Search, Strategy};
use dtatrans_tasks::bootstrap::{self, BootstrapOptions};
use dtatrans_tasks::language::{self, Beginnings};
use serde_json::{Value, json};

use crate::args::{CostArgument, PartArgument, SearchArguments, TaskArgument};
use crate::{console, model, precision, texts};

use super::report::{About, Found, Report, Validated};
use super::settings::{name_of, variations};
use super::subject::hash_of;
use super::{RESAMPLES_SEARCHING, RESAMPLES_VALIDATING, conclude, finish, open_journal};

/// The windows that plans are measured on.
#[derive(Clone, Copy)]
struct Windows {
    /// Tokens of each that are read at once.
    context: usize,
    /// Tokens that are scored step by step.
    score: usize,
    /// The most windows.
    most: usize,
}

pub(super) fn run(arguments: &SearchArguments, isa: Isa, json: bool) -> Result<()> {
    refuse_others(arguments)?;
    let windows = Windows {
        context: arguments.context.unwrap_or(1024),
        score: arguments.score.unwrap_or(128),
        most: arguments.windows.unwrap_or(16),
    };
    let checkpoint = model::open_decoder(&arguments.model, TaskArgument::Lm)?;
    let template = template(arguments, &checkpoint)?;
    let variations = variations(&arguments.vary)?;
    let space = CacheSpace::new(&template, arguments.step, &variations)?;
    let fingerprint = fingerprint(arguments, windows, &space, &checkpoint)?;
    let part = arguments.files.part.unwrap_or(PartArgument::Choosing);
    let ids = ids_of(&arguments.files.data, part, &checkpoint)?;
    let unseen = match &arguments.validate[..] {
        [] => None,
        files => Some(ids_of(files, PartArgument::Reporting, &checkpoint)?),
    };
    let exact = Decoder::new(&checkpoint, &Precision::F32, isa)?;
    let mut bare = template;
    bare.cache = None;
    let decoder = Decoder::new(&checkpoint, &Precision::Plan(bare), isa)?;
    let caches = space.caches();
    let sample = Sample::read(windows, &decoder, &exact, &caches, &ids)?;

    let strategies = match arguments.compare {
        true => &Strategy::ALL[..],
        false => &Strategy::ALL[..1],
    };
    let mut found = Vec::new();
    for &strategy in strategies {
        let mut search = Search::new(space.clone(), super::options(arguments, strategy));
        let journal = open_journal(arguments, &mut search, &fingerprint)?;
        finish(&mut search, journal, |plan| {
            sample.evaluate(&plan, RESAMPLES_SEARCHING)
        })?;
        found.push(Found::of(&search, |candidate| space.keys(candidate)));
    }
    if let Some(ids) = &unseen {
        let sample = Sample::read(windows, &decoder, &exact, &caches, ids)?;
        for found in &mut found {
            if let Some(plan) = found.chosen() {
                let evaluation = sample.evaluate(plan, RESAMPLES_VALIDATING)?;
                found.validated = Some(Validated::of(sample.items, &evaluation));
            }
        }
    }
    let names = arguments
        .files
        .data
        .iter()
        .filter_map(|file| file.file_name());
    let names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let about = About {
        model: checkpoint.name.clone(),
        objective: format!(
            "perplexity in per cent, {} tokens read, {} scored",
            windows.context, windows.score
        ),
        data: names.join(", "),
        items: sample.items,
        cost: name_of(CostArgument::CacheBytes),
        scope: None,
    };
    let report = Report::new(arguments, about, None, found);
    conclude(arguments, &report, json)
}

/// Refuses what a decoder's search does not have.
fn refuse_others(arguments: &SearchArguments) -> Result<()> {
    if let Some(cost) = arguments.cost
        && cost != CostArgument::CacheBytes
    {
        bail!("--cost {}: for lm it must be cache-bytes", name_of(cost));
    }
    if arguments.scope.is_some() {
        bail!("--scope is not for --task lm");
    }
    if arguments.files.data.is_empty() {
        bail!("--task lm needs --data FILE");
    }
    for (name, count) in [
        ("--context", arguments.context),
        ("--score", arguments.score),
        ("--windows", arguments.windows),
    ] {
        if count == Some(0) {
            bail!("{name} 0: must be at least 1");
        }
    }
    Ok(())
}

/// The plan whose other keys are kept.
fn template(arguments: &SearchArguments, checkpoint: &DecoderCheckpoint) -> Result<Plan> {
    let layers = checkpoint.config.layers;
    let mut plan = match &arguments.base {
        None => precision::decoder_plan(layers),
        Some(file) => precision::plan_of(file, checkpoint.into())?,
    };
    plan.cache
        .get_or_insert_with(|| Arc::new(CachePlan::by_attention(layers)));
    Ok(plan)
}

fn ids_of(
    files: &[PathBuf],
    part: PartArgument,
    checkpoint: &DecoderCheckpoint,
) -> Result<Vec<u32>> {
    let text = texts::read_whole(files)?;
    let ids = checkpoint.tokenizer()?.ids(&text)?;
    Ok(texts::half(&ids, Some(part)).to_vec())
}

/// Whatever decides what an evaluation gives, by name.
fn fingerprint(
    arguments: &SearchArguments,
    windows: Windows,
    space: &CacheSpace,
    checkpoint: &DecoderCheckpoint,
) -> Result<BTreeMap<String, Value>> {
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
    let path = checkpoint.path();
    if path.is_file() {
        set("model", hash_of(path)?);
    } else {
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            set(&format!("model {name}"), hash_of(&path.join(name))?);
        }
    }
    let hashes: Vec<Value> = arguments
        .files
        .data
        .iter()
        .map(|file| hash_of(file))
        .collect::<Result<_>>()?;
    set("data", json!(hashes));
    let part = arguments.files.part.unwrap_or(PartArgument::Choosing);
    set("part", json!(name_of(part)));
    set("context", json!(windows.context));
    set("score", json!(windows.score));
    set("windows", json!(windows.most));
    set("base", serde_json::to_value(space.template())?);
    Ok(settings)
}

/// Windows whose beginnings are read, once for all plans.
struct Sample<'a> {
    decoder: &'a Decoder,
    exact: &'a Decoder,
    beginnings: Beginnings<'a>,
    /// Scored tokens.
    items: usize,
    /// Bytes of a cache of all tokens at 8 bits.
    full: f64,
}

impl<'a> Sample<'a> {
    /// Takes windows evenly from the whole text.
    fn read(
        Windows {
            context,
            score,
            most,
        }: Windows,
        decoder: &'a Decoder,
        exact: &'a Decoder,
        caches: &[Arc<CachePlan>],
        ids: &'a [u32],
    ) -> Result<Sample<'a>> {
        let length = context.saturating_add(score);
        let limit = decoder.config().context;
        if length > limit {
            bail!("windows of {length} tokens: must be at most {limit} for this model");
        }
        let all = language::windows(ids, length, None);
        if all.is_empty() {
            bail!(
                "the text has {} tokens: fewer than a window of {length}",
                ids.len()
            );
        }
        let count = all.len().min(most);
        let windows: Vec<&[u32]> = (0..count).map(|i| all[i * all.len() / count]).collect();
        let bar = console::count_bar("reading", windows.len(), "windows");
        let mut beginnings = Beginnings::none(context);
        for window in &windows {
            beginnings.add(decoder, caches, window, Some(exact))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Sample {
            decoder,
            exact,
            beginnings,
            items: windows.len() * score,
            full: decoder.full_cache(length - 1).at_8_bits as f64,
        })
    }

    fn evaluate(&self, plan: &Plan, resamples: usize) -> Result<Evaluation> {
        let cache = plan.cache.clone().context("a plan without [cache]")?;
        let scores = self
            .beginnings
            .go_on(self.decoder, &[cache], Some(self.exact), &|_| ())?;
        let scores = &scores[0];
        let options = BootstrapOptions {
            resamples,
            ..BootstrapOptions::default()
        };
        let interval = scores.against_f32(&options)?;
        let bytes = scores.mean_cache_bytes().unwrap_or(0.0);
        Ok(Evaluation {
            loss: interval.difference,
            standard_error: bootstrap::standard_error(interval.low, interval.high),
            guide: scores.mean_divergence(),
            cost: bytes / self.full,
            measures: BTreeMap::from([
                ("loss_low".to_owned(), interval.low),
                ("loss_high".to_owned(), interval.high),
            ]),
        })
    }
}
