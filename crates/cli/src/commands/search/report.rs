//! What a search found: for people, as JSON, and as a plan file.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;
use dtatrans_precision::Plan;
use dtatrans_precision::cache::CachePlan;
use dtatrans_search::{Estimate, Evaluated, Evaluation, Search, Space, estimates, pareto};
use serde::Serialize;

use crate::args::SearchArguments;
use crate::{console, output};

use super::cost::Priced;
use super::sample::Measured;

/// The result.
#[derive(Serialize)]
pub(super) struct Report {
    model: String,
    objective: String,
    /// The names of the files that the search sees.
    data: String,
    /// Its labelled items, or texts.
    items: usize,
    /// In points; null where the cost is bounded.
    budget: Option<f64>,
    /// As a share; null where the loss is bounded.
    cost_budget: Option<f64>,
    margin: f64,
    /// What `cost` is a share of.
    cost: String,
    /// The part of the model whose cost counts; null of a cache.
    scope: Option<String>,
    seed: u64,
    /// One entry per strategy, the joint search first.
    strategies: Vec<Found>,
}

/// What one strategy found.
#[derive(Serialize)]
pub(super) struct Found {
    strategy: &'static str,
    /// Evaluations spent.
    evaluations: usize,
    /// The cheapest plan within the budget; null if none is.
    chosen: Option<Row>,
    /// The chosen plan on data that the search did not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validated: Option<Validated>,
    /// The plans that no other beats in estimated loss and cost, cheapest
    /// first.
    pareto: Vec<Row>,
    #[serde(skip)]
    least_upper: f64,
}

/// One plan and what was measured of it.
#[derive(Clone, Serialize)]
struct Row {
    /// Measured, in points; below 0 where it gains.
    loss: f64,
    /// The loss's 95 % interval.
    loss_low: f64,
    loss_high: f64,
    /// The loss drawn towards what plans of the same deviation lose.
    estimated_loss: f64,
    /// The estimate plus the margin's standard errors.
    upper_loss: f64,
    /// Deviation of the outputs from f32, which led the search.
    deviation: f64,
    /// As a share of what all tokens at 8 bits cost.
    cost: f64,
    /// Shares of the dense 8-bit model's element-cycles; null of a cache.
    attention_saved: Option<f64>,
    encoder_saved: Option<f64>,
    /// The keys that were chosen too, and their values.
    keys: BTreeMap<String, String>,
    /// The plan's file.
    plan: String,
    #[serde(skip)]
    decoded: Plan,
}

/// A plan on data that the search did not see.
#[derive(Serialize)]
pub(super) struct Validated {
    items: usize,
    /// Measured, in points; below 0 where it gains.
    loss: f64,
    loss_low: f64,
    loss_high: f64,
    cost: f64,
    attention_saved: Option<f64>,
    encoder_saved: Option<f64>,
}

impl Validated {
    pub(super) fn new(items: usize, measured: &Measured, priced: &Priced) -> Validated {
        let measure = |name: &str| priced.measures.get(name).copied();
        Validated {
            items,
            loss: measured.loss,
            loss_low: measured.interval.0,
            loss_high: measured.interval.1,
            cost: priced.cost,
            attention_saved: measure("attention_saved"),
            encoder_saved: measure("encoder_saved"),
        }
    }

    /// From an evaluation of a plan on such data.
    pub(super) fn of(items: usize, evaluation: &Evaluation) -> Validated {
        let measure = |name: &str| evaluation.measures.get(name).copied();
        Validated {
            items,
            loss: evaluation.loss,
            loss_low: measure("loss_low").unwrap_or(evaluation.loss),
            loss_high: measure("loss_high").unwrap_or(evaluation.loss),
            cost: evaluation.cost,
            attention_saved: measure("attention_saved"),
            encoder_saved: measure("encoder_saved"),
        }
    }
}

impl Found {
    pub(super) fn of(search: &Search<impl Space<Point = Plan>>) -> Found {
        let history = search.history();
        let estimates = estimates(history, search.options().margin);
        let points: Vec<(f64, f64)> = history
            .iter()
            .zip(&estimates)
            .map(|(evaluated, estimate)| (estimate.loss.max(0.0), evaluated.evaluation.cost))
            .collect();
        let row = |index: usize| {
            let evaluated = &history[index];
            let plan = search.space().decode(&evaluated.candidate);
            Row::new(
                plan,
                search.space().keys(&evaluated.candidate),
                evaluated,
                estimates[index],
            )
        };
        Found {
            strategy: search.options().strategy.name(),
            evaluations: history.len(),
            chosen: search.choice().map(|choice| row(choice.index)),
            validated: None,
            pareto: pareto(&points).into_iter().map(row).collect(),
            least_upper: estimates
                .iter()
                .map(|estimate| estimate.upper)
                .fold(f64::INFINITY, f64::min),
        }
    }

