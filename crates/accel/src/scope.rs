//! From a run to the report of one of its scopes, checked for conservation.

use std::collections::BTreeMap;

use crate::AccelError;
use crate::accelerator::{ProductRun, Run};
use crate::area::Area;
use crate::energy::{Action, Actions, Energy, EnergyTable, Part, Waiting};
use crate::memory::Sram;
use crate::node::Technology;
use crate::report::{Breakdown, Cause, ProductReport, ScopeReport};
use crate::schedule::{self, Block, Chip, Load, Operand, Outcome, Ranking, Timeline};

/// What a scope's report is computed with, besides the run.
pub(crate) struct Context<'a> {
    pub(crate) machine: &'a str,
    pub(crate) elements: u64,
    pub(crate) chip: Chip<'a>,
    pub(crate) sram: Option<&'a Sram>,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) energies: &'a EnergyTable,
    pub(crate) technology: &'a Technology,
    pub(crate) area: &'a Area,
}

/// Which products to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Attention,
    Encoder,
    Model,
}

impl Scope {
    fn has(self, product: &ProductRun) -> bool {
        match self {
            Scope::Attention => product.operation.is_attention(),
            Scope::Encoder => product.operation.is_of_layer(),
            Scope::Model => true,
        }
    }
}

/// The blocks of a scope. What a block needs of another that is not in it is there
/// from the beginning.
fn blocks_of(run: &mut Run, scope: Scope) -> (Vec<Block>, Vec<Option<Ranking>>) {
    if run.products.iter().all(|product| scope.has(product)) {
        return (std::mem::take(&mut run.blocks), run.rankings.clone());
    }
    let mut numbers = vec![None; run.blocks.len()];
    let mut count = 0;
    for (number, block) in numbers.iter_mut().zip(&run.blocks) {
        if scope.has(&run.products[block.product]) {
            *number = Some(count);
            count += 1;
        }
    }
    let renumber = |block: Option<usize>| block.and_then(|block| numbers[block]);
    let mut first_of_layer = BTreeMap::new();
    let mut blocks = Vec::with_capacity(count);
    for (block, number) in run.blocks.iter().zip(&numbers) {
        let Some(number) = *number else { continue };
        let layer = run.products[block.product].layer;
        let first = *first_of_layer.entry(layer).or_insert(number) == number;
        let loads = block.loads.iter().map(|load| Load {
            operand: load.operand,
            requests: load.requests.clone(),
            bytes: load.bytes,
            until: numbers[load.until].unwrap_or(number),
            written_by: renumber(load.written_by),
            // Rows that the layer's other products would have gathered.
            ranked: load.ranked.or(first.then_some(layer)),
        });
        blocks.push(Block {
            loads: loads.collect(),
            takes: renumber(block.takes),
            ..block.clone()
        });
    }
    let rankings = run.rankings.iter().map(|ranking| {
        ranking.as_ref().map(|ranking| Ranking {
            cycles: ranking.cycles,
            of: renumber(ranking.of),
        })
    });
    (blocks, rankings.collect())
}

