//! The fast path of a channel that often rests: what it does from rest to rest is
//! remembered, and taken over at once where it does the same again.
//!
//! A channel is at rest when no burst waits (but for writes that are too few to be
//! drained) and no delay between commands lasts any longer. An episode begins with
//! a batch that finds it at rest and ends when it is at rest again; further batches
//! may come meanwhile. What happens then depends only on
//! - the cycles, from the beginning of the episode, in which the batches come;
//! - for each burst, which earlier ones go to its bank, and which to its row;
//! - which banks lie in one group or rank, and their order of turns, up to rotation:
//!   who had the last turn does not matter, since the first command of an episode
//!   comes when only one bank has work;
//! - of each of these banks, whether the row is open, or another, or none; whether
//!   it was used; and whether the last was closed for another,
//!
//! if no refresh falls due and no burst comes twice. So known episodes form a tree:
//! from each, what follows when a certain batch comes in a certain cycle. All of
//! this is exact; where it does not hold, the channel serves burst by burst.
//!
//! While an episode goes as a known one, the channel is left as it was at the
//! beginning. It catches up when something unknown comes, and is observed from then on.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::DramCounts;
use super::bank::{Bank, Entry};
use super::channel::{Channel, Run, WORTH_DRAINING};
use super::segments::Segments;

/// Episodes that are remembered; more than these begin anew.
const MOST: usize = 1 << 16;

/// Batches and bursts of an episode: longer ones rarely repeat, or are for the
/// segments.
const MOST_BATCHES: usize = 16;
const MOST_BURSTS: u64 = 1024;

/// The episodes that are known, of channels that are alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Episodes {
    /// By their descriptions.
    known: FxHashMap<Box<[u32]>, Known>,
    /// The number of the next.
    next: u32,
}

/// An episode up to a batch.
#[derive(Clone, Debug)]
struct Known {
    number: u32,
    /// Cycles from the beginning of the episode, in which the last burst of the batch
    /// is done, and has entered its queue.
    done: u64,
    entered: u64,
    /// How it ends if nothing more comes, once that has been seen.
    end: Arc<OnceLock<End>>,
}

/// The end of an episode.
#[derive(Debug)]
struct End {
    /// Cycles from the beginning until the channel is at rest.
    at_rest: u64,
    counts: DramCounts,
    /// The banks of the episode in their order.
    banks: Box<[Left]>,
    /// The one of them that had the last turn.
    turn: u8,
    /// Places of the writes that still wait, if any were drained.
    waiting: Option<Box<[u16]>>,
}

impl Episodes {
    fn add(&mut self, description: &[u32], new: Known) {
        if self.known.len() == MOST {
            self.known.clear();
        }
        self.next += 1;
        self.known.insert(description.into(), new);
    }
}

/// How an episode leaves a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    row: Row,
    hits: u8,
    closed_for_another: bool,
}

/// The open row of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// Of the rows of the episode.
    Of(u16),
    /// As it was.
    Same,
    None,
}

/// Where a channel is.
#[derive(Clone, Debug, Default)]
enum State {
    /// In no episode.
    #[default]
    Plain,
    /// At the beginning of an episode that goes as one which is known.
    Deferred(Known),
    /// In an episode whose end is to be observed.
    Observed(Known),
}

/// A bank of an episode, as it was at the beginning.
#[derive(Clone, Copy, Debug)]
struct Touched {
    bank: usize,
    open_row: Option<u32>,
}

/// The episode of one channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Episode {
    state: State,
    /// The channel when the last batch is done, if that was asked since.
    ahead: Option<Channel>,
    is_ahead: bool,
    begin: u64,
    /// At the beginning.
    next_refresh: u64,
    counts: DramCounts,
    /// Its batches: when each was handed over, and the end of its runs.
    batches: Vec<(u64, usize)>,
    runs: Vec<Run>,
    bursts: u64,
    /// Banks, and pairs of a place of a bank and a row, as they came.
    banks: Vec<Touched>,
    rows: Vec<(u16, u32)>,
    /// Writes that waited at the beginning, and how many; and those of the episode.
    writes: Vec<Entry>,
    waited: usize,
    /// Whether those were so many that they are described.
    drained: bool,
    /// The description of a batch.
    description: Vec<u32>,
}

