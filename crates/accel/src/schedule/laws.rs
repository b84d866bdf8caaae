//! What holds for any blocks: nothing ever makes a run longer that makes a unit
//! quicker or gives it more room, and every cycle of every element has one cause.

use proptest::prelude::*;

use super::{Block, Chip, Load, Operand, Outcome, Ranking, TileRange, run};
use crate::blocks::Shared;
use crate::memory::{Dram, Request};
use crate::report::Breakdown;

/// Elements of the array.
const ELEMENTS: u64 = 8;

/// Cycles of a block on the array.
#[derive(Clone, Debug)]
struct Work {
    blocks: Vec<Block>,
    cycles: Vec<u64>,
    rankings: Vec<Option<Ranking>>,
}

prop_compose! {
    fn load(block: usize, blocks: usize)(
        bytes in 0u64..3000,
        until in block..(block + 4).min(blocks),
        written_by in prop::option::of(0..block.max(1)),
        ranked in any::<bool>(),
    ) -> Load {
        Load {
            operand: Operand::Left,
            requests: vec![Request { address: 0, bytes, write: false }],
            bytes,
            until,
            written_by: written_by.filter(|&writer| writer < block),
            ranked: (ranked && block > 3).then_some(0),
        }
    }
}

prop_compose! {
    fn block(block: usize, blocks: usize)(
        loads in prop::collection::vec(load(block, blocks), 0..3),
        takes in prop::option::of(0..block.max(1)),
        before in 0u64..40,
        after in 0u64..120,
        stored in 0u64..2000,
    ) -> Block {
        Block {
            product: block,
            tiles: TileRange::whole((0, 1), (0, 1)),
            loads,
            takes: takes.filter(|&taken| taken < block),
            before,
            after,
            stores: vec![Request { address: 0, bytes: stored, write: true }],
            operand_bits: [0; 2],
            other_bits: 0,
        }
    }
}

fn work() -> impl Strategy<Value = Work> {
    (4usize..20).prop_flat_map(|count| {
        let blocks: Vec<_> = (0..count).map(|index| block(index, count)).collect();
        let cycles = prop::collection::vec(0u64..200, count);
        (blocks, cycles, 0u64..300).prop_map(|(blocks, cycles, ranking)| Work {
            blocks,
            cycles,
            rankings: vec![Some(Ranking {
                cycles: ranking,
                of: Some(2),
            })],
        })
    })
}

fn outcome(work: &Work, gbps: f64, room_bytes: u64, overlap: bool) -> Outcome {
    let mut arrays = Shared::default();
    for &cycles in &work.cycles {
        let active = Breakdown {
            active: cycles * ELEMENTS,
            ..Breakdown::default()
        };
        arrays.add(cycles, active, 1);
    }
    let chip = Chip {
        clock_ghz: 1.0,
        dram: &Dram::ideal(gbps),
        room_bytes,
        banks: None,
        overlap,
        lane_elements: ELEMENTS,
    };
    let products = work.blocks.len();
    run(
        &chip,
        &work.blocks,
        &work.rankings,
        products,
        &mut arrays,
        None,
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_cycle_has_one_cause(work in work(), overlap in any::<bool>()) {
        let outcome = outcome(&work, 16.0, 4000, overlap);
        prop_assert_eq!(outcome.element_cycles.total(), outcome.cycles * ELEMENTS);
        let active = ELEMENTS * work.cycles.iter().sum::<u64>();
        prop_assert_eq!(outcome.element_cycles.active, active);
        prop_assert_eq!(outcome.product_cycles.iter().sum::<u64>(), outcome.cycles);
    }

    #[test]
    fn more_bandwidth_never_costs_cycles(work in work(), gbps in 1.0f64..64.0, more in 1.0f64..4.0) {
        let (less, more) = (outcome(&work, gbps, 4000, true), outcome(&work, gbps * more, 4000, true));
        prop_assert!(more.cycles <= less.cycles, "{} and {}", more.cycles, less.cycles);
    }

    #[test]
    fn quicker_arrays_never_cost_cycles(work in work(), which in 0usize..20) {
        let mut quicker = work.clone();
        let which = which % work.cycles.len();
        quicker.cycles[which] /= 2;
        let (slower, quicker) = (outcome(&work, 8.0, 4000, true), outcome(&quicker, 8.0, 4000, true));
        prop_assert!(quicker.cycles <= slower.cycles, "{} and {}", quicker.cycles, slower.cycles);
    }

    #[test]
    fn overlap_never_costs_cycles(work in work(), gbps in 1.0f64..64.0) {
        let overlapped = outcome(&work, gbps, 4000, true).cycles;
        prop_assert!(overlapped <= outcome(&work, gbps, 4000, false).cycles);
    }

    #[test]
    fn more_room_never_costs_cycles(
        work in work(), room in 3000u64..8000, more in 0u64..20_000,
    ) {
        let (less, more) = (outcome(&work, 16.0, room, true), outcome(&work, 16.0, room + more, true));
        prop_assert!(more.cycles <= less.cycles, "{} and {}", more.cycles, less.cycles);
    }
}
