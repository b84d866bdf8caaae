//! What overlaps: from the work of single units to the cycles of a run.
//!
//! A run is a sequence of blocks: what the arrays do between two looks at the
//! buffer. A block's operands are fetched while earlier blocks run, as far as the
//! buffer has room for them; the vector unit makes operands and works on results
//! beside the arrays; results are stored behind the fetches that are waited for.
//! Each unit does its work in the order of the blocks, so that a block begins at
//! the maximum of the ends of what it needs: more bandwidth never makes a run of the
//! same blocks longer, nor does more room.
//!
//! What an array waits for is found on the chain of events that ends where its
//! wait ends: each part of the wait is charged to the unit that the chain passes
//! in it. So every idle cycle has one cause.

mod arrays;
mod block;
#[cfg(test)]
mod laws;
mod room;
mod timeline;
mod transfers;

use crate::memory::banks::{Banks, Demand};
use crate::memory::{Controller, Dram, Request};
use crate::report::{Breakdown, Cause};
use transfers::{Transfer, transfers};

pub use arrays::{Arrays, LaneRun};
pub use block::{Block, Load, Operand, Ranking, TileRange};
pub use timeline::{Span, Timeline, Unit, Wait, Work};

/// What stands around the arrays.
#[derive(Clone, Debug)]
pub struct Chip<'a> {
    /// Clock, in GHz.
    pub clock_ghz: f64,
    /// DRAM.
    pub dram: &'a Dram,
    /// Bytes of the buffer that hold operands.
    pub room_bytes: u64,
    /// The banks of the buffer, where their conflicts count.
    pub banks: Option<&'a Banks>,
    /// Whether units work at the same time.
    pub overlap: bool,
    /// Multiplying elements of each array.
    pub lane_elements: u64,
}

/// Cycles of a run, and what elements did in them.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Cycles.
    pub cycles: u64,
    /// What the elements did.
    pub element_cycles: Breakdown,
    /// By product its share of the cycles.
    pub product_cycles: Vec<u64>,
    /// By product what the elements did, idle before it included.
    pub product_element_cycles: Vec<Breakdown>,
    /// Bytes that the DRAM read and wrote.
    pub dram_bytes: (u64, u64),
    /// Of the DRAM's bursts those that met an open row, a closed one, and another's.
    pub dram_rows: [u64; 3],
}

/// Something that took a unit a while, and what it waited for before.
#[derive(Clone, Copy, Debug)]
struct Event {
    cause: Cause,
    unit: Unit,
    block: u32,
    begin: u64,
    end: u64,
    before: EventId,
}

type EventId = u32;

/// Before the beginning.
const START: EventId = 0;

/// What is known of a block while the schedule runs.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Its operands are there, and made ready.
    loaded: EventId,
    /// The arrays are done with its operands, and its results have left them.
    run: EventId,
    /// The vector unit is done with its results.
    finished: EventId,
    /// They are in DRAM.
    stored: EventId,
}

struct Schedule<'a> {
    chip: &'a Chip<'a>,
    blocks: &'a [Block],
    rankings: &'a [Option<Ranking>],
    controller: Controller,
    events: Vec<Event>,
    known: Vec<Known>,
    /// The last event of each unit.
    dram: EventId,
    vector: EventId,
    sort: EventId,
    array: EventId,
    ranked: Vec<Option<EventId>>,
    /// What the DRAM does, in order.
    transfers: Vec<Transfer>,
    next: usize,
    /// What is kept for a timeline, if one is wanted.
    record: Option<Timeline>,
    /// The cycle in which something was last handed to the DRAM.
    handed: u64,
}

