//! `dtatrans search --task lm`: how much each layer of a decoder's cache keeps, or
//! which tiers the tokens of a text get that is read at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Decoder, DecoderCheckpoint, Precision};
use dtatrans_precision::Plan;
use dtatrans_precision::cache::CachePlan;
use dtatrans_search::{CacheSpace, Evaluation, PlanSpace, Search, Space, Strategy};
use dtatrans_tasks::Work;
use dtatrans_tasks::bootstrap::{self, BootstrapOptions};
use dtatrans_tasks::language::{self, Beginnings};
use serde_json::{Value, json};

use crate::args::{CostArgument, PartArgument, ScopeArgument, SearchArguments, TaskArgument};
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
    let cost = arguments.cost.unwrap_or(CostArgument::CacheBytes);
    let fingerprint = fingerprint(arguments, windows, &template, &checkpoint)?;
    let part = arguments.files.part.unwrap_or(PartArgument::Choosing);
    let ids = ids_of(&arguments.files.data, part, &checkpoint)?;
    let unseen = match &arguments.validate[..] {
        [] => None,
        files => Some(ids_of(files, PartArgument::Reporting, &checkpoint)?),
    };
    let exact = Decoder::new(&checkpoint, &Precision::F32, isa)?;
    let study = Study {
        checkpoint: &checkpoint,
        isa,
        exact: &exact,
        windows,
        scope: match cost {
            CostArgument::CacheBytes => None,
            _ => Some(arguments.scope.unwrap_or(ScopeArgument::Attention)),
        },
    };
    let variations = variations(&arguments.vary)?;
    let ids = (&ids[..], unseen.as_deref());
    let (found, items) = match study.scope {
        None => {
            let space = CacheSpace::new(&template, arguments.step, &variations)?;
            let caches = space.caches();
            let first = study.decoder(&template)?;
            study.search(arguments, &space, (&first, &caches), ids, &fingerprint)?
        }
        Some(_) => {
            let space = PlanSpace::new(&template, arguments.step, &variations)?;
            let caches = template.cache.iter().cloned().collect::<Vec<_>>();
            let first = study.decoder(&template)?;
            study.search(arguments, &space, (&first, &caches), ids, &fingerprint)?
        }
    };
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
        items,
        cost: name_of(cost),
        scope: study.scope.map(name_of),
    };
    let report = Report::new(arguments, about, None, found);
    conclude(arguments, &report, json)
}

/// Refuses what a decoder's search does not have.
fn refuse_others(arguments: &SearchArguments) -> Result<()> {
    match arguments.cost {
        None | Some(CostArgument::CacheBytes) if arguments.scope.is_some() => {
            bail!("--scope is not for --cost cache-bytes");
        }
        None | Some(CostArgument::CacheBytes | CostArgument::ElementCycles) => {}
        Some(cost) => bail!(
            "--cost {}: for lm it must be cache-bytes or element-cycles",
            name_of(cost)
        ),
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
    template: &Plan,
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
    if let Some(cost) = arguments.cost {
        let scope = arguments.scope.map(name_of);
        set("cost", json!([name_of(cost), scope]));
    }
    set("base", serde_json::to_value(template)?);
    Ok(settings)
}

/// What plans are measured with.
struct Study<'a> {
    checkpoint: &'a DecoderCheckpoint,
    isa: Isa,
    exact: &'a Decoder,
    windows: Windows,
    /// Where plans differ in how texts are read: the products whose element-cycles are
    /// the cost. Else they differ in their caches, whose bytes are.
    scope: Option<ScopeArgument>,
}

/// Windows whose beginnings are read, once for all caches.
struct Sample<'a> {
    beginnings: Beginnings<'a>,
    /// Scored tokens.
    items: usize,
    /// Bytes of a cache of all tokens at 8 bits.
    full: f64,
}