impl Episode {
    /// As [`Channel::serve`].
    pub(crate) fn serve(
        &mut self,
        channel: &mut Channel,
        at: u64,
        runs: impl Iterator<Item = Run>,
        known: &mut Episodes,
        segments: &mut Segments,
    ) -> u64 {
        self.go_on(channel, at, segments);
        if let State::Plain = self.state {
            channel.idle_until(at);
            if !channel.is_at_rest() {
                channel.take(at, runs, Some(segments));
                return self.answer(channel);
            }
            self.begin(channel);
        }
        let first = self.runs.len();
        self.runs.extend(runs);
        self.bursts += (self.runs[first..].iter())
            .map(|run| run.end - run.next)
            .sum::<u64>();
        self.batches.push((at, self.runs.len()));
        let many = self.bursts > MOST_BURSTS || self.batches.len() > MOST_BATCHES;
        if many || self.is_repeated(first) {
            self.take(channel, Some(segments));
            self.state = State::Plain;
            return self.answer(channel);
        }
        let waiting = self.writes.len();
        for run in self.runs[first..].iter().filter(|run| run.write) {
            let entries = (run.next..run.end).map(|local| channel.entry(local, true));
            self.writes.extend(entries);
        }
        let entered = match &self.state {
            State::Plain => self.begin,
            State::Deferred(known) | State::Observed(known) => self.begin + known.entered,
        };
        let cycle = at.max(entered);
        let few = !self.drained && self.writes.len() <= WORTH_DRAINING;
        if few && self.runs[first..].iter().all(|run| run.write) {
            // They enter, and nothing comes of it.
            if !matches!(self.state, State::Deferred(_)) {
                self.take(channel, Some(segments));
            }
            return cycle + 1;
        }
        self.describe(channel, cycle, first, (!few).then_some(waiting));
        self.drained |= !few;
        if let Some(next) = known.known.get(self.description.as_slice()) {
            let done = self.begin + next.done;
            if done <= self.next_refresh {
                if let State::Observed(_) = self.state {
                    self.take(channel, Some(segments));
                    self.state = State::Observed(next.clone());
                } else {
                    self.state = State::Deferred(next.clone());
                }
                return done;
            }
        }
        self.take(channel, Some(segments));
        let entered = channel.now - self.begin;
        let done = self.answer(channel);
        self.state = State::Plain;
        if done <= self.next_refresh {
            let new = Known {
                number: known.next,
                done: done - self.begin,
                entered,
                end: Arc::default(),
            };
            known.add(&self.description, new.clone());
            self.state = State::Observed(new);
        }
        done
    }

    /// What the channel will have counted if nothing more comes.
    pub(crate) fn final_counts(&self, channel: &Channel) -> DramCounts {
        let State::Deferred(_) = &self.state else {
            return channel.final_counts();
        };
        let mut ahead = channel.clone();
        self.take(&mut ahead, None);
        ahead.final_counts()
    }

    /// Ends the episode if it is over at cycle `at`.
    fn go_on(&mut self, channel: &mut Channel, at: u64, segments: &mut Segments) {
        if self.is_ahead
            && let Some(ahead) = &mut self.ahead
            && ahead.now <= at
        {
            std::mem::swap(channel, ahead);
        }
        self.is_ahead = false;
        if let State::Deferred(known) = &self.state {
            let at_rest = known.end.get().map(|end| self.begin + end.at_rest);
            match at_rest {
                Some(at_rest) if at_rest <= at.min(self.next_refresh) => {
                    self.bring(channel);
                    self.state = State::Plain;
                }
                Some(_) if at < self.next_refresh => {}
                None if at < self.begin + known.done => {}
                _ => {
                    self.take(channel, Some(segments));
                    self.state = State::Observed(known.clone());
                }
            }
        }
        if let State::Observed(known) = &self.state {
            if channel.run_to_rest(at.min(self.next_refresh)) {
                known.end.get_or_init(|| self.observe(channel));
                self.state = State::Plain;
            } else if at >= self.next_refresh {
                self.state = State::Plain;
            }
        }
    }

