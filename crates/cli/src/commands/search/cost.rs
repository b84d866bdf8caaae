//! What a plan costs, as a share of what all tokens at 8 bits cost.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use dtatrans_accel::machine::Setting;
use dtatrans_accel::{Machine, RunReport, ScopeReport};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Output, Precision};
use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::{Plan, Tier};
use dtatrans_tasks::Work;

use crate::args::{CostArgument, ScopeArgument};
use crate::machines::{self, Sums};

/// Runs of which the median time is taken, the 8-bit model and the plan in
/// turn.
const TIMED_RUNS: usize = 3;

/// How plans are priced on one set of texts.
pub(super) struct Price<'a> {
    checkpoint: &'a Checkpoint,
    isa: Isa,
    inputs: &'a [Encoding],
    what: CostArgument,
    scope: ScopeArgument,
    machine: Option<Machine>,
    /// What all tokens at 8 bits cost; 1 where a share is measured anyway.
    dense: f64,
}

/// A plan's outputs and its cost.
pub(super) struct Priced {
    pub(super) outputs: Vec<Output>,
    /// As a share of what all tokens at 8 bits cost.
    pub(super) cost: f64,
    /// What else is known: `attention_saved` and `encoder_saved`, and cycles or
    /// energy of both scopes.
    pub(super) measures: BTreeMap<String, f64>,
}

