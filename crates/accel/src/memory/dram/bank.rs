//! What a channel knows of its banks: open rows, when each command may come, and
//! the bursts that wait at each bank.

use super::delays::Delays;
use super::device::{Parameters, Within};

/// Bursts that wait at one bank (`cmd_queue_size` of DRAMsim3's files).
pub(crate) const QUEUE: usize = 8;

/// After so many bursts of an open row, others need not wait for more of them.
pub(crate) const HIT_LIMIT: u8 = 4;

/// A burst that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number within the channel.
    pub(crate) local: u64,
    pub(crate) row: u32,
    /// The last batch that wants it.
    pub(crate) batch: u32,
    pub(crate) bank: u8,
    pub(crate) write: bool,
}

/// The first cycle in which each command may come, as far as one scope (a bank, a
/// bank group or a rank) demands it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) activate: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) precharge: u64,
    pub(crate) refresh: u64,
}

impl Ready {
    pub(crate) fn each(&self) -> [u64; 5] {
        [
            self.activate,
            self.read,
            self.write,
            self.precharge,
            self.refresh,
        ]
    }

    pub(crate) fn each_mut(&mut self) -> [&mut u64; 5] {
        [
            &mut self.activate,
            &mut self.read,
            &mut self.write,
            &mut self.precharge,
            &mut self.refresh,
        ]
    }
}

/// Delays are lower bounds, so a later command never lowers one.
pub(crate) fn raise(ready: &mut u64, cycle: u64) {
    *ready = (*ready).max(cycle);
}

/// A command for a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Activate,
    Precharge,
    /// A read or write: the place in the bank's queue.
    Column(usize),
}

/// A bank and its queue.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    pub(crate) group: usize,
    pub(crate) rank: usize,
    pub(crate) ready: Ready,
    pub(crate) open_row: Option<u32>,
    /// Bursts of the open row so far, up to [`HIT_LIMIT`].
    pub(crate) hits: u8,
    /// Whether the row that was open last was closed for another.
    pub(crate) closed_for_another: bool,
    entries: [Entry; QUEUE],
    len: u8,
    /// The head wants another row, and nothing speaks for the open one.
    pub(crate) to_close: bool,
    /// Places of the first read and write of the open row.
    first_read: Option<u8>,
    first_write: Option<u8>,
    /// It wants no command before this cycle: commands elsewhere only delay it.
    pub(crate) wants_from: u64,
}

impl Bank {
    fn new(group: usize, rank: usize) -> Bank {
        Bank {
            group,
            rank,
            ready: Ready::default(),
            open_row: None,
            hits: 0,
            closed_for_another: false,
            entries: [Entry::default(); QUEUE],
            len: 0,
            to_close: false,
            first_read: None,
            first_write: None,
            wants_from: 0,
        }
    }

    pub(crate) fn queue(&self) -> &[Entry] {
        &self.entries[..usize::from(self.len)]
    }

    pub(crate) fn queue_mut(&mut self) -> &mut [Entry] {
        &mut self.entries[..usize::from(self.len)]
    }

    pub(crate) fn is_full(&self) -> bool {
        usize::from(self.len) == QUEUE
    }

    fn push(&mut self, entry: Entry) {
        self.entries[usize::from(self.len)] = entry;
        self.len += 1;
        let wanted = (self.first_read, self.first_write, self.to_close);
        if self.open_row == Some(entry.row) {
            let place = Some(self.len - 1);
            let first = self.first(entry.write);
            *first = first.or(place);
        }
        self.choose_to_close();
        if self.len == 1 || wanted != (self.first_read, self.first_write, self.to_close) {
            self.wants_from = 0;
        }
    }

    /// Takes a burst of the open row, the first of its kind.
    fn serve(&mut self, place: usize) -> Entry {
        let entry = self.entries[place];
        self.entries
            .copy_within(place + 1..usize::from(self.len), place);
        self.len -= 1;
        self.hits = (self.hits + 1).min(HIT_LIMIT);
        let next = self.place_from(place, entry.write);
        *self.first(entry.write) = next;
        let other = self.first(!entry.write);
        *other = other.map(|other| other - u8::from(usize::from(other) > place));
        self.choose_to_close();
        self.wants_from = 0;
        entry
    }

    /// What the queue wants of the bank when a row was opened.
    fn choose(&mut self) {
        self.first_read = self.place_from(0, false);
        self.first_write = self.place_from(0, true);
        self.choose_to_close();
        self.wants_from = 0;
    }

    fn choose_to_close(&mut self) {
        self.to_close = (self.queue().first()).is_some_and(|head| self.open_row != Some(head.row))
            && (self.first_read.is_none() && self.first_write.is_none() || self.hits >= HIT_LIMIT);
    }

    fn first(&mut self, write: bool) -> &mut Option<u8> {
        match write {
            true => &mut self.first_write,
            false => &mut self.first_read,
        }
    }

    /// The place, from one on, of the first read or write of the open row.
    fn place_from(&self, place: usize, write: bool) -> Option<u8> {
        let mut rest = self.queue()[place..].iter();
        rest.position(|entry| entry.write == write && Some(entry.row) == self.open_row)
            .map(|after| (place + after) as u8)
    }

