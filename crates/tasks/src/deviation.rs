//! How far a run's outputs are from those at f32, without labels.
//!
//! A metric moves in steps, one item at a time, and is noisy on a few hundred of them. The
//! [`Deviation`] is smooth: it leads the search, and stands beside a loss to say whether there is
//! more to it than chance.

use dtatrans_model::{Head, Output};
use serde::Serialize;

use crate::Result;
use crate::metrics::check_lengths;
use crate::task::cosine;

/// What a [`Deviation`] measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Where a metric ranks pairs of embeddings: 1 - the correlation of the pairs' cosines with
    /// those at f32. What moves all embeddings alike changes no ranking, and does not count.
    PairCosines,
    /// Other embeddings: the mean over texts of 1 - the cosine to f32.
    Cosine,
    /// Labels: the mean over texts of the Kullback-Leibler divergence of the probabilities from
    /// those at f32, in nats; where each token has a label, or begins or ends an answer, each
    /// text's is the mean over its tokens, or over beginning and end.
    Divergence,
}

/// How far a run's outputs are from those at f32. All figures are without unit but for
/// [`Measure::Divergence`], at least 0, and 0 where nothing differs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Deviation {
    /// What `value` is.
    pub measure: Measure,
    /// What leads the search.
    pub value: f64,
    /// The mean over texts of 1 - the cosine of the embedding to that at f32, whatever the measure;
    /// `None` of models that give labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_cosine_distance: Option<f64>,
}

impl Deviation {
    /// Compares the outputs of two runs of a model with this head on the same inputs. `pairs` are
    /// those that the metric ranks ([`Prepared::ranked_pairs`](crate::Prepared::ranked_pairs)), if
    /// any.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`](crate::Error::Lengths), [`Error::NoItems`](crate::Error::NoItems).
    ///
    /// # Panics
    ///
    /// If a pair has no such output.
    pub fn between(
        outputs: &[Output],
        float: &[Output],
        head: &Head,
        pairs: &[(usize, usize)],
    ) -> Result<Deviation> {
        check_lengths("outputs against those at f32", outputs.len(), float.len())?;
        let mean = |of: fn(&Output, &Output, &Head) -> f64| {
            let both = outputs.iter().zip(float);
            let sum: f64 = both.map(|(output, float)| of(output, float, head)).sum();
            sum / outputs.len() as f64
        };
        if !matches!(head, Head::Sentence(_)) {
            return Ok(Deviation {
                measure: Measure::Divergence,
                value: mean(divergence_of_text),
                mean_cosine_distance: None,
            });
        }
        let distance =
            mean(|output, float, _| (1.0 - cosine(&output.value, &float.value)).max(0.0));
        let (measure, value) = match pairs {
            [] => (Measure::Cosine, distance),
            pairs => {
                let cosines = |outputs: &[Output]| -> Vec<f64> {
                    let pairs = pairs.iter();
                    pairs
                        .map(|&(a, b)| cosine(&outputs[a].value, &outputs[b].value))
                        .collect()
                };
                // Where one of the two has no spread, nothing is left to go by.
                let correlation = correlation(&cosines(outputs), &cosines(float));
                let value = (1.0 - correlation.unwrap_or(0.0)).max(0.0);
                (Measure::PairCosines, value)
            }
        };
        Ok(Deviation {
            measure,
            value,
            mean_cosine_distance: Some(distance),
        })
    }
}

/// What one text's output loses of its agreement with f32, in points, not smoothly: 100 x (1 -
/// cosine) of embeddings; of labels 100 if it is another, and where there are several the share of
/// those that are.
pub fn disagreement(output: &Output, float: &Output, head: &Head) -> f64 {
    match (choices(output, head), choices(float, head)) {
        (Some(own), Some(float)) => {
            let pairs = own.iter().zip(&float);
            let other = pairs.filter(|(own, float)| label(own) != label(float));
            100.0 * other.count() as f64 / float.len() as f64
        }
        _ => 100.0 * (1.0 - cosine(&output.value, &float.value)),
    }
}

/// The mean divergence of the choices that a head makes of one text, in nats.
fn divergence_of_text(output: &Output, float: &Output, head: &Head) -> f64 {
    let own = choices(output, head).unwrap_or_default();
    let float = choices(float, head).unwrap_or_default();
    let pairs = own.iter().zip(&float);
    let sum: f64 = pairs.map(|(own, float)| divergence(float, own)).sum();
    sum / float.len().max(1) as f64
}

/// The scores of each choice that a head makes: of the text's label, of each token's label, or of
/// the first and the last token of an answer. `None` of a sentence encoder.
fn choices(output: &Output, head: &Head) -> Option<Vec<Vec<f64>>> {
    let value = || output.value.iter().map(|&score| f64::from(score));
    match head {
        Head::Sentence(_) => None,
        Head::Classifier { .. } => Some(vec![value().collect()]),
        Head::Tokens { labels } => {
            let all: Vec<f64> = value().collect();
            let tokens = all.chunks(labels.len().max(1));
            Some(tokens.map(<[f64]>::to_vec).collect())
        }
        Head::Span => {
            let every_other = |first| value().skip(first).step_by(2).collect();
            Some(vec![every_other(0), every_other(1)])
        }
    }
}

