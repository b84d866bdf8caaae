//! The paper's figures that this holds itself against.

use anyhow::{Context, Result};
use dtatrans_accel::ScopeReport;
use serde::Serialize;

use super::lengths::{EYERISS, Row, SPATTEN, VSSA, VSSA_LARGE};

/// SpAtten at 1/8 scale as published (HPCA 2021, table of comparisons): dense-equivalent
/// GOP/s, and GOP/J with its DRAM.
const SPATTEN_GOPS: f64 = 360.0;
const SPATTEN_GOPS_PER_WATT: f64 = 382.0;

/// A figure of the paper's, and ours.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) paper: f64,
    pub(super) ours: f64,
    pub(super) met: bool,
    /// What was divided by what.
    pub(super) how: String,
}

impl Goal {
    fn new(what: &str, paper: f64, ours: f64, how: String) -> Goal {
        Goal {
            what: what.to_owned(),
            paper,
            ours,
            met: ours >= paper,
            how,
        }
    }
}

/// The goals, from the encoder's row of that length.
pub(super) fn of(rows: &[Row], tokens: usize) -> Result<Vec<Goal>> {
    let row = rows.iter().find(|row| !row.causal && row.tokens == tokens);
    let row = row.context("a row of the goals' length")?;
    let attention = |machine: &str| -> Result<&ScopeReport> {
        let report = row.of(machine).with_context(|| machine.to_owned())?;
        Ok(&report.attention)
    };
    let (vssa, large) = (attention(VSSA)?, attention(VSSA_LARGE)?);
    let (eyeriss, spatten) = (attention(EYERISS)?, attention(SPATTEN)?);
    let gops = vssa.effective_gops();
    let per_joule = |scope: &ScopeReport| {
        // Operations a picojoule are 10^12 a joule.
        1e3 * 2.0 * scope.macs_dense as f64 / scope.energy.total_pj()
    };
    Ok(vec![
        Goal::new(
            "attention, GOP/s at 128 multipliers of 8 bits",
            1304.0,
            gops,
            format!("{VSSA}, dense-equivalent, {tokens} tokens"),
        ),
        Goal::new(
            "speed against Eyeriss, the field's 4,096 elements",
            30.0,
            eyeriss.time_us() / large.time_us(),
            format!("{VSSA_LARGE} against {EYERISS}"),
        ),
        Goal::new(
            "speed against SpAtten-1/8, as published",
            3.62,
            gops / SPATTEN_GOPS,
            format!("{VSSA} against {SPATTEN_GOPS} GOP/s"),
        ),
        Goal::new(
            "speed against SpAtten-1/8, as modelled",
            3.62,
            spatten.time_us() / vssa.time_us(),
            format!("{VSSA} against {SPATTEN} under its own schedule"),
        ),
        Goal::new(
            "energy efficiency against SpAtten-1/8, as published",
            4.22,
            per_joule(vssa) / SPATTEN_GOPS_PER_WATT,
            format!("{VSSA} with DRAM against {SPATTEN_GOPS_PER_WATT} GOP/J"),
        ),
        Goal::new(
            "energy efficiency against SpAtten-1/8, as modelled",
            4.22,
            spatten.energy.total_pj() / vssa.energy.total_pj(),
            format!("{VSSA} against {SPATTEN}, DRAM included"),
        ),
    ])
}
