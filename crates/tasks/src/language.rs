//! How well a decoder foresees a text: negative log-likelihoods of its tokens,
//! and how far its predictions are from those at f32.
//!
//! Whole windows are read as Hugging Face's recipe for perplexity does. Or the
//! beginning of each window is read at once and then one token after the other, as
//! generation runs: what a token was predicted from has then never seen a later
//! one, whatever the model decides while it reads.

use std::sync::Arc;

use dtatrans_model::decoder::{Context, Extension, Reading};
use dtatrans_model::{Decoder, ModelError};
use dtatrans_precision::Tier;
use dtatrans_precision::cache::CachePlan;
use rayon::prelude::*;

use crate::Result;
use crate::bootstrap::{self, BootstrapOptions, Interval};

/// Rows of logits that are held at once.
const ROWS: usize = 64;

/// Windows that go step by step together: their steps share the reading of the
/// weights.
const TOGETHER: usize = 8;

/// What the scored tokens of each window cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Negative log-likelihoods, in nats, one entry per window.
    pub losses: Vec<Vec<f64>>,
    /// The same at f32; empty where nothing was compared.
    pub known_losses: Vec<Vec<f64>>,
    /// The Kullback-Leibler divergence of the prediction from that at f32, in nats,
    /// one entry per window; empty where nothing was compared.
    pub divergences: Vec<Vec<f64>>,
    /// Bytes of each window's cache at its end; empty where whole windows were
    /// read.
    pub cache_bytes: Vec<usize>,
}

impl Scores {
    /// No tokens yet.
    fn of_windows(count: usize, compares: bool) -> Scores {
        Scores {
            losses: vec![Vec::new(); count],
            known_losses: vec![Vec::new(); if compares { count } else { 0 }],
            divergences: vec![Vec::new(); if compares { count } else { 0 }],
            cache_bytes: Vec::new(),
        }
    }

    /// Adds a token of each window, and compares the logits with known ones.
    fn push(&mut self, targets: &[u32], known: Option<&[f32]>, logits: &[f32]) {
        let add = |windows: &mut [Vec<f64>], news: Vec<f64>| {
            for (window, new) in windows.iter_mut().zip(news) {
                window.push(new);
            }
        };
        add(&mut self.losses, losses_of(logits, targets));
        if let Some(known) = known {
            add(&mut self.known_losses, losses_of(known, targets));
            let news = divergences_of(known, logits, targets.len());
            add(&mut self.divergences, news);
        }
    }

    /// Adds the windows of others.
    fn append(&mut self, others: Scores) {
        self.losses.extend(others.losses);
        self.known_losses.extend(others.known_losses);
        self.divergences.extend(others.divergences);
        self.cache_bytes.extend(others.cache_bytes);
    }

    /// Number of scored tokens.
    pub fn tokens(&self) -> usize {
        self.losses.iter().map(Vec::len).sum()
    }

    /// The mean over all scored tokens, in nats.
    pub fn mean_loss(&self) -> f64 {
        mean(&self.losses)
    }

    /// e to the mean.
    pub fn perplexity(&self) -> f64 {
        self.mean_loss().exp()
    }

    /// The mean divergence, in nats; none where nothing was compared.
    pub fn mean_divergence(&self) -> Option<f64> {
        (!self.divergences.is_empty()).then(|| mean(&self.divergences))
    }

    /// e to the mean at f32; none where nothing was compared.
    pub fn known_perplexity(&self) -> Option<f64> {
        (!self.known_losses.is_empty()).then(|| mean(&self.known_losses).exp())
    }

    /// Bytes of a window's cache at its end, a mean; none where whole windows were
    /// read.
    pub fn mean_cache_bytes(&self) -> Option<f64> {
        let windows = self.cache_bytes.len();
        (windows > 0).then(|| self.cache_bytes.iter().sum::<usize>() as f64 / windows as f64)
    }

