//! The fast path of a channel: what a long run does is remembered piece by piece,
//! and added at once where it does the same again.
//!
//! A channel's rules look at the bank of a burst, at whether its row is that of
//! others, and at times relative to one another. So if all that a channel
//! remembers is the same, relative to the cycle and to the burst of the run that
//! comes next, as when another segment of a run began, and that burst lies at the
//! same place of a row, then all that follows is the same until the next segment:
//! cycles, counts, and what the channel remembers then. Segments follow one another
//! by links, so that a stream in its stride costs a few operations a segment. All
//! of this is exact.
//!
//! A segment in which no refresh falls due is the same however far the next
//! refresh is beyond it; one with a refresh is the same if that is as far away.

use rustc_hash::FxHashMap;

use super::DramCounts;
use super::bank::Entry;
use super::channel::{Channel, Run};

/// Bursts of a segment.
const SEGMENT: u64 = 128;

/// Segments that are remembered; more than these begin anew.
const MOST: usize = 1024;

/// The segments that are known, of channels that are alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    known: Vec<Segment>,
    /// By the description of the channel when it began.
    by_beginning: FxHashMap<Box<[u64]>, Beginning>,
    run: Option<Run>,
    /// The burst of the run that begins the next segment.
    boundary: u64,
    recording: Option<Recording>,
    /// The description at hand.
    state: Vec<u64>,
}

/// Segments that begin with one description of the channel.
#[derive(Clone, Debug, Default)]
struct Beginning {
    without_refresh: Option<usize>,
    /// By the distance of the refresh.
    with_refresh: Vec<(u64, usize)>,
}

/// What happened between two boundaries.
#[derive(Clone, Debug)]
struct Segment {
    cycles: u64,
    bursts: u64,
    /// By how much the cycle of the next refresh grew.
    refresh: u64,
    begun: DramCounts,
    end: Box<Channel>,
    /// The run's next burst in the end.
    next: u64,
    /// What follows if no refresh falls due.
    then: Option<usize>,
}

/// A segment that is not known yet.
#[derive(Clone, Debug)]
struct Recording {
    beginning: Box<[u64]>,
    after: Option<usize>,
    now: u64,
    next: u64,
    next_refresh: u64,
    done: u64,
    writes: usize,
    counts: DramCounts,
    /// The run may not have come beyond this burst.
    limit: u64,
}

/// A place in a run, before the channel is brought there.
struct Place {
    now: u64,
    next: u64,
    next_refresh: u64,
}

impl Segments {
    /// To be called before the first cycle of a batch.
    pub(crate) fn begin_batch(&mut self) {
        self.run = None;
        self.recording = None;
    }

    /// To be called after each cycle.
    pub(crate) fn after_cycle(&mut self, channel: &mut Channel) {
        let Some(&run) = channel.backlog.front() else {
            return;
        };
        let same =
            |known: Run| (known.end, known.write) == (run.end, run.write) && known.next <= run.next;
        if !self.run.is_some_and(same) {
            self.run = Some(run);
            self.recording = None;
            self.boundary = run.next.next_multiple_of(SEGMENT);
        }
        if run.next >= self.boundary {
            self.at_boundary(run, channel);
        }
    }

    /// A segment ends and another begins.
    fn at_boundary(&mut self, mut run: Run, channel: &mut Channel) {
        let mut last = self.finish_recording(run, channel);
        while let Some(limit) = describe(channel, run, &mut self.state) {
            let found = self.find(channel);
            if let Some(last) = last
                && let Some((id, 0)) = found
            {
                self.known[last].then = Some(id);
            }
            let Some((first, _)) = found else {
                self.record(last, run, limit, channel);
                break;
            };
            match self.follow(first, limit, run, channel) {
                Some(id) => last = Some(id),
                None => break,
            }
            run = channel.backlog[0];
        }
        self.run = Some(run);
        self.boundary = (run.next + 1).next_multiple_of(SEGMENT);
    }

    /// The segment that begins as the description says, and its number of
    /// refreshes: none or some.
    fn find(&self, channel: &Channel) -> Option<(usize, u64)> {
        let beginning = self.by_beginning.get(self.state.as_slice())?;
        let distance = channel.next_refresh - channel.now;
        if let Some(id) = beginning.without_refresh
            && self.known[id].cycles <= distance
        {
            return Some((id, 0));
        }
        let with = beginning.with_refresh.iter();
        with.copied()
            .find(|&(known, _)| known == distance)
            .map(|(_, id)| (id, 1))
    }

    /// Adds segments from `first` on, as many as are known and stay within the limit;
    /// the last of them.
    fn follow(&self, first: usize, limit: u64, run: Run, channel: &mut Channel) -> Option<usize> {
        let mut place = Place {
            now: channel.now,
            next: run.next,
            next_refresh: channel.next_refresh,
        };
        let mut last = None;
        let mut counts = channel.counts;
        let mut following = Some(first);
        while let Some(id) = following {
            let segment = &self.known[id];
            let in_time = segment.refresh > 0 || place.now + segment.cycles <= place.next_refresh;
            if !in_time || place.next + segment.bursts > limit {
                break;
            }
            place.now += segment.cycles;
            place.next += segment.bursts;
            place.next_refresh += segment.refresh;
            counts.add_since(&segment.begun, &segment.end.counts);
            last = Some(id);
            following = segment.then;
        }
        let segment = &self.known[last?];
        bring(channel, segment, &place, run.write);
        channel.counts = counts;
        last
    }

