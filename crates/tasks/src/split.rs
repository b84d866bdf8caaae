//! The demo's sample of the movie reviews: clear opinions, split into training and test items, and
//! the rest.
//!
//! The file is sorted by sentiment, so its order must not decide. Items are ordered by a hash of
//! their identifiers instead, and the first ones of each sign are taken: the sample depends on
//! *which* snippets there are, not on where they stand.

use sha2::{Digest, Sha256};

use crate::data::movie_reviews::Snippet;
use crate::{Error, Result};

/// Snippets with a smaller absolute mean rating are left out: their sign is a matter of chance.
pub const MIN_ABS_RATING: f64 = 0.5;

/// Put before each identifier, so that the order is this sample's own.
const SALT: &[u8] = b"dtatrans movie-reviews sample 1\0";

/// How many items each part gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSizes {
    /// Items to train on.
    pub train: usize,
    /// Items to test on.
    pub test: usize,
}

impl Default for SplitSizes {
    /// The demo's sizes: 1,000 to train on, 2,000 to test on.
    fn default() -> Self {
        SplitSizes {
            train: 1_000,
            test: 2_000,
        }
    }
}

/// A sample in two parts and what is in neither, each in the order of its hashes.
#[derive(Debug, Clone, PartialEq)]
pub struct Split<'s> {
    /// Items to train on.
    pub train: Vec<&'s Snippet>,
    /// Items to test on.
    pub test: Vec<&'s Snippet>,
    /// Items that qualify and are in neither.
    pub rest: Vec<&'s Snippet>,
}

/// Draws the sample from the snippets with |mean rating| >= [`MIN_ABS_RATING`].
///
/// The sample as a whole keeps the pool's share of positive snippets to the nearest item, and each
/// part to within one item. The same snippets give the same sample in any order. Identifiers are
/// expected to be unique, as the reader ensures.
///
/// # Errors
///
/// [`Error::PoolTooSmall`] when fewer snippets qualify than are wanted.
pub fn split(snippets: &[Snippet], sizes: SplitSizes) -> Result<Split<'_>> {
    let mut pool: Vec<([u8; 32], &Snippet)> = snippets
        .iter()
        .filter(|snippet| snippet.mean_rating.abs() >= MIN_ABS_RATING)
        .map(|snippet| (order_key(&snippet.id), snippet))
        .collect();
    let wanted = sizes.train.saturating_add(sizes.test);
    if wanted > pool.len() {
        return Err(Error::PoolTooSmall {
            wanted,
            available: pool.len(),
        });
    }
    pool.sort_by(|(a, s), (b, t)| a.cmp(b).then_with(|| s.id.cmp(&t.id)));

    let pool_positive = pool.iter().filter(|(_, s)| s.positive()).count();
    let positive = share(wanted, pool_positive, pool.len());
    // Both parts round on their own, but together they must give `positive`.
    let train_positive = share(sizes.train, pool_positive, pool.len())
        .clamp(positive.saturating_sub(sizes.test), positive);
    // Items still to take: [part][sign].
    let mut quota = [
        [sizes.train - train_positive, train_positive],
        [
            sizes.test - (positive - train_positive),
            positive - train_positive,
        ],
    ];
    let mut split = Split {
        train: Vec::with_capacity(sizes.train),
        test: Vec::with_capacity(sizes.test),
        rest: Vec::new(),
    };
    for (_, snippet) in pool {
        let sign = usize::from(snippet.positive());
        let place = quota.iter().position(|quota| quota[sign] > 0);
        if let Some(part) = place {
            quota[part][sign] -= 1;
        }
        match place {
            Some(0) => split.train.push(snippet),
            Some(_) => split.test.push(snippet),
            None => split.rest.push(snippet),
        }
    }
    Ok(split)
}

fn order_key(id: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(SALT)
        .chain_update(id)
        .finalize()
        .into()
}

