//! Simulating what a table lacks, on all cores.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use dtatrans_accel::{Machine, RunReport};
use rayon::prelude::*;

use crate::{Sweep, SweepError, Table, rows};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The table has all its points.
    Complete,
    /// It was asked to stop; the table has what was simulated until then.
    Stopped,
}

/// Why a worker takes no further points.
enum Halt {
    /// It was asked to, or nobody takes its rows.
    Stop,
    /// A point cannot be simulated.
    Failed(SweepError),
}

impl Sweep {
    /// Simulates the points that the table lacks and appends their rows; `progress` hears
    /// how many came. Each thread simulates one point at a time, and they finish in any
    /// order. Once `stop` is raised no further points begin.
    ///
    /// # Errors
    /// A [`SweepError`] of a point that cannot be simulated, or of a table that cannot be
    /// written; the table has what came before.
    pub fn run(
        &self,
        table: &mut Table,
        stop: &AtomicBool,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Outcome, SweepError> {
        let pending = table.pending();
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            let pending = &pending;
            let simulate = move || {
                pending.par_iter().try_for_each_init(
                    || None,
                    |machine, &number| {
                        if stop.load(Ordering::Relaxed) {
                            return Err(Halt::Stop);
                        }
                        let rows = self.simulate(number, machine).map_err(Halt::Failed)?;
                        send.send((number, rows)).map_err(|_| Halt::Stop)
                    },
                )
            };
            let workers = scope.spawn(simulate);
            // What came while the last rows went to the disk goes there together.
            while let Ok(first) = receive.recv() {
                let batch: Vec<_> = std::iter::once(first).chain(receive.try_iter()).collect();
                let count = batch.len();
                table.append(batch)?;
                progress(count);
            }
            match workers.join() {
                Ok(Ok(())) => Ok(Outcome::Complete),
                Ok(Err(Halt::Stop)) => Ok(Outcome::Stopped),
                Ok(Err(Halt::Failed(error))) => Err(error),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// The rows of a point. `machine` is the last one that this thread used: what it
    /// knows of its array's timing serves the next point.
    fn simulate(
        &self,
        number: usize,
        machine: &mut Option<(usize, Machine)>,
    ) -> Result<String, SweepError> {
        let wanted = self.machine_number(number);
        let machine = match machine {
            Some((known, machine)) if *known == wanted => &*machine,
            _ => &machine.insert((wanted, self.machine(wanted)?)).1,
        };
        let point = &self.points()[number];
        let recording = self.recording(point);
        let failed = |source| SweepError::Simulation {
            point: self.describe(number),
            source,
        };
        let mut reports: HashMap<usize, RunReport> = HashMap::new();
        let mut sum: Option<RunReport> = None;
        for (number, input) in recording.inputs.iter().enumerate() {
            // Inputs that are alike to the machine have the same answer.
            let alike = match machine.reads_heads() {
                true => number,
                false => recording.alike[number],
            };
            let report = match reports.entry(alike) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(machine.simulate(&recording.header, input).map_err(failed)?)
                }
            };
            match &mut sum {
                Some(sum) => sum.add(report).map_err(failed)?,
                None => sum = Some(report.clone()),
            }
        }
        let rows = sum.map(|report| rows::rows(&point.identity, recording, &report));
        Ok(rows.unwrap_or_default())
    }
}