impl Study<'_> {
    /// Lets every strategy that is asked for choose, on the first tokens of `ids`, and
    /// measures the choices on the others; gives the number of scored tokens too.
    fn search(
        &self,
        arguments: &SearchArguments,
        space: &(impl Space<Point = Plan> + Clone),
        (first, caches): (&Decoder, &[Arc<CachePlan>]),
        (ids, unseen): (&[u32], Option<&[u32]>),
        fingerprint: &BTreeMap<String, Value>,
    ) -> Result<(Vec<Found>, usize)> {
        let sample = self.read(first, caches, ids)?;
        let strategies = match arguments.compare {
            true => &Strategy::ALL[..],
            false => &Strategy::ALL[..1],
        };
        let mut all = Vec::new();
        for &strategy in strategies {
            let mut search = Search::new(space.clone(), super::options(arguments, strategy));
            let journal = open_journal(arguments, &mut search, fingerprint)?;
            finish(&mut search, journal, |plan| {
                self.evaluate(first, &sample, &plan, RESAMPLES_SEARCHING)
            })?;
            all.push(Found::of(&search));
        }
        if let Some(unseen) = unseen {
            let sample = self.read(first, caches, unseen)?;
            for found in &mut all {
                if let Some(plan) = found.chosen() {
                    let evaluation = self.evaluate(first, &sample, plan, RESAMPLES_VALIDATING)?;
                    found.validated = Some(Validated::of(sample.items, &evaluation));
                }
            }
        }
        Ok((all, sample.items))
    }

    /// A decoder that reads as the plan says.
    fn decoder(&self, plan: &Plan) -> Result<Decoder> {
        let mut bare = plan.clone();
        bare.cache = None;
        let precision = Precision::Plan(bare);
        Ok(Decoder::new(self.checkpoint, &precision, self.isa)?)
    }

    /// Takes windows evenly from the whole text.
    fn read<'a>(
        &self,
        decoder: &Decoder,
        caches: &[Arc<CachePlan>],
        ids: &'a [u32],
    ) -> Result<Sample<'a>> {
        let Windows {
            context,
            score,
            most,
        } = self.windows;
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
            beginnings.add(decoder, caches, window, Some(self.exact))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Sample {
            beginnings,
            items: windows.len() * score,
            full: decoder.full_cache(length - 1).at_8_bits as f64,
        })
    }

    /// What a plan loses and costs; `first` has read the sample.
    fn evaluate(
        &self,
        first: &Decoder,
        sample: &Sample,
        plan: &Plan,
        resamples: usize,
    ) -> Result<Evaluation> {
        let cache = plan.cache.clone().context("a plan without [cache]")?;
        let exact = Some(self.exact);
        let mut measures = BTreeMap::new();
        let (scores, work) = match self.scope {
            None => {
                let beginnings = &sample.beginnings;
                (beginnings.go_on(first, &[cache], exact, &|_| ())?, None)
            }
            Some(scope) => {
                let decoder = self.decoder(plan)?;
                let caches = [cache];
                let beginnings = sample.beginnings.again(&decoder, &caches)?;
                let shape = self.checkpoint.config.shape(&self.checkpoint.name);
                let saved = Work::of_tiers(&shape, plan, beginnings.tiers()).saved();
                measures.insert("attention_saved".to_owned(), saved.attention);
                measures.insert("encoder_saved".to_owned(), saved.encoder);
                let saved = match scope {
                    ScopeArgument::Attention => saved.attention,
                    ScopeArgument::Encoder => saved.encoder,
                };
                let scores = beginnings.go_on(&decoder, &caches, exact, &|_| ())?;
                (scores, Some(1.0 - saved))
            }
        };
        let scores = &scores[0];
        let options = BootstrapOptions {
            resamples,
            ..BootstrapOptions::default()
        };
        let interval = scores.against_f32(&options)?;
        measures.insert("loss_low".to_owned(), interval.low);
        measures.insert("loss_high".to_owned(), interval.high);
        let bytes = scores.mean_cache_bytes().unwrap_or(0.0);
        Ok(Evaluation {
            loss: interval.difference,
            standard_error: bootstrap::standard_error(interval.low, interval.high),
            guide: scores.mean_divergence(),
            cost: work.unwrap_or(bytes / sample.full),
            measures,
        })
    }
}
