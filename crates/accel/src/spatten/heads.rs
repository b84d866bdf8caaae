//! Which heads stay: cascade head pruning.

use dtatrans_precision::trace::{Head, Layer};
use dtatrans_precision::{HeadCascade, Plan};

/// The heads that a plan keeps at each layer, by the magnitudes of their outputs that a
/// trace has.
pub(super) fn kept(layers: &[Layer], plan: &Plan) -> Vec<Vec<usize>> {
    let heads = layers.first().map_or(0, |layer| layer.heads.len());
    let mut cascade = HeadCascade::new(heads);
    let keep = |(index, layer): (usize, &Layer)| {
        let left = cascade.keep(plan.pruning_at(index).heads(heads)).to_vec();
        cascade.add(layer.heads.iter().map(|head| head.magnitude));
        left
    };
    layers.iter().enumerate().map(keep).collect()
}

/// The share of a head's queries that ask for the low bits of its keys, of the
/// queries that were computed.
pub(super) fn unsure_share(head: &Head, queries: usize) -> f64 {
    match queries {
        0 => 0.0,
        queries => (f64::from(head.unsure_queries) / queries as f64).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use dtatrans_precision::{Pruning, Ratio};

    use super::*;

    fn layer(magnitudes: &[f32]) -> Layer {
        Layer {
            tiers: Vec::new(),
            importance: Vec::new(),
            heads: magnitudes
                .iter()
                .map(|&magnitude| Head {
                    magnitude,
                    unsure_queries: 0,
                })
                .collect(),
            operands: Vec::new(),
        }
    }

    #[test]
    fn heads_leave_by_the_magnitudes_of_a_trace() {
        let layers = [
            layer(&[0.3, 0.1, 0.2]),
            layer(&[0.1, 0.9, 0.3]),
            layer(&[0.5, 0.5, 0.5]),
        ];
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; 3]).unwrap();
        for (layer, share) in [(1, 0.667), (2, 0.333)] {
            let pruning = Pruning::from_shares(share, 1.0).unwrap();
            plan.set_pruning_at(layer, pruning).unwrap();
        }
        // Head 1 leaves with the smallest sum before it could grow.
        assert_eq!(kept(&layers, &plan), [vec![0, 1, 2], vec![0, 2], vec![2]]);
    }

    #[test]
    fn shares_are_of_the_queries_computed() {
        let head = Head {
            magnitude: 0.0,
            unsure_queries: 3,
        };
        assert_eq!(unsure_share(&head, 12), 0.25);
        assert_eq!(unsure_share(&head, 0), 0.0);
    }
}