    /// Remembers what happens from here on until the next boundary.
    fn record(&mut self, after: Option<usize>, run: Run, limit: u64, channel: &Channel) {
        self.recording = Some(Recording {
            beginning: self.state.as_slice().into(),
            after,
            now: channel.now,
            next: run.next,
            next_refresh: channel.next_refresh,
            done: channel.done,
            writes: channel.writes.len,
            counts: channel.counts,
            limit,
        });
    }

    fn finish_recording(&mut self, run: Run, channel: &Channel) -> Option<usize> {
        let recording = self.recording.take()?;
        // Writes that wait have no part in what a run of reads does, unless they are
        // drained.
        let untouched = run.write || channel.writes.len == recording.writes;
        if run.next > recording.limit || !untouched || channel.done <= recording.done {
            return None;
        }
        if self.known.len() == MOST {
            self.known.clear();
            self.by_beginning.clear();
            return None;
        }
        let id = self.known.len();
        let refresh = channel.next_refresh - recording.next_refresh;
        let beginning = self.by_beginning.entry(recording.beginning).or_default();
        if refresh == 0 {
            beginning.without_refresh = Some(id);
            if let Some(after) = recording.after {
                self.known[after].then = Some(id);
            }
        } else {
            let distance = recording.next_refresh - recording.now;
            beginning.with_refresh.push((distance, id));
        }
        self.known.push(Segment {
            cycles: channel.now - recording.now,
            bursts: run.next - recording.next,
            refresh,
            begun: recording.counts,
            end: Box::new(channel.without_backlog()),
            next: run.next,
            then: None,
        });
        Some(id)
    }
}

/// All that a channel's future depends on but the distance of the refresh, relative
/// to its cycle and to the next burst of the run. Returns the burst that the run
/// may come to before anything else matters, or None if something else does
/// already: bursts of the other kind at the banks, or reads that wait while the run
/// writes.
fn describe(channel: &Channel, run: Run, state: &mut Vec<u64>) -> Option<u64> {
    let row = channel.layout.row_bits();
    let place = run.next & ((1 << row.low) - 1);
    let above = run.next >> (row.low + row.width);
    let relative = |cycle: u64| cycle.saturating_sub(channel.now);
    let mut other = false;
    let mut describe = |state: &mut Vec<u64>, entry: &Entry| {
        other |= entry.write != run.write;
        let own = entry.batch == channel.batch;
        state.push(run.next.wrapping_sub(entry.local) << 1 | u64::from(own));
    };
    state.clear();
    state.extend([
        place,
        above,
        u64::from(run.write),
        channel.turn as u64,
        channel.draining as u64,
        channel.due as u64,
        channel.next_rank as u64,
    ]);
    state.extend([&channel.reads, &channel.writes].map(|queue| queue.len as u64));
    let mut limit = (run.end - 1).min(((above + 1) << (row.low + row.width)) - 1);
    for entry in channel.reads.iter() {
        describe(state, entry);
    }
    for entry in channel.writes.iter() {
        if run.write {
            describe(state, entry);
        } else if entry.local >= run.next {
            limit = limit.min(entry.local);
        }
    }
    for bank in &channel.banks.banks {
        let open = bank.open_row.map_or(u32::MAX, |open| {
            open.wrapping_sub(channel.layout.row(run.next)) & (u32::MAX >> 1)
        });
        let flags = u64::from(bank.hits) << 1 | u64::from(bank.closed_for_another);
        state.push(u64::from(open) << 32 | flags << 8 | bank.queue().len() as u64);
        state.extend(bank.ready.each().map(relative));
        for entry in bank.queue() {
            describe(state, entry);
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
    (!other).then_some(limit)
}

/// Brings a channel to the end of a segment that ends at `place`.
fn bring(channel: &mut Channel, segment: &Segment, place: &Place, write: bool) {
    let end = &*segment.end;
    let bursts = place.next.wrapping_sub(segment.next);
    let later = |cycle: &mut u64| {
        *cycle = match cycle.checked_sub(end.now) {
            Some(ahead) => place.now + ahead,
            None => 0,
        };
    };
    let layout = channel.layout;
    let rows = layout
        .row(place.next)
        .wrapping_sub(layout.row(segment.next));
    let (batch, end_batch) = (channel.batch, end.batch);
    let moved = |entry: &mut Entry| {
        entry.local = entry.local.wrapping_add(bursts);
        entry.row = layout.row(entry.local);
        entry.batch = match entry.batch == end_batch {
            true => batch,
            false => batch.wrapping_sub(1),
        };
    };
    channel.take_queues(end, write);
    let (waiting, pending) = match write {
        true => (&mut channel.writes, &mut channel.pending_writes),
        false => (&mut channel.reads, &mut channel.pending_reads),
    };
    pending.clear();
    let banks = &mut channel.banks;
    let queues = banks.banks.iter_mut().flat_map(|bank| bank.queue_mut());
    for entry in waiting.iter_mut().chain(queues) {
        moved(entry);
        pending.add(entry.local);
    }
    for bank in &mut banks.banks {
        bank.ready.each_mut().into_iter().for_each(later);
        bank.open_row = bank.open_row.map(|row| row.wrapping_add(rows));
        bank.wants_from = 0;
    }
    banks.column_from = 0;
    for group in &mut banks.groups {
        group.each_mut().into_iter().for_each(later);
    }
    for rank in &mut banks.ranks {
        rank.ready.each_mut().into_iter().for_each(later);
        rank.windows_mut().iter_mut().for_each(later);
    }
    channel.done = channel
        .done
        .max((place.now + end.done).saturating_sub(end.now));
    channel.now = place.now;
    channel.next_refresh = place.next_refresh;
    channel.backlog[0].next = place.next;
}
