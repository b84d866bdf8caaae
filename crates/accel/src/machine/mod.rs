//! Machines: an accelerator with all its sizes, read from a TOML file.
//!
//! ```toml
//! format = 1             # version of this schema
//! kind = "vssa"          # one of accelerator::ALL
//! name = "vssa-512"      # for people
//! clock_ghz = 1.0
//! overlap = true         # or false: one unit works at a time
//!
//! [technology]           # of energies and areas; this is what holds without it
//! node_nm = 45
//! cells = "high-performance" # or "low-power"
//! supply_v = 1.1
//!
//! [array]                # the other tables depend on the kind
//! ```
//!
//! Keys that are not in the schema are refused. The machines that come with the
//! program are the files in the folder `machines`.

mod builtin;
pub(crate) mod check;
mod counterpart;
mod setting;

pub use counterpart::PlainFeed;
pub use setting::Setting;

use dtatrans_precision::trace::{Header, Input, Misfit};
use dtatrans_precision::workload::{Operation, Workload};
use dtatrans_precision::{Bits, ModelShape, Plan, Tier};
use serde::Deserialize;

use crate::AccelError;
use crate::accelerator::{self, Accelerator, Run};
use crate::area::Area;
use crate::energy::EnergyTable;
use crate::memory::banks::Banks;
use crate::node::Technology;
use crate::recording::Recording;
use crate::report::{DecodingReport, RunReport, ScopeReport};
use crate::schedule::{Chip, Timeline};
use crate::scope::{Context, Scope};

/// Version of the machine format.
pub const FORMAT: u32 = 1;

/// The largest dense computation that is simulated, in scalar products: far
/// above any model, far below what could overflow a count.
pub(crate) const MOST_MACS: u128 = 1 << 44;

/// An accelerator with all its sizes.
#[derive(Debug)]
pub struct Machine {
    name: String,
    kind: &'static str,
    clock_ghz: f64,
    overlap: bool,
    accelerator: Box<dyn Accelerator>,
    banks: Option<Banks>,
    energies: EnergyTable,
    technology: Technology,
    area: Area,
}

/// What all machine files begin with.
#[derive(Deserialize)]
struct Heading {
    format: u32,
    kind: String,
    name: String,
    clock_ghz: f64,
    #[serde(default = "overlaps")]
    overlap: bool,
    #[serde(default)]
    technology: Technology,
}

const HEADING: [&str; 6] = [
    "format",
    "kind",
    "name",
    "clock_ghz",
    "overlap",
    "technology",
];

/// Units work at the same time, unless a machine says that they do not.
fn overlaps() -> bool {
    true
}

impl Machine {
    /// A machine from the text of its file.
    ///
    /// # Errors
    /// An [`AccelError`] that names the key at fault.
    pub fn from_toml(text: &str) -> Result<Machine, AccelError> {
        Machine::from_toml_with(text, &[])
    }

    /// A machine from the text of its file and changes to it, which its name tells.
    ///
    /// # Errors
    /// As [`from_toml`](Machine::from_toml), and [`AccelError::Setting`] for a change
    /// within what is no table.
    pub fn from_toml_with(text: &str, settings: &[Setting]) -> Result<Machine, AccelError> {
        let mut tables = changed(text, settings)?;
        let heading: toml::Table = HEADING
            .iter()
            .filter_map(|&key| Some((key.to_owned(), tables.remove(key)?)))
            .collect();
        let heading: Heading = heading.try_into().map_err(syntax)?;
        if heading.format != FORMAT {
            return Err(AccelError::Format {
                found: heading.format,
            });
        }
        check::positive("clock_ghz", heading.clock_ghz, 100.0)?;
        heading.technology.check()?;
        let kind = accelerator::ALL
            .iter()
            .find(|kind| kind.name == heading.kind)
            .ok_or_else(|| {
                let known: Vec<&str> = accelerator::ALL.iter().map(|kind| kind.name).collect();
                check::refuse("kind", format!("\"{}\"", heading.kind), &known.join(", "))
            })?;
        let accelerator = (kind.read)(tables, heading.clock_ghz)?;
        let changes = settings.iter().map(|setting| format!(", {setting}"));
        Ok(Machine {
            name: heading.name + &changes.collect::<String>(),
            kind: kind.name,
            clock_ghz: heading.clock_ghz,
            overlap: heading.overlap,
            banks: banks(accelerator.as_ref()),
            area: area(accelerator.as_ref(), &heading.technology),
            accelerator,
            energies: EnergyTable::builtin(),
            technology: heading.technology,
        })
    }

