//! The queues between a channel and its banks.

use super::bank::{Bank, Entry};

/// Bursts of the read and of the write queue (`trans_queue_size`).
pub(crate) const QUEUE: usize = 32;

/// Places of a queue, some of which are empty: a burst that leaves moves no others.
const PLACES: usize = 64;

/// Bursts that have not reached their banks, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    entries: [Entry; PLACES],
    /// Places that are taken: all, and those of each bank.
    taken: u64,
    of_bank: [u64; 64],
    /// The place of the next that comes.
    next: usize,
    pub(crate) len: usize,
    /// Banks that an entry waits for.
    pub(crate) banks: u64,
}

impl Waiting {
    pub(crate) fn new() -> Waiting {
        Waiting {
            entries: [Entry::default(); PLACES],
            taken: 0,
            of_bank: [0; 64],
            next: 0,
            len: 0,
            banks: 0,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        members(self.taken).map(|place| &self.entries[place])
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let taken = self.taken;
        let entries = self.entries.iter_mut().enumerate();
        entries.filter_map(move |(place, entry)| (taken >> place & 1 == 1).then_some(entry))
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if self.next == PLACES {
            self.close_up();
        }
        self.entries[self.next] = entry;
        self.take_place(self.next, entry.bank);
        self.next += 1;
        self.len += 1;
        self.banks |= 1 << entry.bank;
    }

    /// The oldest whose bank has room, and its place.
    pub(crate) fn first(&self, full: u64) -> Option<(usize, Entry)> {
        let places = members(self.banks & !full).map(|bank| self.of_bank[bank].trailing_zeros());
        let place = places.min()? as usize;
        Some((place, self.entries[place]))
    }

    pub(crate) fn remove(&mut self, place: usize) {
        let bank = usize::from(self.entries[place].bank);
        self.len -= 1;
        self.taken &= !(1 << place);
        self.of_bank[bank] &= !(1 << place);
        if self.of_bank[bank] == 0 {
            self.banks &= !(1 << bank);
        }
    }

    /// Leaves no place empty before the last entry.
    fn close_up(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.of_bank = [0; 64];
        self.next = 0;
        for place in members(taken) {
            let entry = self.entries[place];
            self.entries[self.next] = entry;
            self.take_place(self.next, entry.bank);
            self.next += 1;
        }
    }

    fn take_place(&mut self, place: usize, bank: u8) {
        self.taken |= 1 << place;
        self.of_bank[usize::from(bank)] |= 1 << place;
    }
}

/// The numbers of the bits that are set, lowest first.
pub(crate) fn members(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = (set != 0).then_some(set.trailing_zeros() as usize);
        set &= set.wrapping_sub(1);
        first
    })
}

/// How many of the bursts that wait have each remainder of their number: where
/// none has, none is the same.
#[derive(Clone, Debug)]
pub(crate) struct Remainders([u16; 256]);

impl Remainders {
    pub(crate) fn new() -> Remainders {
        Remainders([0; 256])
    }

    pub(crate) fn of(&mut self, local: u64) -> &mut u16 {
        &mut self.0[local as usize % 256]
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(crate) fn add(&mut self, local: u64) {
        *self.of(local) += 1;
    }
}

/// Whether a burst waits to be written, or read.
pub(crate) fn is_pending(waiting: &Waiting, bank: &Bank, local: u64, write: bool) -> bool {
    (waiting.iter())
        .chain(bank.queue())
        .any(|entry| entry.local == local && entry.write == write)
}
