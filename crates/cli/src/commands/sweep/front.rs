//! The Pareto fronts of a table: machines that no other one beats in time and energy.

use anyhow::Result;
use dtatrans_report::{ParetoPanel, ParetoPlot, ParetoPoint};
use dtatrans_sweep::Configuration;
use serde::Serialize;

use crate::{console, output};

/// The front of a plan. What plans lose differs, so each has its own.
#[derive(Serialize)]
pub(super) struct Front {
    plan: String,
    /// How many configurations there are.
    configurations: usize,
    /// Quickest first.
    front: Vec<Row>,
}

/// A machine with its settings, over all traces.
#[derive(Serialize)]
struct Row {
    machine: String,
    settings: String,
    time_us: f64,
    energy_uj: f64,
}

/// Plans in the order in which they come, each with its configurations.
fn by_plan(configurations: &[Configuration]) -> Vec<(&str, Vec<&Configuration>)> {
    let mut plans: Vec<(&str, Vec<&Configuration>)> = Vec::new();
    for configuration in configurations {
        let plan = configuration.plan.as_str();
        match plans.iter_mut().find(|(known, _)| *known == plan) {
            Some((_, own)) => own.push(configuration),
            None => plans.push((plan, vec![configuration])),
        }
    }
    plans
}

/// The indices of the front, quickest first.
fn front(configurations: &[&Configuration]) -> Vec<usize> {
    let points = configurations.iter();
    let points: Vec<(f64, f64)> = points.map(|own| (own.energy_uj, own.time_us)).collect();
    dtatrans_search::pareto(&points)
}

/// The front of each plan.
pub(super) fn fronts(configurations: &[Configuration]) -> Vec<Front> {
    let row = |own: &Configuration| Row {
        machine: own.machine.clone(),
        settings: own.settings.clone(),
        time_us: own.time_us,
        energy_uj: own.energy_uj,
    };
    let plans = by_plan(configurations).into_iter();
    plans
        .map(|(plan, own)| Front {
            plan: plan.to_owned(),
            configurations: own.len(),
            front: front(&own)
                .into_iter()
                .map(|index| row(own[index]))
                .collect(),
        })
        .collect()
}

/// The plot of all configurations.
pub(super) fn plot(title: String, configurations: &[Configuration]) -> ParetoPlot {
    let panel = |(plan, own): (&str, Vec<&Configuration>)| {
        let front = front(&own);
        let point = |(index, own): (usize, &&Configuration)| ParetoPoint {
            machine: own.machine.clone(),
            settings: own.settings.clone(),
            time_us: own.time_us,
            energy_uj: own.energy_uj,
            on_front: front.contains(&index),
        };
        ParetoPanel {
            title: plan.to_owned(),
            points: own.iter().enumerate().map(point).collect(),
        }
    };
    ParetoPlot {
        title,
        panels: by_plan(configurations).into_iter().map(panel).collect(),
    }
}

/// Prints the fronts for people.
pub(super) fn print(fronts: &[Front], scope: &str) -> Result<()> {
    for Front {
        plan,
        configurations,
        front,
    } in fronts
    {
        output::print_line(format!(
            "plan {plan}, {scope}: {} of {configurations} configurations are beaten by no other \
             in time and energy of all traces",
            front.len()
        ))?;
        let mut table = console::table(&["machine", "time, ms", "energy, mJ"]);
        for row in front {
            let name = match row.settings.is_empty() {
                true => row.machine.clone(),
                false => format!("{}: {}", row.machine, row.settings),
            };
            table.add_row([
                name,
                format!("{:.3}", row.time_us / 1e3),
                format!("{:.3}", row.energy_uj / 1e3),
            ]);
        }
        output::print_line(table)?;
    }
    Ok(())
}