/// The place of the highest score, the first of equal ones.
fn label(scores: &[f64]) -> usize {
    let best = (0..scores.len())
        .rev()
        .max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    best.unwrap_or(0)
}

/// The Kullback-Leibler divergence of the probabilities of `q` from those of `p`, in nats.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let (p, q) = (log_probabilities(p), log_probabilities(q));
    let terms = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q));
    terms.sum::<f64>().max(0.0)
}

fn log_probabilities(scores: &[f64]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
    let log = |score: &f64| score - highest - sum.ln();
    scores.iter().map(log).collect()
}

/// Pearson's correlation; `None` where one side has no spread.
fn correlation(x: &[f64], y: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - mean_x, y - mean_y);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    let correlation = xy / (xx * yy).sqrt();
    correlation.is_finite().then_some(correlation)
}

#[cfg(test)]
mod tests {
    use dtatrans_model::{Pooling, SentenceHead};

    use super::*;
    use crate::Error;

    fn output(value: &[f32]) -> Output {
        Output {
            value: value.to_vec(),
            tiers: Vec::new(),
            trace: Vec::new(),
            hidden_states: Vec::new(),
        }
    }

    fn of_one(output: &Output, float: &Output, head: &Head) -> f64 {
        let (output, float) = ([output.clone()], [float.clone()]);
        let deviation = Deviation::between(&output, &float, head, &[]).unwrap();
        assert_eq!(deviation.measure, Measure::Divergence);
        assert_eq!(deviation.mean_cosine_distance, None);
        deviation.value
    }

    #[test]
    fn a_classifiers_deviation_is_the_divergence() {
        let labels = vec!["no".into(), "yes".into()];
        let head = Head::Classifier { labels };
        let (even, sure) = (output(&[0.0, 0.0]), output(&[0.0, 3.0_f32.ln()]));
        assert_eq!(of_one(&even, &even, &head), 0.0);
        // From (1/2, 1/2) to (1/4, 3/4): ln 2 / 2 + ln(2/3) / 2.
        let want = (2.0_f64.ln() + (2.0_f64 / 3.0).ln()) / 2.0;
        assert!((of_one(&sure, &even, &head) - want).abs() < 1e-6);
        // Shifted scores are the same probabilities.
        let shifted = output(&[7.0, 7.0 + 3.0_f32.ln()]);
        assert!(of_one(&shifted, &sure, &head) < 1e-6);
        assert_eq!(disagreement(&sure, &shifted, &head), 0.0);
        assert_eq!(disagreement(&output(&[1.0, 0.0]), &sure, &head), 100.0);
        // A tie is the first label, on both sides.
        assert_eq!(label(&[0.0, 0.0]), 0);
    }

    #[test]
    fn heads_that_read_out_every_token_agree_token_by_token() {
        let labels = vec!["O".into(), "B-PER".into()];
        let head = Head::Tokens { labels };
        let float = output(&[1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0]);
        let other = output(&[1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 2.0]);
        assert_eq!(disagreement(&other, &float, &head), 25.0);
        // One token of four, from (1/(1+e), e/(1+e)) to its mirror image.
        let e = 1.0_f64.exp();
        let want = (e - 1.0) / (e + 1.0) / 4.0;
        assert!((of_one(&other, &float, &head) - want).abs() < 1e-6);
        // As a span both begin at the third token, and the ends differ.
        assert_eq!(disagreement(&other, &float, &Head::Span), 0.0);
        let ends = output(&[1.0, 9.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0]);
        assert_eq!(disagreement(&ends, &float, &Head::Span), 50.0);
    }

    #[test]
    fn a_turn_of_all_embeddings_is_a_distance_but_changes_no_pair() {
        let head = Head::Sentence(SentenceHead {
            pooling: Pooling::Mean,
            normalize: false,
        });
        let turned = |degrees: f32| {
            [10.0_f32, 20.0, 50.0, 90.0].map(|angle| {
                let radians = (angle + degrees).to_radians();
                output(&[radians.cos(), radians.sin()])
            })
        };
        let (float, other) = (turned(0.0), turned(60.0));
        let of =
            |pairs: &[(usize, usize)]| Deviation::between(&other, &float, &head, pairs).unwrap();
        let alone = of(&[]);
        assert_eq!(alone.measure, Measure::Cosine);
        assert!((alone.value - 0.5).abs() < 1e-6);
        assert_eq!(alone.mean_cosine_distance, Some(alone.value));
        let ranked = of(&[(0, 1), (1, 2), (2, 3)]);
        assert_eq!(ranked.measure, Measure::PairCosines);
        assert!(ranked.value < 1e-6);
        assert_eq!(ranked.mean_cosine_distance, Some(alone.value));
        // Pairs without any spread have nothing to rank.
        assert_eq!(of(&[(0, 1), (0, 1)]).value, 1.0);
        let outcome = Deviation::between(&other[1..], &float, &head, &[]);
        assert!(matches!(outcome, Err(Error::Lengths { .. })));
    }

    #[test]
    fn correlation_sees_through_shift_and_scale() {
        let x = [0.1, 0.5, 0.2, 0.9];
        let y = x.map(|x| 0.3 + 0.5 * x);
        assert!((correlation(&x, &y).unwrap() - 1.0).abs() < 1e-12);
        assert!((correlation(&x, &y.map(|y| -y)).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&[1.0, 2.0], &[2.0, 2.0]), None);
    }
}