/// Runs blocks on a chip.
pub(crate) fn run(
    chip: &Chip<'_>,
    blocks: &[Block],
    rankings: &[Option<Ranking>],
    products: usize,
    arrays: &mut dyn Arrays,
    timeline: Option<&mut Timeline>,
) -> Outcome {
    let start = Event {
        cause: Cause::Tail,
        unit: Unit::Array,
        block: 0,
        begin: 0,
        end: 0,
        before: START,
    };
    let mut schedule = Schedule {
        chip,
        blocks,
        rankings,
        controller: chip.dram.controller(chip.clock_ghz),
        events: vec![start],
        known: vec![Known::default(); blocks.len()],
        dram: START,
        vector: START,
        sort: START,
        array: START,
        ranked: vec![None; rankings.len()],
        transfers: transfers(blocks, chip.room_bytes),
        next: 0,
        record: timeline.is_some().then(Timeline::default),
        handed: 0,
    };
    let mut outcome = Outcome {
        product_cycles: vec![0; products],
        product_element_cycles: vec![Breakdown::default(); products],
        ..Outcome::default()
    };
    let mut mismatch = vec![0; products];
    arrays.reset();
    schedule.transfer_on(0);
    for block in 0..blocks.len() {
        schedule.run(block, arrays, &mut outcome, &mut mismatch);
        schedule.finish(block);
        schedule.transfer_on(block + 1);
    }
    schedule.end(arrays, &mut outcome, &mut mismatch);
    for (breakdown, &mismatch) in outcome.product_element_cycles.iter_mut().zip(&mismatch) {
        // A product whose elements caught up with what they lagged behind in the one
        // before has less than nothing: only the sum over the run counts.
        breakdown.speed_mismatch += mismatch.max(0) as u64;
    }
    // Products that overlap have their shares of the time.
    let of = |breakdowns: &[Breakdown]| -> u128 {
        breakdowns
            .iter()
            .map(|breakdown| u128::from(breakdown.total()))
            .sum()
    };
    let all = of(&outcome.product_element_cycles).max(1);
    let mut upto = 0;
    for product in 0..products {
        let until =
            of(&outcome.product_element_cycles[..=product]) * u128::from(outcome.cycles) / all;
        outcome.product_cycles[product] = until as u64 - upto;
        upto = until as u64;
    }
    if let (Some(timeline), Some(mut record)) = (timeline, schedule.record) {
        record.spans = timeline::spans(&schedule.events[1..], blocks);
        record.cycles = outcome.cycles;
        *timeline = record;
    }
    outcome
}

