//! The metrics of [`crate::metrics`] on a multiset of items, as the bootstrap needs them.
//!
//! A resample draws items with repetition. Only how often each item was drawn matters, so a metric
//! takes one count per item; what does not depend on the counts (sorting, mostly) is done once.

use crate::Result;
use crate::entities::EntityCounts;
use crate::metrics::{Confusion, check_lengths, check_scores};

/// A metric that can be computed on any multiset of its items.
pub trait CountedMetric: Sync {
    /// The number of distinct items.
    fn items(&self) -> usize;

    /// The metric, in points, where item `i` occurs `counts[i]` times; none where it is undefined.
    /// There is one count for each of [`items`](CountedMetric::items).
    fn points(&self, counts: &[u32]) -> Option<f64>;
}

impl<M: CountedMetric + ?Sized> CountedMetric for Box<M> {
    fn items(&self) -> usize {
        (**self).items()
    }

    fn points(&self, counts: &[u32]) -> Option<f64> {
        (**self).points(counts)
    }
}

/// Which metric of binary labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabelMetric {
    /// [`Confusion::accuracy`].
    Accuracy,
    /// [`Confusion::f1`].
    F1,
    /// [`Confusion::matthews`].
    Matthews,
}

/// A metric of one system's predicted labels.
#[derive(Debug, Clone)]
pub struct CountedLabels {
    metric: LabelMetric,
    /// Per item: 2 if predicted 1, plus 1 if truly 1.
    cells: Vec<u8>,
}

impl CountedLabels {
    /// Pairs predictions with true labels.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`](crate::Error::Lengths), [`Error::NoItems`](crate::Error::NoItems).
    pub fn new(metric: LabelMetric, predicted: &[bool], truth: &[bool]) -> Result<CountedLabels> {
        check_lengths("predictions against labels", predicted.len(), truth.len())?;
        let cell = |(&predicted, &truth)| 2 * u8::from(predicted) + u8::from(truth);
        Ok(CountedLabels {
            metric,
            cells: predicted.iter().zip(truth).map(cell).collect(),
        })
    }
}

impl CountedMetric for CountedLabels {
    fn items(&self) -> usize {
        self.cells.len()
    }

    fn points(&self, counts: &[u32]) -> Option<f64> {
        let mut totals = [0; 4];
        for (&cell, &count) in self.cells.iter().zip(counts) {
            totals[usize::from(cell)] += u64::from(count);
        }
        let mut confusion = Confusion::default();
        for (cell, total) in totals.into_iter().enumerate() {
            confusion.add(cell & 2 != 0, cell & 1 != 0, total);
        }
        Some(match self.metric {
            LabelMetric::Accuracy => confusion.accuracy(),
            LabelMetric::F1 => confusion.f1(),
            LabelMetric::Matthews => confusion.matthews(),
        })
    }
}

/// The mean of values between 0 and 1 that come in groups; the groups are the items, so that values
/// which depend on each other are drawn together (a cluster bootstrap). A group weighs as much as it
/// has values.
#[derive(Debug, Clone)]
pub struct CountedMean {
    /// Per group: the sum of its values, and their number.
    groups: Vec<(f64, f64)>,
}

impl CountedMean {
    /// Takes the values of each group.
    ///
    /// # Errors
    ///
    /// [`Error::NoItems`](crate::Error::NoItems) where there is no value at all.
    pub fn new<G: AsRef<[f64]>>(groups: impl IntoIterator<Item = G>) -> Result<CountedMean> {
        let group = |values: &[f64]| (values.iter().sum(), values.len() as f64);
        let groups: Vec<(f64, f64)> = groups.into_iter().map(|g| group(g.as_ref())).collect();
        if groups.iter().all(|(_, values)| *values == 0.0) {
            return Err(crate::Error::NoItems);
        }
        Ok(CountedMean { groups })
    }
}

impl CountedMetric for CountedMean {
    fn items(&self) -> usize {
        self.groups.len()
    }