    /// How much higher the perplexity is than at f32, in per cent of that, with the
    /// interval of a paired bootstrap over the windows.
    ///
    /// # Errors
    /// As [`bootstrap::interval`].
    ///
    /// # Panics
    /// If nothing was compared.
    pub fn against_f32(&self, options: &BootstrapOptions) -> Result<Interval> {
        assert_eq!(self.losses.len(), self.known_losses.len());
        let sums = |windows: &[Vec<f64>]| -> Vec<f64> {
            windows.iter().map(|window| window.iter().sum()).collect()
        };
        let (own, theirs) = (sums(&self.losses), sums(&self.known_losses));
        let lengths: Vec<usize> = self.losses.iter().map(Vec::len).collect();
        let statistic = |counts: &[u32]| {
            let (mut sum, mut tokens) = (0.0, 0.0);
            for (window, &count) in counts.iter().enumerate() {
                sum += f64::from(count) * (own[window] - theirs[window]);
                tokens += f64::from(count) * lengths[window] as f64;
            }
            Some(100.0 * ((sum / tokens).exp() - 1.0))
        };
        bootstrap::interval(own.len(), statistic, options)
    }
}

fn mean(windows: &[Vec<f64>]) -> f64 {
    let count: usize = windows.iter().map(Vec::len).sum();
    windows.iter().flatten().sum::<f64>() / count.max(1) as f64
}

/// The first windows of `length` tokens, side by side and without overlap; a
/// rest that fills none is left out.
pub fn windows(ids: &[u32], length: usize, most: Option<usize>) -> Vec<&[u32]> {
    let all = ids.chunks_exact(length);
    all.take(most.unwrap_or(usize::MAX)).collect()
}

/// Reads each window and scores all of its tokens but the first, each from those
/// before it; compares with `reference`, the same model at f32, if there is one.
/// `done` is told how many tokens more are scored.
///
/// # Errors
/// As [`Decoder::extend`].
pub fn read_through(
    decoder: &Decoder,
    windows: &[&[u32]],
    reference: Option<&Decoder>,
    done: &dyn Fn(usize),
) -> std::result::Result<Scores, ModelError> {
    let width = decoder.config().hidden_size;
    let mut scores = Scores::default();
    for window in windows {
        let states = read(decoder, window)?;
        let known = reference.map(|decoder| read(decoder, window)).transpose()?;
        let mut own = Scores::of_windows(1, reference.is_some());
        for (index, targets) in window[1..].chunks(ROWS).enumerate() {
            let rows = index * ROWS * width..(index * ROWS + targets.len()) * width;
            let logits = decoder.logits(&states[rows.clone()]);
            own.losses[0].extend(losses_of(&logits, targets));
            if let (Some(reference), Some(known)) = (reference, &known) {
                let known = reference.logits(&known[rows]);
                own.known_losses[0].extend(losses_of(&known, targets));
                own.divergences[0].extend(divergences_of(&known, &logits, targets.len()));
            }
            done(targets.len());
        }
        scores.append(own);
    }
    Ok(scores)
}

/// Reads the first `context` tokens of each window at once, then the others one
/// by one, and scores those; gives one result for each way to cache what was read,
/// or one where there is none. `done` is told how many tokens more are scored.
///
/// # Errors
/// As [`Decoder::extend`] and, where `caches` are given, [`Decoder::read`].
///
/// # Panics
/// If the windows differ in length, or `context` is 0.
pub fn step_by_step(
    decoder: &Decoder,
    caches: &[Arc<CachePlan>],
    windows: &[&[u32]],
    context: usize,
    reference: Option<&Decoder>,
    done: &dyn Fn(usize),
) -> std::result::Result<Vec<Scores>, ModelError> {
    let mut all = vec![Scores::default(); caches.len().max(1)];
    for some in windows.chunks(TOGETHER) {
        let mut beginnings = Beginnings::none(context);
        for window in some {
            beginnings.add(decoder, caches, window, reference)?;
        }
        let scores = beginnings.go_on(decoder, caches, reference, done)?;
        for (all, scores) in all.iter_mut().zip(scores) {
            all.append(scores);
        }
    }
    Ok(all)
}

/// Windows whose first tokens were read, once for all ways to cache them.
pub struct Beginnings<'a> {
    windows: Vec<&'a [u32]>,
    context: usize,
    starts: Vec<Start>,
    /// The states at f32 from the last token of each beginning on.
    known: Vec<Vec<f32>>,
    /// The states of the last token of each beginning.
    last: Vec<f32>,
}

enum Start {
    Context(Context),
    Reading(Reading),
}