impl Schedule<'_> {
    fn end_of(&self, event: EventId) -> u64 {
        self.events[event as usize].end
    }

    /// The later of two events.
    fn later(&self, a: EventId, b: EventId) -> EventId {
        match self.end_of(b) > self.end_of(a) {
            true => b,
            false => a,
        }
    }

    /// What must have ended before anything else begins, where nothing overlaps.
    fn serial(&self, after: EventId) -> EventId {
        match self.chip.overlap {
            true => after,
            false => self.later(after, self.events.len() as EventId - 1),
        }
    }

    fn push(
        &mut self,
        unit: Unit,
        cause: Cause,
        block: usize,
        end: u64,
        before: EventId,
    ) -> EventId {
        self.events.push(Event {
            cause,
            unit,
            block: block as u32,
            begin: self.end_of(before),
            end,
            before,
        });
        self.events.len() as EventId - 1
    }

    /// Serves requests that may begin behind `after`.
    fn transfer(
        &mut self,
        block: usize,
        unit: Unit,
        requests: &[Request],
        after: EventId,
    ) -> EventId {
        let after = self.serial(after);
        if requests.is_empty() {
            return after;
        }
        self.handed = self.handed.max(self.end_of(after));
        let end = self.controller.serve(self.handed, requests);
        let before = self.later(after, self.dram);
        self.dram = self.push(
            unit,
            Cause::Dram,
            block,
            end.max(self.end_of(before)),
            before,
        );
        self.dram
    }

    /// Work of the vector unit that may begin behind `after`.
    fn vector(&mut self, block: usize, cycles: u64, after: EventId) -> EventId {
        if cycles == 0 {
            return after;
        }
        let after = self.serial(after);
        let before = self.later(after, self.vector);
        let end = self.end_of(before) + cycles;
        self.vector = self.push(Unit::Vector, Cause::Vector, block, end, before);
        self.vector
    }

    /// The end of the ranking before a layer, if what it ranks by is there.
    fn ranking(&mut self, layer: usize, finished: usize) -> Option<EventId> {
        if let Some(event) = self.ranked[layer] {
            return Some(event);
        }
        let event = match &self.rankings[layer] {
            None => START,
            Some(ranking) => {
                let after = match ranking.of {
                    Some(block) if block >= finished => return None,
                    Some(block) => self.known[block].finished,
                    None => START,
                };
                let after = self.serial(after);
                let before = self.later(after, self.sort);
                let end = self.end_of(before) + ranking.cycles;
                let block = ranking.of.unwrap_or(0);
                self.sort = self.push(Unit::Sort, Cause::Sort, block, end, before);
                self.sort
            }
        };
        self.ranked[layer] = Some(event);
        Some(event)
    }

    /// Loads and stores, in order, as far as what they need is known once `run` blocks
    /// have run.
    fn transfer_on(&mut self, run: usize) {
        while let Some(&transfer) = self.transfers.get(self.next) {
            let known = match transfer {
                Transfer::Stores(block) => self.store(block as usize, run),
                Transfer::Load { block, place, room } => {
                    self.load(block as usize, place as usize, room, run)
                }
            };
            if !known {
                break;
            }
            self.next += 1;
        }
    }

    fn store(&mut self, block: usize, run: usize) -> bool {
        if block >= run {
            return false;
        }
        let stores = &self.blocks[block].stores;
        let finished = self.known[block].finished;
        self.known[block].stored = self.transfer(block, Unit::Write, stores, finished);
        true
    }

    fn load(&mut self, block: usize, place: usize, room: Option<u32>, run: usize) -> bool {
        let load = &self.blocks[block].loads[place];
        let mut after = match room {
            Some(room) if room as usize >= run => return false,
            Some(room) => self.known[room as usize].run,
            None => START,
        };
        if let Some(writer) = load.written_by {
            after = self.later(after, self.known[writer].stored);
        }
        if let Some(layer) = load.ranked {
            let Some(ranked) = self.ranking(layer, run) else {
                return false;
            };
            after = self.later(after, ranked);
        }
        let loaded = self.transfer(block, Unit::Read, &load.requests, after);
        self.known[block].loaded = self.later(self.known[block].loaded, loaded);
        true
    }

    /// The arrays run a block.
    fn run(
        &mut self,
        block: usize,
        arrays: &mut dyn Arrays,
        outcome: &mut Outcome,
        mismatch: &mut [i64],
    ) {
        let Block {
            product,
            tiles,
            takes,
            operand_bits,
            other_bits,
            ..
        } = self.blocks[block];
        let loaded = self.known[block].loaded;
        let mut ready = self.vector(block, self.blocks[block].before, loaded);
        if let Some(taken) = takes {
            ready = self.later(ready, self.known[taken].finished);
        }
        let ready = self.serial(ready);
        let at = self.end_of(ready);
        let mut runs = Vec::new();
        arrays.run(product, tiles, at, &mut runs);
        let elements = self.chip.lane_elements;
        let took = runs
            .iter()
            .map(|run| run.free - run.begin)
            .max()
            .unwrap_or(0);
        let waits = match self.chip.banks {
            Some(banks) => banks.waits(&Demand {
                cycles: took,
                lanes: runs.len(),
                operand_bits: operand_bits.iter().sum(),
                other_bits,
            }),
            None => Default::default(),
        };
        let (mut begin, mut free, mut done) = (u64::MAX, 0, 0);
        let mut waited = false;
        for mut run in runs {
            let delay = waits.operand + waits.conflict;
            if delay > 0 {
                arrays.delay(run.lane, delay);
                run.work.operand_wait += waits.operand * elements;
                run.work.sram_conflict += waits.conflict * elements;
            }
            let own = &mut outcome.product_element_cycles[product];
            if run.waited > 0 {
                waited |= run.begin <= begin;
                let from = at - run.waited;
                charge(&self.events, ready, from, at, |cause, from, to| {
                    *own.field(cause) += (to - from) * elements;
                    if let Some(record) = &mut self.record {
                        record.waited(cause, from, to, elements);
                    }
                });
            }
            own.add(&run.work);
            mismatch[product] += run.mismatch;
            if let Some(record) = &mut self.record {
                record.worked(block, &run, delay);
            }
            begin = begin.min(run.begin);
            free = free.max(run.free + delay);
            done = done.max(run.done + delay);
        }
        if begin == u64::MAX {
            self.known[block].run = ready;
            self.known[block].finished = ready;
            return;
        }
        let before = match waited {
            true => ready,
            false => self.array,
        };
        self.events.push(Event {
            cause: Cause::Tail,
            unit: Unit::Array,
            block: block as u32,
            begin,
            end: free,
            before,
        });
        self.array = self.events.len() as EventId - 1;
        let drain = Event {
            cause: Cause::Drain,
            unit: Unit::Drain,
            block: block as u32,
            begin: free,
            end: done.max(free),
            before: self.array,
        };
        self.events.push(drain);
        self.known[block].run = self.events.len() as EventId - 1;
    }

    /// Works on the results of a block.
    fn finish(&mut self, block: usize) {
        let run = self.known[block].run;
        self.known[block].finished = self.vector(block, self.blocks[block].after, run);
    }

    fn end(&mut self, arrays: &dyn Arrays, outcome: &mut Outcome, mismatch: &mut [i64]) {
        let last = (0..self.events.len() as EventId)
            .max_by_key(|&event| (self.end_of(event), std::cmp::Reverse(event)))
            .unwrap_or(START);
        let cycles = self.end_of(last);
        outcome.cycles = cycles;
        let Some(product) = self.blocks.last().map(|block| block.product) else {
            return;
        };
        let elements = self.chip.lane_elements;
        for lane in 0..arrays.lanes() {
            let (end, work, slack) = arrays.end(lane);
            let own = &mut outcome.product_element_cycles[product];
            own.add(&work);
            mismatch[product] += slack;
            let mut waited = |cause, from: u64, to: u64| {
                *own.field(cause) += (to - from) * elements;
                if let Some(record) = &mut self.record {
                    record.waited(cause, from, to, elements);
                }
            };
            match end {
                0 => waited(Cause::Tail, 0, cycles),
                _ => charge(&self.events, last, end, cycles, waited),
            }
        }
        let counts = self.controller.counts();
        outcome.dram_bytes = (counts.read_bytes, counts.write_bytes);
        outcome.dram_rows = [counts.row_hits, counts.row_misses, counts.row_conflicts];
        let mut sum = Breakdown::default();
        for own in &outcome.product_element_cycles {
            sum.add(own);
        }
        sum.settle(mismatch.iter().sum());
        outcome.element_cycles = sum;
    }
}

/// Charges the cycles from `from` to `to`, in which an array waits for `event`, to
/// the units on the chain of events before it: says for each part its cause.
fn charge(
    events: &[Event],
    mut event: EventId,
    from: u64,
    to: u64,
    mut waited: impl FnMut(Cause, u64, u64),
) {
    let mut cursor = to;
    while cursor > from && event != START {
        let Event {
            cause,
            begin,
            end,
            before,
            ..
        } = events[event as usize];
        if end < cursor {
            // An array ran on here, and no event says for how long.
            let until = end.max(from);
            waited(Cause::Tail, until, cursor);
            cursor = until;
        }
        let begin = begin.max(from).min(cursor);
        waited(cause, begin, cursor);
        cursor = begin;
        event = before;
    }
    if cursor > from {
        waited(Cause::Tail, from, cursor);
    }
}