    /// What a machine file says after changes to it: a machine file of one
    /// `table.key = value` a line in the order of their names, without comments. Two
    /// files of the same content give the same bytes. Whether there can be such a
    /// machine is for [`from_toml`](Machine::from_toml) to say.
    ///
    /// # Errors
    /// [`AccelError::Syntax`], and [`AccelError::Setting`] for a change within what is
    /// no table.
    pub fn resolve(text: &str, settings: &[Setting]) -> Result<String, AccelError> {
        let lines = Setting::all_of(&changed(text, settings)?);
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    }

    /// A machine that no file describes.
    ///
    /// # Errors
    /// [`AccelError::Value`] if the clock cannot be.
    pub fn of(
        name: &str,
        clock_ghz: f64,
        accelerator: Box<dyn Accelerator>,
    ) -> Result<Machine, AccelError> {
        check::positive("clock_ghz", clock_ghz, 100.0)?;
        Ok(Machine {
            name: name.to_owned(),
            kind: "own",
            clock_ghz,
            overlap: true,
            banks: banks(accelerator.as_ref()),
            area: area(accelerator.as_ref(), &Technology::default()),
            accelerator,
            energies: EnergyTable::builtin(),
            technology: Technology::default(),
        })
    }

    /// Rows of the tiles that its array works on, if it runs products of any kind.
    pub fn tile_rows(&self) -> Option<u64> {
        Some(self.accelerator.array()?.shape().rows)
    }

    /// The same machine with other energies per action.
    pub fn with_energies(self, energies: EnergyTable) -> Machine {
        Machine { energies, ..self }
    }

    /// The same machine at another node.
    ///
    /// # Errors
    /// [`AccelError::Value`] if the scaling does not reach it.
    pub fn with_technology(self, technology: Technology) -> Result<Machine, AccelError> {
        technology.check()?;
        Ok(Machine {
            area: area(self.accelerator.as_ref(), &technology),
            technology,
            ..self
        })
    }

    /// What its energies and its area are told at.
    pub fn technology(&self) -> &Technology {
        &self.technology
    }

    /// What it is made of, at its technology.
    pub fn area(&self) -> &Area {
        &self.area
    }

    /// How many elements it would have on so much area, in mm^2 at its technology, if
    /// nothing but their number changed.
    pub fn elements_for(&self, total_mm2: f64) -> f64 {
        self.area.elements_for(self.elements(), total_mm2)
    }

    /// The name in its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of its accelerator.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its clock, in GHz.
    pub fn clock_ghz(&self) -> f64 {
        self.clock_ghz
    }

    /// Whether its answer depends on what the trace says of heads
    /// ([`Layer::heads`](dtatrans_precision::trace::Layer::heads)): by that a machine
    /// prunes that has a rule of its own. What other machines answer follows from the
    /// header and the tiers.
    pub fn reads_heads(&self) -> bool {
        self.own_plan(1).is_some()
    }

    pub(crate) fn accelerator(&self) -> &dyn Accelerator {
        &*self.accelerator
    }

    /// Number of its multiplying elements.
    pub fn elements(&self) -> u64 {
        self.accelerator.elements()
    }

    /// Width of the operands that one of them multiplies at once, in bits.
    pub fn element_bits(&self) -> u64 {
        self.accelerator.element_bits()
    }

    /// Its highest rate of executed operations, in 10^9 a second: two for each element
    /// and cycle, one scalar product of operands of [`element_bits`](Machine::element_bits)
    /// each. Wider operands take an element longer and stay below it.
    pub fn peak_gops(&self) -> f64 {
        2.0 * self.elements() as f64 * self.clock_ghz
    }

    /// The highest bandwidth of its DRAM, in 10^9 bytes a second.
    pub fn dram_gbps(&self) -> f64 {
        self.accelerator.dram().peak_gbps()
    }

    /// The plan of a model of `layers` layers under the machine's own rule, if
    /// it prunes by one: run the model under it to see what that costs in
    /// accuracy.
    pub fn own_plan(&self, layers: usize) -> Option<Plan> {
        self.accelerator.own_plan(layers)
    }