    /// The chosen plan.
    pub(super) fn chosen(&self) -> Option<&Plan> {
        self.chosen.as_ref().map(|row| &row.decoded)
    }

    pub(super) fn chosen_mut(&mut self) -> Option<&mut Plan> {
        self.chosen.as_mut().map(|row| &mut row.decoded)
    }
}

impl Row {
    fn new(
        plan: Plan,
        keys: Vec<(String, String)>,
        evaluated: &Evaluated,
        estimate: Estimate,
    ) -> Row {
        let evaluation = &evaluated.evaluation;
        let measure = |name: &str| evaluation.measures.get(name).copied();
        Row {
            loss: evaluation.loss,
            loss_low: measure("loss_low").unwrap_or(0.0),
            loss_high: measure("loss_high").unwrap_or(0.0),
            estimated_loss: estimate.loss,
            upper_loss: estimate.upper,
            deviation: evaluation.guide.unwrap_or(0.0),
            cost: evaluation.cost,
            attention_saved: measure("attention_saved"),
            encoder_saved: measure("encoder_saved"),
            keys: keys.into_iter().collect(),
            plan: plan.to_toml(),
            decoded: plan,
        }
    }

    /// The ratios, and the keys that were chosen too, on one line.
    fn summary(&self) -> String {
        // What nothing is saved of by reading is a cache.
        let mut text = match (self.attention_saved, &self.decoded.cache) {
            (None, Some(cache)) => kept(cache),
            _ => layers(&self.decoded),
        };
        for (key, value) in &self.keys {
            let _ = write!(text, "  {key} {value}");
        }
        text
    }
}

/// What was searched on, for people.
pub(super) struct About {
    pub(super) model: String,
    pub(super) objective: String,
    pub(super) data: String,
    pub(super) items: usize,
    pub(super) cost: String,
    pub(super) scope: Option<String>,
}

impl Report {
    pub(super) fn new(
        arguments: &SearchArguments,
        about: About,
        calibration_file: Option<&str>,
        mut strategies: Vec<Found>,
    ) -> Report {
        let name = match arguments.cost_budget {
            Some(share) => format!("{}, {share} of the {}", about.model, about.cost),
            None => format!(
                "{}, {} points",
                about.model,
                arguments.budget.unwrap_or(0.0)
            ),
        };
        // The joint search's plan is the one that is written.
        if let Some(row) = strategies[0].chosen.as_mut()
            && row.decoded.needs_calibration()
        {
            row.decoded.calibration = calibration_file.map(str::to_owned);
        }
        for row in strategies
            .iter_mut()
            .filter_map(|found| found.chosen.as_mut())
        {
            row.decoded.name.clone_from(&name);
            row.plan = row.decoded.to_toml();
        }
        Report {
            model: about.model,
            objective: about.objective,
            data: about.data,
            items: about.items,
            budget: arguments.budget,
            cost_budget: arguments.cost_budget,
            margin: arguments.margin,
            cost: about.cost,
            scope: about.scope,
            seed: arguments.seed,
            strategies,
        }
    }

    /// The joint search.
    fn joint(&self) -> &Found {
        &self.strategies[0]
    }

    /// The plan that the joint search chose.
    pub(super) fn chosen(&self) -> Option<&Plan> {
        self.joint().chosen()
    }

    pub(super) fn evaluations(&self) -> usize {
        self.joint().evaluations
    }

    pub(super) fn least_upper(&self) -> f64 {
        self.joint().least_upper
    }

    /// The chosen plan's file, with where it comes from.
    pub(super) fn plan_file(&self) -> Option<String> {
        let row = self.joint().chosen.as_ref()?;
        let budget = match self.cost_budget {
            Some(share) => format!("cost budget {share}"),
            None => format!("budget {} points", self.budget.unwrap_or(0.0)),
        };
        let scope = self.scope.as_ref().map(|scope| format!(" ({scope})"));
        let mut text = format!(
            "# Found by `dtatrans search`: {}, {}, {} ({} items).\n\
             # With {budget}, cost {}{}, seed {}, {} evaluations.\n\
             # Measured there: loss {:.2} points (95 % interval {:.2} to {:.2}), estimated {:.2};\n\
             # ",
            self.model,
            self.objective,
            self.data,
            self.items,
            self.cost,
            scope.unwrap_or_default(),
            self.seed,
            self.joint().evaluations,
            row.loss,
            row.loss_low,
            row.loss_high,
            row.estimated_loss,
        );
        let _ = match (row.attention_saved, row.encoder_saved) {
            (Some(attention), Some(encoder)) => writeln!(
                text,
                "saved {:.1} % of the attention's and {:.1} % of the encoder's element-cycles.",
                100.0 * attention,
                100.0 * encoder
            ),
            _ => writeln!(text, "cost {:.3} of all tokens at 8 bits.", row.cost),
        };
        if let Some(validated) = &self.joint().validated {
            let _ = writeln!(
                text,
                "# On {} items that the search did not see: loss {:.2} points (95 % interval {:.2} to \
                 {:.2}).",
                validated.items, validated.loss, validated.loss_low, validated.loss_high
            );
        }
        text.push_str(&row.plan);
        Some(text)
    }
}

