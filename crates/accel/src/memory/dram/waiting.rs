//! The queues between a channel and its banks.

use super::bank::{Bank, Entry};

/// Bursts of the read and of the write queue (`trans_queue_size`).
pub(crate) const QUEUE: usize = 32;

/// Bursts that have not reached their banks, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// They begin at `start`: most leave in front, and so move no others.
    entries: [Entry; 2 * QUEUE],
    start: usize,
    pub(crate) len: usize,
    of_bank: [u8; 64],
    /// Banks that an entry waits for.
    pub(crate) banks: u64,
}

impl Waiting {
    pub(crate) fn new() -> Waiting {
        Waiting {
            entries: [Entry::default(); 2 * QUEUE],
            start: 0,
            len: 0,
            of_bank: [0; 64],
            banks: 0,
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries[self.start..self.start + self.len]
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries[self.start..self.start + self.len]
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if self.start + self.len == self.entries.len() {
            self.entries.copy_within(self.start.., 0);
            self.start = 0;
        }
        self.entries[self.start + self.len] = entry;
        self.len += 1;
        self.of_bank[usize::from(entry.bank)] += 1;
        self.banks |= 1 << entry.bank;
    }

    /// The place of the oldest whose bank has room.
    pub(crate) fn first(&self, full: u64) -> Option<usize> {
        if self.banks & !full == 0 {
            return None;
        }
        self.entries()
            .iter()
            .position(|entry| full >> entry.bank & 1 == 0)
    }

    pub(crate) fn remove(&mut self, place: usize) -> Entry {
        let entry = self.entries()[place];
        let before = self.start..self.start + place;
        self.entries.copy_within(before, self.start + 1);
        self.start += 1;
        self.len -= 1;
        let of_bank = &mut self.of_bank[usize::from(entry.bank)];
        *of_bank -= 1;
        if *of_bank == 0 {
            self.banks &= !(1 << entry.bank);
        }
        entry
    }
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
    (waiting.entries().iter())
        .chain(bank.queue())
        .any(|entry| entry.local == local && entry.write == write)
}
