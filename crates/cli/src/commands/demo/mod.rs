//! `dtatrans demo`: the whole flow on real text, and a report of it.

mod accuracy;
mod phases;
mod simulation;

use anyhow::Result;
use dtatrans_accel::Machine;
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision};
use dtatrans_precision::{Plan, Tier};
use dtatrans_report as report;
use dtatrans_report::{HeatMap, Report, Savings, TierShares};
use dtatrans_tasks::Work;
use dtatrans_tasks::data::movie_reviews;
use dtatrans_tasks::split::{SplitSizes, split};

use self::accuracy::Scores;
use self::phases::Phases;
use crate::args::{DemoArguments, ModelArguments, TextArguments, TruncationArgument};
use crate::traces::Traced;
use crate::{console, ladder, model, output, precision, task, texts};

/// What the default plan is called in the tables.
const PLAN_VARIANT: &str = "the plan";
/// Length of the sentence that the heat map shows, in tokens.
const HEAT_MAP_TOKENS: std::ops::RangeInclusive<usize> = 18..=26;

/// Texts that the ladder is climbed on.
const LADDER_TEXTS: usize = 64;

/// A way to run the model, and what came of it on the tested texts.
struct Variant {
    name: String,
    precision: Precision,
    /// The tested texts' outputs.
    outputs: Vec<Output>,
    texts_per_second: f64,
}

pub(crate) fn run(arguments: &DemoArguments, isa: Isa, json: bool) -> Result<()> {
    let checkpoint = model::open(&ModelArguments {
        model: "minilm".into(),
        max_length: None,
        truncation: TruncationArgument::Cut,
    })?;
    let reviews = task::movie_reviews()?;

    // The downloads are over: from here on the clock runs.
    let mut phases = Phases::new();
    let snippets = movie_reviews::read(&reviews)?;
    let sizes = SplitSizes::default();
    let split = split(&snippets, sizes)?;
    let encode = |snippets: &[&movie_reviews::Snippet]| {
        let texts: Vec<String> = snippets
            .iter()
            .map(|snippet| snippet.text.clone())
            .collect();
        texts::encode(checkpoint.tokenizer()?, &texts)
    };
    let (train, test) = (encode(&split.train)?, encode(&split.test)?);
    let labels = |snippets: &[&movie_reviews::Snippet]| -> Vec<bool> {
        snippets.iter().map(|snippet| snippet.positive()).collect()
    };
    let (train_labels, test_labels) = (labels(&split.train), labels(&split.test));
    phases.done("read and encode the snippets");

    let plan = precision::default_plan(&checkpoint)?;
    let machines = simulation::machines()?;
    let mut variants = Vec::new();
    let mut train_outputs = Vec::new();
    for (name, precision) in variant_list(&plan) {
        let engine = Engine::new(&checkpoint, &precision, isa)?;
        if precision == Precision::F32 {
            train_outputs = embed(&engine, "train", &name, &train, Detail::Value)?;
            phases.done("embed the training texts at f32");
        }
        let outputs = embed(&engine, "test", &name, &test, Detail::Trace)?;
        let seconds = phases.done(&format!("embed the tested texts, {name}"));
        variants.push(Variant {
            name,
            precision,
            outputs,
            texts_per_second: test.len() as f64 / seconds,
        });
    }

    let accuracy = Scores::new(&train_outputs, &train_labels, &test_labels)?.of(&variants)?;
    phases.done("train and test the probe");

    let traced = Traced::of(&checkpoint, &plan, &test, outputs_of(&variants, &plan));
    let simulated = simulation::run(&machines, &traced)?;
    phases.done("simulate the accelerators");
    let ladder = climb(arguments, &checkpoint, isa, &plan, &test)?;
    phases.done("climb the ladder");

    let page = Report {
        run: phases.run(&checkpoint, isa, sizes, &test),
        plan_variant: PLAN_VARIANT.into(),
        accuracy,
        tier_shares: tier_shares(&checkpoint, &plan, outputs_of(&variants, &plan)),
        savings: savings(&checkpoint, &variants),
        heat_map: heat_map(&split.test, &test, outputs_of(&variants, &plan)),
        attention: simulated.attention,
        encoder: simulated.encoder,
        over_time: simulated.over_time,
        ladder: Some(ladder),
        plan_toml: plan.to_toml(),
        notes: simulated.notes,
    };
    let html = report::render(&page);
    output::write_file(&arguments.report, |out| Ok(out.write_all(html.as_bytes())?))?;
    if json {
        return output::print_json(&page);
    }
    print(&page, arguments)
}

