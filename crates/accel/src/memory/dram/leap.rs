//! The fast path of a channel: while a long run streams through open rows, the
//! same happens again every few bursts, and the repetitions are added at once.
//!
//! Within a block of addresses, in which only columns and what lies below them
//! change, a channel's rules look at a burst's bank and row only. So if all that
//! it remembers is, relative to the cycle and to the burst that comes next, the
//! same as some bursts before, then it does the same again until the block or the
//! run ends or a refresh falls due. That is exact, and checked on the whole state.

use super::DramCounts;
use super::bank::{Entry, QUEUE};
use super::channel::{Channel, Run};

/// Where the fast path stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leap {
    run: Option<Run>,
    /// The next burst at which to look.
    at: u64,
    last: Snapshot,
    state: Vec<u64>,
}

/// The state of a channel at some burst of a run.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    /// Relative to cycle and burst; empty for none.
    state: Vec<u64>,
    cycle: u64,
    next: u64,
    counts: DramCounts,
}

impl Leap {
    /// To be called after each cycle.
    pub(crate) fn after_cycle(&mut self, channel: &mut Channel) {
        let Some(&run) = channel.backlog.front() else {
            return;
        };
        if self
            .run
            .is_none_or(|known| (known.end, known.write) != (run.end, run.write))
        {
            self.run = Some(run);
            self.look_from(run.next, channel);
        }
        if run.next < self.at {
            return;
        }
        if channel.refresh_is_due() || !describe(channel, run, &mut self.state) {
            self.last.state.clear();
        } else if self.last.state == self.state && self.leap(run, channel) {
            let next = channel.backlog[0].next;
            self.look_from(next, channel);
            return;
        } else {
            std::mem::swap(&mut self.last.state, &mut self.state);
            self.last.cycle = channel.now;
            self.last.next = run.next;
            self.last.counts = channel.counts;
        }
        self.look_from(run.next + period(run, channel), channel);
    }

    /// Looks again at the first burst from `next` on where it can be worth it.
    fn look_from(&mut self, next: u64, channel: &Channel) {
        let layout = &channel.layout;
        let block = layout.block();
        // What waits at the beginning of a block is mostly of the block before.
        let before = 32 + layout.lanes() * QUEUE as u64;
        let Some(run) = self.run else { return };
        let worth = 2 * period(run, channel);
        let start = next & !(block - 1);
        let at = next.max(start + before);
        self.at = if before + worth > block {
            u64::MAX
        } else if at + worth > start + block {
            start + block + before
        } else {
            at
        };
        if self.at > next {
            self.last.state.clear();
        }
    }

    /// Adds as many repetitions as there are of what happened since the snapshot.
    fn leap(&mut self, run: Run, channel: &mut Channel) -> bool {
        let bursts = run.next - self.last.next;
        let cycles = channel.now - self.last.cycle;
        if bursts == 0 || !bursts.is_multiple_of(channel.layout.lanes()) {
            return false;
        }
        let block = channel.layout.block();
        let block_end = (run.next & !(block - 1)) + block;
        let other = all_entries(channel)
            .filter(|entry| entry.write != run.write && entry.local >= run.next)
            .map(|entry| entry.local)
            .min();
        let end = block_end
            .min(run.end - 1)
            .min(other.unwrap_or(u64::MAX))
            .max(run.next);
        let times = ((end - run.next) / bursts)
            .min(channel.next_refresh.saturating_sub(channel.now) / cycles);
        if times == 0 {
            return false;
        }
        channel.counts.repeat(&self.last.counts, times);
        shift(channel, run.write, times * cycles, times * bursts);
        true
    }
}

/// Bursts after which a run comes to the same banks again, and after which the
/// write queue, drained from full, is full again.
fn period(run: Run, channel: &Channel) -> u64 {
    channel.layout.lanes().max(if run.write { 32 } else { 8 })
}

fn all_entries(channel: &Channel) -> impl Iterator<Item = &Entry> {
    let queues = channel.banks.banks.iter().flat_map(|bank| bank.queue());
    (channel.reads.entries().iter())
        .chain(channel.writes.entries())
        .chain(queues)
}

/// All that a channel's future depends on, relative to its cycle and to the next
/// burst of the run; false if bursts of another block are on their way.
fn describe(channel: &Channel, run: Run, state: &mut Vec<u64>) -> bool {
    let start = run.next & !(channel.layout.block() - 1);
    let mut within = true;
    let relative = |cycle: u64| cycle.saturating_sub(channel.now);
    let mut entry = |state: &mut Vec<u64>, entry: &Entry| {
        let local = match entry.write == run.write {
            true => {
                within &= (start..run.next).contains(&entry.local);
                run.next.wrapping_sub(entry.local)
            }
            false => !entry.local,
        };
        let kind = u64::from(entry.row) << 32 | u64::from(entry.bank) << 1 | entry.write as u64;
        state.extend([local, kind, entry.batch.into()]);
    };
    state.clear();
    state.extend([
        channel.next_refresh,
        channel.turn as u64,
        channel.draining as u64,
        channel.done.wrapping_sub(channel.now),
    ]);
    for queue in [&channel.reads, &channel.writes] {
        state.push(queue.entries().len() as u64);
        for waiting in queue.entries() {
            entry(state, waiting);
        }
    }
    for bank in &channel.banks.banks {
        state.extend(bank.ready.each().map(relative));
        state.push(bank.open_row.map_or(u64::MAX, u64::from));
        state.push(u64::from(bank.hits) << 1 | bank.closed_for_another as u64);
        state.push(bank.queue().len() as u64);
        for waiting in bank.queue() {
            entry(state, waiting);
        }
    }
    for group in &channel.banks.groups {
        state.extend(group.each().map(relative));
    }
    for rank in &channel.banks.ranks {
        state.extend(rank.ready.each().map(relative));
        state.push(rank.windows().len() as u64);
        state.extend(rank.windows().iter().map(|&window| relative(window)));
    }
    within
}

/// Moves a channel and the bursts of its run on.
fn shift(channel: &mut Channel, write: bool, cycles: u64, bursts: u64) {
    let now = channel.now;
    let later = |cycle: &mut u64| {
        if *cycle > now {
            *cycle += cycles;
        }
    };
    for bank in &mut channel.banks.banks {
        bank.ready.each_mut().into_iter().for_each(later);
    }
    for group in &mut channel.banks.groups {
        group.each_mut().into_iter().for_each(later);
    }
    for rank in &mut channel.banks.ranks {
        rank.ready.each_mut().into_iter().for_each(later);
        rank.windows_mut().iter_mut().for_each(later);
    }
    channel.now += cycles;
    channel.done += cycles;
    channel.backlog[0].next += bursts;
    let pending = match write {
        true => &mut channel.pending_writes,
        false => &mut channel.pending_reads,
    };
    pending.clear();
    let waiting = match write {
        true => &mut channel.writes,
        false => &mut channel.reads,
    };
    let queues = (channel.banks.banks.iter_mut()).flat_map(|bank| bank.queue_mut());
    for entry in waiting.entries_mut().iter_mut().chain(queues) {
        if entry.write == write {
            entry.local += bursts;
            pending.add(entry.local);
        }
    }
}
