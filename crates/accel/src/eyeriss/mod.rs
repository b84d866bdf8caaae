//! Eyeriss: 12 x 14 elements of 16 bits, row-stationary (Chen et al., ISCA 2016
//! and JSSC 2017). It is fed the dense model at 16 bits.
//!
//! First version: matrix products as 1 x 1 convolutions in the mapping of best
//! utilisation ([`mapping`]), loads hidden behind passes except an operation's
//! first; run-length coding and zero gating are left out, because hidden states
//! and weights have no zeros to speak of. The chip has no softmax; a vector unit
//! like the other machines' is assumed beside it, so that the comparison does
//! not charge it for what it never had to do.

mod area;
pub mod mapping;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{Embedding, Operation, Pooling, Product, VectorWork, Workload};
use dtatrans_precision::{Bits, Tier};
use serde::Deserialize;

use self::mapping::Mapping;
use crate::AccelError;
use crate::accelerator::{Accelerator, Kind, ProductRun, Run};
use crate::area::Area;
use crate::blocks::steady::{Steady, Whole};
use crate::energy::{Action, Actions, Part, Waiting};
use crate::machine::{check, tables, tokens_so_far};
use crate::memory::operands::writes_hidden;
use crate::memory::{Dram, Sram, Traffic};
use crate::node::Technology;
use crate::report::Breakdown;
use crate::vector::{self, VectorUnit};

pub(crate) const KIND: Kind = Kind {
    name: "eyeriss",
    summary: "Eyeriss: 16-bit elements, row-stationary, dense",
    read,
};

/// Bytes of a word.
const WORD_BYTES: u64 = 2;
/// Words that the buffer hands to the array in one cycle, to fill the scratch
/// pads of a first pass: its 64-bit port.
const PORT_WORDS: u64 = 4;
/// Scratch-pad accesses of one multiply-accumulate: input and weight read, partial sum
/// read and written (ISCA 2016; stanford-mast/nn_dataflow's tests have four as well).
const SCRATCH_PAD_ACCESSES: [Action; 4] = [
    Action::EyerissIfmapRead,
    Action::EyerissFilterRead,
    Action::EyerissPsumRead,
    Action::EyerissPsumWrite,
];

/// Steps that a product is run in: passes that fetch and store beside one another.
const STEPS: u64 = 48;

/// The sizes of the chip that a mapping depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Rows of elements.
    pub rows: u64,
    /// Columns of elements.
    pub columns: u64,
    /// Weights that an element holds, in words.
    pub filter_words: u64,
    /// Inputs that an element holds, in words.
    pub ifmap_words: u64,
    /// Partial sums that an element holds, in words.
    pub psum_words: u64,
    /// Size of the global buffer, in bytes.
    pub buffer_bytes: u64,
}

/// Eyeriss with its surroundings.
#[derive(Debug)]
pub struct Eyeriss {
    chip: Chip,
    vector: VectorUnit,
    dram: Dram,
    /// Mappings found before, by M, N and K.
    mappings: Mutex<HashMap<[u64; 3], Mapping>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    chip: Chip,
    dram: Dram,
    vector: VectorUnit,
}

fn read(file: toml::Table, _clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let File { chip, dram, vector } = tables(file)?;
    check::between("chip.rows", chip.rows, 1, 64)?;
    check::between("chip.columns", chip.columns, 1, 64)?;
    check::between("chip.filter_words", chip.filter_words, 1, 4096)?;
    check::between("chip.ifmap_words", chip.ifmap_words, 1, 64)?;
    check::between("chip.psum_words", chip.psum_words, 1, 64)?;
    check::between("chip.buffer_bytes", chip.buffer_bytes, 1024, 1 << 30)?;
    dram.check()?;
    vector.check()?;
    Ok(Box::new(Eyeriss {
        chip,
        vector,
        dram,
        mappings: Mutex::default(),
    }))
}

impl Accelerator for Eyeriss {
    fn elements(&self) -> u64 {
        self.chip.rows * self.chip.columns
    }

    fn element_bits(&self) -> u64 {
        16
    }

    fn dram(&self) -> &Dram {
        &self.dram
    }

    fn sram(&self) -> Option<&Sram> {
        None
    }

    fn area(&self, technology: &Technology) -> Area {
        area::of(&self.chip, &self.vector, technology)
    }

    fn waiting(&self) -> Option<Waiting> {
        Some(area::WAITING)
    }

    fn run(&self, header: &Header, input: &Input) -> Run {
        self.work(&Workload::dense(&header.model, input.read(), Bits::Sixteen))
    }

    fn step(&self, header: &Header, kept: &[Vec<Vec<Tier>>]) -> Run {
        let tokens = tokens_so_far(kept);
        self.work(&Workload::dense_step(&header.model, tokens, Bits::Sixteen))
    }
}