    /// At a channel that is at rest.
    fn begin(&mut self, channel: &Channel) {
        self.begin = channel.now;
        self.next_refresh = channel.next_refresh;
        self.counts = channel.counts;
        self.batches.clear();
        self.runs.clear();
        self.bursts = 0;
        self.banks.clear();
        self.rows.clear();
        self.writes.clear();
        self.writes.extend(channel.writes.iter());
        self.waited = self.writes.len();
        self.drained = false;
    }

    /// The channel takes the last batch, and what it has not taken before.
    fn take(&self, channel: &mut Channel, mut segments: Option<&mut Segments>) {
        let from = match self.state {
            State::Deferred(_) => 0,
            State::Plain | State::Observed(_) => self.batches.len() - 1,
        };
        let mut first = from.checked_sub(1).map_or(0, |last| self.batches[last].1);
        for &(at, end) in &self.batches[from..] {
            let runs = self.runs[first..end].iter().copied();
            channel.take(at, runs, segments.as_deref_mut());
            first = end;
        }
    }

    /// As [`Channel::answer`].
    fn answer(&mut self, channel: &Channel) -> u64 {
        if channel.is_done() {
            return channel.done;
        }
        let mut ahead = match self.ahead.take() {
            Some(ahead) => ahead.into_copy_of(channel),
            None => channel.clone(),
        };
        ahead.finish();
        self.is_ahead = true;
        self.ahead.insert(ahead).done
    }

    /// Brings a channel from the beginning of the episode to its end.
    fn bring(&self, channel: &mut Channel) {
        let State::Deferred(known) = &self.state else {
            return;
        };
        let Some(end) = known.end.get() else {
            return;
        };
        channel.now = self.begin + end.at_rest;
        channel
            .counts
            .add_since(&DramCounts::default(), &end.counts);
        for (touched, left) in self.banks.iter().zip(&end.banks) {
            let bank = &mut channel.banks.banks[touched.bank];
            match left.row {
                Row::Of(row) => bank.open_row = Some(self.rows[usize::from(row)].1),
                Row::None => bank.open_row = None,
                Row::Same => {}
            }
            bank.hits = left.hits;
            bank.closed_for_another = left.closed_for_another;
            channel.banks.update(touched.bank);
        }
        channel.turn = self.banks[usize::from(end.turn)].bank;
        match &end.waiting {
            Some(waiting) => {
                let entry = |&place: &u16| self.writes[usize::from(place)];
                channel.set_waiting_writes(waiting.iter().map(entry));
            }
            None => {
                for entry in &self.writes[self.waited..] {
                    channel.pending_writes.add(entry.local);
                    channel.writes.push(*entry);
                }
            }
        }
    }

    /// How a channel ends that is at rest again.
    fn observe(&self, channel: &Channel) -> End {
        let left = (0..).zip(&self.banks).map(|(place, touched)| {
            let at = &channel.banks.banks[touched.bank];
            let of = |row| self.rows.iter().position(|&known| known == (place, row));
            let row = match at.open_row {
                None => Row::None,
                Some(row) => of(row).map_or(Row::Same, |row| Row::Of(row as u16)),
            };
            Left {
                row,
                hits: at.hits,
                closed_for_another: at.closed_for_another,
            }
        });
        let waiting = self.drained.then(|| {
            let place = |entry: &Entry| {
                let same = |other: &Entry| other.local == entry.local;
                self.writes.iter().position(same).map(|place| place as u16)
            };
            channel.writes.iter().filter_map(place).collect()
        });
        let mut counts = DramCounts::default();
        counts.add_since(&self.counts, &channel.counts);
        let last = |touched: &Touched| touched.bank == channel.turn;
        End {
            at_rest: channel.now - self.begin,
            counts,
            banks: left.collect(),
            turn: self.banks.iter().position(last).unwrap_or(0) as u8,
            waiting,
        }
    }

