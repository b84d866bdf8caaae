//! One channel: what DRAMsim3's controller does, from event to event.
//!
//! Bursts enter a read or a write queue of 32, as many in a cycle as there is
//! room. One burst a cycle moves on to the queue of its bank, of 8: reads in
//! their order, past those whose bank is full; writes only while the write queue
//! is drained, which begins when it is full, or holds more than 8 and no bank has
//! work, and goes on for as many as it then held. One command a cycle is issued
//! (HBM: a row and a column command): banks take turns, and a bank takes bursts of
//! its open row first, but of a row that has had four gives way to what has waited
//! longer. A rank that is due for refresh closes its rows as soon as it may, and
//! its banks wait meanwhile. Rows stay open. A read of what waits to be written is
//! answered at once; a read or write of what already waits joins it.
//!
//! These rules are DRAMsim3's (`controller.cc`, `command_queue.cc`,
//! `channel_state.cc`, `refresh.cc`, with PER_BANK queues, OPEN_PAGE and
//! RANK_LEVEL_STAGGERED refresh), so completions agree with it to the cycle. In a
//! cycle in which no command may come and nothing can move, nothing changes: such
//! cycles are skipped.

mod copies;
mod rest;

use std::collections::VecDeque;

use super::DramCounts;
use super::bank::{Banks, Command, Entry};
use super::device::Parameters;
use super::mapping::Layout;
use super::segments::Segments;
use super::waiting::{QUEUE, Remainders, Waiting, is_pending, members};

/// The write queue is drained from here on if there is nothing else to do.
pub(crate) const WORTH_DRAINING: usize = 8;

/// Consecutive bursts of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) next: u64,
    pub(crate) end: u64,
    pub(crate) write: bool,
}

/// A channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) layout: Layout,
    two_commands: bool,
    read_delay: u64,
    refresh_interval: u64,
    /// The first cycle that has not been simulated.
    pub(crate) now: u64,
    pub(crate) backlog: VecDeque<Run>,
    pub(crate) reads: Waiting,
    pub(crate) writes: Waiting,
    /// Writes that are still to leave the write queue; negative while a read of
    /// the same burst holds them up.
    pub(crate) draining: i64,
    pub(crate) banks: Banks,
    /// Banks with work, and with a full queue.
    busy: u64,
    full: u64,
    /// No bank may issue a command before this cycle; 0 where that is not known.
    ready_from: u64,
    /// The bank that had the last turn.
    pub(crate) turn: usize,
    pub(crate) pending_reads: Remainders,
    pub(crate) pending_writes: Remainders,
    /// Next refresh that falls due, and its rank.
    pub(crate) next_refresh: u64,
    pub(crate) next_rank: usize,
    /// Refreshes that are due, at ranks up to `next_rank`.
    pub(crate) due: usize,
    /// Number of the current batch, its reads that wait, and the cycle in which
    /// the last of its bursts is done.
    pub(crate) batch: u32,
    outstanding: u64,
    pub(crate) done: u64,
    pub(crate) counts: DramCounts,
}

impl Channel {
    pub(crate) fn new(parameters: &Parameters, layout: Layout) -> Channel {
        let refresh_interval = parameters.refi / u64::from(parameters.ranks);
        Channel {
            layout,
            two_commands: parameters.two_commands,
            read_delay: parameters.read_latency + parameters.burst,
            refresh_interval,
            now: 0,
            backlog: VecDeque::new(),
            reads: Waiting::new(),
            writes: Waiting::new(),
            draining: 0,
            banks: Banks::new(parameters),
            busy: 0,
            full: 0,
            ready_from: 0,
            turn: 0,
            pending_reads: Remainders::new(),
            pending_writes: Remainders::new(),
            next_refresh: refresh_interval,
            next_rank: 0,
            due: 0,
            batch: 0,
            outstanding: 0,
            done: 0,
            counts: DramCounts::default(),
        }
    }

    /// Takes the bursts of a batch from cycle `at` on; the cycle in which the last
    /// of them is done.
    pub(crate) fn serve(
        &mut self,
        at: u64,
        runs: impl Iterator<Item = Run>,
        segments: Option<&mut Segments>,
    ) -> u64 {
        self.take(at, runs, segments);
        if self.is_done() {
            return self.done;
        }
        // What comes next may be handed over before these are done.
        let mut ahead = self.clone();
        ahead.finish();
        ahead.done
    }

