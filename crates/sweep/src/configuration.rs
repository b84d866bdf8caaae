//! What a Pareto plot shows: machines with their settings, over all traces.

use std::collections::BTreeMap;

use crate::{COLUMNS, SweepError};

/// A machine with its settings under a plan, summed over all traces of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// The machine.
    pub machine: String,
    /// Its settings.
    pub settings: String,
    /// The plan.
    pub plan: String,
    /// Time of all traces, in microseconds.
    pub time_us: f64,
    /// Energy of all traces with DRAM, in microjoules.
    pub energy_uj: f64,
}

/// The configurations of a complete table that have the scope, in the order of the table.
/// A time on one trace says nothing beside a time on another, so traces are summed.
///
/// # Errors
/// [`SweepError::Table`] if the text is no table.
pub fn configurations(table: &str, scope: &str) -> Result<Vec<Configuration>, SweepError> {
    let refuse = |reason: String| SweepError::Table {
        file: "table".into(),
        reason,
    };
    let at = |name: &str| {
        COLUMNS
            .iter()
            .position(|&column| column == name)
            .unwrap_or(0)
    };
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.comment(Some(b'#')).from_reader(table.as_bytes());
    let mut configurations: Vec<Configuration> = Vec::new();
    let mut known = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| refuse(error.to_string()))?;
        let text = |name: &str| record.get(at(name)).unwrap_or_default();
        if text("scope") != scope {
            continue;
        }
        let number = |name: &str| {
            let value = text(name).parse::<f64>();
            value.map_err(|error| refuse(format!("{name} = {}: {error}", text(name))))
        };
        let names = ["machine", "settings", "plan"].map(|name| text(name).to_owned());
        let (time_us, energy_uj) = (number("time_us")?, number("energy_uj")?);
        let index = *known.entry(names.clone()).or_insert_with(|| {
            let [machine, settings, plan] = names;
            configurations.push(Configuration {
                machine,
                settings,
                plan,
                time_us: 0.0,
                energy_uj: 0.0,
            });
            configurations.len() - 1
        });
        configurations[index].time_us += time_us;
        configurations[index].energy_uj += energy_uj;
    }
    Ok(configurations)
}