impl Context<'_> {
    /// The report of one scope of a run, checked for conservation.
    pub(crate) fn report(
        &self,
        run: &mut Run,
        scope: Scope,
        macs_dense: u64,
        timeline: Option<&mut Timeline>,
    ) -> Result<ScopeReport, AccelError> {
        let (blocks, rankings) = blocks_of(run, scope);
        self.check_length(&blocks, &rankings)?;
        let moved = Self::moved(run, &blocks);
        let outcome = schedule::run(
            &self.chip,
            &blocks,
            &rankings,
            run.products.len(),
            run.arrays.as_mut(),
            timeline,
        );
        self.check(
            &outcome,
            run.products
                .iter()
                .zip(&moved)
                .filter(|(product, _)| scope.has(product)),
        )?;
        if run.blocks.is_empty() {
            run.blocks = blocks;
        }
        let mut actions = Actions::default();
        for ranked in &run.ranking_actions {
            actions.add(ranked);
        }
        let mut products = BTreeMap::new();
        let mut macs = 0;
        let mut operation_cycles = BTreeMap::new();
        for (index, product) in run.products.iter().enumerate() {
            if !scope.has(product) {
                continue;
            }
            actions.add(&product.actions);
            macs += product.macs;
            let cycles = outcome.product_cycles[index];
            if cycles > 0 {
                *operation_cycles.entry(product.operation).or_default() += cycles;
            }
            let report = ProductReport {
                copies: product.copies,
                m: product.m,
                n: product.n,
                k: product.k,
                cycles,
                macs: product.macs,
                dram_read_bytes: moved[index].dram_read,
                dram_write_bytes: moved[index].dram_written,
                sram_read_bytes: moved[index].sram_read_bits.map(|bits| bits.div_ceil(8)),
                element_cycles: outcome.product_element_cycles[index],
                mapping: product.mapping.clone(),
            };
            products
                .entry((product.layer, product.operation))
                .and_modify(|known: &mut ProductReport| known.add(&report))
                .or_insert(report);
        }
        let (read, written) = outcome.dram_bytes;
        actions.count(Part::Dram, Action::DramBit, 8 * (read + written));
        if self.sram.is_some() {
            // What is read is written to the buffer, what is written is read there.
            actions.count(Part::Buffer, Action::SramWriteBit, 8 * read);
            actions.count(Part::Buffer, Action::SramReadBit, 8 * written);
        }
        Ok(ScopeReport {
            clock_ghz: self.chip.clock_ghz,
            elements: self.elements,
            cycles: outcome.cycles,
            element_cycles: outcome.element_cycles,
            operation_cycles,
            products,
            macs_dense,
            macs_executed: macs,
            dram_read_bytes: read,
            dram_write_bytes: written,
            dram_row_hits: outcome.dram_rows[0],
            dram_row_misses: outcome.dram_rows[1],
            dram_row_conflicts: outcome.dram_rows[2],
            energy: self.energy(&mut actions, &outcome.element_cycles, outcome.cycles)?,
        })
    }

    /// What a run spends: its actions, cycles in which elements wait, and leakage.
    fn energy(
        &self,
        actions: &mut Actions,
        spent: &Breakdown,
        cycles: u64,
    ) -> Result<Energy, AccelError> {
        if let Some(Waiting {
            part,
            late,
            idle,
            zeros,
        }) = self.waiting
        {
            let between = [
                Cause::SpeedMismatch,
                Cause::OperandWait,
                Cause::SramConflict,
            ];
            let between: u64 = between.iter().map(|&cause| spent.of(cause)).sum();
            let padded = zeros.map_or(0, |zeros| actions.of(part, zeros));
            let busy = spent.of(Cause::Active) + between + padded;
            actions.count(part, late, between);
            actions.count(part, idle, spent.total().saturating_sub(busy));
        }
        let prices = self.energies;
        let mut energy = prices.price(actions, self.sram, self.technology, self.machine)?;
        let time_ns = cycles as f64 / self.chip.clock_ghz;
        for own in self.area.components() {
            // 1 mW for 1 ns is 1 pJ.
            energy.leak(own.part, own.kind, own.count * own.leakage_mw * time_ns);
        }
        Ok(energy)
    }

    /// That no count of the run can overflow.
    fn check_length(
        &self,
        blocks: &[Block],
        rankings: &[Option<Ranking>],
    ) -> Result<(), AccelError> {
        let bytes: f64 = blocks
            .iter()
            .flat_map(|block| {
                block
                    .loads
                    .iter()
                    .flat_map(|load| &load.requests)
                    .chain(&block.stores)
            })
            .map(|request| request.bytes as f64)
            .sum();
        let vector: f64 = blocks
            .iter()
            .map(|block| (block.before + block.after) as f64)
            .sum();
        let sort: f64 = rankings
            .iter()
            .flatten()
            .map(|ranking| ranking.cycles as f64)
            .sum();
        let dram = bytes / self.chip.dram.peak_gbps() * self.chip.clock_ghz;
        match dram + vector + sort > (1_u64 << 62) as f64 / self.elements as f64 {
            true => Err(AccelError::TooLong {
                machine: self.machine.to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn broken(&self, law: &'static str, found: u64, expected: u64) -> AccelError {
        AccelError::Conservation {
            machine: self.machine.to_owned(),
            law,
            found,
            expected,
        }
    }

    /// What each product moves, by its blocks.
    fn moved(run: &Run, blocks: &[Block]) -> Vec<Moved> {
        let mut moved = vec![Moved::default(); run.products.len()];
        for block in blocks {
            let own = &mut moved[block.product];
            for load in &block.loads {
                let bytes: u64 = load.requests.iter().map(|request| request.bytes).sum();
                own.dram_read[load.operand as usize] += bytes;
            }
            own.dram_written += block
                .stores
                .iter()
                .map(|request| request.bytes)
                .sum::<u64>();
            for (sum, bits) in own.sram_read_bits.iter_mut().zip(block.operand_bits) {
                *sum += bits;
            }
        }
        moved
    }

    fn check<'a>(
        &self,
        outcome: &Outcome,
        products: impl Iterator<Item = (&'a ProductRun, &'a Moved)>,
    ) -> Result<(), AccelError> {
        let law = |law, found, expected, holds: bool| match holds {
            true => Ok(()),
            false => Err(self.broken(law, found, expected)),
        };
        let all = outcome.cycles * self.elements;
        let attributed = outcome.element_cycles.total();
        law(
            "attributed element-cycles",
            attributed,
            all,
            attributed == all,
        )?;
        let active = outcome.element_cycles.of(Cause::Active);
        law("element-cycles", all, active, active <= all)?;
        let (mut asked_read, mut asked_written, mut needed, mut computed) = (0, 0, 0, 0);
        for (product, moved) in products {
            computed += product.macs;
            asked_read += moved.dram_read.iter().sum::<u64>();
            asked_written += moved.dram_written;
            needed += product.element_cycles;
            for operand in Operand::ALL {
                let (read, size) = (
                    moved.dram_read[operand as usize],
                    product.operand_bytes[operand as usize],
                );
                law(
                    "bytes of an operand read from DRAM",
                    read,
                    size,
                    read >= size,
                )?;
            }
            for (read, bits) in moved.dram_read.iter().zip(moved.sram_read_bits) {
                // Strips and pieces are read in whole bytes.
                let most = bits.div_ceil(8) + bits / 64;
                law(
                    "bytes of an operand read from the buffer",
                    most,
                    *read,
                    *read <= most,
                )?;
            }
        }
        law("active element-cycles", active, needed, active == needed)?;
        // A scalar product takes an element at least one cycle. As the active ones are at
        // most all, no executed rate passes the machine's peak.
        law(
            "active element-cycles for the scalar products computed",
            active,
            computed,
            computed <= active,
        )?;
        let (read, written) = outcome.dram_bytes;
        law("bytes read from DRAM", read, asked_read, read == asked_read)?;
        law(
            "bytes written to DRAM",
            written,
            asked_written,
            written == asked_written,
        )
    }
}

/// What a product moves.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    dram_read: [u64; 3],
    dram_written: u64,
    sram_read_bits: [u64; 2],
}