    /// Whether a burst of the runs from `first` on comes twice, or waits to be
    /// written.
    fn is_repeated(&self, first: usize) -> bool {
        let writes = &self.writes[..self.waited];
        (first..self.runs.len()).any(|index| {
            let run = self.runs[index];
            let both = |other: &Run| run.next < other.end && other.next < run.end;
            let waits = |entry: &Entry| (run.next..run.end).contains(&entry.local);
            self.runs[..index].iter().any(both) || writes.iter().any(waits)
        })
    }

    /// Describes the runs from `first` on, which enter in a cycle at the earliest, and
    /// the writes that wait, of which `waiting` came before, if they are drained for
    /// the first time.
    fn describe(&mut self, channel: &Channel, cycle: u64, first: usize, waiting: Option<usize>) {
        let mut description = std::mem::take(&mut self.description);
        description.clear();
        let waiting = waiting.filter(|_| !self.drained).unwrap_or(0);
        description.extend([
            match &self.state {
                State::Plain => u32::MAX,
                State::Deferred(known) | State::Observed(known) => known.number,
            },
            (cycle - self.begin) as u32,
            waiting as u32,
        ]);
        for place in 0..waiting {
            let Entry { bank, row, .. } = self.writes[place];
            let place = self.place(usize::from(bank), row, channel, &mut description);
            description.push(place);
        }
        for index in first..self.runs.len() {
            let run = self.runs[index];
            let mut local = run.next;
            while local < run.end {
                let end = channel.layout.end_of_row(local).min(run.end);
                let bank = channel.layout.bank(local);
                let row = channel.layout.row(local);
                let place = self.place(bank, row, channel, &mut description);
                let bursts = (end - local) as u32;
                description.push(bursts << 16 | u32::from(run.write) << 15 | place);
                local = end;
            }
        }
        self.description = description;
    }

    /// The place of a row among those of the episode. A new one is described.
    fn place(
        &mut self,
        bank: usize,
        row: u32,
        channel: &Channel,
        description: &mut Vec<u32>,
    ) -> u32 {
        let touched = |other: &Touched| other.bank == bank;
        let known = self.banks.iter().position(touched);
        let of_bank = known.unwrap_or(self.banks.len());
        let new = (of_bank as u16, row);
        if let Some(place) = self.rows.iter().position(|&known| known == new) {
            return place as u32;
        }
        self.rows.push(new);
        if known.is_none() {
            self.touch(bank, channel, description);
        }
        let open = self.banks[of_bank].open_row == Some(row);
        description.push(u32::MAX - (2 * of_bank as u32 + u32::from(open)));
        self.rows.len() as u32 - 1
    }

    /// Describes another bank, which is as it was at the beginning.
    fn touch(&mut self, bank: usize, channel: &Channel, description: &mut Vec<u32>) {
        let banks = &channel.banks.banks;
        let at = &banks[bank];
        let open_row = at.open_row;
        let state = match open_row {
            None => u32::from(at.closed_for_another),
            // Whether it was closed for this row no longer matters once it was used.
            Some(_) if at.hits == 0 => 2 | u32::from(at.closed_for_another),
            Some(_) => 2 | u32::from(at.hits) << 2,
        };
        self.banks.push(Touched { bank, open_row });
        // Where it lies among the banks of the episode.
        let first = |same: &dyn Fn(&Bank) -> bool| {
            let touched = self.banks.iter();
            let place = touched.clone().position(|other| same(&banks[other.bank]));
            place.unwrap_or(0) as u32
        };
        let group = first(&|other| other.group == at.group);
        let rank = first(&|other| other.rank == at.rank);
        let turn = |bank: usize| (bank + banks.len() - self.banks[0].bank) % banks.len();
        let before = |other: &&Touched| turn(other.bank) < turn(bank);
        let turns = self.banks.iter().filter(before).count() as u32;
        description.push(state | group << 8 | rank << 14 | turns << 20);
    }
}