/// Prints the result for people.
pub(super) fn print(report: &Report) -> Result<()> {
    output::print_line(format!(
        "{} on {}: {}, {} items; {} plans evaluated, seed {}",
        report.model,
        report.objective,
        report.data,
        report.items,
        report.joint().evaluations,
        report.seed
    ))?;
    let titles = [
        "by layer: share at 8/4/0, of a cache kept",
        "loss (95 % interval)",
        "estimate",
        "cost",
        "attention saved",
        "encoder saved",
    ];
    let mut table = console::table(&titles);
    for row in &report.joint().pareto {
        // What is far above the budget is in the JSON.
        if let Some(budget) = report.budget
            && row.estimated_loss > 3.0 * budget.max(1.0)
        {
            continue;
        }
        table.add_row([
            row.summary(),
            interval(row.loss, row.loss_low, row.loss_high),
            format!("{:.2}", row.estimated_loss),
            format!("{:.3}", row.cost),
            share(row.attention_saved),
            share(row.encoder_saved),
        ]);
    }
    output::print_line(table)?;
    let titles = [
        "strategy",
        "plans",
        "chosen: estimate",
        "cost",
        "attention saved",
        "encoder saved",
        "unseen: loss (95 % interval)",
        "cost",
    ];
    let mut table = console::table(&titles);
    for found in &report.strategies {
        let chosen = found.chosen.as_ref();
        let unseen = found.validated.as_ref();
        let show = |text: Option<String>| text.unwrap_or_default();
        table.add_row([
            found.strategy.to_owned(),
            found.evaluations.to_string(),
            show(chosen.map(|row| format!("{:.2}", row.estimated_loss))),
            show(chosen.map(|row| format!("{:.3}", row.cost))),
            show(chosen.map(|row| share(row.attention_saved))),
            show(chosen.map(|row| share(row.encoder_saved))),
            show(unseen.map(|on| interval(on.loss, on.loss_low, on.loss_high))),
            show(unseen.map(|on| format!("{:.3}", on.cost))),
        ]);
    }
    output::print_line(table)?;
    if let Some(row) = &report.joint().chosen {
        output::print_line(format!("chosen: {}", row.summary()))?;
    }
    Ok(())
}

fn interval(value: f64, low: f64, high: f64) -> String {
    format!("{value:+.2} ({low:+.2} to {high:+.2})")
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share))
}

/// What a cache keeps on one line: shares of the tokens, by layer and head.
fn kept(cache: &CachePlan) -> String {
    let layers = cache.layers.iter().map(|ratios| {
        let shares = ratios.iter().map(|ratio| percent(1.0 - ratio.r0()));
        shares.collect::<Vec<_>>().join("/")
    });
    layers.collect::<Vec<_>>().join("  ")
}

fn percent(share: f64) -> String {
    (100.0 * share).round().to_string()
}

/// A plan's ratios on one line; where a layer's compensation is not the plan's, or it
/// loses heads or values, that too.
fn layers(plan: &Plan) -> String {
    let layer = |(layer, ratio): (usize, &dtatrans_precision::Ratio)| {
        let shares = [ratio.r8(), ratio.r4(), ratio.r0()];
        let mut text = match shares {
            [1.0, _, _] => "8".to_owned(),
            [_, 1.0, _] => "4".to_owned(),
            [_, _, 1.0] => "0".to_owned(),
            _ => shares.map(percent).join("/"),
        };
        let compensation = plan.compensation_at(layer).name();
        if ratio.leaves_out() && compensation != plan.compensation.name() {
            let _ = write!(text, " {compensation}");
        }
        let pruning = plan.pruning_at(layer);
        for (share, of) in [
            (pruning.head_share(), "heads"),
            (pruning.value_share(), "values"),
        ] {
            if share < 1.0 {
                let _ = write!(text, " {} % of {of}", percent(share));
            }
        }
        text
    };
    let layers: Vec<String> = plan.layers().iter().enumerate().map(layer).collect();
    layers.join("  ")
}