impl Eyeriss {
    fn work(&self, work: &Workload) -> Run {
        let mut steady = Steady::default();
        if let Some(ends) = &work.ends {
            steady.add(self.embedding(&ends.embedding));
        }
        for layer in &work.layers {
            steady.layer(0, Actions::default());
            for product in &layer.products {
                steady.add(self.product(product));
            }
        }
        if let Some(ends) = &work.ends {
            if let Some(pooling) = &ends.pooling {
                steady.add(self.pooling(pooling));
            }
            for product in &ends.products {
                steady.add(self.product(product));
            }
        }
        steady.run("all tokens at 16 bits".into(), true)
    }

    /// Rows of tables, of which that of segments is the same for all tokens.
    fn embedding(&self, embedding: &Embedding) -> Whole {
        let tokens = embedding.tokens as u64;
        let rows = match embedding.tables as u64 {
            3.. => 2 * tokens + 1,
            tables => tables * tokens,
        };
        let words = [rows, tokens].map(|rows| rows * embedding.width as u64);
        self.vector_only(Operation::Embedding, 0, tokens, words, &embedding.work)
    }

    fn pooling(&self, pooling: &Pooling) -> Whole {
        let (rows, width) = (pooling.rows as u64, pooling.width as u64);
        let words = [rows * width, width];
        self.vector_only(Operation::Pool, pooling.layer, rows, words, &pooling.work)
    }

    /// What the vector unit makes of words from DRAM without the arrays.
    fn vector_only(
        &self,
        operation: Operation,
        layer: usize,
        m: u64,
        [read, written]: [u64; 2],
        work: &VectorWork,
    ) -> Whole {
        let mut actions = Actions::default();
        vector::count(work, &mut actions);
        actions.count(Part::Buffer, Action::EyerissBuffer, read + written);
        Whole {
            product: ProductRun {
                layer,
                operation,
                copies: 1,
                m,
                n: 0,
                k: 0,
                macs: 0,
                actions,
                element_cycles: 0,
                operand_bytes: [0; 3],
                mapping: None,
            },
            steps: STEPS,
            cycles: 0,
            element_cycles: Breakdown::default(),
            traffic: Traffic {
                read_bytes: WORD_BYTES * read,
                write_bytes: WORD_BYTES * written,
                unique_read_bytes: WORD_BYTES * read,
            },
            vector_cycles: self.vector.cycles(work),
            takes: false,
        }
    }

    fn mapping(&self, m: u64, n: u64, k: u64) -> Mapping {
        let mut known = self.mappings.lock().unwrap_or_else(PoisonError::into_inner);
        *known
            .entry([m, n, k])
            .or_insert_with(|| Mapping::best(&self.chip, m, n, k))
    }

    fn product(&self, product: &Product) -> Whole {
        let copies = product.count as u64;
        let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
        let mapping = self.mapping(m, n, k);
        let fill =
            (mapping.filters * mapping.filter_sets * mapping.channels * mapping.channel_sets)
                .div_ceil(PORT_WORDS);
        let cycles = copies * mapping.cycles() + fill;
        let macs = product.macs();
        let elements = self.elements();

        // Scores go through DRAM unless those of one head fit half the buffer.
        let scores = match product.operation {
            Operation::Score => m * n,
            Operation::Context => m * k,
            _ => 0,
        };
        let scores_stay = scores * WORD_BYTES <= self.chip.buffer_bytes / 2;
        let on_chip = |operation| product.operation == operation && scores_stay;
        let [left, right] = mapping.dram_words;
        let (left, unique_left) = match on_chip(Operation::Context) {
            true => (0, 0),
            false => (left, m * k),
        };
        let results = match on_chip(Operation::Score) {
            true => 0,
            false => m * n,
        };
        let residual = match writes_hidden(product.operation) {
            true => m * n,
            false => 0,
        };
        let traffic = Traffic {
            read_bytes: WORD_BYTES * copies * (left + right + residual),
            write_bytes: WORD_BYTES * copies * results,
            unique_read_bytes: WORD_BYTES * copies * (unique_left + n * k + residual),
        };

        let mut actions = Actions::default();
        vector::count(&product.vector(), &mut actions);
        let buffer = mapping.buffer_words(m, n, k) + left + results;
        actions.count(Part::Arithmetic, Action::EyerissMac, macs);
        for access in SCRATCH_PAD_ACCESSES {
            actions.count(Part::Registers, access, macs);
        }
        actions.count(
            Part::Network,
            Action::EyerissArray,
            copies * mapping.array_words(m, n, k),
        );
        actions.count(Part::Buffer, Action::EyerissBuffer, copies * buffer);
        Whole {
            product: ProductRun {
                layer: product.layer,
                operation: product.operation,
                copies,
                m,
                n,
                k,
                macs,
                element_cycles: macs,
                actions,
                operand_bytes: [0; 3],
                mapping: None,
            },
            steps: STEPS,
            cycles,
            element_cycles: Breakdown {
                active: macs,
                tail: copies * mapping.cycles() * elements - macs,
                fill: fill * elements,
                ..Breakdown::default()
            },
            traffic,
            vector_cycles: self.vector.cycles(&product.vector()),
            takes: product.operation == Operation::Context,
        }
    }
}
