//! The best mapping, by exhaustive search.

use super::chip::{Chip, ScratchPads, WORD_BYTES};
use super::layer::Layer;
use super::mapping::{Accesses, Loop, Mapping, Parameters};

/// Energy of an access on each level over that of a multiply-accumulate (ISCA 2016,
/// table IV).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// A word from or to DRAM.
    pub dram: f64,
    /// A word from or to the buffer.
    pub buffer: f64,
    /// A word into an element, or from one to the next.
    pub array: f64,
    /// A word from or to a scratch pad.
    pub pads: f64,
}

/// The ratios of ISCA 2016.
pub const ISCA16: Costs = Costs {
    dram: 200.0,
    buffer: 6.0,
    array: 2.0,
    pads: 1.0,
};

impl Costs {
    /// Energy of the accesses, in multiply-accumulates.
    pub fn of(&self, accesses: &Accesses) -> f64 {
        let sum = |words: [u64; 3]| words.iter().sum::<u64>() as f64;
        self.dram * sum(accesses.dram)
            + self.buffer * sum(accesses.buffer)
            + self.array * sum(accesses.array)
            + self.pads * accesses.pads as f64
    }
}

/// The smallest sizes that cut `whole` into 1, 2, ... parts: any other wastes more and
/// saves no round.
fn cuts(whole: u64, most: u64) -> impl Iterator<Item = u64> {
    let mut next = Some(whole.div_ceil(whole.div_ceil(most.max(1))));
    std::iter::from_fn(move || {
        let size = next?;
        let parts = whole.div_ceil(size);
        next = (size > 1).then(|| {
            // The next smaller size needs at least one part more.
            let size = (whole - 1) / parts;
            whole.div_ceil(whole.div_ceil(size.max(1)))
        });
        Some(size)
    })
}

/// Mappings whose time is within this share of the least are chosen from by energy.
const SLACK: f64 = 0.02;

/// The mapping of the chip's schedule that takes least time, or, of those within a
/// fiftieth of that, least energy ([`ISCA16`]). Time is that of the array and that of DRAM,
/// one after the other. `None` if the chip can do none.
///
/// All [`Parameters`] are tried but those that another beats: sizes that save no round
/// over a smaller one, and fewer filters in the buffer than fit. What a bound on the time
/// rules out is not looked at.
pub fn best(chip: &Chip, layer: &Layer, dram_bytes_per_cycle: f64) -> Option<Mapping> {
    let mut front = Front::default();
    front.search(chip, layer, dram_bytes_per_cycle);
    front.choose().map(|(mapping, _)| mapping)
}

/// The same for an M x K by K x N product, where either operand may be the filters; and
/// whether that is the left one.
pub fn best_for_product(
    chip: &Chip,
    [m, n, k]: [u64; 3],
    dram_bytes_per_cycle: f64,
) -> Option<(Mapping, bool)> {
    let mut front = Front::default();
    front.search(chip, &Layer::product(m, n, k), dram_bytes_per_cycle);
    front.swapped = true;
    front.search(chip, &Layer::product(n, m, k), dram_bytes_per_cycle);
    front.choose()
}

/// Mappings none of which beats another in both time and energy.
#[derive(Default)]
struct Front {
    least: Option<f64>,
    found: Vec<Candidate>,
    swapped: bool,
}

struct Candidate {
    time: f64,
    energy: f64,
    mapping: Mapping,
    swapped: bool,
}

impl Front {
    /// Whether a mapping of that time may still be chosen.
    fn may_take(&self, time: f64) -> bool {
        self.least.is_none_or(|least| time <= (1.0 + SLACK) * least)
    }

    fn choose(&self) -> Option<(Mapping, bool)> {
        let quick = self.found.iter().filter(|found| self.may_take(found.time));
        let best = quick.min_by(|left, right| left.energy.total_cmp(&right.energy))?;
        Some((best.mapping, best.swapped))
    }

