//! The ladder: from a published accelerator to the variable-speed array, one cause a
//! rung, on real texts.
//!
//! Rungs differ in the machine, in the plan, or in both. Arrays of all rungs but the
//! first have the same clock, buffer, bandwidth and vector unit, and as much to multiply
//! with. What a rung costs in accuracy is measured: the model runs under each plan.

use anyhow::{Context, Result};
use dtatrans_accel::machine::{PlainFeed, Setting};
use dtatrans_accel::{Machine, RunReport, ScopeReport};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision};
use dtatrans_precision::plan::{ProbabilityBits, ProtectedBits};
use dtatrans_precision::{ModelShape, Plan, Ratio, compensation};
use dtatrans_tasks::task::cosine;
use serde::Serialize;

use crate::traces::Traced;
use crate::{console, machines, output};

/// What rungs share.
pub(crate) struct Setup<'a> {
    pub(crate) checkpoint: &'a Checkpoint,
    pub(crate) isa: Isa,
    pub(crate) plan: &'a Plan,
    pub(crate) texts: &'a [Encoding],
    /// The shape that the runs are simulated on, if not the model's own.
    pub(crate) shape: Option<&'a ModelShape>,
    /// The file of the variable-speed machine, and changes to it.
    pub(crate) vssa: &'a str,
    pub(crate) settings: &'a [Setting],
}

/// How accurate outputs are, given those at f32: higher is better.
pub(crate) type Accuracy<'a> = &'a dyn Fn(&[Output]) -> Result<f64>;

/// A ladder.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ladder {
    /// The machines that it starts from.
    pub(crate) starts: Vec<String>,
    /// What `accuracy` is.
    pub(crate) accuracy_measure: String,
    pub(crate) rungs: Vec<Rung>,
}

/// A rung.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Rung {
    /// What is new.
    pub(crate) cause: &'static str,
    pub(crate) machine: String,
    pub(crate) plan: String,
    pub(crate) accuracy: f64,
    pub(crate) attention: Height,
    /// Where the machine runs all products.
    pub(crate) encoder: Option<Height>,
}

/// How high a rung is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Height {
    pub(crate) time_us: f64,
    pub(crate) energy_uj: f64,
    pub(crate) energy_on_chip_uj: f64,
    /// Operations of the dense model over the time.
    pub(crate) dense_equivalent_gops: f64,
    /// Operations that were executed over the time.
    pub(crate) executed_gops: f64,
    /// By start: how many times as fast; where the start has this scope.
    pub(crate) speed: Vec<Option<f64>>,
    /// By start: by what factor less energy, DRAM included, and on the chip.
    pub(crate) energy_gain: Vec<Option<f64>>,
    pub(crate) energy_gain_on_chip: Vec<Option<f64>>,
}

impl Height {
    fn new(scope: &ScopeReport, starts: &[Option<&ScopeReport>]) -> Height {
        let over = |of: &dyn Fn(&ScopeReport) -> f64| -> Vec<Option<f64>> {
            starts
                .iter()
                .map(|start| Some(of((*start)?) / of(scope)))
                .collect()
        };
        Height {
            time_us: scope.time_us(),
            energy_uj: scope.energy.total_pj() / 1e6,
            energy_on_chip_uj: scope.energy.on_chip_pj() / 1e6,
            dense_equivalent_gops: scope.effective_gops(),
            executed_gops: 2e-3 * scope.macs_executed as f64 / scope.time_us(),
            speed: over(&ScopeReport::time_us),
            energy_gain: over(&|scope| scope.energy.total_pj()),
            energy_gain_on_chip: over(&|scope| scope.energy.on_chip_pj()),
        }
    }
}

/// Its multipliers have 12 bits; the model runs at 8, as which they come from DRAM.
const SPATTEN: &str = "spatten-eighth";

/// The machines that ladders start from, the baselines at the array's clock and
/// bandwidth: machine, cause, the runs whose accuracy and whose trace count.
const STARTS: [(&str, &str, Variant, Variant); 2] = [
    // 16 bits lose nothing that can be measured here.
    (
        "eyeriss-1ghz",
        "dense, 16 bits, row-stationary",
        Variant::Float,
        Variant::Eight,
    ),
    (
        SPATTEN,
        "12 bits, pruned by its own schedule",
        Variant::Schedule,
        Variant::Schedule,
    ),
];

/// How the model runs on a rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Float,
    Eight,
    /// What SpAtten prunes by the schedule of its machine file.
    Schedule,
    /// The plan's 0-bit tokens are left out; all others have 8 bits.
    LeftOut,
    /// The plan's tiers, without compensation.
    Tiers,
    Four,
    /// The tiers filled up to whole tiles, without compensation.
    Promoted,
    Plan,
}

