//! Eyeriss: 12 x 14 elements of 16 bits, row-stationary (Chen et al., ISCA 2016
//! and JSSC 2017). It is fed the dense model at 16 bits.
//!
//! Convolutions ([`layer`]) are mapped ([`mapping`]) onto the array ([`chip`]) by
//! exhaustive search ([`search`]); matrix products are 1 x 1 convolutions. The model is
//! held against the studies and the chip ([`silicon`]) on AlexNet. On a trace, loads hide
//! behind passes except an operation's first; run-length coding and zero gating are left
//! out, because hidden states and weights have no zeros to speak of. The chip has no
//! softmax; a vector unit like the other machines' is assumed beside it, so that the
//! comparison does not charge it for what it never had to do.

mod area;
pub mod chip;
pub mod layer;
pub mod mapping;
pub mod search;
pub mod silicon;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{Embedding, Operation, Pooling, Product, VectorWork, Workload};
use dtatrans_precision::{Bits, Tier};
use serde::Deserialize;

use self::chip::{Buses, Chip, ScratchPads, WORD_BYTES};
use self::layer::Layer;
use self::mapping::{Accesses, Cycles};
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

/// Eyeriss with its surroundings.
#[derive(Debug)]
pub struct Eyeriss {
    chip: Chip,
    vector: VectorUnit,
    dram: Dram,
    /// Bytes that DRAM moves in a cycle at best.
    dram_bytes_per_cycle: f64,
    /// Products mapped before, by M, N and K.
    mapped: Mutex<HashMap<[u64; 3], Mapped>>,
}

/// What a mapping makes of a product.
#[derive(Clone, Debug)]
struct Mapped {
    cycles: Cycles,
    accesses: Accesses,
    /// Whether the left operand is the filters.
    swapped: bool,
    /// For people.
    sentence: String,
}

/// The table `[chip]` of a machine file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChipTable {
    rows: u64,
    columns: u64,
    filter_words: u64,
    ifmap_words: u64,
    psum_words: u64,
    buffer_bytes: u64,
    filter_buffer_bytes: u64,
    filter_bus_words: u64,
    ifmap_bus_words: u64,
    psum_bus_words: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    chip: ChipTable,
    dram: Dram,
    vector: VectorUnit,
}

impl ChipTable {
    fn check(&self) -> Result<(), AccelError> {
        check::between("chip.rows", self.rows, 1, 128)?;
        check::between("chip.columns", self.columns, 1, 128)?;
        check::between("chip.filter_words", self.filter_words, 1, 4096)?;
        check::between("chip.ifmap_words", self.ifmap_words, 1, 64)?;
        check::between("chip.psum_words", self.psum_words, 1, 64)?;
        check::between("chip.buffer_bytes", self.buffer_bytes, 1024, 1 << 30)?;
        // Any layer of matrix products has a mapping in the other half.
        check::between(
            "chip.filter_buffer_bytes",
            self.filter_buffer_bytes,
            2,
            self.buffer_bytes / 2,
        )?;
        check::between("chip.filter_bus_words", self.filter_bus_words, 1, 1024)?;
        check::between("chip.ifmap_bus_words", self.ifmap_bus_words, 1, 1024)?;
        check::between("chip.psum_bus_words", self.psum_bus_words, 1, 1024)
    }

    fn chip(&self) -> Chip {
        Chip {
            rows: self.rows,
            columns: self.columns,
            pads: ScratchPads::Separate {
                filter_words: self.filter_words,
                ifmap_words: self.ifmap_words,
                psum_words: self.psum_words,
            },
            buffer_words: self.buffer_bytes / WORD_BYTES,
            filter_buffer_words: self.filter_buffer_bytes / WORD_BYTES,
            buses: Buses {
                filter_words: self.filter_bus_words,
                ifmap_words: self.ifmap_bus_words,
                psum_words: self.psum_bus_words,
            },
        }
    }
}

