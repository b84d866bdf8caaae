//! What an accelerator is, and the list of all.

use std::fmt;

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::Operation;
use dtatrans_precision::{Plan, Tier};

use crate::AccelError;
use crate::area::Area;
use crate::energy::{Actions, Waiting};
use crate::memory::{Dram, Sram};
use crate::node::Technology;
use crate::products::ProductArray;
use crate::schedule::{Arrays, Block, Ranking};
use crate::{eyeriss, spatten, systolic, vssa};

/// An accelerator: it decides what it does with a trace, and says what each of
/// its units does. What overlaps, what that costs, and whether it is conserved
/// is computed from its answer, the same way for all.
pub trait Accelerator: fmt::Debug + Send + Sync {
    /// Number of multiplying elements.
    fn elements(&self) -> u64;

    /// Width of the operands that one element multiplies at once, in bits.
    fn element_bits(&self) -> u64;

    /// Its DRAM.
    fn dram(&self) -> &Dram;

    /// Its on-chip buffer, if its accesses are priced by size.
    fn sram(&self) -> Option<&Sram>;

    /// What it is made of, each thing at the node where its figures were found; the
    /// caller brings them to the technology. What leaks is priced by it.
    fn area(&self, technology: &Technology) -> Area;

    /// What its elements do in cycles without a product, if that costs energy.
    fn waiting(&self) -> Option<Waiting> {
        None
    }

    /// Number of equal arrays that the elements stand in.
    fn arrays(&self) -> u64 {
        1
    }

    /// That it can run traces of this kind: else the reason.
    ///
    /// # Errors
    /// What of the trace does not fit it.
    fn check(&self, header: &Header) -> Result<(), String> {
        let _ = header;
        Ok(())
    }

    /// The run of one input, of a decoder's what was read at once. The caller has
    /// checked that the input fits the header.
    fn run(&self, header: &Header, input: &Input) -> Run;

    /// The run of one new token of a decoder: by layer and set of key-value heads
    /// the tiers of the tokens that it attends to, itself the last.
    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run;

    /// The same behind an input whose record says more of the model than its tiers.
    fn step_behind(&self, header: &Header, input: &Input, kept: &[Vec<Vec<Tier>>]) -> Run {
        let _ = input;
        self.step(header, kept)
    }

    /// Itself, if it is SpAtten, which has traces of its own.
    fn spatten(&self) -> Option<&spatten::SpAtten> {
        None
    }

    /// Its array, if that runs products that belong to no model.
    fn array(&self) -> Option<&dyn ProductArray> {
        None
    }

    /// The plan of a model of `layers` layers under the accelerator's own rule,
    /// if it prunes by one.
    fn own_plan(&self, layers: usize) -> Option<Plan> {
        let _ = layers;
        None
    }
}

/// What an accelerator does with one input.
#[derive(Debug)]
pub struct Run {
    /// What of the trace it was fed.
    pub fed: String,
    /// The products, in order.
    pub products: Vec<ProductRun>,
    /// What the arrays run, in order.
    pub blocks: Vec<Block>,
    /// The ranking of the tokens before each layer.
    pub rankings: Vec<Option<Ranking>>,
    /// What each of them does that costs energy.
    pub ranking_actions: Vec<Actions>,
    /// The arrays that run them.
    pub arrays: Box<dyn Arrays>,
    /// Bytes of the buffer that hold operands.
    pub room_bytes: u64,
    /// Whether it runs all products, or the attention only.
    pub runs_encoder: bool,
}

/// One product of a run, all copies together, apart from when it runs.
#[derive(Clone, Debug)]
pub struct ProductRun {
    /// Index of the layer.
    pub layer: usize,
    /// Which product.
    pub operation: Operation,
    /// How many equal ones.
    pub copies: u64,
    /// Rows of the left operand.
    pub m: u64,
    /// Columns of the right operand.
    pub n: u64,
    /// Length of the reduction.
    pub k: u64,
    /// Scalar products computed.
    pub macs: u64,
    /// Element-cycles that they need: what elements must be seen to work.
    pub element_cycles: u64,
    /// What is done that costs energy, but for what moves over DRAM.
    pub actions: Actions,
    /// Bytes that lie in DRAM of its left and right operands and of what else it needs,
    /// each once: the least that must be read.
    pub operand_bytes: [u64; 3],
    /// How it is cut and why, for people, if there is a choice.
    pub mapping: Option<String>,
}

/// A kind of accelerator: what `kind` in a machine file names.
pub struct Kind {
    /// The name in machine files.
    pub name: &'static str,
    /// One sentence for help texts.
    pub summary: &'static str,
    /// Reads the tables of a machine file; the clock in GHz is read already.
    pub(crate) read: fn(toml::Table, f64) -> Result<Box<dyn Accelerator>, AccelError>,
}

/// Every kind there is.
pub static ALL: &[Kind] = &[vssa::KIND, systolic::KIND, eyeriss::KIND, spatten::KIND];