    /// Takes the bursts of a batch from cycle `at` on, until all have entered its
    /// queues.
    pub(crate) fn take(
        &mut self,
        at: u64,
        runs: impl Iterator<Item = Run>,
        mut segments: Option<&mut Segments>,
    ) {
        self.idle_until(at);
        self.batch = self.batch.wrapping_add(1);
        self.outstanding = 0;
        self.done = at;
        self.backlog.extend(runs);
        if let Some(segments) = &mut segments {
            segments.begin_batch();
        }
        loop {
            let next = self.next();
            self.enter_all(next);
            self.now = next;
            if self.backlog.is_empty() {
                // The rest of the cycle waits: the next batch may enter in it too.
                break;
            }
            self.cycle(next);
            if let Some(segments) = &mut segments {
                segments.after_cycle(self);
            }
        }
    }

    /// Whether it is known when the last burst of the batch is done: in `done`.
    pub(crate) fn is_done(&self) -> bool {
        self.outstanding == 0
    }

    /// Simulates until the batch is done.
    pub(crate) fn finish(&mut self) {
        while self.outstanding > 0 {
            let next = self.next();
            self.cycle(next);
        }
    }

    /// What waits for a burst.
    pub(crate) fn entry(&self, local: u64, write: bool) -> Entry {
        Entry {
            local,
            row: self.layout.row(local),
            batch: self.batch,
            bank: self.layout.bank(local) as u8,
            write,
        }
    }

    /// The next cycle in which anything happens.
    fn next(&mut self) -> u64 {
        let moves = self.drain_begins()
            || self.draining < 0
            || self.queue().banks & !self.full != 0
            || self.backlog.front().is_some_and(|run| self.has_room(run));
        if moves {
            return self.now;
        }
        let mut next = self.next_refresh;
        if let Some(rank) = self.refreshing() {
            next = next.min(self.banks.wants_refresh(rank, self.now).0);
        }
        if self.ready_from == 0 {
            // Where this is earlier than commands are, nothing comes of it.
            let able = self.busy & !self.blocked();
            let row_work = able & self.banks.row_work;
            self.ready_from = self.first_of(row_work);
            if able != row_work {
                let columns = self.first_of(able & !row_work);
                self.ready_from = self.ready_from.min(columns.max(self.banks.column_from));
            }
        }
        next.min(self.ready_from).max(self.now)
    }

    /// No bank of these wants a command before.
    fn first_of(&self, banks: u64) -> u64 {
        let first = members(banks).map(|bank| self.banks.banks[bank].wants_from);
        first.min().unwrap_or(u64::MAX)
    }

    /// Bursts enter as long as there is room.
    fn enter_all(&mut self, cycle: u64) {
        while let Some(&run) = self.backlog.front()
            && self.has_room(&run)
        {
            match run.next + 1 == run.end {
                true => drop(self.backlog.pop_front()),
                false => self.backlog[0].next += 1,
            }
            self.enter(run.next, run.write, cycle);
        }
    }

    fn cycle(&mut self, cycle: u64) {
        self.enter_all(cycle);
        if cycle == self.next_refresh {
            self.due += 1;
            self.ready_from = 0;
            self.next_refresh += self.refresh_interval;
            self.next_rank = (self.next_rank + 1) % self.banks.ranks.len();
        }
        self.issue(cycle);
        self.move_on();
        self.now = cycle + 1;
    }

    fn has_room(&self, run: &Run) -> bool {
        match run.write {
            true => self.writes.len < QUEUE,
            false => self.reads.len < QUEUE,
        }
    }

    /// A burst enters its queue, or joins one that waits.
    fn enter(&mut self, local: u64, write: bool, cycle: u64) {
        let bank = self.layout.bank(local);
        let rewritten = *self.pending_writes.of(local) > 0
            && is_pending(&self.writes, &self.banks.banks[bank], local, true);
        if write || rewritten {
            self.done = self.done.max(cycle + 1);
        }
        if rewritten {
            return;
        }
        let entry = self.entry(local, write);
        if write {
            self.pending_writes.add(local);
            self.writes.push(entry);
        } else if *self.pending_reads.of(local) > 0
            && is_pending(&self.reads, &self.banks.banks[bank], local, false)
        {
            self.join(&entry);
        } else {
            self.outstanding += 1;
            self.pending_reads.add(local);
            self.reads.push(entry);
        }
    }

    /// The read that waits for the same burst becomes this batch's.
    fn join(&mut self, entry: &Entry) {
        let queue = self.banks.banks[usize::from(entry.bank)].queue_mut();
        let same = (self.reads.iter_mut())
            .chain(queue)
            .find(|other| other.local == entry.local && !other.write);
        if let Some(same) = same
            && same.batch != entry.batch
        {
            same.batch = entry.batch;
            self.outstanding += 1;
        }
    }

    /// The rank that is being refreshed.
    fn refreshing(&self) -> Option<usize> {
        let ranks = self.banks.ranks.len();
        (self.due > 0).then(|| (self.next_rank + ranks * self.due - self.due) % ranks)
    }

    /// Banks that wait for a refresh.
    fn blocked(&self) -> u64 {
        self.refreshing().map_or(0, |rank| {
            let banks = self.banks.of_rank(rank);
            ((1 << banks.len()) - 1) << banks.start
        })
    }