fn read(file: toml::Table, clock_ghz: f64) -> Result<Box<dyn Accelerator>, AccelError> {
    let File { chip, dram, vector } = tables(file)?;
    chip.check()?;
    dram.check()?;
    vector.check()?;
    Ok(Box::new(Eyeriss {
        chip: chip.chip(),
        vector,
        dram_bytes_per_cycle: dram.peak_gbps() / clock_ghz,
        dram,
        mapped: Mutex::default(),
    }))
}

impl Accelerator for Eyeriss {
    fn elements(&self) -> u64 {
        self.chip.elements()
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

    fn mapped(&self, m: u64, n: u64, k: u64) -> Mapped {
        let mut known = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.entry([m, n, k]).or_insert_with(|| self.map(m, n, k));
        found.clone()
    }

    fn map(&self, m: u64, n: u64, k: u64) -> Mapped {
        let best = search::best_for_product(&self.chip, [m, n, k], self.dram_bytes_per_cycle);
        let (mapping, swapped) = best.expect("one row by one column fits any chip that is read");
        let layer = match swapped {
            true => Layer::product(n, m, k),
            false => Layer::product(m, n, k),
        };
        let cycles = mapping.cycles(&self.chip, &layer);
        let all = (cycles.total * self.chip.elements()) as f64;
        let filters = match swapped {
            true => "rows of the left operand",
            false => "columns of the right operand",
        };
        Mapped {
            cycles,
            accesses: mapping.accesses(&layer),
            swapped,
            sentence: format!(
                "{mapping}; filters are {filters}: {} of {} elements have work, {:.0} % of all \
                 element-cycles",
                mapping.active_elements(&layer),
                self.chip.elements(),
                100.0 * layer.macs() as f64 / all
            ),
        }
    }

    fn product(&self, product: &Product) -> Whole {
        let copies = product.count as u64;
        let (m, n, k) = (product.m() as u64, product.n as u64, product.k as u64);
        let Mapped {
            cycles,
            accesses,
            swapped,
            sentence,
        } = self.mapped(m, n, k);
        let macs = product.macs();
        let elements = self.elements();

        // Scores go through DRAM unless those of one head fit half the buffer.
        let scores = match product.operation {
            Operation::Score => m * n,
            Operation::Context => m * k,
            _ => 0,
        };
        let scores_stay = scores <= self.chip.buffer_words / 2;
        let on_chip = |operation| product.operation == operation && scores_stay;
        let [filters, inputs, _] = accesses.dram;
        let (left, right) = match swapped {
            true => (filters, inputs),
            false => (inputs, filters),
        };
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
        let [buffer, array] =
            [accesses.buffer, accesses.array].map(|words| words.iter().sum::<u64>());
        // What comes from DRAM is written to the buffer first, what goes there read from it.
        let buffer = buffer + left + right + results;
        actions.count(Part::Arithmetic, Action::EyerissMac, macs);
        for access in SCRATCH_PAD_ACCESSES {
            actions.count(Part::Registers, access, macs);
        }
        actions.count(Part::Network, Action::EyerissArray, copies * array);
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
                mapping: Some(sentence),
            },
            steps: STEPS,
            cycles: copies * cycles.total,
            element_cycles: Breakdown {
                active: macs,
                operand_wait: copies * cycles.bus * elements,
                fill: copies * cycles.ramp * elements,
                tail: copies * (cycles.total - cycles.bus - cycles.ramp) * elements - macs,
                ..Breakdown::default()
            },
            traffic,
            vector_cycles: self.vector.cycles(&product.vector()),
            takes: product.operation == Operation::Context,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_file_is_the_chip_that_is_validated() {
        for text in [
            include_str!("../../../../machines/eyeriss.toml"),
            include_str!("../../../../machines/eyeriss-1ghz.toml"),
        ] {
            let file: toml::Table = toml::from_str(text).unwrap();
            let table: ChipTable = file["chip"].clone().try_into().unwrap();
            assert_eq!(table.chip(), Chip::JSSC17);
        }
    }
}
