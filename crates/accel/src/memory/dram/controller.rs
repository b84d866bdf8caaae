//! The memory as the chip sees it: requests in its cycles.

use super::channel::{Channel, Run};
use super::device::Parameters;
use super::episodes::{Episode, Episodes};
use super::mapping::Layout;
use super::segments::Segments;

/// Consecutive bytes that are read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first byte.
    pub address: u64,
    /// How many.
    pub bytes: u64,
    /// Whether they are written, not read.
    pub write: bool,
}

/// What a controller has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DramCounts {
    /// Bytes that requests read.
    pub read_bytes: u64,
    /// Bytes that requests wrote.
    pub write_bytes: u64,
    /// Bursts on the data bus. A request that does not begin and end where bursts
    /// do takes whole bursts; one for what waits in a queue anyway takes none.
    pub bursts: u64,
    /// Rows opened.
    pub activates: u64,
    /// Bursts that found their row open, and used before.
    pub row_hits: u64,
    /// Bursts that were the first of a row, in a bank that had none open.
    pub row_misses: u64,
    /// Bursts that were the first of a row, after another was closed for it.
    pub row_conflicts: u64,
    /// Refreshes of a rank.
    pub refreshes: u64,
    /// Cycles of the device's clock in which a data bus carried data, over all
    /// channels.
    pub bus_cycles: u64,
}

impl DramCounts {
    /// Adds what came between two counts of another channel.
    pub(crate) fn add_since(&mut self, before: &DramCounts, after: &DramCounts) {
        let gained = before.each().into_iter().zip(after.each());
        for (own, (before, after)) in self.each_mut().into_iter().zip(gained) {
            *own += after - before;
        }
    }

    fn add(&mut self, other: &DramCounts) {
        for (own, other) in self.each_mut().into_iter().zip(other.each()) {
            *own += other;
        }
    }

    fn each(mut self) -> [u64; 9] {
        self.each_mut().map(|count| *count)
    }

    fn each_mut(&mut self) -> [&mut u64; 9] {
        [
            &mut self.read_bytes,
            &mut self.write_bytes,
            &mut self.bursts,
            &mut self.activates,
            &mut self.row_hits,
            &mut self.row_misses,
            &mut self.row_conflicts,
            &mut self.refreshes,
            &mut self.bus_cycles,
        ]
    }
}

/// The memory controller of a chip, with the DRAM behind it.
#[derive(Clone, Debug)]
pub struct Controller {
    memory: Memory,
    counts: DramCounts,
    last: u64,
}

#[derive(Clone, Debug)]
enum Memory {
    Ideal {
        cycles_per_byte: f64,
        /// When the last byte so far comes: a fraction of a cycle counts, so that what is
        /// asked for earlier never comes later.
        end: f64,
    },
    Channels {
        /// Cycles of the chip in one of the DRAM's.
        ratio: f64,
        parameters: Box<Parameters>,
        layout: Layout,
        channels: Vec<Channel>,
        /// None if all is served burst by burst.
        fast: Option<Box<Fast>>,
    },
}

/// What makes it fast.
#[derive(Clone, Debug, Default)]
struct Fast {
    segments: Segments,
    known: Episodes,
    /// By channel.
    episodes: Vec<Episode>,
}

impl Controller {
    pub(crate) fn ideal(bandwidth_gbps: f64, clock_ghz: f64) -> Controller {
        Controller::new(Memory::Ideal {
            cycles_per_byte: clock_ghz / bandwidth_gbps,
            end: 0.0,
        })
    }

    pub(crate) fn channels(
        parameters: Parameters,
        layout: Layout,
        channels: u32,
        clock_ghz: f64,
    ) -> Controller {
        let channel = Channel::new(&parameters, layout);
        Controller::new(Memory::Channels {
            ratio: clock_ghz * parameters.clock_ns,
            parameters: Box::new(parameters),
            layout,
            channels: vec![channel; channels as usize],
            fast: Some(Box::new(Fast {
                episodes: vec![Episode::default(); channels as usize],
                ..Fast::default()
            })),
        })
    }

    fn new(memory: Memory) -> Controller {
        Controller {
            memory,
            counts: DramCounts::default(),
            last: 0,
        }
    }

    /// The same, but it serves burst by burst and never adds what repeats at once:
    /// slower, and the reference that the fast path is tested against.
    pub fn burst_by_burst(mut self) -> Controller {
        if let Memory::Channels { fast, .. } = &mut self.memory {
            *fast = None;
        }
        self
    }

    /// Serves a batch that is handed over in chip cycle `at`, or with the batch
    /// before if that is later, behind what was handed over before; each channel
    /// reorders what waits in its queues. Returns the chip cycle in which the last
    /// byte of the batch has arrived (read) or has been accepted (write).
    ///
    /// A batch is answered as if none came after it: what is handed over later,
    /// while its last bursts wait, may still change their order.
    pub fn serve(&mut self, at: u64, batch: &[Request]) -> u64 {
        let at = at.max(self.last);
        self.last = at;
        for request in batch {
            match request.write {
                true => self.counts.write_bytes += request.bytes,
                false => self.counts.read_bytes += request.bytes,
            }
        }
        let requests = batch.iter().filter(|request| request.bytes > 0);
        match &mut self.memory {
            Memory::Ideal {
                cycles_per_byte,
                end,
            } => {
                let bytes = requests.map(|request| request.bytes).sum::<u64>();
                *end = end.max(at as f64) + bytes as f64 * *cycles_per_byte;
                end.ceil() as u64
            }
            Memory::Channels {
                ratio,
                parameters,
                layout,
                channels,
                fast,
            } => {
                let from = (at as f64 / *ratio).ceil() as u64;
                let bursts = |request: &Request| {
                    let end = request.address + request.bytes;
                    let size = parameters.burst_bytes;
                    (request.address / size, end.div_ceil(size), request.write)
                };
                let mut done = None;
                for (index, channel) in channels.iter_mut().enumerate() {
                    let local = |burst| layout.local(index as u64, burst);
                    let mut runs = (requests.clone().map(bursts))
                        .map(|(first, end, write)| Run {
                            next: local(first),
                            end: local(end),
                            write,
                        })
                        .filter(|run| run.next < run.end)
                        .peekable();
                    if runs.peek().is_some() {
                        let end = match fast {
                            Some(fast) => fast.episodes[index].serve(
                                channel,
                                from,
                                runs,
                                &mut fast.known,
                                &mut fast.segments,
                            ),
                            None => channel.serve(from, runs, None),
                        };
                        done = done.max(Some(end));
                    }
                }
                done.map_or(at, |done| (done as f64 * *ratio).ceil() as u64)
            }
        }
    }

    /// What was done so far, and what is still to be done of what was handed over:
    /// reads that wait are counted. So are writes, but for up to 8 a channel that wait
    /// for others before they are worth a turn of the bus.
    pub fn counts(&self) -> DramCounts {
        let mut counts = self.counts;
        if let Memory::Channels {
            parameters,
            channels,
            fast,
            ..
        } = &self.memory
        {
            for (index, channel) in channels.iter().enumerate() {
                counts.add(&match fast {
                    Some(fast) => fast.episodes[index].final_counts(channel),
                    None => channel.final_counts(),
                });
            }
            counts.bus_cycles = counts.bursts * parameters.burst;
        }
        counts
    }
}
