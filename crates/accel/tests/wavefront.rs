//! Does the wavefront give each sum the cycle in which the array event by event
//! lets it go?

mod events;

use dtatrans_accel::vssa::wavefront::{Arrivals, DEPTH, Nibbles, READY, Tile, Wavefront};
use events::Design;
use proptest::prelude::*;

fn nibbles(lines: usize, steps: usize) -> impl Strategy<Value = Nibbles> {
    let each = |number| prop::collection::vec(1u8..=2, number);
    prop_oneof![
        each(lines).prop_map(Nibbles::Lines),
        each(steps).prop_map(Nibbles::Steps),
        prop::collection::vec(each(steps), lines).prop_map(Nibbles::Each),
        Just(Nibbles::Steps(vec![1; steps])),
        Just(Nibbles::Lines(vec![2; lines])),
    ]
}

fn tile(rows: usize, columns: usize) -> impl Strategy<Value = Tile> {
    prop_oneof![1usize..6, 1usize..40].prop_flat_map(move |steps| {
        (nibbles(rows, steps), nibbles(columns, steps)).prop_map(move |(rows, columns)| Tile {
            steps,
            rows,
            columns,
        })
    })
}

/// Gaps between the arrivals of a line's operands: none, few, or many.
fn gaps(steps: usize) -> impl Strategy<Value = Vec<i64>> {
    prop_oneof![
        Just(vec![0; steps]),
        prop::collection::vec(prop_oneof![9 => Just(0i64), 1 => 1i64..30], steps),
        prop::collection::vec(0i64..6, steps),
    ]
}

struct Case {
    rows: usize,
    columns: usize,
    sum_stages: i32,
    tiles: Vec<Tile>,
    arrivals: Vec<Arrivals>,
}

fn case(stalls: bool) -> impl Strategy<Value = Case> {
    (1usize..7, 1usize..7, 0i32..=1)
        .prop_flat_map(move |(rows, columns, sum_stages)| {
            let tiles = prop::collection::vec(tile(rows, columns), 1..7);
            (Just((rows, columns, sum_stages)), tiles)
        })
        .prop_flat_map(move |(sizes, tiles)| {
            let steps: usize = tiles.iter().map(|tile| tile.steps).sum();
            let line = move || match stalls {
                true => gaps(steps).boxed(),
                false => Just(vec![0; steps]).boxed(),
            };
            let lines = prop::collection::vec(line(), sizes.0 + sizes.1);
            (Just(sizes), Just(tiles), lines)
        })
        .prop_map(|((rows, columns, sum_stages), tiles, gaps)| {
            let cycles: Vec<Vec<i64>> = gaps
                .iter()
                .map(|line| {
                    let sums = line.iter().scan(0, |sum, gap| {
                        *sum += gap;
                        Some(*sum)
                    });
                    sums.collect()
                })
                .collect();
            let mut begin = 0;
            let arrivals = tiles
                .iter()
                .map(|tile| {
                    let part = begin..begin + tile.steps;
                    begin = part.end;
                    let of = |lines: &[Vec<i64>]| {
                        lines
                            .iter()
                            .map(|line| line[part.clone()].to_vec())
                            .collect()
                    };
                    Arrivals {
                        rows: of(&cycles[..rows]),
                        columns: of(&cycles[rows..]),
                    }
                })
                .collect();
            Case {
                rows,
                columns,
                sum_stages,
                tiles,
                arrivals,
            }
        })
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} x {}, {} stages, {:?}, {:?}",
            self.rows, self.columns, self.sum_stages, self.tiles, self.arrivals
        )
    }
}

impl Case {
    fn events(&self) -> Vec<Vec<Vec<i64>>> {
        let design = Design {
            depth: DEPTH,
            registered: READY == 1,
            sum_stages: i64::from(self.sum_stages),
        };
        events::run(self.rows, self.columns, design, &self.tiles, &self.arrivals)
    }

    fn wavefront(&self, arriving: bool) -> Vec<Vec<Vec<i64>>> {
        let mut array = Wavefront::new(self.rows, self.columns, self.sum_stages);
        let tiles = self.tiles.iter().zip(&self.arrivals);
        tiles
            .map(|(tile, arrivals)| {
                match arriving {
                    true => array.run_arriving(tile, arrivals),
                    false => array.run(tile),
                }
                let leaves =
                    |row: usize, column| array.drained(column) + (self.rows - 1 - row) as i64;
                let row = |row| {
                    (0..self.columns)
                        .map(|column| leaves(row, column))
                        .collect()
                };
                (0..self.rows).map(row).collect()
            })
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_sum_leaves_when_it_does_event_by_event(case in case(false)) {
        let events = case.events();
        prop_assert_eq!(&case.wavefront(false), &events);
        prop_assert_eq!(&case.wavefront(true), &events);
    }

    /// So tiles that move to another array never hold up those that stay.
    #[test]
    fn without_a_tile_the_others_leave_no_later(case in case(false), which in 0usize..7) {
        let mut fewer = case;
        let all = fewer.wavefront(false);
        let which = which % fewer.tiles.len();
        fewer.tiles.remove(which);
        for (index, leaves) in fewer.wavefront(false).iter().enumerate() {
            let before = &all[index + usize::from(index >= which)];
            for (leaves, before) in leaves.iter().flatten().zip(before.iter().flatten()) {
                prop_assert!(leaves <= before, "tile {index}: {leaves} after {before}");
            }
        }
    }

    #[test]
    fn it_does_where_operands_come_late(case in case(true)) {
        prop_assert_eq!(case.wavefront(true), case.events());
    }
}