impl<'a> Price<'a> {
    /// Prices by this cost; `machine` is a name or a file, and changes to it.
    pub(super) fn new(
        checkpoint: &'a Checkpoint,
        isa: Isa,
        inputs: &'a [Encoding],
        what: CostArgument,
        scope: ScopeArgument,
        (machine, settings): (&str, &[Setting]),
    ) -> Result<Price<'a>> {
        let simulated = matches!(what, CostArgument::Cycles | CostArgument::Energy);
        let mut price = Price {
            checkpoint,
            isa,
            inputs,
            what,
            scope,
            machine: match simulated {
                true => Some(machines::open(machine, settings)?),
                false => None,
            },
            dense: 1.0,
        };
        if simulated {
            let layers = checkpoint.layers();
            let eight = Plan::dense_eight(layers);
            let engine = price.engine(&eight)?;
            let outputs = engine.run(inputs, Detail::Trace, &|_| ())?;
            price.refuse_dense_machine(&outputs)?;
            price.dense = price.simulate(&eight, &outputs, &mut BTreeMap::new())?;
        }
        Ok(price)
    }

    /// Runs a plan, which has its calibration if it needs one, and prices it.
    pub(super) fn of(&self, plan: &Plan) -> Result<Priced> {
        let engine = self.engine(plan)?;
        let detail = match self.machine {
            Some(_) => Detail::Trace,
            None => Detail::Value,
        };
        let start = Instant::now();
        let outputs = engine.run(self.inputs, detail, &|_| ())?;
        let seconds = start.elapsed().as_secs_f64();
        let saved = Work::of(&self.checkpoint.shape(), plan, &outputs).saved();
        let mut measures = BTreeMap::from([
            ("attention_saved".to_owned(), saved.attention),
            ("encoder_saved".to_owned(), saved.encoder),
        ]);
        let cost = match self.what {
            CostArgument::ElementCycles => match self.scope {
                ScopeArgument::Attention => 1.0 - saved.attention,
                ScopeArgument::Encoder => 1.0 - saved.encoder,
            },
            CostArgument::Cycles | CostArgument::Energy => {
                self.simulate(plan, &outputs, &mut measures)? / self.dense
            }
            CostArgument::CpuTime => self.time(&engine, seconds, &mut measures)?,
            CostArgument::CacheBytes => bail!("an encoder has no cache"),
        };
        Ok(Priced {
            outputs,
            cost,
            measures,
        })
    }

    fn engine(&self, plan: &Plan) -> Result<Engine> {
        let precision = Precision::Plan(plan.clone());
        Ok(Engine::new(self.checkpoint, &precision, self.isa)?)
    }

    /// The plan's median time over that of all tokens at 8 bits.
    fn time(
        &self,
        engine: &Engine,
        first: f64,
        measures: &mut BTreeMap<String, f64>,
    ) -> Result<f64> {
        let layers = self.checkpoint.layers();
        let eight = self.engine(&Plan::dense_eight(layers))?;
        let timed = |engine: &Engine| -> Result<f64> {
            let start = Instant::now();
            engine.run(self.inputs, Detail::Value, &|_| ())?;
            Ok(start.elapsed().as_secs_f64())
        };
        let (mut own, mut dense) = (vec![first], vec![timed(&eight)?]);
        for _ in 1..TIMED_RUNS {
            own.push(timed(engine)?);
            dense.push(timed(&eight)?);
        }
        let (own, dense) = (median(own), median(dense));
        measures.insert("seconds".into(), own);
        measures.insert("seconds_at_8_bits".into(), dense);
        Ok(own / dense)
    }

    /// The scope's cycles or picojoules on the machine.
    fn simulate(
        &self,
        plan: &Plan,
        outputs: &[Output],
        measures: &mut BTreeMap<String, f64>,
    ) -> Result<f64> {
        let header = Header {
            model: self.checkpoint.shape(),
            plan: plan.clone(),
        };
        let inputs = outputs.iter().map(|output| output.trace.clone());
        let report = self.report(&header, inputs)?;
        for (name, scope) in [
            ("attention", Some(&report.attention)),
            ("encoder", report.encoder.as_ref()),
        ] {
            if let Some(scope) = scope {
                measures.insert(format!("{name}_cycles"), scope.cycles as f64);
                measures.insert(format!("{name}_energy_pj"), scope.energy.total_pj());
            }
        }
        self.of_report(&report)
    }

    fn of_report(&self, report: &RunReport) -> Result<f64> {
        let scope: Option<&ScopeReport> = match self.scope {
            ScopeArgument::Attention => Some(&report.attention),
            ScopeArgument::Encoder => report.encoder.as_ref(),
        };
        let Some(scope) = scope else {
            bail!("--machine {}: runs the attention only", report.machine);
        };
        Ok(match self.what {
            CostArgument::Energy => scope.energy.total_pj(),
            _ => scope.cycles as f64,
        })
    }

    fn report(
        &self,
        header: &Header,
        layers: impl Iterator<Item = Vec<dtatrans_precision::trace::Layer>>,
    ) -> Result<RunReport> {
        let machines = self.machine.as_slice();
        let mut sums = Sums::new(machines);
        for (index, (input, layers)) in self.inputs.iter().zip(layers).enumerate() {
            sums.add(
                header,
                &Input {
                    id: index.to_string(),
                    tokens: input.tokens.clone(),
                    layers,
                    generation: None,
                },
            )?;
        }
        match sums.finish().pop() {
            Some(report) => Ok(report),
            None => bail!("no texts to simulate"),
        }
    }

    /// Refuses a machine that costs the same whatever the tiers are.
    fn refuse_dense_machine(&self, outputs: &[Output]) -> Result<()> {
        let layers = self.checkpoint.layers();
        let of = |plan: Plan, tier: Tier, until: usize| -> Result<f64> {
            let header = Header {
                model: self.checkpoint.shape(),
                plan,
            };
            let first = outputs.iter().take(1).map(|output| {
                let mut trace = output.trace.clone();
                for layer in &mut trace {
                    let tokens = layer.tiers.len();
                    layer.tiers.fill(Tier::Eight);
                    layer.tiers[tokens.min(until)..].fill(tier);
                }
                trace
            });
            self.of_report(&self.report(&header, first)?)
        };
        let eight = of(Plan::dense_eight(layers), Tier::Eight, 0)?;
        // Some know no widths, but which tokens have left.
        if eight == of(Plan::dense_four(layers), Tier::Four, 0)?
            && eight == of(Plan::dense_eight(layers), Tier::Zero, 1)?
        {
            let name = self.machine.as_ref().map_or("", Machine::name);
            bail!("--machine {name}: costs the same under every plan");
        }
        Ok(())
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
