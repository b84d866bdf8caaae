//! The Pareto set, and how good one is.

/// The indices of the points that no other point beats in both coordinates,
/// smaller being better, in the order of the second coordinate (the cost). Of
/// equal points the first is kept.
pub fn pareto(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let ((loss_a, cost_a), (loss_b, cost_b)) = (points[a], points[b]);
        cost_a.total_cmp(&cost_b).then(loss_a.total_cmp(&loss_b))
    });
    let mut least = f64::INFINITY;
    order.retain(|&index| {
        let better = points[index].0 < least;
        least = least.min(points[index].0);
        better
    });
    order
}

/// The area between the points and a reference point that is worse than they
/// are, which a set of points beats: the larger the better. Points that are not
/// better than the reference in both coordinates add nothing.
pub fn hypervolume(points: &[(f64, f64)], reference: (f64, f64)) -> f64 {
    let mut area = 0.0;
    let mut loss_above = reference.0;
    for index in pareto(points) {
        let (loss, cost) = points[index];
        if loss < loss_above && cost < reference.1 {
            area += (loss_above - loss) * (reference.1 - cost);
            loss_above = loss;
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_small_front_by_hand() {
        let points = [(3.0, 1.0), (1.0, 3.0), (2.0, 2.0), (2.0, 2.0), (2.5, 2.5)];
        assert_eq!(pareto(&points), [0, 2, 1]);
        // 1 x 3 + 1 x 2 + 1 x 1 unit squares.
        assert_eq!(hypervolume(&points, (4.0, 4.0)), 6.0);
        assert_eq!(hypervolume(&points, (1.0, 1.0)), 0.0);
        assert_eq!(hypervolume(&[], (1.0, 1.0)), 0.0);
    }

    proptest! {
        #[test]
        fn no_kept_point_is_beaten_and_each_other_point_is(
            points in prop::collection::vec((0u8..9, 0u8..9), 1..30)
        ) {
            let points: Vec<(f64, f64)> =
                points.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect();
            let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 <= b.1 && a != b;
            let front = pareto(&points);
            for (index, &point) in points.iter().enumerate() {
                let beaten = points.iter().any(|&other| beats(other, point));
                let kept = front.iter().any(|&kept| points[kept] == point);
                prop_assert_eq!(kept, !beaten, "{}", index);
            }
            // The hypervolume by counting unit cells.
            let cells = (0..100)
                .filter(|cell| {
                    let (x, y) = (f64::from(cell / 10), f64::from(cell % 10));
                    points.iter().any(|&(a, b)| a <= x && b <= y)
                })
                .count();
            prop_assert_eq!(hypervolume(&points, (10.0, 10.0)), cells as f64);
        }
    }
}