    /// Runs one input of a trace.
    ///
    /// # Errors
    /// [`AccelError::Input`] if the input does not fit the header,
    /// [`AccelError::Unfit`] if the header does not fit the machine,
    /// [`AccelError::NoEnergy`] if an action was counted that has no energy,
    /// [`AccelError::Conservation`] if the run breaks a conservation law.
    pub fn simulate(&self, header: &Header, input: &Input) -> Result<RunReport, AccelError> {
        self.check(header, input)?;
        let run = self.accelerator.run(header, input);
        let dense = Workload::dense(&header.model, input.read(), Bits::Eight);
        let fed = run.fed.clone();
        let Scopes {
            attention,
            encoder,
            model,
        } = self.scopes(run, &dense)?;
        let mut report = RunReport {
            machine: self.name.clone(),
            kind: self.kind,
            fed,
            technology: self.technology,
            area: self.area.clone(),
            inputs: 1,
            tokens: input.tokens.len() as u64,
            attention,
            encoder,
            model,
            decoding: None,
        };
        let mut replay = input.replay();
        while let Some(kept) = replay.step() {
            let run = self.accelerator.step_behind(header, input, kept);
            let tokens = tokens_so_far(kept);
            let dense = Workload::dense_step(&header.model, tokens, Bits::Eight);
            let Scopes {
                attention,
                encoder,
                model,
            } = self.scopes(run, &dense)?;
            report.add_decoding(&DecodingReport {
                tokens: 1,
                attention,
                encoder,
                model,
            });
        }
        Ok(report)
    }

    /// Runs one input of a trace, of a decoder what was read at once, and keeps when
    /// each unit did what.
    ///
    /// # Errors
    /// As [`simulate`](Machine::simulate).
    pub fn record(&self, header: &Header, input: &Input) -> Result<Recording, AccelError> {
        self.check(header, input)?;
        let mut run = self.accelerator.run(header, input);
        let scope = match run.runs_encoder {
            true => Scope::Encoder,
            false => Scope::Attention,
        };
        let mut timeline = Timeline::default();
        let context = self.context(&run);
        let dense = Workload::dense(&header.model, input.read(), Bits::Eight);
        let macs = dense
            .products()
            .filter(|product| scope == Scope::Encoder || product.operation.is_attention())
            .map(|product| product.macs())
            .sum();
        let report = context.report(&mut run, scope, macs, Some(&mut timeline))?;
        let products = run.products.iter();
        Ok(Recording {
            machine: self.name.clone(),
            clock_ghz: self.clock_ghz,
            elements: self.accelerator.elements(),
            arrays: self.accelerator.arrays(),
            products: products
                .map(|product| (product.layer, product.operation))
                .collect(),
            report,
            timeline,
        })
    }

    /// The reports of the scopes that a run has; the dense model's work is `dense`.
    fn scopes(&self, mut run: Run, dense: &Workload) -> Result<Scopes, AccelError> {
        let macs = |wanted: &dyn Fn(Operation) -> bool| -> u64 {
            dense
                .products()
                .chain(dense.ends.iter().flat_map(|ends| &ends.products))
                .filter(|product| wanted(product.operation))
                .map(|product| product.macs())
                .sum()
        };
        let context = self.context(&run);
        let attention_macs = macs(&Operation::is_attention);
        let attention = context.report(&mut run, Scope::Attention, attention_macs, None)?;
        let (mut encoder, mut model) = (None, None);
        if run.runs_encoder {
            let encoder_macs = macs(&Operation::is_of_layer);
            encoder = Some(context.report(&mut run, Scope::Encoder, encoder_macs, None)?);
            if dense.ends.is_some() {
                model = Some(context.report(&mut run, Scope::Model, macs(&|_| true), None)?);
            }
        }
        Ok(Scopes {
            attention,
            encoder,
            model,
        })
    }

    /// That the input fits its header, and the header the accelerator.
    fn check(&self, header: &Header, input: &Input) -> Result<(), AccelError> {
        check_input(header, input)?;
        let unfit = |reason| AccelError::Unfit {
            machine: self.name.clone(),
            reason,
        };
        self.accelerator.check(header).map_err(unfit)
    }

    pub(crate) fn context(&self, run: &Run) -> Context<'_> {
        let elements = self.accelerator.elements();
        Context {
            machine: &self.name,
            elements,
            chip: Chip {
                clock_ghz: self.clock_ghz,
                dram: self.accelerator.dram(),
                room_bytes: run.room_bytes,
                banks: self.banks.as_ref(),
                overlap: self.overlap,
                lane_elements: elements / self.accelerator.arrays(),
            },
            sram: self.accelerator.sram(),
            waiting: self.accelerator.waiting(),
            energies: &self.energies,
            technology: &self.technology,
            area: &self.area,
        }
    }
}