impl<'a> Beginnings<'a> {
    /// No windows yet, of each of which the first `context` tokens are to be read.
    ///
    /// # Panics
    /// If `context` is 0.
    pub fn none(context: usize) -> Beginnings<'a> {
        assert!(context > 0);
        Beginnings {
            windows: Vec::new(),
            context,
            starts: Vec::new(),
            known: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Reads the beginning of a window, for `caches` or whatever other ones have the
    /// same half-lives; where none are given, for the decoder's own way.
    ///
    /// # Errors
    /// As [`step_by_step`].
    ///
    /// # Panics
    /// If the window is not as long as the others.
    pub fn add(
        &mut self,
        decoder: &Decoder,
        caches: &[Arc<CachePlan>],
        window: &'a [u32],
        reference: Option<&Decoder>,
    ) -> std::result::Result<(), ModelError> {
        assert!(self.windows.iter().all(|other| other.len() == window.len()));
        let width = decoder.config().hidden_size;
        let (states, start) = begin(decoder, caches, &window[..self.context])?;
        self.last.extend_from_slice(&states[states.len() - width..]);
        self.starts.push(start);
        if let Some(reference) = reference {
            let states = read(reference, window)?;
            self.known
                .push(states[(self.context - 1) * width..].to_vec());
        }
        self.windows.push(window);
        Ok(())
    }

    /// The same windows read by another decoder, compared with the same states at f32.
    ///
    /// # Errors
    /// As [`step_by_step`].
    pub fn again(
        &self,
        decoder: &Decoder,
        caches: &[Arc<CachePlan>],
    ) -> std::result::Result<Beginnings<'a>, ModelError> {
        let mut beginnings = Beginnings::none(self.context);
        for window in &self.windows {
            beginnings.add(decoder, caches, window, None)?;
        }
        beginnings.known.clone_from(&self.known);
        Ok(beginnings)
    }

    /// The tiers at which the tokens of each beginning were computed, by layer; none
    /// where it was not read for caches.
    pub fn tiers(&self) -> impl Iterator<Item = &[Vec<Tier>]> {
        self.starts.iter().filter_map(|start| match start {
            Start::Context(_) => None,
            Start::Reading(reading) => Some(reading.tiers()),
        })
    }

    /// Reads and scores the others one by one; gives one result for each way to
    /// cache, or one where there is none.
    ///
    /// # Errors
    /// As [`Decoder::extend`].
    ///
    /// # Panics
    /// If another decoder read the beginnings, or for other half-lives.
    pub fn go_on(
        &self,
        decoder: &Decoder,
        caches: &[Arc<CachePlan>],
        reference: Option<&Decoder>,
        done: &dyn Fn(usize),
    ) -> std::result::Result<Vec<Scores>, ModelError> {
        let width = decoder.config().hidden_size;
        let ways = caches.len().max(1);
        let count = self.windows.len();
        // Way by way, in each the windows.
        let mut contexts: Vec<Context> = Vec::new();
        let begin = |start: &Start, way: usize| match start {
            Start::Context(context) => context.clone(),
            Start::Reading(reading) => decoder.context_after(reading, &caches[way]),
        };
        for way in 0..ways {
            contexts.extend(self.starts.iter().map(|start| begin(start, way)));
        }
        let compares = reference.is_some();
        let mut all = vec![Scores::of_windows(count, compares); ways];
        let mut states = self.last.repeat(ways);
        for place in self.context..self.windows[0].len() {
            let targets: Vec<u32> = self.windows.iter().map(|window| window[place]).collect();
            let known = reference.map(|reference| {
                let row = place - self.context;
                let rows = self.known.iter();
                let rows = rows.flat_map(|states| &states[row * width..(row + 1) * width]);
                reference.logits(&rows.copied().collect::<Vec<f32>>())
            });
            for (scores, states) in all.iter_mut().zip(states.chunks(count * width)) {
                let logits = decoder.logits(states);
                scores.push(&targets, known.as_deref(), &logits);
            }
            done(targets.len());
            if place + 1 < self.windows[0].len() {
                let ids = targets.repeat(ways);
                let mut extensions: Vec<Extension> = contexts
                    .iter_mut()
                    .zip(ids.chunks(1))
                    .map(|(context, ids)| Extension { context, ids })
                    .collect();
                states = decoder.extend(&mut extensions)?;
            }
        }
        for (scores, contexts) in all.iter_mut().zip(contexts.chunks(count)) {
            scores.cache_bytes = contexts.iter().map(Context::bytes).collect();
        }
        Ok(all)
    }
}