    /// The command that the queue issues first, and the cycle from which it may,
    /// of those that may at `cycle`, or of all if none may. The queue is not
    /// empty.
    pub(crate) fn wants(&self, scopes: &Scopes<'_>, cycle: u64) -> (u64, Command) {
        if self.open_row.is_none() {
            return (scopes.activate(self), Command::Activate);
        }
        let mut best = (u64::MAX, Command::Precharge);
        if self.to_close {
            best.0 = self.ready.precharge.max(scopes.rank.ready.precharge);
            if best.0 <= cycle {
                return best;
            }
        }
        let column = |place: Option<u8>, ready: u64| {
            place.map(|place| (ready, Command::Column(usize::from(place))))
        };
        let read = column(self.first_read, scopes.read(self));
        let write = column(self.first_write, scopes.write(self));
        let (first, second) = match self.first_read < self.first_write {
            true => (read, write),
            false => (write, read),
        };
        for option in [first, second].into_iter().flatten() {
            if option.0 <= cycle {
                return option;
            }
            if option.0 < best.0 {
                best = option;
            }
        }
        best
    }
}

/// What a rank remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rank {
    pub(crate) ready: Ready,
    /// Ends of the windows of the last activations, at most four. DRAMsim3 drops at
    /// most one that is over for each that begins, and so does this.
    windows: [u64; 4],
    len: usize,
}

impl Rank {
    pub(crate) fn windows(&self) -> &[u64] {
        &self.windows[..self.len]
    }

    pub(crate) fn windows_mut(&mut self) -> &mut [u64] {
        &mut self.windows[..self.len]
    }

    fn activated(&mut self, cycle: u64, window: u64) {
        if self.len > 0 && cycle >= self.windows[0] {
            self.windows.copy_within(1.., 0);
            self.len -= 1;
        }
        self.windows[self.len] = cycle + window;
        self.len += 1;
    }

    /// The first cycle in which four windows are not open at once.
    fn window(&self) -> u64 {
        if self.len < 4 { 0 } else { self.windows[0] }
    }
}

/// The scopes that a bank lies in.
pub(crate) struct Scopes<'a> {
    pub(crate) group: &'a Ready,
    pub(crate) rank: &'a Rank,
}

impl Scopes<'_> {
    fn activate(&self, bank: &Bank) -> u64 {
        bank.ready
            .activate
            .max(self.group.activate)
            .max(self.rank.ready.activate)
            .max(self.rank.window())
    }

    fn read(&self, bank: &Bank) -> u64 {
        (bank.ready.read)
            .max(self.group.read)
            .max(self.rank.ready.read)
    }

    fn write(&self, bank: &Bank) -> u64 {
        (bank.ready.write)
            .max(self.group.write)
            .max(self.rank.ready.write)
    }
}

/// The banks of a channel, by rank, group and bank.
#[derive(Clone, Debug)]
pub(crate) struct Banks {
    delays: Delays,
    pub(crate) banks: Vec<Bank>,
    pub(crate) groups: Vec<Ready>,
    pub(crate) ranks: Vec<Rank>,
    /// Banks that may want an activation or precharge.
    pub(crate) row_work: u64,
    /// No read or write may come before this cycle.
    pub(crate) column_from: u64,
}

impl Banks {
    pub(crate) fn new(parameters: &Parameters) -> Banks {
        let groups = (parameters.ranks * parameters.bank_groups) as usize;
        let banks = (0..parameters.all_banks()).map(|bank| {
            let group = bank / parameters.banks as usize;
            Bank::new(group, group / parameters.bank_groups as usize)
        });
        Banks {
            delays: Delays::new(parameters),
            banks: banks.collect(),
            groups: vec![Ready::default(); groups],
            ranks: vec![Rank::default(); parameters.ranks as usize],
            row_work: u64::MAX,
            column_from: 0,
        }
    }

    /// Copies those of a channel that is alike.
    pub(crate) fn copy_from(&mut self, other: &Banks) {
        self.banks.clone_from(&other.banks);
        self.groups.clone_from(&other.groups);
        self.ranks.clone_from(&other.ranks);
        self.row_work = other.row_work;
        self.column_from = other.column_from;
    }

    /// To be called when what a bank wants may have changed.
    pub(crate) fn update(&mut self, bank: usize) {
        let at = &self.banks[bank];
        let row_work = at.to_close || at.open_row.is_none();
        self.row_work = self.row_work & !(1 << bank) | u64::from(row_work) << bank;
    }

    /// A burst comes to its bank.
    pub(crate) fn push(&mut self, entry: Entry) {
        let bank = usize::from(entry.bank);
        self.banks[bank].push(entry);
        self.update(bank);
    }

    /// The first cycle from which no delay matters.
    pub(crate) fn ready_from(&self) -> u64 {
        let banks = self.banks.iter().map(|bank| &bank.ready);
        let ranks = self.ranks.iter().map(|rank| &rank.ready);
        let scopes = banks.chain(&self.groups).chain(ranks);
        let windows = self.ranks.iter().flat_map(|rank| rank.windows());
        let ready = scopes.flat_map(|ready| ready.each());
        ready.chain(windows.copied()).max().unwrap_or(0)
    }

