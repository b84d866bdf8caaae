//! Which heads stay: cascade head pruning.

use dtatrans_precision::trace::{Head, Layer};

/// The heads kept at each layer: `counts` of them, those whose outputs had the
/// largest magnitude so far, summed over layers; one that is gone stays gone
/// (HPCA 2021, section III-B). Ties go to the earlier head.
pub(super) fn kept(layers: &[Layer], counts: &[u64]) -> Vec<Vec<usize>> {
    let heads = layers.first().map_or(0, |layer| layer.heads.len());
    let mut importance = vec![0.0_f64; heads];
    let mut left: Vec<usize> = (0..heads).collect();
    let mut by_layer = Vec::with_capacity(layers.len());
    for (layer, &count) in layers.iter().zip(counts) {
        left.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]).then(a.cmp(&b)));
        left.truncate(count as usize);
        left.sort_unstable();
        for &head in &left {
            importance[head] += f64::from(layer.heads[head].magnitude);
        }
        by_layer.push(left.clone());
    }
    by_layer
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
    fn the_largest_sum_stays_and_what_is_gone_stays_gone() {
        let layers = [
            layer(&[0.3, 0.1, 0.2]),
            layer(&[0.1, 0.9, 0.3]),
            layer(&[0.5, 0.5, 0.5]),
        ];
        let kept = kept(&layers, &[3, 2, 1]);
        // Head 1 leaves with the smallest sum before it could grow.
        assert_eq!(kept, [vec![0, 1, 2], vec![0, 2], vec![2]]);
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
