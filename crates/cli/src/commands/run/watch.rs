//! What is seen of a generation while it runs: its text, how fast it goes, and what
//! becomes of the caches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dtatrans_model::Decoder;
use dtatrans_model::decoder::{Context, Watcher};
use dtatrans_precision::Tier;
use serde::Serialize;

use super::generation::show;
use crate::console;

/// Rows of the table of steps.
const ROWS: usize = 12;

/// Shows texts, and on request counts.
pub(super) struct Watch<'a> {
    streams: bool,
    cancel: &'a AtomicBool,
    decoder: &'a Decoder,
    clock: Instant,
    /// What counting took, which is no part of any time.
    counting: Duration,
    texts: Option<Vec<TextStats>>,
}

/// How one text went.
#[derive(Clone, Serialize)]
pub(super) struct TextStats {
    /// Seconds to read the prompt.
    prompt_seconds: f64,
    prompt_tokens_per_second: f64,
    /// Seconds from there to the last token that was read; of several texts, which
    /// go on together, of all of them.
    seconds: f64,
    tokens_per_second: f64,
    /// After the prompt, and after each new token that was read.
    steps: Vec<Step>,
}

/// What a cache has become.
#[derive(Clone, Copy, Serialize)]
struct Step {
    /// Tokens so far.
    tokens: usize,
    /// Those at the upper tier, at the lower tier and gone: means over layers and
    /// heads. At f32 all are at the upper one.
    upper: f64,
    lower: f64,
    gone: f64,
    /// As allocated.
    bytes: usize,
    /// What all tokens would take as 16-bit floats, and at 8 bits.
    bytes_at_f16: usize,
    bytes_at_8_bits: usize,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        decoder: &'a Decoder,
        streams: bool,
        stats: bool,
        cancel: &'a AtomicBool,
    ) -> Watch<'a> {
        Watch {
            streams,
            cancel,
            decoder,
            clock: Instant::now(),
            counting: Duration::ZERO,
            texts: stats.then(Vec::new),
        }
    }

    /// What was counted, text by text.
    pub(super) fn stats(self) -> Option<Vec<TextStats>> {
        self.texts
    }
}

impl Watcher for Watch<'_> {
    fn text(&mut self, _: usize, part: &str) -> bool {
        let shown = !self.streams || show(part).is_ok();
        shown && !self.cancel.load(Ordering::SeqCst)
    }

    fn context(&mut self, number: usize, context: &Context) {
        let Some(texts) = &mut self.texts else {
            return;
        };
        let now = self.clock.elapsed();
        let seconds = (now - self.counting).as_secs_f64();
        let step = Step::of(self.decoder, context);
        self.counting += self.clock.elapsed() - now;
        if number == texts.len() {
            let before = texts.iter().map(|text| text.prompt_seconds).sum::<f64>();
            let own = seconds - before;
            texts.push(TextStats {
                prompt_seconds: own,
                prompt_tokens_per_second: step.tokens as f64 / own,
                seconds: 0.0,
                tokens_per_second: 0.0,
                steps: vec![step],
            });
            return;
        }
        let before = texts.iter().map(|text| text.prompt_seconds).sum::<f64>();
        let text = &mut texts[number];
        text.steps.push(step);
        text.seconds = seconds - before;
        text.tokens_per_second = (text.steps.len() - 1) as f64 / text.seconds;
    }
}

impl Step {
    fn of(decoder: &Decoder, context: &Context) -> Step {
        let tokens = context.tokens();
        let tiers = context.tiers();
        let sets: Vec<&Vec<Tier>> = tiers.iter().flatten().collect();
        let mean = |tier: Tier| {
            let count = |set: &&Vec<Tier>| set.iter().filter(|&&own| own == tier).count();
            sets.iter().map(count).sum::<usize>() as f64 / sets.len() as f64
        };
        let [upper, lower, gone] = match sets.is_empty() {
            true => [tokens as f64, 0.0, 0.0],
            false => [mean(Tier::Eight), mean(Tier::Four), mean(Tier::Zero)],
        };
        let full = decoder.full_cache(tokens);
        Step {
            tokens,
            upper,
            lower,
            gone,
            bytes: context.bytes(),
            bytes_at_f16: full.at_f16,
            bytes_at_8_bits: full.at_8_bits,
        }
    }
}

impl TextStats {
    /// Prints on standard error.
    pub(super) fn print(&self) {
        console::note(format!(
            "{} tokens read in {:.2} s ({:.0} a second), {} more in {:.2} s ({:.1} a second)",
            self.steps[0].tokens,
            self.prompt_seconds,
            self.prompt_tokens_per_second,
            self.steps.len() - 1,
            self.seconds,
            self.tokens_per_second
        ));
        let mut table = console::table(&[
            "tokens",
            "upper tier",
            "lower tier",
            "gone",
            "KiB",
            "of 16-bit floats",
            "of 8 bits",
        ]);
        let last = self.steps.len() - 1;
        let rows = ROWS.min(self.steps.len());
        for row in 0..rows {
            let step = self.steps[row * last / (rows - 1).max(1)];
            let share = |full: usize| format!("{:.1} %", 100.0 * step.bytes as f64 / full as f64);
            table.add_row([
                step.tokens.to_string(),
                format!("{:.1}", step.upper),
                format!("{:.1}", step.lower),
                format!("{:.1}", step.gone),
                (step.bytes / 1024).to_string(),
                share(step.bytes_at_f16),
                share(step.bytes_at_8_bits),
            ]);
        }
        eprintln!("{table}");
    }
}
