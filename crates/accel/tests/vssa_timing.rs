//! Do products take as long as their tiles, run one by one, and is every cycle of
//! every element accounted for?

use dtatrans_accel::array_shape::ArrayShape;
use dtatrans_accel::vssa::timing::{Columns, Operands, Timing};
use dtatrans_accel::vssa::wavefront::{Nibbles, Tile, Wavefront};
use proptest::prelude::*;

fn nibbles(lines: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    let lines = lines.into();
    prop_oneof![
        prop::collection::vec(1u8..=2, lines.clone()),
        prop::collection::vec(Just(1u8), lines.clone()),
        prop::collection::vec(1u8..=2, lines).prop_map(|mut nibbles| {
            nibbles.sort_unstable_by(|a, b| b.cmp(a));
            nibbles
        }),
    ]
}

fn operands() -> impl Strategy<Value = Operands> {
    let columns = prop_oneof![
        (nibbles(1..30), 1u64..80).prop_map(|(lines, steps)| Columns::Lines(lines, steps)),
        (1u64..30, nibbles(1..60)).prop_map(|(lines, steps)| Columns::Steps(lines, steps)),
    ];
    (1u64..4, nibbles(1..30), columns).prop_map(|(count, rows, columns)| Operands {
        count,
        rows,
        columns,
    })
}

/// The cycles of each array, tile by tile.
fn one_by_one(shape: ArrayShape, product: &Operands) -> Vec<u64> {
    let (rows, columns) = (shape.rows as usize, shape.columns as usize);
    let filled = |lines: &[u8], size: usize| {
        let mut lines = lines.to_vec();
        lines.resize(size, 1);
        lines
    };
    let of_columns: Vec<(usize, Nibbles)> = match &product.columns {
        Columns::Lines(lines, steps) => {
            let tiles = lines.chunks(columns);
            tiles
                .map(|tile| (*steps as usize, Nibbles::Lines(filled(tile, columns))))
                .collect()
        }
        Columns::Steps(lines, steps) => {
            let tiles = (0..*lines as usize).step_by(columns);
            tiles
                .map(|first| {
                    let real = columns.min(*lines as usize - first);
                    let mut each = vec![steps.clone(); real];
                    each.resize(columns, vec![1; steps.len()]);
                    (steps.len(), Nibbles::Each(each))
                })
                .collect()
        }
    };
    let new = || Wavefront::new(rows, columns, 1);
    let mut arrays: Vec<Option<Wavefront>> = vec![None; shape.arrays as usize];
    let dealt = (0..product.count).flat_map(|_| &of_columns);
    for (index, (steps, nibbles)) in dealt.enumerate() {
        let array = arrays[index % shape.arrays as usize].get_or_insert_with(new);
        for tile in product.rows.chunks(rows) {
            array.run(&Tile {
                steps: *steps,
                rows: Nibbles::Lines(filled(tile, rows)),
                columns: nibbles.clone(),
            });
        }
    }
    arrays
        .iter()
        .map(|array| array.as_ref().map_or(0, |array| array.cycles() as u64))
        .collect()
}

fn active(product: &Operands) -> u64 {
    let sum = |nibbles: &[u8]| nibbles.iter().map(|&n| u64::from(n)).sum::<u64>();
    let other = match &product.columns {
        Columns::Lines(lines, steps) => sum(lines) * steps,
        Columns::Steps(lines, steps) => lines * sum(steps),
    };
    product.count * sum(&product.rows) * other
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Products one after the other on the same arrays, so that what is looked up is
    /// what was found for another one.
    #[test]
    fn products_take_as_long_as_their_tiles(
        (rows, columns, arrays) in (1u64..6, 1u64..6, 1u64..4),
        products in prop::collection::vec(operands(), 1..5),
    ) {
        let shape = ArrayShape { rows, columns, arrays };
        let mut timing = Timing::new(shape);
        for product in &products {
            let (cycles, breakdown) = timing.run(product);
            let each = one_by_one(shape, product);
            prop_assert_eq!(Some(cycles), each.into_iter().max());
            prop_assert_eq!(breakdown.total(), cycles * shape.elements());
            prop_assert_eq!(breakdown.active, active(product));
        }
    }

    /// Where all products of a tile cost the same, elements never wait for one
    /// another: tiles take what their products take, or the R + 1 cycles in which the
    /// results before leave.
    #[test]
    fn tiles_of_equal_cost_have_a_closed_form(
        (rows, columns) in (1u64..8, 1u64..8),
        steps in nibbles(1..40),
        (row, tiles) in (1u8..=2, 1u64..5),
    ) {
        let shape = ArrayShape { rows, columns, arrays: 1 };
        let (cycles, breakdown) = Timing::new(shape).run(&Operands {
            count: 1,
            rows: vec![row; (rows * tiles) as usize],
            columns: Columns::Steps(columns, steps.clone()),
        });
        let tile: u64 = steps.iter().map(|&step| u64::from(row * step)).sum();
        let edges = 2 * rows + columns + 1;
        prop_assert_eq!(cycles, tile + (tiles - 1) * tile.max(rows + 1) + edges);
        prop_assert_eq!(breakdown.tail, 0);
        prop_assert_eq!(breakdown.speed_mismatch, 0);
    }
}

#[test]
fn one_slow_row_drags_a_long_tile_to_its_speed() {
    let shape = ArrayShape {
        rows: 4,
        columns: 4,
        arrays: 1,
    };
    let (cycles, breakdown) = Timing::new(shape).run(&Operands {
        count: 1,
        rows: vec![1, 1, 2, 1],
        columns: Columns::Lines(vec![1; 4], 200),
    });
    assert!((400..430).contains(&cycles));
    assert!(breakdown.speed_mismatch > 12 * 190);
}