    fn points(&self, counts: &[u32]) -> Option<f64> {
        let [mut sum, mut values] = [0.0; 2];
        for (group, &count) in self.groups.iter().zip(counts) {
            sum += f64::from(count) * group.0;
            values += f64::from(count) * group.1;
        }
        (values > 0.0).then(|| 100.0 * sum / values)
    }
}

/// Which metric of found entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityMetric {
    /// The harmonic mean of precision and recall.
    F1,
    /// The share of the predicted entities that are right.
    Precision,
    /// The share of the true entities that were found.
    Recall,
}

/// A metric of one system's predicted entities, over all kinds of them together; the items are
/// sentences. 0 where nothing was predicted or nothing is true.
#[derive(Debug, Clone)]
pub struct CountedEntities {
    metric: EntityMetric,
    sentences: Vec<EntityCounts>,
}

impl CountedEntities {
    /// Takes the counts of each sentence.
    ///
    /// # Errors
    ///
    /// [`Error::NoItems`](crate::Error::NoItems).
    pub fn new(metric: EntityMetric, sentences: Vec<EntityCounts>) -> Result<CountedEntities> {
        if sentences.is_empty() {
            return Err(crate::Error::NoItems);
        }
        Ok(CountedEntities { metric, sentences })
    }
}

impl CountedMetric for CountedEntities {
    fn items(&self) -> usize {
        self.sentences.len()
    }

    fn points(&self, counts: &[u32]) -> Option<f64> {
        let mut sum = EntityCounts::default();
        for (sentence, &count) in self.sentences.iter().zip(counts) {
            sum.add(sentence, u64::from(count));
        }
        Some(match self.metric {
            EntityMetric::F1 => sum.f1(),
            EntityMetric::Precision => sum.precision(),
            EntityMetric::Recall => sum.recall(),
        })
    }
}

/// Pearson's correlation of one system's scores with the true ones; undefined where all counted
/// values are equal.
#[derive(Debug, Clone)]
pub struct CountedPearson {
    x: Vec<f64>,
    y: Vec<f64>,
}

impl CountedPearson {
    /// Pairs scores.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`](crate::Error::Lengths), [`Error::NoItems`](crate::Error::NoItems),
    /// [`Error::NotFinite`](crate::Error::NotFinite).
    pub fn new(x: &[f64], y: &[f64]) -> Result<CountedPearson> {
        check_scores(x, y)?;
        Ok(CountedPearson {
            x: x.to_vec(),
            y: y.to_vec(),
        })
    }
}

impl CountedMetric for CountedPearson {
    fn items(&self) -> usize {
        self.x.len()
    }

    fn points(&self, counts: &[u32]) -> Option<f64> {
        weighted_pearson(&self.x, &self.y, counts)
    }
}

/// Spearman's correlation of one system's scores with the true ones; undefined where all counted
/// values are equal.
#[derive(Debug, Clone)]
pub struct CountedSpearman {
    x: Ranking,
    y: Ranking,
}

impl CountedSpearman {
    /// Pairs scores and sorts both sides.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`](crate::Error::Lengths), [`Error::NoItems`](crate::Error::NoItems),
    /// [`Error::NotFinite`](crate::Error::NotFinite).
    pub fn new(x: &[f64], y: &[f64]) -> Result<CountedSpearman> {
        check_scores(x, y)?;
        Ok(CountedSpearman {
            x: Ranking::new(x),
            y: Ranking::new(y),
        })
    }
}

impl CountedMetric for CountedSpearman {
    fn items(&self) -> usize {
        self.x.order.len()
    }

    fn points(&self, counts: &[u32]) -> Option<f64> {
        weighted_pearson(&self.x.ranks(counts), &self.y.ranks(counts), counts)
    }
}

/// The sorted order of values, from which the ranks in any multiset follow without sorting again.
#[derive(Debug, Clone)]
struct Ranking {
    /// Items from the least to the largest value.
    order: Vec<usize>,
    /// Where in `order` each run of equal values ends.
    run_ends: Vec<usize>,
}

impl Ranking {
    fn new(values: &[f64]) -> Ranking {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
        let run_ends = order
            .chunk_by(|&i, &j| values[i] == values[j])
            .scan(0, |end, run| {
                *end += run.len();
                Some(*end)
            })
            .collect();
        Ranking { order, run_ends }
    }