/// `count * part / whole`, rounded to the nearest integer (halves up). Never more than `part` while
/// `count <= whole`, and likewise for the rest.
fn share(count: usize, part: usize, whole: usize) -> usize {
    if whole == 0 {
        return 0;
    }
    let (count, part, whole) = (count as u128, part as u128, whole as u128);
    ((2 * count * part + whole) / (2 * whole)) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn snippet(number: usize, mean_rating: f64) -> Snippet {
        Snippet {
            id: number.to_string(),
            mean_rating,
            text: format!("text {number}"),
        }
    }

    fn positives(part: &[&Snippet]) -> usize {
        part.iter().filter(|s| s.positive()).count()
    }

    #[test]
    fn each_part_keeps_the_share_of_the_pool() {
        // Sorted by sentiment, as the real file; 3,000 positive, 1,000 negative, 500 unclear.
        let pool: Vec<Snippet> = (0..4_500)
            .map(|i| {
                let rating = match i {
                    0..3_000 => 0.5,
                    3_000..3_500 => 0.49,
                    _ => -2.0,
                };
                snippet(i, rating)
            })
            .collect();
        let split = split(&pool, SplitSizes::default()).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (1_000, 2_000));
        assert_eq!(positives(&split.train), 750);
        assert_eq!(positives(&split.test), 1_500);
        assert_eq!(split.rest.len(), 1_000);
        let all: HashSet<&str> = [&split.train, &split.test, &split.rest]
            .into_iter()
            .flatten()
            .inspect(|snippet| assert!(snippet.mean_rating != 0.49))
            .map(|snippet| snippet.id.as_str())
            .collect();
        assert_eq!(all.len(), 4_000);
        // Positive and negative items are mixed, not in blocks.
        assert!((1..100).contains(&positives(&split.train[..100])));
    }

    /// Changing the salt or the hash changes every published number: it must not happen unseen.
    #[test]
    fn the_order_is_fixed() {
        let pool: Vec<Snippet> = (0..20).map(|i| snippet(i, 1.0)).collect();
        let sizes = SplitSizes { train: 3, test: 3 };
        let split = split(&pool, sizes).unwrap();
        let ids = |part: &[&Snippet]| part.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&split.train), ["13", "7", "19"]);
        assert_eq!(ids(&split.test), ["14", "12", "3"]);
    }

    #[test]
    fn too_small_a_pool_is_an_error() {
        let pool = [snippet(1, 1.0), snippet(2, 0.1)];
        let outcome = split(&pool, SplitSizes { train: 1, test: 1 });
        assert!(matches!(
            outcome,
            Err(Error::PoolTooSmall {
                wanted: 2,
                available: 1
            })
        ));
        let none = split(&[], SplitSizes { train: 0, test: 0 }).unwrap();
        assert!(none.train.is_empty() && none.test.is_empty());
        assert!(
            split(
                &[],
                SplitSizes {
                    train: usize::MAX,
                    test: 1
                }
            )
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn the_order_of_the_input_does_not_matter(
            (ratings, order, train, test) in (1_usize..60).prop_flat_map(|n| (
                prop::collection::vec(prop_oneof![-4.0..=-0.5, 0.5..=4.0, -0.4..=0.4], n),
                Just((0..n).collect::<Vec<usize>>()).prop_shuffle(),
                0..n,
                0..n,
            ))
        ) {
            let pool: Vec<Snippet> =
                ratings.iter().enumerate().map(|(i, &r)| snippet(i, r)).collect();
            let shuffled: Vec<Snippet> = order.iter().map(|&i| pool[i].clone()).collect();
            let sizes = SplitSizes { train, test };
            let clear: Vec<&Snippet> =
                pool.iter().filter(|s| s.mean_rating.abs() >= MIN_ABS_RATING).collect();
            let Ok(drawn) = split(&pool, sizes) else {
                prop_assert!(train + test > clear.len());
                return Ok(());
            };
            prop_assert_eq!(&drawn, &split(&shuffled, sizes).unwrap());
            prop_assert_eq!((drawn.train.len(), drawn.test.len()), (train, test));
            let ids: HashSet<&str> =
                drawn.train.iter().chain(&drawn.test).map(|s| s.id.as_str()).collect();
            prop_assert_eq!(ids.len(), train + test, "an item was drawn twice");
            for (part, size) in [(&drawn.train, train), (&drawn.test, test)] {
                let share = positives(&clear) as f64 / clear.len().max(1) as f64;
                let fair = size as f64 * share;
                prop_assert!((positives(part) as f64 - fair).abs() <= 1.0 + 1e-9);
            }
        }
    }
}