/// The ladder on the user's own texts, or on the first of the tested ones.
fn climb(
    arguments: &DemoArguments,
    checkpoint: &Checkpoint,
    isa: Isa,
    plan: &Plan,
    test: &[Encoding],
) -> Result<report::Ladder> {
    let (texts, of) = match &arguments.file {
        Some(file) => {
            let lines = texts::read(&TextArguments {
                texts: Vec::new(),
                file: Some(file.clone()),
            })?;
            let of = format!("the {} texts of {}", lines.len(), file.display());
            (texts::encode(checkpoint.tokenizer()?, &lines)?, of)
        }
        None => {
            let texts = &test[..test.len().min(LADDER_TEXTS)];
            (
                texts.to_vec(),
                format!("the first {} tested snippets", texts.len()),
            )
        }
    };
    let ladder = ladder::climb_by_cosine(&ladder::Setup {
        checkpoint,
        isa,
        plan,
        texts: &texts,
        shape: None,
        vssa: Machine::builtin_toml("vssa-512").unwrap_or_default(),
        settings: &[],
    })?;
    let known = |factors: &[Option<f64>]| factors.iter().map(|x| x.unwrap_or(f64::NAN)).collect();
    let rungs = ladder.rungs.into_iter().map(|rung| report::Rung {
        cause: rung.cause.to_owned(),
        machine: rung.machine,
        effective_gops: rung.attention.dense_equivalent_gops,
        speed: known(&rung.attention.speed),
        energy_gain: known(&rung.attention.energy_gain),
        accuracy: rung.accuracy,
    });
    Ok(report::Ladder {
        texts: of,
        starts: ladder.starts,
        accuracy_measure: ladder.accuracy_measure,
        rungs: rungs.collect(),
    })
}

/// The variants that are compared, f32 first.
fn variant_list(plan: &Plan) -> Vec<(String, Precision)> {
    let layers = plan.layers().len();
    let planned = |name: &str, plan: Plan| (name.to_owned(), Precision::Plan(plan));
    vec![
        ("f32".to_owned(), Precision::F32),
        planned("8 bits", Plan::dense_eight(layers)),
        planned("4 bits, no tiers", Plan::dense_four(layers)),
        planned(PLAN_VARIANT, plan.clone()),
    ]
}

fn embed(
    engine: &Engine,
    part: &str,
    name: &str,
    inputs: &[Encoding],
    detail: Detail,
) -> Result<Vec<Output>> {
    let bar = console::count_bar(&format!("{part}: {name}"), inputs.len(), "texts");
    let outputs = engine.run(inputs, detail, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    Ok(outputs)
}

/// The outputs of the variant that ran under a plan.
fn outputs_of<'a>(variants: &'a [Variant], plan: &Plan) -> &'a [Output] {
    variants
        .iter()
        .find(|variant| matches!(&variant.precision, Precision::Plan(other) if other == plan))
        .map_or(&[], |variant| &variant.outputs)
}

fn tier_shares(checkpoint: &Checkpoint, plan: &Plan, outputs: &[Output]) -> Vec<TierShares> {
    Work::of(&checkpoint.shape(), plan, outputs)
        .tier_shares
        .into_iter()
        .map(|shares| TierShares {
            eight: shares.r8,
            four: shares.r4,
            zero: shares.r0,
        })
        .collect()
}