    /// Each item's rank in the multiset; equal values share the average of their ranks.
    fn ranks(&self, counts: &[u32]) -> Vec<f64> {
        let mut ranks = vec![0.0; self.order.len()];
        let mut before = 0;
        let mut start = 0;
        for &end in &self.run_ends {
            let run = &self.order[start..end];
            let tied: u64 = run.iter().map(|&i| u64::from(counts[i])).sum();
            let rank = before as f64 + (tied + 1) as f64 / 2.0;
            for &i in run {
                ranks[i] = rank;
            }
            before += tied;
            start = end;
        }
        ranks
    }
}

fn weighted_pearson(x: &[f64], y: &[f64], counts: &[u32]) -> Option<f64> {
    if is_constant(x, counts) || is_constant(y, counts) {
        return None;
    }
    let [mut sum, mut sum_x, mut sum_y] = [0.0; 3];
    for ((&x, &y), &count) in x.iter().zip(y).zip(counts) {
        let w = f64::from(count);
        sum += w;
        sum_x += w * x;
        sum_y += w * y;
    }
    let (mean_x, mean_y) = (sum_x / sum, sum_y / sum);
    let [mut xx, mut xy, mut yy] = [0.0; 3];
    for ((&x, &y), &count) in x.iter().zip(y).zip(counts) {
        let w = f64::from(count);
        let (dx, dy) = (x - mean_x, y - mean_y);
        xx += w * dx * dx;
        xy += w * dx * dy;
        yy += w * dy * dy;
    }
    let r = xy / (xx.sqrt() * yy.sqrt());
    r.is_finite().then(|| 100.0 * r.clamp(-1.0, 1.0))
}

/// Whether all values that occur are equal, exactly.
fn is_constant(values: &[f64], counts: &[u32]) -> bool {
    let mut occurring = values
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(value, _)| value);
    match occurring.next() {
        Some(first) => occurring.all(|value| value == first),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics;

    /// The multiset written out.
    fn expand<T: Copy>(values: &[T], counts: &[u32]) -> Vec<T> {
        values
            .iter()
            .zip(counts)
            .flat_map(|(&value, &count)| std::iter::repeat_n(value, count as usize))
            .collect()
    }

    proptest! {
        #[test]
        fn counts_stand_for_repeated_items(
            rows in prop::collection::vec((-3_i8..4, -3_i8..4, 0_u32..4), 1..30)
        ) {
            let x: Vec<f64> = rows.iter().map(|row| f64::from(row.0) * 0.1).collect();
            let y: Vec<f64> = rows.iter().map(|row| f64::from(row.1) * 0.1).collect();
            let counts: Vec<u32> = rows.iter().map(|row| row.2).collect();
            let (xs, ys) = (expand(&x, &counts), expand(&y, &counts));
            let pearson = CountedPearson::new(&x, &y).unwrap().points(&counts);
            let spearman = CountedSpearman::new(&x, &y).unwrap().points(&counts);
            for (counted, plain) in [
                (pearson, metrics::pearson(&xs, &ys)),
                (spearman, metrics::spearman(&xs, &ys)),
            ] {
                match (counted, plain) {
                    (Some(a), Ok(b)) => prop_assert!((a - b).abs() < 1e-9, "{} {}", a, b),
                    (None, Err(_)) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }

            let p: Vec<bool> = rows.iter().map(|row| row.0 > 0).collect();
            let t: Vec<bool> = rows.iter().map(|row| row.1 > 0).collect();
            let (ps, ts) = (expand(&p, &counts), expand(&t, &counts));
            if !ps.is_empty() {
                for (metric, plain) in [
                    (LabelMetric::Accuracy, metrics::accuracy(&ps, &ts)),
                    (LabelMetric::F1, metrics::f1(&ps, &ts)),
                    (LabelMetric::Matthews, metrics::matthews(&ps, &ts)),
                ] {
                    let counted = CountedLabels::new(metric, &p, &t).unwrap().points(&counts);
                    prop_assert_eq!(counted, Some(plain.unwrap()));
                }
            }
        }
    }
}