    fn search(&mut self, chip: &Chip, layer: &Layer, dram_bytes_per_cycle: f64) {
        let ScratchPads::Separate {
            filter_words,
            ifmap_words,
            psum_words,
        } = chip.pads
        else {
            return;
        };
        let columns = layer.filter_columns;
        let most_channels = ifmap_words / columns;
        let most_filters = |q: u64| psum_words.min(filter_words / (q * columns));
        if most_channels == 0 || most_filters(1) == 0 {
            return;
        }
        // DRAM cycles that no mapping is below which reads weights so often.
        let least_dram = |reads: u64| {
            let words = reads * layer.weights() + layer.unpadded_inputs() + layer.outputs();
            (WORD_BYTES * words) as f64 / dram_bytes_per_cycle
        };
        let mut sets = sets(chip, layer);
        let most = [most_channels, most_filters(1)];
        let least_cycles = |sets: &Sets| sets.least_cycles(chip, layer, most);
        sets.sort_by(|left, right| least_cycles(left).total_cmp(&least_cycles(right)));
        for set in sets {
            if !self.may_take(least_cycles(&set) + least_dram(1)) {
                break;
            }
            let Sets { e, r, t } = set;
            let strips = set.strips(layer);
            for q in cuts(layer.channels.div_ceil(r), most_channels) {
                for p in cuts(layer.filters.div_ceil(t), most_filters(q)) {
                    for n in cuts(strips, strips) {
                        let m = p * t;
                        let mapping = Mapping::of_chip(Parameters {
                            m,
                            n,
                            e,
                            p,
                            q,
                            r,
                            t,
                        });
                        let array = mapping.cycles(chip, layer).total as f64;
                        // Shorter passes ramp up and read weights more often.
                        let reads = mapping.accesses(layer).dram[0] / layer.weights();
                        if !self.may_take(array + least_dram(reads)) {
                            break;
                        }
                        if let Some(mapping) = keep_most_filters(chip, layer, mapping) {
                            self.add(layer, mapping, array, dram_bytes_per_cycle);
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, layer: &Layer, mapping: Mapping, array: f64, dram_bytes_per_cycle: f64) {
        let accesses = mapping.accesses(layer);
        let bytes = WORD_BYTES * accesses.dram.iter().sum::<u64>();
        let time = array + bytes as f64 / dram_bytes_per_cycle;
        if !self.may_take(time) {
            return;
        }
        self.least = Some(self.least.map_or(time, |least| least.min(time)));
        let energy = ISCA16.of(&accesses);
        let beaten = |other: &Candidate| other.time <= time && other.energy <= energy;
        if !self.found.iter().any(beaten) {
            self.found
                .retain(|other| other.time < time || other.energy < energy);
            self.found.push(Candidate {
                time,
                energy,
                mapping,
                swapped: self.swapped,
            });
        }
    }
}

/// Sets on the array.
#[derive(Clone, Copy)]
struct Sets {
    e: u64,
    r: u64,
    t: u64,
}

/// All sets that the array and the buffer hold.
fn sets(chip: &Chip, layer: &Layer) -> Vec<Sets> {
    let mut all = Vec::new();
    for e in cuts(layer.out_rows(), chip.widest_strip(layer)) {
        let [below, beside] = chip.sets(layer, e);
        for r in cuts(layer.channels, below) {
            let fits = |&t: &u64| {
                let (m, n, p, q) = (t, 1, 1, 1);
                Mapping::of_chip(Parameters {
                    m,
                    n,
                    e,
                    p,
                    q,
                    r,
                    t,
                })
                .fits(chip, layer)
            };
            let fitting = cuts(layer.filters, below / r * beside).filter(fits);
            all.extend(fitting.map(|t| Sets { e, r, t }));
        }
    }
    all
}

impl Sets {
    fn strips(&self, layer: &Layer) -> u64 {
        layer.images * layer.out_rows().div_ceil(self.e)
    }

    /// Cycles that no mapping with these sets is below, with at most so many channels and
    /// filters in an element.
    fn least_cycles(&self, chip: &Chip, layer: &Layer, [q, p]: [u64; 2]) -> f64 {
        let &Sets { e, r, t } = self;
        let rows = (e - 1) * layer.stride + layer.filter_rows;
        let columns = layer.filter_columns;
        let products = layer.groups
            * self.strips(layer)
            * layer.out_columns()
            * layer.channels.div_ceil(r)
            * layer.filters.div_ceil(t)
            * columns;
        let share = |words: u64, bus: u64, of: u64| words as f64 / (bus * of * columns) as f64;
        let inputs = share(
            r * rows * layer.stride.min(columns),
            chip.buses.ifmap_words,
            p,
        );
        let sums = share(t * e, chip.buses.psum_words, q);
        products as f64 * (1.0 + share(1, 1, q)).max(inputs).max(sums)
    }
}

/// The same mapping with the partial sums of as many filters in the buffer as fit.
fn keep_most_filters(chip: &Chip, layer: &Layer, mapping: Mapping) -> Option<Mapping> {
    let with = |filters| Mapping {
        buffer: [mapping.buffer[0], filters, mapping.buffer[2]],
        ..mapping
    };
    if !with(1).fits(chip, layer) {
        return None;
    }
    let rounds = mapping.rounds(layer)[1];
    let (mut fits, mut beyond) = (1, rounds + 1);
    while beyond - fits > 1 {
        let middle = (fits + beyond) / 2;
        match with(middle).buffer_words(chip, layer) <= chip.buffer_words {
            true => fits = middle,
            false => beyond = middle,
        }
    }
    // The fewest that need no more turns.
    Some(with(rounds.div_ceil(rounds.div_ceil(fits))))
}

/// The mapping of least energy by ISCA 2016's method, as stanford-mast/nn_dataflow
/// applies it: the set folded as few times as the array allows, replicated for least
/// cycles, and loops over whole divisors in any order. `None` if the chip can do none.
pub fn least_energy(chip: &Chip, layer: &Layer, costs: &Costs) -> Option<Mapping> {
    let fewest = layer.out_rows().div_ceil(chip.widest_strip(layer));
    let strip = layer.out_rows().div_ceil(fewest);
    let [below, beside] = chip.sets(layer, strip);
    let replications = (1..=below).map(|r| {
        let channel_sets = r.min(layer.channels);
        let filter_sets = (below / r * beside).min(layer.filters);
        [channel_sets, filter_sets]
    });
    let rounds = |[r, t]: [u64; 2]| layer.channels.div_ceil(r) * layer.filters.div_ceil(t);
    let least = replications.clone().map(rounds).min()?;
    let mut best: Option<(f64, Mapping)> = None;
    for [channel_sets, filter_sets] in replications.filter(|&sets| rounds(sets) == least) {
        let whole = [
            layer.channels.div_ceil(channel_sets),
            layer.filters.div_ceil(filter_sets),
            layer.images * fewest,
        ];
        let [channels, filters, strips] = whole.map(divisions);
        for &[q, inner_channels] in &channels {
            for &[p, inner_filters] in &filters {
                for &[b, inner_strips] in &strips {
                    for outer_innermost in Loop::ALL {
                        for buffer_innermost in Loop::ALL {
                            let mapping = Mapping {
                                strip,
                                channel_sets,
                                filter_sets,
                                pads: [q, p, b],
                                buffer: [inner_channels, inner_filters, inner_strips],
                                outer_innermost,
                                buffer_innermost,
                                streams: false,
                            };
                            if !mapping.fits(chip, layer) {
                                continue;
                            }
                            let energy = costs.of(&mapping.accesses(layer));
                            if best.is_none_or(|(least, _)| energy < least) {
                                best = Some((energy, mapping));
                            }
                        }
                    }
                }
            }
        }
    }
    best.map(|(_, mapping)| mapping)
}

/// All ways to take a divisor of a number, and one of what is left.
fn divisions(whole: u64) -> Vec<[u64; 2]> {
    let divisors = |of: u64| (1..=of).filter(move |size| of.is_multiple_of(*size));
    divisors(whole)
        .flat_map(|inner| divisors(whole / inner).map(move |outer| [inner, outer]))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::chip::Buses;
    use super::*;

    /// Times of every mapping of the chip's schedule, by nothing but loops.
    fn every(chip: &Chip, layer: &Layer, dram_bytes_per_cycle: f64) -> Vec<f64> {
        let mut all = Vec::new();
        let strip_cap = layer.out_rows().min(chip.widest_strip(layer));
        for e in 1..=strip_cap {
            for r in 1..=chip.rows.min(layer.channels) {
                for t in 1..=chip.elements().min(layer.filters) {
                    for q in 1..=layer.channels {
                        for p in 1..=layer.filters {
                            for n in 1..=layer.images * layer.out_rows() {
                                for m in (p * t..).step_by((p * t) as usize) {
                                    let mapping = Mapping::of_chip(Parameters {
                                        m,
                                        n,
                                        e,
                                        p,
                                        q,
                                        r,
                                        t,
                                    });
                                    if !mapping.fits(chip, layer) {
                                        break;
                                    }
                                    let accesses = mapping.accesses(layer);
                                    let words: u64 = accesses.dram.iter().sum();
                                    let dram = (WORD_BYTES * words) as f64 / dram_bytes_per_cycle;
                                    let array = mapping.cycles(chip, layer).total as f64;
                                    all.push(array + dram);
                                    if m >= layer.filters {
                                        break;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_mapping_at_all_is_quicker(
            (rows, columns) in (1u64..4, 1u64..4),
            (m, n, k) in (1u64..7, 1u64..7, 1u64..7),
            words in 4u64..60, bus in 1u64..4, slow in any::<bool>(),
        ) {
            let chip = Chip {
                rows,
                columns,
                pads: ScratchPads::Separate { filter_words: 6, ifmap_words: 3, psum_words: 4 },
                buffer_words: words,
                filter_buffer_words: 2,
                buses: Buses {
                    filter_words: bus,
                    ifmap_words: 1,
                    psum_words: bus,
                },
            };
            let layer = Layer::product(m, n, k);
            let bytes_per_cycle = if slow { 0.5 } else { 64.0 };
            let least = every(&chip, &layer, bytes_per_cycle)
                .iter()
                .fold(f64::INFINITY, |least, &time| least.min(time));
            let best = best(&chip, &layer, bytes_per_cycle).unwrap();
            prop_assert!(best.fits(&chip, &layer));
            let words: u64 = best.accesses(&layer).dram.iter().sum();
            let dram = (WORD_BYTES * words) as f64 / bytes_per_cycle;
            let time = best.cycles(&chip, &layer).total as f64 + dram;
            prop_assert!(time <= (1.0 + SLACK) * least, "{time} and {least}");
        }

        #[test]
        fn cuts_are_the_smallest_sizes_of_their_counts(whole in 1u64..200, most in 1u64..200) {
            let mut expected: Vec<u64> = (1..=most.min(whole))
                .map(|size| whole.div_ceil(whole.div_ceil(size)))
                .collect();
            expected.sort_unstable();
            expected.dedup();
            expected.reverse();
            prop_assert_eq!(cuts(whole, most).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn products_of_models_use_the_array_as_far_as_its_buses_feed_it() {
        let used = |[m, n, k]: [u64; 3]| {
            let (mapping, swapped) = best_for_product(&Chip::JSSC17, [m, n, k], 64.0).unwrap();
            let layer = match swapped {
                true => Layer::product(n, m, k),
                false => Layer::product(m, n, k),
            };
            let cycles = mapping.cycles(&Chip::JSSC17, &layer).total;
            layer.macs() as f64 / (cycles * Chip::JSSC17.elements()) as f64
        };
        let large = used([384, 768, 768]);
        assert!(large > 0.7 && large < 1.0, "{large}");
        // A vector has no use for a weight but one: four come in a cycle.
        let vector = used([1, 768, 768]);
        assert!(vector <= 4.0 / 168.0, "{vector}");
    }
}