/// The states of a text's tokens.
fn read(decoder: &Decoder, ids: &[u32]) -> std::result::Result<Vec<f32>, ModelError> {
    let mut context = decoder.context();
    decoder.extend(&mut [Extension {
        context: &mut context,
        ids,
    }])
}

/// The states of a text's tokens, and what is to go on from there.
fn begin(
    decoder: &Decoder,
    caches: &[Arc<CachePlan>],
    ids: &[u32],
) -> std::result::Result<(Vec<f32>, Start), ModelError> {
    if !caches.is_empty() {
        let (states, reading) = decoder.read(ids, caches)?;
        return Ok((states, Start::Reading(reading)));
    }
    let mut context = decoder.context();
    let states = decoder.extend(&mut [Extension {
        context: &mut context,
        ids,
    }])?;
    Ok((states, Start::Context(context)))
}

/// The negative log-likelihood of each target under its row of logits.
fn losses_of(logits: &[f32], targets: &[u32]) -> Vec<f64> {
    let words = logits.len() / targets.len().max(1);
    logits
        .par_chunks(words.max(1))
        .zip(targets)
        .map(|(row, &target)| log_sum(row) - f64::from(row[target as usize]))
        .collect()
}

/// The divergence of each row of logits from the known one.
fn divergences_of(known: &[f32], logits: &[f32], rows: usize) -> Vec<f64> {
    let words = logits.len() / rows.max(1);
    known
        .par_chunks(words.max(1))
        .zip(logits.par_chunks(words.max(1)))
        .map(|(known, row)| {
            let (known_sum, sum) = (log_sum(known), log_sum(row));
            let terms = known.iter().zip(row).map(|(&known, &x)| {
                let logarithm = f64::from(known) - known_sum;
                logarithm.exp() * (logarithm - (f64::from(x) - sum))
            });
            terms.sum()
        })
        .collect()
}

/// The logarithm of the sum of the exponentials.
fn log_sum(row: &[f32]) -> f64 {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|x| f64::from((x - highest).exp())).sum();
    sum.ln() + f64::from(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_softmax() {
        let logits = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0];
        let losses = losses_of(&logits, &[2, 1]);
        let sum = 1f64.exp() + 2f64.exp() + 3f64.exp();
        assert!((losses[0] - (sum.ln() - 3.0)).abs() < 1e-6);
        assert!((losses[1] - 3f64.ln()).abs() < 1e-6);
        let scores = Scores {
            losses: vec![losses.clone(), losses],
            ..Scores::default()
        };
        assert_eq!(scores.tokens(), 4);
        assert!((scores.perplexity() - scores.mean_loss().exp()).abs() < 1e-12);
    }

    #[test]
    fn divergences_are_those_of_kullback_and_leibler() {
        let logits = [0.0, 0.0, 0.0, 3f32.ln()];
        let known = [0.0, 3f32.ln(), 0.0, 3f32.ln()];
        let divergences = divergences_of(&known, &logits, 2);
        let want = 0.25 * (0.25f64 / 0.5).ln() + 0.75 * (0.75f64 / 0.5).ln();
        assert!((divergences[0] - want).abs() < 1e-6, "{divergences:?}");
        assert!(divergences[1].abs() < 1e-12);
    }

    #[test]
    fn the_loss_at_f32_is_held_against() {
        let windows = |shift: f64| vec![vec![1.0 + shift; 4], vec![2.0 + shift; 4], vec![0.5; 4]];
        let against = |shift: f64| {
            let scores = Scores {
                losses: windows(shift),
                known_losses: windows(0.0),
                ..Scores::default()
            };
            scores.against_f32(&BootstrapOptions::default()).unwrap()
        };
        let same = against(0.0);
        assert_eq!((same.difference, same.low, same.high), (0.0, 0.0, 0.0));
        let worse = against(0.3);
        assert!((worse.difference - 100.0 * (0.2f64.exp() - 1.0)).abs() < 1e-9);
        assert!(worse.low >= 0.0 && worse.high > worse.difference);
    }

    #[test]
    fn windows_lie_side_by_side() {
        let ids: Vec<u32> = (0..10).collect();
        assert_eq!(windows(&ids, 3, None), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]);
        assert_eq!(windows(&ids, 3, Some(1)), [[0, 1, 2]]);
    }
}
