//! A channel with nothing to do: how it comes there, and how time passes.

use super::super::DramCounts;
use super::Channel;

impl Channel {
    /// What it will have counted if nothing more comes and all has been done that is
    /// done then: writes that are too few to be drained keep waiting.
    pub(crate) fn final_counts(&self) -> DramCounts {
        let mut ahead = self.clone();
        ahead.run_out();
        ahead.counts
    }

    /// Whether there is nothing to do until something comes or a refresh falls due.
    fn has_run_out(&self) -> bool {
        self.busy == 0 && self.reads.len == 0 && self.draining <= 0 && !self.drain_begins()
    }

    fn run_out(&mut self) {
        while !self.has_run_out() {
            let next = self.next();
            self.cycle(next);
        }
    }

    /// Whether nothing is to be done, and no delay between commands lasts.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.has_run_out()
            && self.draining == 0
            && self.due == 0
            && self.banks.ready_from() <= self.now
    }

    /// Simulates the cycles before `limit`, or until it is at rest; whether it is.
    pub(crate) fn run_to_rest(&mut self, limit: u64) -> bool {
        while !self.has_run_out() {
            let next = self.next();
            if next >= limit {
                return false;
            }
            self.cycle(next);
        }
        let ready_from = self.banks.ready_from();
        if ready_from <= limit && self.draining == 0 {
            self.now = self.now.max(ready_from);
        }
        ready_from <= limit && self.draining == 0
    }

    /// Simulates the cycles before `at`, in which no bursts come.
    pub(crate) fn idle_until(&mut self, at: u64) {
        loop {
            self.skip_refreshes(at);
            let next = self.next();
            if next >= at {
                break;
            }
            self.cycle(next);
        }
        self.now = self.now.max(at);
    }

    /// With no work and all rows closed a round of refreshes is like the next.
    fn skip_refreshes(&mut self, at: u64) {
        let idle = self.has_run_out() && self.draining == 0 && self.due == 0;
        let round = self.refresh_interval * self.banks.ranks.len() as u64;
        // The last rounds are simulated, so that what they delay is known.
        let rounds = (at.saturating_sub(self.next_refresh) / round).saturating_sub(2);
        if rounds > 0 && idle && self.banks.banks.iter().all(|bank| bank.open_row.is_none()) {
            self.next_refresh += rounds * round;
            self.counts.refreshes += rounds * self.banks.ranks.len() as u64;
        }
    }
}
