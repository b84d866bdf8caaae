//! `dtatrans search`: the plan that costs least within a loss.

mod calibrator;
mod cost;
mod decoder;
mod report;
mod sample;
mod settings;
mod subject;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, calibration};
use dtatrans_precision::Plan;
use dtatrans_search::{Budget, Evaluation, Header, Journal, Options, Search, Space, Strategy};

use crate::args::{CostArgument, ScopeArgument, SearchArguments, TaskArgument};
use crate::{console, model, output};

use calibrator::Calibrator;
use cost::Price;
use report::{Found, Report, Validated};
use sample::Sample;
use subject::Subject;

/// Resamples of the bootstrap: few while searching, where only the standard
/// error is needed, many for the figures that are reported.
const RESAMPLES_SEARCHING: usize = 500;
const RESAMPLES_VALIDATING: usize = 10_000;

pub(crate) fn run(arguments: &SearchArguments, isa: Isa, json: bool) -> Result<()> {
    if arguments.task == Some(TaskArgument::Lm) {
        return decoder::run(arguments, isa, json);
    }
    for (option, given) in [
        ("--context", arguments.context),
        ("--score", arguments.score),
        ("--windows", arguments.windows),
    ] {
        if given.is_some() {
            bail!("{option} is for --task lm");
        }
    }
    let cost = cost_of(arguments)?;
    let scope = scope(arguments, cost)?;
    let subject = Subject::searched(arguments)?;
    let unseen = Subject::unseen(arguments)?;
    let calibration_file = arguments.out.as_deref().map(calibration_of).transpose()?;
    let checkpoint = model::open(&arguments.model)?;
    let space = settings::space(arguments, &checkpoint)?;
    let material = subject.open()?;
    // A mistake in it should not show only after hours.
    let unseen = unseen.as_ref().map(Subject::open).transpose()?;
    let fingerprint = settings::fingerprint(arguments, &subject, cost, scope, &space, &checkpoint)?;
    let study = Study {
        checkpoint: &checkpoint,
        isa,
        arguments,
        cost,
        scope,
        sample: Sample::open(&material, &checkpoint, isa)?,
    };
    let calibrator = Calibrator::open(arguments, study.sample.inputs(), &checkpoint, isa)?;

    let strategies = match arguments.compare {
        true => &Strategy::ALL[..],
        false => &Strategy::ALL[..1],
    };
    let mut found = Vec::new();
    for &strategy in strategies {
        let mut search = Search::new(space.clone(), options(arguments, strategy));
        let journal = open_journal(arguments, &mut search, &fingerprint)?;
        // Pricing may need a run of its own: not where everything is known.
        let mut price = None;
        finish(&mut search, journal, |mut plan| {
            let price = match &price {
                Some(price) => price,
                None => price.insert(study.price()?),
            };
            calibrator.fit(&mut plan)?;
            study.evaluate(price, &plan)
        })?;
        found.push(Found::of(&search));
    }
    for found in &mut found {
        if let Some(plan) = found.chosen_mut() {
            calibrator.fit_on_all(plan)?;
        }
    }

    if let Some(material) = &unseen {
        let study = Study {
            sample: Sample::open(material, &checkpoint, isa)?,
            ..study
        };
        for found in &mut found {
            if let Some(plan) = found.chosen() {
                found.validated = Some(study.validate(plan)?);
            }
        }
    }
    let about = report::About {
        model: checkpoint.name.clone(),
        objective: match arguments.task {
            Some(_) => study.sample.what().to_owned(),
            None => settings::objective(arguments),
        },
        data: subject.names(),
        items: study.sample.items(),
        cost: settings::name_of(cost),
        scope: Some(settings::name_of(scope)),
    };
    let report = Report::new(arguments, about, calibration_file.as_deref(), found);
    conclude(arguments, &report, json)
}

/// Writes and prints what was found.
fn conclude(arguments: &SearchArguments, report: &Report, json: bool) -> Result<()> {
    if let (Some(file), Some(text)) = (&arguments.out, report.plan_file()) {
        write(file, &text, report.chosen())?;
    }
    match json {
        true => output::print_json(report)?,
        false => report::print(report)?,
    }
    if report.chosen().is_none() {
        let plans = report.evaluations();
        match budget(arguments) {
            Budget::Loss(points) => bail!(
                "none of the {plans} plans stays within {points} points: the least upper estimate is {:.2}",
                report.least_upper()
            ),
            Budget::Cost(share) => bail!("none of the {plans} plans costs {share} or less"),
        }
    }
    Ok(())
}

/// The name of the calibration beside a plan's file: `my.safetensors` beside
/// `my.toml`.
fn calibration_of(plan_file: &Path) -> Result<String> {
    let file = plan_file.with_extension("safetensors");
    match file.file_name() {
        Some(name) if file != plan_file => Ok(name.to_string_lossy().into_owned()),
        _ => bail!(
            "--out {}: must be the name of a plan's file, such as my.toml",
            plan_file.display()
        ),
    }
}

/// Writes a plan, and before it the calibration that it names.
fn write(file: &Path, text: &str, plan: Option<&Plan>) -> Result<()> {
    let parameters = plan.and_then(|plan| {
        let name = plan.calibration.as_ref()?;
        Some((file.with_file_name(name), plan.parameters.as_ref()?))
    });
    if let Some((file, parameters)) = parameters {
        let bytes = calibration::to_bytes(parameters)?;
        output::write_file(&file, |out| Ok(out.write_all(&bytes)?))?;
    }
    output::write_file(file, |out| Ok(out.write_all(text.as_bytes())?))
}

