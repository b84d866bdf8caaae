//! How well a decoder foresees a text: negative log-likelihoods of its tokens.
//!
//! [`read_through`] reads whole windows, as Hugging Face's recipe for perplexity
//! does. [`step_by_step`] reads the beginning of each window at once and then one
//! token after the other, as generation runs: what a token was predicted from has
//! then never seen a later one, whatever the model decides while it reads.

use dtatrans_model::decoder::{Context, Extension};
use dtatrans_model::{Decoder, ModelError};
use rayon::prelude::*;

/// Rows of logits that are held at once.
const ROWS: usize = 64;

/// Windows that go step by step together: their steps share the reading of the
/// weights.
const TOGETHER: usize = 8;

/// The negative log-likelihoods of the scored tokens, in nats, window by window.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihoods {
    /// One entry per window; all are of the same length.
    pub windows: Vec<Vec<f64>>,
}

impl Likelihoods {
    /// Number of scored tokens.
    pub fn tokens(&self) -> usize {
        self.windows.iter().map(Vec::len).sum()
    }

    /// The mean over all scored tokens, in nats.
    pub fn mean(&self) -> f64 {
        self.windows.iter().flatten().sum::<f64>() / self.tokens().max(1) as f64
    }

    /// e to the mean.
    pub fn perplexity(&self) -> f64 {
        self.mean().exp()
    }
}

/// The first windows of `length` tokens, side by side and without overlap; a
/// rest that fills none is left out.
pub fn windows(ids: &[u32], length: usize, most: Option<usize>) -> Vec<&[u32]> {
    let all = ids.chunks_exact(length);
    all.take(most.unwrap_or(usize::MAX)).collect()
}

/// Reads each window and scores all of its tokens but the first, each from those
/// before it. `done` is told how many tokens more are scored.
///
/// # Errors
/// As [`Decoder::extend`].
pub fn read_through(
    decoder: &Decoder,
    windows: &[&[u32]],
    done: &dyn Fn(usize),
) -> Result<Likelihoods, ModelError> {
    let read = |window: &&[u32]| {
        let mut context = decoder.context();
        let extension = Extension {
            context: &mut context,
            ids: window,
        };
        let states = decoder.extend(&mut [extension])?;
        let width = decoder.config().hidden_size;
        let mut losses = Vec::with_capacity(window.len());
        let rows = states.chunks(ROWS * width);
        for (states, targets) in rows.zip(window[1..].chunks(ROWS)) {
            let logits = decoder.logits(&states[..targets.len() * width]);
            losses.extend(score(&logits, targets));
        }
        done(losses.len());
        Ok::<_, ModelError>(losses)
    };
    let windows = windows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Likelihoods { windows })
}

/// Reads the first `context` tokens of each window at once, then the others one
/// by one, and scores those.
///
/// # Errors
/// As [`Decoder::extend`].
///
/// # Panics
/// If the windows differ in length, or `context` is 0.
pub fn step_by_step(
    decoder: &Decoder,
    windows: &[&[u32]],
    context: usize,
    done: &dyn Fn(usize),
) -> Result<Likelihoods, ModelError> {
    assert!(context > 0);
    let width = decoder.config().hidden_size;
    let mut all = Vec::new();
    for some in windows.chunks(TOGETHER) {
        let mut losses = vec![Vec::new(); some.len()];
        let mut contexts: Vec<Context> = Vec::new();
        let mut states = Vec::new();
        for window in some {
            let mut start = decoder.context();
            let read = decoder.extend(&mut [Extension {
                context: &mut start,
                ids: &window[..context],
            }])?;
            states.extend_from_slice(&read[read.len() - width..]);
            contexts.push(start);
        }
        for place in context..some[0].len() {
            let targets: Vec<u32> = some.iter().map(|window| window[place]).collect();
            let logits = decoder.logits(&states);
            for (losses, loss) in losses.iter_mut().zip(score(&logits, &targets)) {
                losses.push(loss);
            }
            done(targets.len());
            if place + 1 < some[0].len() {
                let mut extensions: Vec<Extension> = contexts
                    .iter_mut()
                    .zip(targets.chunks(1))
                    .map(|(context, ids)| Extension { context, ids })
                    .collect();
                states = decoder.extend(&mut extensions)?;
            }
        }
        all.extend(losses);
    }
    Ok(Likelihoods { windows: all })
}

/// The negative log-likelihood of each target under its row of logits.
fn score(logits: &[f32], targets: &[u32]) -> Vec<f64> {
    let words = logits.len() / targets.len().max(1);
    logits
        .par_chunks(words.max(1))
        .zip(targets)
        .map(|(row, &target)| {
            let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|x| f64::from(x - highest).exp()).sum();
            sum.ln() - f64::from(row[target as usize] - highest)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_softmax() {
        let logits = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0];
        let losses = score(&logits, &[2, 1]);
        let sum = 1f64.exp() + 2f64.exp() + 3f64.exp();
        assert!((losses[0] - (sum.ln() - 3.0)).abs() < 1e-9);
        assert!((losses[1] - 3f64.ln()).abs() < 1e-9);
        let likelihoods = Likelihoods {
            windows: vec![losses.clone(), losses],
        };
        assert_eq!(likelihoods.tokens(), 4);
        assert!((likelihoods.perplexity() - likelihoods.mean().exp()).abs() < 1e-12);
    }

    #[test]
    fn windows_lie_side_by_side() {
        let ids: Vec<u32> = (0..10).collect();
        assert_eq!(windows(&ids, 3, None), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]);
        assert_eq!(windows(&ids, 3, Some(1)), [[0, 1, 2]]);
    }
}