/// The banks of an accelerator's buffer.
fn banks(accelerator: &dyn Accelerator) -> Option<Banks> {
    let sram = accelerator.sram()?;
    Some(Banks::new(sram.banks(), sram.access_bits()))
}

/// What an accelerator is made of, at a technology.
fn area(accelerator: &dyn Accelerator, technology: &Technology) -> Area {
    accelerator.area(technology).at(technology)
}

/// The reports of a run, by scope.
struct Scopes {
    attention: ScopeReport,
    encoder: Option<ScopeReport>,
    model: Option<ScopeReport>,
}

/// Tokens so far in a step of a decoder.
pub(crate) fn tokens_so_far(kept: &[Vec<Vec<Tier>>]) -> usize {
    kept.iter().flatten().next().map_or(0, Vec::len)
}

/// That an input fits its header, and is not beyond what is simulated: a
/// trace's reader checks that too, but a trace can also be built by hand.
fn check_input(header: &Header, input: &Input) -> Result<(), AccelError> {
    let refuse = |reason: String| {
        Err(AccelError::Input {
            input: input.id.clone(),
            reason,
        })
    };
    let model = &header.model;
    let n = input.tokens.len();
    if let Err(Misfit { field, reason }) = input.check(model) {
        return refuse(format!("{field}: {reason}"));
    }
    if let Some(Err((field, reason))) = model.ends.map(|ends| ends.check()) {
        return refuse(format!("{field} = {reason}"));
    }
    let sizes = [
        model.hidden,
        model.heads,
        model.key_value_heads,
        model.head_dim,
        model.intermediate,
    ];
    if sizes.contains(&0) || dense_macs(model, n).is_none_or(|macs| macs > MOST_MACS) {
        return refuse(format!(
            "a model of {} layers and width {} on {n} tokens is beyond what is simulated",
            model.layers, model.hidden
        ));
    }
    Ok(())
}

/// Scalar products of the dense model on `n` tokens, or `None` where even 128
/// bits overflow.
fn dense_macs(model: &ModelShape, n: usize) -> Option<u128> {
    let product = |factors: &[usize]| {
        factors.iter().try_fold(1_u128, |product, &factor| {
            product.checked_mul(factor as u128)
        })
    };
    let per_token = product(&[4, model.hidden, model.heads, model.head_dim])?
        .checked_add(product(&[2, n, model.heads, model.head_dim])?)?
        .checked_add(product(&[3, model.hidden, model.intermediate])?)?;
    let behind = match &model.ends {
        Some(ends) => product(&[n, model.hidden, model.hidden.checked_add(ends.outputs)?])?,
        None => 0,
    };
    per_token
        .checked_mul(product(&[model.layers, n])?)?
        .checked_add(behind)
}

/// The tables of a machine file after changes to it.
fn changed(text: &str, settings: &[Setting]) -> Result<toml::Table, AccelError> {
    let mut tables: toml::Table = toml::from_str(text).map_err(syntax)?;
    for setting in settings {
        setting.apply(&mut tables)?;
    }
    Ok(tables)
}

/// The tables of a machine file as a kind's own type.
pub(crate) fn tables<T: for<'de> Deserialize<'de>>(tables: toml::Table) -> Result<T, AccelError> {
    tables.try_into().map_err(syntax)
}

/// What TOML says, and for an unknown key the known one that is most like it.
fn syntax(error: toml::de::Error) -> AccelError {
    let mut message = error.to_string().trim_end().replace('\n', "\n  ");
    if let Some(meant) = nearest_key(error.message()) {
        message += &format!("; did you mean `{meant}`?");
    }
    AccelError::Syntax(message)
}

/// Of "unknown field `rwos`, expected one of `rows`, ..." the key that is meant.
pub fn nearest_key(message: &str) -> Option<&str> {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = message
        .starts_with("unknown field")
        .then(|| names.next())??;
    let like = |name: &str| strsim::jaro_winkler(unknown, name);
    names
        .filter(|name| like(name) > 0.7)
        .max_by(|a, b| like(a).total_cmp(&like(b)))
}