fn cost_of(arguments: &SearchArguments) -> Result<CostArgument> {
    match arguments.cost.unwrap_or(CostArgument::ElementCycles) {
        CostArgument::CacheBytes => bail!("--cost cache-bytes: an encoder has no cache"),
        cost => Ok(cost),
    }
}

fn scope(arguments: &SearchArguments, cost: CostArgument) -> Result<ScopeArgument> {
    match (cost, arguments.scope) {
        (CostArgument::CpuTime, Some(ScopeArgument::Attention)) => {
            bail!("--scope attention: --cost cpu-time is that of the whole model")
        }
        (CostArgument::CpuTime, _) => Ok(ScopeArgument::Encoder),
        (_, scope) => Ok(scope.unwrap_or(ScopeArgument::Attention)),
    }
}

fn options(arguments: &SearchArguments, strategy: Strategy) -> Options {
    Options {
        strategy,
        evaluations: arguments.evaluations as usize,
        seed: arguments.seed,
        budget: budget(arguments),
        margin: arguments.margin,
    }
}

fn budget(arguments: &SearchArguments) -> Budget {
    match (arguments.budget, arguments.cost_budget) {
        (_, Some(cost)) => Budget::Cost(cost),
        (loss, None) => Budget::Loss(loss.unwrap_or(0.0)),
    }
}

/// The journal that the arguments ask for, and how many evaluations stood in it.
fn open_journal(
    arguments: &SearchArguments,
    search: &mut Search<impl Space>,
    fingerprint: &BTreeMap<String, serde_json::Value>,
) -> Result<Option<(Journal, usize)>> {
    let Some(file) = &arguments.journal else {
        return Ok(None);
    };
    let file = journal_of(file, search.options().strategy);
    let header = Header::new(search, fingerprint.clone());
    Ok(Some(Journal::open(&file, &header, search)?))
}

/// Runs a search to its end.
fn finish(
    search: &mut Search<impl Space<Point = Plan>>,
    journal: Option<(Journal, usize)>,
    mut evaluate: impl FnMut(Plan) -> Result<Evaluation>,
) -> Result<()> {
    let (mut journal, told) = match journal {
        Some((journal, told)) => (Some(journal), told),
        None => (None, 0),
    };
    let name = search.options().strategy.name();
    let bar = console::count_bar(name, search.options().evaluations, "plans");
    bar.set_position(told as u64);
    bar.reset_eta();
    while let Some(candidate) = search.ask() {
        let plan = search.space().decode(&candidate);
        let evaluation =
            evaluate(plan).with_context(|| format!("evaluation {}", search.history().len() + 1))?;
        if let Some(journal) = &mut journal {
            journal.append(&candidate, &evaluation)?;
        }
        search.tell(candidate, evaluation);
        if let Some(choice) = search.choice() {
            let cost = search.history()[choice.index].evaluation.cost;
            let loss = choice.estimate.loss;
            bar.set_message(format!("{name}: cost {cost:.3} at {loss:+.2}"));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The journal of a strategy: `s.jsonl` of the joint search goes with
/// `s.uniform.jsonl`.
fn journal_of(file: &Path, strategy: Strategy) -> PathBuf {
    if strategy == Strategy::Joint {
        return file.into();
    }
    let extension = match file.extension() {
        Some(extension) => format!("{}.{}", strategy.name(), extension.to_string_lossy()),
        None => strategy.name().into(),
    };
    file.with_extension(extension)
}

/// Texts on which plans are measured and priced.
struct Study<'a, 'm> {
    checkpoint: &'a Checkpoint,
    isa: Isa,
    arguments: &'a SearchArguments,
    cost: CostArgument,
    scope: ScopeArgument,
    sample: Sample<'m>,
}

impl Study<'_, '_> {
    fn price(&self) -> Result<Price<'_>> {
        Price::new(
            self.checkpoint,
            self.isa,
            self.sample.inputs(),
            self.cost,
            self.scope,
            (&self.arguments.machine, &self.arguments.set),
        )
    }

    fn evaluate(&self, price: &Price, plan: &Plan) -> Result<Evaluation> {
        let priced = price.of(plan)?;
        let head = &self.checkpoint.head;
        let measured = self
            .sample
            .measure(&priced.outputs, head, RESAMPLES_SEARCHING)?;
        let mut measures = priced.measures;
        measures.insert("loss_low".into(), measured.interval.0);
        measures.insert("loss_high".into(), measured.interval.1);
        Ok(Evaluation {
            loss: measured.loss,
            standard_error: measured.standard_error,
            guide: Some(measured.guide),
            cost: priced.cost,
            measures,
        })
    }

    /// What a plan loses and saves here.
    fn validate(&self, plan: &Plan) -> Result<Validated> {
        let priced = self.price()?.of(plan)?;
        let head = &self.checkpoint.head;
        let measured = self
            .sample
            .measure(&priced.outputs, head, RESAMPLES_VALIDATING)?;
        Ok(Validated::new(self.sample.items(), &measured, &priced))
    }
}
