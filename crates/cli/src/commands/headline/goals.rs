//! The paper's figures that this holds itself against, and what they depend on.

use anyhow::{Context, Result};
use dtatrans_accel::energy::EnergyTable;
use dtatrans_accel::machine::Setting;
use dtatrans_accel::{Machine, ScopeReport};
use serde::Serialize;

use super::lengths::{EYERISS, SPATTEN, VSSA, VSSA_EQUAL, VSSA_LARGE};
use crate::traces::Traced;
use crate::{console, machines, output};

/// SpAtten at 1/8 scale as published (HPCA 2021, table of comparisons): dense-equivalent
/// GOP/s, and GOP/J with its DRAM.
const SPATTEN_GOPS: f64 = 360.0;
const SPATTEN_GOPS_PER_JOULE: f64 = 382.0;

/// Inputs that sensitivities are computed on.
const SENSITIVITY_INPUTS: usize = 2;

/// The runs that goals are stated for.
pub(super) struct Runs<'a> {
    /// Under the plan.
    pub(super) plan: &'a Traced,
    /// Under SpAtten's cascade at the same loss.
    pub(super) cascade: Option<&'a Traced>,
}

/// SpAtten prunes what the trace says.
const OF_THE_TRACE: [&str; 1] = ["pruning.source=trace"];

/// A figure of the paper's, and ours.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) paper: f64,
    pub(super) ours: f64,
    pub(super) met: bool,
    /// What was divided by what.
    pub(super) how: String,
}

/// What the goals come to where an assumption is another.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sensitivity {
    pub(super) assumption: String,
    /// By goal, in their order.
    pub(super) ours: Vec<f64>,
}

/// What is assumed of the machines beyond their files.
#[derive(Default)]
struct Assumption {
    name: &'static str,
    /// Of all machines, by how much their buffer is larger.
    buffer: Option<f64>,
    /// Changes to all machines.
    all: Vec<&'static str>,
    /// Changes to the variable-speed ones.
    own: Vec<&'static str>,
    /// By how much the variable-speed elements' energies are higher.
    element_energy: Option<f64>,
}

/// The five that matter most, down and up.
fn assumptions() -> Vec<Assumption> {
    let of = |name| Assumption {
        name,
        ..Assumption::default()
    };
    vec![
        Assumption {
            all: vec!["dram.bandwidth_gbps=32.0"],
            ..of("half the bandwidth")
        },
        Assumption {
            all: vec!["dram.bandwidth_gbps=128.0"],
            ..of("twice the bandwidth")
        },
        Assumption {
            buffer: Some(0.5),
            ..of("half the SRAM")
        },
        Assumption {
            buffer: Some(2.0),
            ..of("twice the SRAM")
        },
        Assumption {
            own: vec!["clock_ghz=0.8"],
            ..of("our clock at 0.8 GHz")
        },
        Assumption {
            own: vec!["clock_ghz=1.25"],
            ..of("our clock at 1.25 GHz")
        },
        Assumption {
            all: vec!["technology.node_nm=65", "technology.cells=high-performance"],
            ..of("all at 65 nm")
        },
        Assumption {
            all: vec!["technology.node_nm=32", "technology.cells=high-performance"],
            ..of("all at 32 nm")
        },
        Assumption {
            element_energy: Some(0.5),
            ..of("our elements at half the energy")
        },
        Assumption {
            element_energy: Some(2.0),
            ..of("our elements at twice the energy")
        },
    ]
}

impl Assumption {
    fn machine(&self, name: &str, more: &[&str]) -> Result<Machine> {
        let own = name.starts_with("vssa");
        let changes = self.all.iter().chain(more);
        let mut changes: Vec<String> = changes.map(|&text| text.to_owned()).collect();
        if own {
            changes.extend(self.own.iter().map(|&text| text.to_owned()));
        }
        if let Some(factor) = self.buffer {
            let (table, key) = match name {
                EYERISS => ("chip", "buffer_bytes"),
                _ => ("buffer", "bytes"),
            };
            let text = Machine::builtin_toml(name).context("a built-in machine")?;
            let bytes = number_of(text, table, key).context("a machine has a buffer")?;
            let bytes = bytes as f64 * factor;
            changes.push(format!("{table}.{key}={bytes}"));
        }
        let settings = changes.iter().map(|text| text.parse::<Setting>());
        let machine = machines::open(name, &settings.collect::<Result<Vec<_>, _>>()?)?;
        Ok(match self.element_energy {
            Some(factor) if own => {
                machine.with_energies(EnergyTable::builtin().with_factor("vssa_", factor))
            }
            _ => machine,
        })
    }
}

/// The number that stands under a key of a table of a machine file.
fn number_of(file: &str, table: &str, key: &str) -> Option<i64> {
    let file: toml::Table = toml::from_str(file).ok()?;
    file.get(table)?.get(key)?.as_integer()
}

/// The attention of the first inputs.
fn of_inputs(traced: &Traced, inputs: usize, machine: Machine) -> Result<ScopeReport> {
    Ok(traced.simulate(machine, inputs)?.attention)
}

/// The goals.
pub(super) fn of(runs: &Runs) -> Result<Vec<Goal>> {
    under(runs, runs.plan.inputs.len(), &Assumption::default())
}