fn savings(checkpoint: &Checkpoint, variants: &[Variant]) -> Vec<Savings> {
    variants
        .iter()
        .filter_map(|variant| {
            let Precision::Plan(plan) = &variant.precision else {
                return None;
            };
            let saved = Work::of(&checkpoint.shape(), plan, &variant.outputs).saved();
            Some(Savings {
                variant: variant.name.clone(),
                attention: saved.attention,
                encoder: saved.encoder,
            })
        })
        .collect()
}

/// The first tested text of a length that fits the page.
fn heat_map(
    snippets: &[&movie_reviews::Snippet],
    encodings: &[Encoding],
    outputs: &[Output],
) -> HeatMap {
    let index = encodings
        .iter()
        .position(|encoding| HEAT_MAP_TOKENS.contains(&encoding.len()))
        .unwrap_or(0);
    let bits = |tiers: &Vec<Tier>| tiers.iter().map(|tier| tier.bits()).collect();
    HeatMap {
        text: snippets[index].text.clone(),
        tokens: encodings[index].tokens.clone(),
        tiers: outputs[index].tiers.iter().map(bits).collect(),
        importance: outputs[index]
            .trace
            .iter()
            .map(|layer| layer.importance.clone())
            .collect(),
    }
}

fn print(page: &Report, arguments: &DemoArguments) -> Result<()> {
    let run = &page.run;
    output::print_line(format!(
        "{} on {} movie-review snippets, {} tokens; probe trained on {} others",
        run.model, run.test_texts, run.test_tokens, run.train_texts
    ))?;
    let titles = [
        "accuracy",
        "points",
        "against f32 (95 % interval)",
        "attention saved",
        "encoder saved",
        "texts/s",
    ];
    let mut table = console::table(&titles);
    for row in &page.accuracy {
        let saved = page
            .savings
            .iter()
            .find(|savings| savings.variant == row.variant);
        let percent = |share: Option<f64>| {
            share.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share))
        };
        table.add_row([
            row.variant.clone(),
            format!("{:.2}", row.accuracy),
            row.difference.map_or_else(String::new, |difference| {
                format!(
                    "{:+.2} ({:+.2} to {:+.2}{})",
                    difference.points,
                    difference.low,
                    difference.high,
                    if difference.resolved {
                        ""
                    } else {
                        ", not resolved"
                    }
                )
            }),
            percent(saved.map(|saved| saved.attention)),
            percent(saved.map(|saved| saved.encoder)),
            format!("{:.0}", row.texts_per_second),
        ]);
    }
    output::print_line(table)?;
    let mut table = console::table(&["tokens by tier", "8 bits", "4 bits", "0 bits"]);
    for (layer, shares) in page.tier_shares.iter().enumerate() {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        table.add_row([
            format!("layer {layer}"),
            percent(shares.eight),
            percent(shares.four),
            percent(shares.zero),
        ]);
    }
    output::print_line(table)?;
    for (name, simulation) in [("attention", &page.attention), ("encoder", &page.encoder)] {
        let first = simulation
            .machines
            .first()
            .map_or("", |machine| machine.name.as_str());
        let faster = format!("{first} is faster");
        let thriftier = "and uses less energy";
        let titles = [
            name,
            "cycles",
            "energy, mJ",
            "effective GOP/s",
            &faster,
            thriftier,
        ];
        let mut table = console::table(&titles);
        for machine in &simulation.machines {
            let times =
                |gain: Option<f64>| gain.map_or_else(String::new, |gain| format!("{gain:.2} x"));
            table.add_row([
                format!("{} ({})", machine.name, machine.multipliers),
                machine.cycles.to_string(),
                format!("{:.3}", machine.energy_uj / 1e3),
                format!("{:.0}", machine.effective_gops),
                times(machine.first_speedup),
                times(machine.first_energy_gain),
            ]);
        }
        output::print_line(table)?;
    }
    for note in &page.notes {
        output::print_line(note)?;
    }
    let seconds: f64 = run.phases.iter().map(|phase| phase.seconds).sum();
    output::print_line(format!(
        "report: {} ({seconds:.0} s in all)",
        arguments.report.display()
    ))
}
