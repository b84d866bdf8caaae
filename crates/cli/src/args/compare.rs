//! The arguments of `compare`.

use std::path::PathBuf;

use clap::Args;
use dtatrans_accel::machine::Setting;
use dtatrans_precision::ModelShape;

#[derive(Args, Debug)]
pub(crate) struct CompareArguments {
    /// Traces, of any models; `-` is standard input
    #[arg(value_name = "TRACE", required = true)]
    pub(crate) traces: Vec<PathBuf>,

    /// A built-in machine's name or a machine file; may be given several times [default: all that
    /// are built in]
    #[arg(long, short, value_name = "NAME|FILE")]
    pub(crate) machine: Vec<String>,

    /// A change to the machines' files, such as `dram.bandwidth_gbps=32`; may be given several
    /// times
    #[arg(long, value_name = "KEY=VALUE", requires = "machine")]
    pub(crate) set: Vec<Setting>,

    /// The machine that the others are compared with [default: the first one]
    #[arg(long, value_name = "NAME")]
    pub(crate) base: Option<String>,

    #[command(flatten)]
    pub(crate) shape: ShapeArguments,

    /// Write a table of comma-separated values: a row for each scope, trace and machine, and for
    /// several traces their sums and the geometric mean and minimum of the gains
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,

    /// Write a page with a roofline, and what cycles and energy went to
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Another model that a trace stands in for.
#[derive(Args, Debug)]
pub(crate) struct ShapeArguments {
    /// Run the trace on this model's shape instead, bert-base or gpt2-small: each of its layers
    /// has the tiers of the layer at the same relative depth. Given both, an encoder's trace takes
    /// the first and a decoder's the second
    #[arg(long, value_name = "NAME", value_parser = named_shape)]
    pub(crate) shape: Vec<ModelShape>,
}

/// A shape by its name.
fn named_shape(name: &str) -> Result<ModelShape, String> {
    let shapes = ModelShape::named();
    let names = shapes.each_ref().map(|shape| shape.name.clone());
    let shape = shapes.into_iter().find(|shape| shape.name == name);
    shape.ok_or_else(|| format!("must be {}", names.join(" or ")))
}