/// What they come to under other assumptions, one changed at a time; first as they are.
pub(super) fn sensitivity(runs: &Runs) -> Result<Vec<Sensitivity>> {
    let as_assumed = Assumption {
        name: "as assumed",
        ..Assumption::default()
    };
    let all: Vec<Assumption> = std::iter::once(as_assumed).chain(assumptions()).collect();
    let bar = console::count_bar("other assumptions", all.len(), "assumptions");
    let rows = all.iter().map(|assumption| {
        let goals = under(runs, SENSITIVITY_INPUTS, assumption)?;
        bar.inc(1);
        Ok(Sensitivity {
            assumption: assumption.name.to_owned(),
            ours: goals.iter().map(|goal| goal.ours).collect(),
        })
    });
    let rows = rows.collect();
    bar.finish_and_clear();
    rows
}

fn under(runs: &Runs, inputs: usize, assumption: &Assumption) -> Result<Vec<Goal>> {
    let attention = |name: &str| of_inputs(runs.plan, inputs, assumption.machine(name, &[])?);
    let vssa = attention(VSSA)?;
    let equal = attention(VSSA_EQUAL)?;
    let large = attention(VSSA_LARGE)?;
    let eyeriss = attention(EYERISS)?;
    let spatten = attention(SPATTEN)?;
    let speed = |own: &ScopeReport, other: &ScopeReport| other.time_us() / own.time_us();
    let energy =
        |own: &ScopeReport, other: &ScopeReport| other.energy.total_pj() / own.energy.total_pj();
    // Operations a picojoule are 10^12 a joule.
    let per_joule = 2e3 * vssa.macs_dense as f64 / vssa.energy.total_pj();
    let goal = |what, paper, ours: f64, how: String| Goal {
        what,
        paper,
        ours,
        met: ours >= paper,
        how,
    };
    let gops = vssa.effective_gops();
    let mut goals = vec![
        goal(
            "attention, GOP/s",
            1304.0,
            gops,
            format!("{VSSA}, dense-equivalent, at 128 multipliers of 8 bits and 1 GHz"),
        ),
        goal(
            "Eyeriss, equal area: speed",
            16.04,
            speed(&equal, &eyeriss),
            format!("{VSSA_EQUAL} against {EYERISS}, both at 1 GHz and 64 GB/s"),
        ),
        goal(
            "Eyeriss, equal area: energy",
            3.62,
            energy(&equal, &eyeriss),
            format!("{VSSA_EQUAL} against {EYERISS}, DRAM included"),
        ),
        goal(
            "Eyeriss, 4,096 elements: speed",
            30.0,
            speed(&large, &eyeriss),
            format!("{VSSA_LARGE} against {EYERISS}: the field's comparison, not of equal area"),
        ),
        goal(
            "SpAtten-1/8 published: speed",
            3.62,
            gops / SPATTEN_GOPS,
            format!("{VSSA} against {SPATTEN_GOPS} GOP/s"),
        ),
        goal(
            "SpAtten-1/8 published: energy",
            4.22,
            per_joule / SPATTEN_GOPS_PER_JOULE,
            format!("{VSSA} with DRAM against {SPATTEN_GOPS_PER_JOULE} GOP/J"),
        ),
        goal(
            "SpAtten-1/8 modelled: speed",
            3.62,
            speed(&vssa, &spatten),
            format!("{VSSA} against {SPATTEN} under the ratios of its file"),
        ),
        goal(
            "SpAtten-1/8 modelled: energy",
            4.22,
            energy(&vssa, &spatten),
            format!("{VSSA} against {SPATTEN} under the ratios of its file, DRAM included"),
        ),
    ];
    if let Some(cascade) = runs.cascade {
        let spatten = assumption.machine(SPATTEN, &OF_THE_TRACE)?;
        let spatten = of_inputs(cascade, inputs, spatten)?;
        goals.extend([
            goal(
                "SpAtten-1/8 at equal loss: speed",
                3.62,
                speed(&vssa, &spatten),
                format!("{VSSA} against {SPATTEN}, the same model and texts, equal loss"),
            ),
            goal(
                "SpAtten-1/8 at equal loss: energy",
                4.22,
                energy(&vssa, &spatten),
                format!("{VSSA} against {SPATTEN}, the same model and texts, equal loss"),
            ),
        ]);
    }
    Ok(goals)
}

pub(super) fn print(goals: &[Goal], sensitivity: &[Sensitivity]) -> Result<()> {
    let mut table = console::table(&["goal", "paper", "ours", "ours / paper", "met", "how"]);
    for goal in goals {
        table.add_row([
            goal.what.to_owned(),
            goal.paper.to_string(),
            format!("{:.2}", goal.ours),
            format!("{:.2}", goal.ours / goal.paper),
            if goal.met { "yes" } else { "no" }.to_owned(),
            goal.how.clone(),
        ]);
    }
    output::print_line(table)?;
    let titles = std::iter::once("on two texts").chain(goals.iter().map(|goal| goal.what));
    let mut table = console::table(&titles.collect::<Vec<_>>());
    for row in sensitivity {
        let figures = row.ours.iter().map(|ours| format!("{ours:.2}"));
        table.add_row(std::iter::once(row.assumption.clone()).chain(figures));
    }
    output::print_line(table)
}
