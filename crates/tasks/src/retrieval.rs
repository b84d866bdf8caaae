//! How well embeddings find what belongs together: the rank of the right one among all others.

use rayon::prelude::*;

/// A query: find one vector by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The vector that is looked up with; not a candidate itself.
    pub from: usize,
    /// The right one.
    pub target: usize,
    /// Vectors that would be right as well, and so are no candidates.
    pub left_out: Vec<usize>,
}

/// The rank of each query's target among all candidates by cosine, from 1. Candidates that are
/// exactly as close as the target come before it, so that equal embeddings find nothing.
///
/// Vectors have one length each; one without length has a cosine of 0 to all.
pub fn ranks(vectors: &[&[f32]], queries: &[Query]) -> Vec<usize> {
    let directions: Vec<Vec<f64>> = vectors.iter().map(|vector| direction(vector)).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let rank = |query: &Query| {
        let from = &directions[query.from];
        let wanted = dot(from, &directions[query.target]);
        let others = (0..directions.len()).filter(|other| {
            ![query.from, query.target].contains(other) && !query.left_out.contains(other)
        });
        1 + others
            .filter(|&other| dot(from, &directions[other]) >= wanted)
            .count()
    };
    queries.par_iter().map(rank).collect()
}

fn direction(vector: &[f32]) -> Vec<f64> {
    let wide = || vector.iter().map(|&x| f64::from(x));
    let length = wide().map(|x| x * x).sum::<f64>().sqrt();
    wide()
        .map(|x| if length > 0.0 { x / length } else { 0.0 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(vectors: &[&[f32]], left_out: &[usize]) -> usize {
        let query = Query {
            from: 0,
            target: 1,
            left_out: left_out.to_vec(),
        };
        ranks(vectors, &[query])[0]
    }

    #[test]
    fn closer_candidates_come_first_and_those_left_out_do_not_count() {
        let vectors: [&[f32]; 4] = [&[1.0, 0.0], &[2.0, 2.0], &[5.0, 1.0], &[-1.0, 0.0]];
        assert_eq!(rank(&vectors, &[]), 2);
        assert_eq!(rank(&vectors, &[2]), 1);
    }

    #[test]
    fn equal_embeddings_find_nothing() {
        assert_eq!(rank(&[&[1.0, 1.0][..]; 5], &[]), 4);
        assert_eq!(rank(&[&[0.0, 0.0][..]; 5], &[]), 4);
    }
}
