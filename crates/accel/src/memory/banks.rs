//! Banks of the buffer, and what waits for them.
//!
//! Operands lie word by word in one bank after the other, so a stream of them asks
//! each bank in turn. A bank serves one word a cycle; who comes too late waits.
//! Each array has a stream for its rows and one for its columns, read two words
//! ahead; fetches from DRAM and the vector unit have one each. How long the
//! arrays are held up is found by serving the streams of a window of
//! 1,024 cycles word by word, once for each mix of rates, with the arrays'
//! streams alone and with all of them: what the first costs is for want of banks,
//! what the second adds are conflicts, whoever waits: the next block needs what
//! others fetch or finish under this one. Our decision, as is everything about
//! banks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Words that a stream reads ahead.
const AHEAD: u64 = 2;

/// Cycles in which streams are served word by word.
const WINDOW: u64 = 1024;

/// Steps of a rate: words in 256 cycles.
const RATE_STEPS: u64 = 256;

/// The banks of a buffer.
#[derive(Debug)]
pub struct Banks {
    banks: usize,
    access_bits: u64,
    /// By the rates of a row's and of other streams and the number of arrays.
    known: Mutex<HashMap<Rates, Slowdown>>,
}

/// What a block asks of the buffer.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Cycles in which it does.
    pub cycles: u64,
    /// Arrays that ask.
    pub lanes: usize,
    /// Bits that they read.
    pub operand_bits: u64,
    /// Bits that others read or write.
    pub other_bits: u64,
}

/// Cycles by which a block is held up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Because the banks cannot deliver so many operands.
    pub operand: u64,
    /// Because others asked the same bank.
    pub conflict: u64,
}

/// Words in [`RATE_STEPS`] cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Rates {
    operand_streams: usize,
    operand: u64,
    other: u64,
}

/// Cycles that [`WINDOW`] cycles' operands take beyond those.
#[derive(Clone, Copy, Debug)]
struct Slowdown {
    operand: u64,
    all: u64,
}

impl Banks {
    /// So many banks, of words of so many bits.
    pub fn new(banks: u64, access_bits: u64) -> Banks {
        Banks {
            banks: banks as usize,
            access_bits,
            known: Mutex::default(),
        }
    }

    /// By how much a block is held up.
    pub fn waits(&self, demand: &Demand) -> Waits {
        let Demand {
            cycles,
            lanes,
            operand_bits,
            other_bits,
        } = *demand;
        if cycles == 0 || operand_bits == 0 {
            return Waits::default();
        }
        let rate = |bits: u64, streams: u64| {
            (bits * RATE_STEPS).div_ceil(self.access_bits * streams * cycles)
        };
        let operand_streams = 2 * lanes;
        let rates = Rates {
            operand_streams,
            operand: rate(operand_bits, operand_streams as u64),
            // Others use no more than they could in turn with the arrays.
            other: rate(other_bits, 2).min(RATE_STEPS),
        };
        let slowdown = *self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(rates)
            .or_insert_with(|| self.slowdown(rates));
        let share = |held: u64| cycles * held / WINDOW;
        Waits {
            operand: share(slowdown.operand),
            conflict: share(slowdown.all) - share(slowdown.operand),
        }
    }

    fn slowdown(&self, rates: Rates) -> Slowdown {
        let Rates {
            operand_streams,
            operand,
            other,
        } = rates;
        let total = operand * operand_streams as u64;
        // More than all banks can deliver: the mean tells, no word by word.
        let peak = self.banks as u64 * RATE_STEPS;
        let mean = |words: u64| (WINDOW * words / peak).saturating_sub(WINDOW);
        if total >= peak {
            return Slowdown {
                operand: mean(total),
                all: mean(total + 2 * other),
            };
        }
        let alone = self.held_up(&vec![operand; operand_streams]);
        let mut streams = vec![operand; operand_streams];
        streams.extend([other, other]);
        let all = self.held_up(&streams);
        Slowdown {
            operand: alone,
            all: all.max(alone).max(mean(total + 2 * other)),
        }
    }

    /// Cycles beyond the window until all streams have the words that they ask for in
    /// it.
    fn held_up(&self, rates: &[u64]) -> u64 {
        let words: Vec<u64> = rates
            .iter()
            .map(|rate| rate * WINDOW / RATE_STEPS)
            .collect();
        let mut served = vec![0_u64; rates.len()];
        let mut late = vec![0_u64; rates.len()];
        let mut busy = vec![false; self.banks];
        let mut cycle = 0;
        while served
            .iter()
            .zip(&words)
            .any(|(served, words)| served < words)
        {
            busy.fill(false);
            // All have the same rank: who begins changes from cycle to cycle.
            for turn in 0..rates.len() {
                let stream = (turn + cycle as usize) % rates.len();
                let asked = served[stream];
                // The cycle, counted without its waits, in which a word is used.
                let use_of = |word: u64| word * RATE_STEPS / rates[stream];
                let now = cycle - late[stream];
                if asked >= words[stream] || use_of(asked.saturating_sub(AHEAD)) > now {
                    continue;
                }
                // Streams begin in banks far from one another.
                let bank = (stream * 5 + asked as usize) % self.banks;
                if busy[bank] {
                    // What was read ahead hides the wait until it is needed.
                    late[stream] += u64::from(use_of(asked) <= now);
                    continue;
                }
                busy[bank] = true;
                served[stream] += 1;
            }
            cycle += 1;
        }
        late.into_iter().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(banks: u64, lanes: usize, words: u64, others: u64) -> Waits {
        Banks::new(banks, 128).waits(&Demand {
            cycles: 4096,
            lanes,
            operand_bits: words * 128,
            other_bits: others * 128,
        })
    }

    #[test]
    fn streams_that_fit_find_turns() {
        // Four arrays of 0.75 words a cycle on eight banks.
        let waits = waits(8, 4, 3 * 4096, 0);
        assert!(waits.operand * 50 < 4096, "{waits:?}");
        assert_eq!(waits.conflict, 0);
    }

    #[test]
    fn more_than_the_banks_have_takes_longer() {
        // 24 words a cycle from eight banks.
        let waits = waits(8, 32, 24 * 4096, 0);
        assert_eq!(waits.operand, 2 * 4096);
    }

    #[test]
    fn others_only_add_conflicts() {
        let alone = waits(4, 4, 3 * 4096, 0);
        let mut last = 0;
        for others in [1024, 4096, 8192] {
            let waits = waits(4, 4, 3 * 4096, others);
            assert_eq!(waits.operand, alone.operand);
            assert!(waits.conflict >= last, "{waits:?} after {last}");
            last = waits.conflict;
        }
        assert!(last > 0);
    }

    #[test]
    fn more_banks_never_wait_longer() {
        let mut last = u64::MAX;
        for banks in [2, 4, 8, 16, 32] {
            let Waits { operand, conflict } = waits(banks, 4, 3 * 4096, 2048);
            assert!(operand + conflict <= last);
            last = operand + conflict;
        }
    }

    #[test]
    fn who_asks_for_nothing_waits_for_nothing() {
        assert_eq!(waits(8, 4, 0, 4096), Waits::default());
    }
}