    fn issue(&mut self, cycle: u64) {
        let column = match self.issue_refresh(cycle) {
            true => false,
            false => match self.take_turn(cycle) {
                Some((bank, command)) => {
                    self.issue_command(bank, command, cycle);
                    matches!(command, Command::Column(_))
                }
                None => return,
            },
        };
        // The second command passes the turn on even if it is of the same kind and
        // so does not come: DRAMsim3 does so. Two column commands never may.
        if self.two_commands
            && let Some((bank, command)) = self.take_turn(cycle)
            && matches!(command, Command::Column(_)) != column
        {
            self.issue_command(bank, command, cycle);
        }
    }

    /// Whether a command for a refresh came.
    fn issue_refresh(&mut self, cycle: u64) -> bool {
        let Some(rank) = self.refreshing() else {
            return false;
        };
        let (from, bank) = self.banks.wants_refresh(rank, cycle);
        if from > cycle {
            return false;
        }
        match bank {
            Some(bank) => self.banks.precharge(bank, cycle, false),
            None => {
                self.banks.refresh(rank, cycle);
                self.counts.refreshes += 1;
                self.due -= 1;
                self.ready_from = 0;
            }
        }
        true
    }

    /// The next bank, after the one that had the last turn, that may issue a
    /// command.
    fn take_turn(&mut self, cycle: u64) -> Option<(usize, Command)> {
        if self.ready_from > cycle {
            return None;
        }
        let mut ready_from = u64::MAX;
        let mut able = self.busy & !self.blocked();
        let column_from = self.banks.column_from;
        // Others wait for the data bus.
        if column_from > cycle && able & !self.banks.row_work != 0 {
            able &= self.banks.row_work;
            ready_from = column_from;
        }
        let later = able & (u64::MAX << self.turn << 1);
        for banks in [later, able & !later] {
            for bank in members(banks) {
                let mut from = self.banks.banks[bank].wants_from;
                if from <= cycle {
                    let command;
                    (from, command) = self.banks.wants(bank, cycle);
                    if from <= cycle {
                        self.turn = bank;
                        self.ready_from = 0;
                        return Some((bank, command));
                    }
                }
                ready_from = ready_from.min(from);
            }
        }
        self.ready_from = ready_from;
        None
    }

    fn issue_command(&mut self, bank: usize, command: Command, cycle: u64) {
        match command {
            Command::Activate => {
                self.banks.activate(bank, cycle);
                self.counts.activates += 1;
            }
            Command::Precharge => self.banks.precharge(bank, cycle, true),
            Command::Column(place) => {
                let at = &self.banks.banks[bank];
                match (at.hits, at.closed_for_another) {
                    (1.., _) => self.counts.row_hits += 1,
                    (0, false) => self.counts.row_misses += 1,
                    (0, true) => self.counts.row_conflicts += 1,
                }
                self.counts.bursts += 1;
                let entry = self.banks.column(bank, place, cycle);
                self.full &= !(1 << bank);
                if self.banks.banks[bank].queue().is_empty() {
                    self.busy &= !(1 << bank);
                }
                if entry.write {
                    *self.pending_writes.of(entry.local) -= 1;
                } else {
                    *self.pending_reads.of(entry.local) -= 1;
                    if entry.batch == self.batch {
                        self.outstanding -= 1;
                        self.done = self.done.max(cycle + self.read_delay);
                    }
                }
            }
        }
    }

    fn drain_begins(&self) -> bool {
        self.draining == 0
            && (self.writes.len >= QUEUE || self.writes.len > WORTH_DRAINING && self.busy == 0)
    }

    /// The queue that bursts leave.
    fn queue(&self) -> &Waiting {
        match self.draining > 0 {
            true => &self.writes,
            false => &self.reads,
        }
    }

    /// One burst moves on to its bank.
    fn move_on(&mut self) {
        if self.drain_begins() {
            self.draining = self.writes.len as i64;
        }
        let Some((place, entry)) = self.queue().first(self.full) else {
            self.draining = self.draining.max(0);
            return;
        };
        let bank = usize::from(entry.bank);
        if entry.write {
            let read_first = *self.pending_reads.of(entry.local) > 0
                && is_pending(&self.reads, &self.banks.banks[bank], entry.local, false);
            if read_first {
                self.draining = -1;
                return;
            }
            self.draining -= 1;
            self.writes.remove(place);
        } else {
            self.reads.remove(place);
        }
        self.banks.push(entry);
        self.busy |= 1 << bank;
        let at = &self.banks.banks[bank];
        if at.is_full() {
            self.full |= 1 << bank;
        }
        if self.ready_from > 0 {
            self.ready_from = self.ready_from.min(at.wants_from);
        }
    }
}