/// The rungs between the starts and the top: cause, plan, machine.
const RUNGS: [(&str, Variant, Array); 8] = [
    (
        "8 bits, plain array",
        Variant::Eight,
        Array::Plain(8, PlainFeed::Dense),
    ),
    (
        "0-bit tokens left out",
        Variant::LeftOut,
        Array::Plain(8, PlainFeed::Tiers),
    ),
    (
        "4-bit tokens, plain array",
        Variant::Tiers,
        Array::Plain(8, PlainFeed::Tiers),
    ),
    (
        "all tokens at 4 bits, plain 4-bit array",
        Variant::Four,
        Array::Plain(4, PlainFeed::Tiers),
    ),
    (
        "tiers, variable speed, arrival order",
        Variant::Tiers,
        Array::Vssa("arrival"),
    ),
    ("grouped by bits", Variant::Tiers, Array::Vssa("grouped")),
    (
        "promoted to whole tiles",
        Variant::Promoted,
        Array::Vssa("grouped"),
    ),
    (
        "compensated: the plan",
        Variant::Plan,
        Array::Vssa("grouped"),
    ),
];

#[derive(Clone, Copy, Debug)]
enum Array {
    Plain(u64, PlainFeed),
    Vssa(&'static str),
}

impl Array {
    fn machine(self, setup: &Setup) -> Result<Machine> {
        Ok(match self {
            Array::Plain(bits, feed) => {
                Machine::plain_counterpart(setup.vssa, setup.settings, bits, feed)?
            }
            Array::Vssa(order) => {
                let mut settings = setup.settings.to_vec();
                settings.push(format!("array.order={order}").parse()?);
                Machine::from_toml_with(setup.vssa, &settings)?
            }
        })
    }
}

/// Rows of a tile of the variable-speed machine.
fn tile_rows(setup: &Setup) -> Result<usize> {
    let machine = Machine::from_toml_with(setup.vssa, setup.settings)?;
    let rows = machine.tile_rows();
    Ok(rows.context("the ladder's top is a machine of kind \"vssa\"")? as usize)
}

/// A plan without compensation: 0-bit tokens are carried through the layer as they are.
fn uncompensated(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.compensation = &compensation::Carry;
    for layer in 0..plan.layers().len() {
        plan.set_compensation_at(layer, &compensation::Carry);
    }
    plan.name = "its tiers without compensation".into();
    plan
}

impl Variant {
    fn precision(self, setup: &Setup) -> Result<Precision> {
        let layers = setup.plan.layers().len();
        Ok(Precision::Plan(match self {
            Variant::Float => return Ok(Precision::F32),
            Variant::Eight => Plan::dense_eight(layers),
            Variant::Schedule => machines::open(SPATTEN, &[])?
                .own_plan(layers)
                .context("SpAtten prunes by a schedule of its own")?,
            Variant::LeftOut => {
                let ratio =
                    |ratio: &Ratio| Ratio::from_shares(ratio.r8() + ratio.r4(), 0.0, ratio.r0());
                let ratios = setup
                    .plan
                    .layers()
                    .iter()
                    .map(ratio)
                    .collect::<Result<_, _>>()?;
                let mut plan = uncompensated(setup.plan).with_ratios(ratios)?;
                plan.protected_bits = ProtectedBits::Eight;
                plan.probability_bits = ProbabilityBits::Tier;
                plan.name = "its 0-bit tokens left out, 8 bits".into();
                plan
            }
            Variant::Tiers => uncompensated(setup.plan),
            Variant::Four => {
                let mut plan = Plan::dense_four(layers);
                plan.group = setup.plan.group;
                plan.balance = setup.plan.balance;
                plan
            }
            Variant::Promoted => {
                let mut plan = uncompensated(setup.plan);
                plan.round_to = tile_rows(setup)?;
                plan.name = "its tiers, promoted, without compensation".into();
                plan
            }
            Variant::Plan => setup.plan.clone(),
        }))
    }
}

/// What came of running the model.
struct Ran {
    variant: Variant,
    name: String,
    accuracy: f64,
    /// None at f32.
    trace: Option<Traced>,
}

/// Climbs the ladder. `measure` says what `accuracy` is.
pub(crate) fn climb(setup: &Setup, measure: &str, accuracy: Accuracy) -> Result<Ladder> {
    let mut ran: Vec<Ran> = Vec::new();
    let starts = STARTS.into_iter();
    let starts = starts.flat_map(|(_, _, accuracy, trace)| [accuracy, trace]);
    let needed = starts.chain(RUNGS.map(|(_, variant, _)| variant));
    let mut seen = Vec::new();
    for variant in needed {
        if !seen.contains(&variant) {
            seen.push(variant);
            ran.push(run(setup, variant, accuracy)?);
        }
    }
    let of = |variant: Variant| {
        let found = ran.iter().find(|ran| ran.variant == variant);
        found.expect("every variant of a rung was run")
    };

    let mut rows: Vec<(&'static str, &Ran, RunReport)> = Vec::new();
    let steps = STARTS.len() + RUNGS.len();
    let bar = console::count_bar("climbing the ladder", steps, "rungs");
    for (name, cause, accuracy, trace) in STARTS {
        let report = simulate(machines::open(name, &[])?, of(trace))?;
        rows.push((cause, of(accuracy), report));
        bar.inc(1);
    }
    for (cause, variant, array) in RUNGS {
        let ran = of(variant);
        rows.push((cause, ran, simulate(array.machine(setup)?, ran)?));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let starts = &rows[..STARTS.len()];
    let attention: Vec<_> = starts.iter().map(|row| Some(&row.2.attention)).collect();
    let encoder: Vec<_> = starts.iter().map(|row| row.2.encoder.as_ref()).collect();
    let rung = |(cause, ran, report): &(&'static str, &Ran, RunReport)| Rung {
        cause,
        machine: report.machine.clone(),
        plan: ran.name.clone(),
        accuracy: ran.accuracy,
        attention: Height::new(&report.attention, &attention),
        encoder: (report.encoder.as_ref()).map(|scope| Height::new(scope, &encoder)),
    };
    Ok(Ladder {
        starts: STARTS.map(|(name, ..)| name.to_owned()).to_vec(),
        accuracy_measure: measure.to_owned(),
        rungs: rows.iter().map(rung).collect(),
    })
}

fn run(setup: &Setup, variant: Variant, accuracy: Accuracy) -> Result<Ran> {
    let precision = variant.precision(setup)?;
    let name = crate::precision::name(&precision);
    let engine = Engine::new(setup.checkpoint, &precision, setup.isa)?;
    let bar = console::count_bar(&name, setup.texts.len(), "texts");
    let outputs = engine.run(setup.texts, Detail::Trace, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    let accuracy = accuracy(&outputs)?;
    let Precision::Plan(plan) = precision else {
        return Ok(Ran {
            variant,
            name,
            accuracy,
            trace: None,
        });
    };
    let trace = Traced::of(setup.checkpoint, &plan, setup.texts, &outputs);
    let trace = match setup.shape {
        Some(shape) => trace.on_shape(shape),
        None => trace,
    };
    Ok(Ran {
        variant,
        name,
        accuracy,
        trace: Some(trace),
    })
}

fn simulate(machine: Machine, ran: &Ran) -> Result<RunReport> {
    let trace = ran
        .trace
        .as_ref()
        .context("a rung whose run has no trace")?;
    trace.simulate(machine, trace.inputs.len())
}

/// The mean over texts of the cosine of outputs to those at f32.
pub(crate) fn mean_cosine(outputs: &[Output], float: &[Output]) -> f64 {
    let pairs = outputs.iter().zip(float);
    let sum: f64 = pairs.map(|(a, b)| cosine(&a.value, &b.value)).sum();
    sum / outputs.len().max(1) as f64
}

/// Climbs it with the mean cosine of outputs to those at f32 as the accuracy.
pub(crate) fn climb_by_cosine(setup: &Setup) -> Result<Ladder> {
    let engine = Engine::new(setup.checkpoint, &Precision::F32, setup.isa)?;
    let float = engine.run(setup.texts, Detail::Value, &|_| ())?;
    let accuracy = |outputs: &[Output]| Ok(mean_cosine(outputs, &float));
    climb(setup, "mean cosine of outputs to those at f32", &accuracy)
}

/// Prints the attention's ladder.
pub(crate) fn print(ladder: &Ladder) -> Result<()> {
    let mut titles = vec![
        "the ladder, attention".to_owned(),
        "machine".into(),
        "GOP/s, dense-equivalent".into(),
        "executed".into(),
    ];
    for start in &ladder.starts {
        titles.push(format!("speed over {start}"));
        titles.push("energy".into());
    }
    titles.push(ladder.accuracy_measure.clone());
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut table = console::table(&titles);
    let times = |factor: &Option<f64>| factor.map_or_else(String::new, |x| format!("{x:.2} x"));
    for rung in &ladder.rungs {
        let height = &rung.attention;
        let mut row = vec![
            rung.cause.to_owned(),
            rung.machine.clone(),
            format!("{:.0}", height.dense_equivalent_gops),
            format!("{:.0}", height.executed_gops),
        ];
        for (speed, energy) in height.speed.iter().zip(&height.energy_gain) {
            row.push(times(speed));
            row.push(times(energy));
        }
        row.push(format!("{:.4}", rung.accuracy));
        table.add_row(row);
    }
    output::print_line(table)
}