    /// The banks of a rank.
    pub(crate) fn of_rank(&self, rank: usize) -> std::ops::Range<usize> {
        let each = (self.delays.parameters.bank_groups * self.delays.parameters.banks) as usize;
        rank * each..(rank + 1) * each
    }

    /// As [`Bank::wants`], which is kept for as long as nothing comes of it.
    pub(crate) fn wants(&mut self, bank: usize, cycle: u64) -> (u64, Command) {
        let bank = &mut self.banks[bank];
        let scopes = Scopes {
            group: &self.groups[bank.group],
            rank: &self.ranks[bank.rank],
        };
        let wants = bank.wants(&scopes, cycle);
        bank.wants_from = wants.0;
        wants
    }

    pub(crate) fn activate(&mut self, bank: usize, cycle: u64) {
        let Delays { parameters: p, .. } = &self.delays;
        let at = &mut self.banks[bank];
        let (group, rank) = (at.group, at.rank);
        at.open_row = at.queue().first().map(|head| head.row);
        at.hits = 0;
        raise(
            &mut at.ready.activate,
            cycle + self.delays.activate_to_activate,
        );
        raise(&mut at.ready.read, cycle + p.rcd);
        raise(&mut at.ready.write, cycle + p.rcd);
        raise(&mut at.ready.precharge, cycle + p.ras);
        at.choose();
        raise(&mut self.groups[group].activate, cycle + p.rrd.group);
        raise(&mut self.ranks[rank].ready.activate, cycle + p.rrd.rank);
        self.ranks[rank].activated(cycle, p.faw);
        self.update(bank);
    }

    pub(crate) fn precharge(&mut self, bank: usize, cycle: u64, for_another: bool) {
        let Delays { parameters: p, .. } = &self.delays;
        let at = &mut self.banks[bank];
        let rank = at.rank;
        at.open_row = None;
        (at.first_read, at.first_write, at.wants_from) = (None, None, 0);
        at.closed_for_another = for_another;
        raise(&mut at.ready.activate, cycle + p.rp);
        raise(&mut at.ready.refresh, cycle + p.rp);
        raise(&mut self.ranks[rank].ready.precharge, cycle + p.ppd);
        self.update(bank);
    }

    pub(crate) fn refresh(&mut self, rank: usize, cycle: u64) {
        let end = cycle + self.delays.parameters.rfc;
        raise(&mut self.ranks[rank].ready.activate, end);
        raise(&mut self.ranks[rank].ready.refresh, end);
    }

    /// The read or write at a place of a bank's queue; the burst.
    pub(crate) fn column(&mut self, bank: usize, place: usize, cycle: u64) -> Entry {
        let delays = &self.delays;
        let at = &mut self.banks[bank];
        let (group, own_rank) = (at.group, at.rank);
        let entry = at.serve(place);
        let write = entry.write;
        let (to_read, to_write, to_precharge) = match write {
            false => (
                delays.read_to_read,
                Within {
                    group: delays.read_to_write,
                    rank: delays.read_to_write,
                },
                delays.read_to_precharge,
            ),
            true => (
                delays.write_to_read,
                delays.write_to_write,
                delays.write_to_precharge,
            ),
        };
        raise(&mut at.ready.precharge, cycle + to_precharge);
        raise(&mut self.groups[group].read, cycle + to_read.group);
        raise(&mut self.groups[group].write, cycle + to_write.group);
        let (read_other, write_other) = match write {
            false => (
                delays.other_rank_read_to_read,
                delays.other_rank_read_to_write,
            ),
            true => (
                delays.other_rank_write_to_read,
                delays.other_rank_write_to_write,
            ),
        };
        self.column_from = u64::MAX;
        for (index, rank) in self.ranks.iter_mut().enumerate() {
            let (read, write) = match index == own_rank {
                true => (to_read.rank, to_write.rank),
                false => (read_other, write_other),
            };
            raise(&mut rank.ready.read, cycle + read);
            raise(&mut rank.ready.write, cycle + write);
            let from = rank.ready.read.min(rank.ready.write);
            self.column_from = self.column_from.min(from);
        }
        self.update(bank);
        entry
    }

    /// Of the rank that is to be refreshed: the first bank to close, the cycle
    /// from which a command may come, with no bank if it is the refresh.
    pub(crate) fn wants_refresh(&self, rank: usize, cycle: u64) -> (u64, Option<usize>) {
        let ready = &self.ranks[rank].ready;
        let mut close = (u64::MAX, None);
        let mut refresh = ready.refresh;
        for bank in self.of_rank(rank) {
            let at = &self.banks[bank];
            if at.open_row.is_some() {
                let from = at.ready.precharge.max(ready.precharge);
                if from <= cycle {
                    return (from, Some(bank));
                }
                if from < close.0 {
                    close = (from, Some(bank));
                }
            } else {
                raise(&mut refresh, at.ready.refresh);
            }
        }
        match close {
            (_, Some(_)) => close,
            _ => (refresh, None),
        }
    }
}
