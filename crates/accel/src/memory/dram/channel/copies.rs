//! Copies of a channel, and of parts of it.

use std::collections::VecDeque;

use super::super::bank::Entry;
use super::super::waiting::Waiting;
use super::Channel;

impl Channel {
    /// What it remembers, without the bursts that have not entered it.
    pub(crate) fn without_backlog(&self) -> Channel {
        Channel {
            backlog: VecDeque::new(),
            banks: self.banks.clone(),
            reads: self.reads.clone(),
            writes: self.writes.clone(),
            pending_reads: self.pending_reads.clone(),
            pending_writes: self.pending_writes.clone(),
            ..*self
        }
    }

    /// A copy of another, in the memory of this.
    pub(crate) fn into_copy_of(self, other: &Channel) -> Channel {
        let Channel {
            mut backlog,
            mut banks,
            ..
        } = self;
        backlog.clone_from(&other.backlog);
        banks.copy_from(&other.banks);
        Channel {
            backlog,
            banks,
            reads: other.reads.clone(),
            writes: other.writes.clone(),
            pending_reads: other.pending_reads.clone(),
            pending_writes: other.pending_writes.clone(),
            ..*other
        }
    }

    /// Takes over banks and queues of another, but where it reads its own writes.
    pub(crate) fn take_queues(&mut self, other: &Channel, write: bool) {
        self.banks.copy_from(&other.banks);
        self.reads.clone_from(&other.reads);
        if write {
            self.writes.clone_from(&other.writes);
        }
        self.draining = other.draining;
        self.busy = other.busy;
        self.full = other.full;
        self.ready_from = 0;
        self.turn = other.turn;
        self.next_rank = other.next_rank;
        self.due = other.due;
        self.outstanding = other.outstanding;
    }

    /// Exchanges the writes that wait.
    pub(crate) fn set_waiting_writes(&mut self, entries: impl Iterator<Item = Entry>) {
        for entry in self.writes.iter() {
            *self.pending_writes.of(entry.local) -= 1;
        }
        self.writes = Waiting::new();
        for entry in entries {
            self.pending_writes.add(entry.local);
            self.writes.push(entry);
        }
    }
}
