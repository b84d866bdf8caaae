//! `dtatrans run` with an encoder: embeddings or labels.

use std::io::Write;

use anyhow::{Result, bail};
use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Detail, Encoding, Engine, Head, Output, Precision};
use dtatrans_precision::Tier;
use serde::Serialize;

use crate::args::RunArguments;
use crate::{console, output, precision, texts};

/// The result for one text.
#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
    tokens: usize,
    /// Tokens that were cut off.
    cut: usize,
    plan: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    /// Probability of each label.
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<Vec<Probability<'a>>>,
    /// The label of each token.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_labels: Option<Vec<TokenLabel<'a>>>,
    /// Tokens by tier, summed over the layers; none at f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    tiers: Option<Tiers>,
}

#[derive(Serialize)]
struct Probability<'a> {
    label: &'a str,
    probability: f64,
}

#[derive(Serialize)]
struct TokenLabel<'a> {
    token: &'a str,
    label: &'a str,
}

#[derive(Serialize)]
struct Tiers {
    eight: usize,
    four: usize,
    zero: usize,
}

pub(super) fn run(
    checkpoint: &Checkpoint,
    arguments: &RunArguments,
    isa: Isa,
    json: bool,
) -> Result<()> {
    let texts = texts::read(&arguments.texts)?;
    if checkpoint.head == Head::Span {
        bail!(
            "--model {}: answers questions about a text: see `dtatrans eval --task squad`",
            arguments.model.model
        );
    }
    let precision = match precision::asked(&arguments.precision, checkpoint)? {
        Some(precision) => precision,
        None => Precision::Plan(precision::default_plan(checkpoint)?),
    };
    let plan = precision::name(&precision);
    let inputs = texts::encode(checkpoint.tokenizer()?, &texts)?;
    let engine = Engine::new(checkpoint, &precision, isa)?;
    let bar = console::count_bar(&format!("running at {plan}"), inputs.len(), "texts");
    let outputs = engine.run(&inputs, Detail::Value, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    output::write_to(arguments.output.as_deref(), |out| {
        for ((text, input), result) in texts.iter().zip(&inputs).zip(&outputs) {
            let line = line(text, input, &plan, result, &checkpoint.head);
            if json {
                output::write_json_line(out, &line)?;
            } else {
                write_text(out, &line)?;
            }
        }
        Ok(())
    })
}

fn line<'a>(
    text: &'a str,
    input: &'a Encoding,
    plan: &'a str,
    result: &'a Output,
    head: &'a Head,
) -> Line<'a> {
    let mut line = Line {
        text,
        tokens: input.len(),
        cut: input.cut,
        plan,
        embedding: None,
        label: None,
        probabilities: None,
        token_labels: None,
        tiers: (!result.tiers.is_empty()).then(|| {
            let count = |tier| {
                result
                    .tiers
                    .iter()
                    .flatten()
                    .filter(|&&t| t == tier)
                    .count()
            };
            Tiers {
                eight: count(Tier::Eight),
                four: count(Tier::Four),
                zero: count(Tier::Zero),
            }
        }),
    };
    match head {
        Head::Sentence(_) => line.embedding = Some(&result.value),
        Head::Classifier { labels } => {
            let probabilities = softmax(&result.value);
            line.label = Some(best(labels, &result.value));
            let pairs = labels.iter().zip(probabilities);
            let pairs = pairs.map(|(label, probability)| Probability { label, probability });
            line.probabilities = Some(pairs.collect());
        }
        Head::Tokens { labels } => {
            let logits = result.value.chunks_exact(labels.len());
            let labelled = input.tokens.iter().zip(logits);
            let labelled = labelled.map(|(token, logits)| TokenLabel {
                token,
                label: best(labels, logits),
            });
            line.token_labels = Some(labelled.collect());
        }
        // Needs a question and a text; refused before it runs.
        Head::Span => {}
    }
    line
}

/// The label of the highest logit, of equals the first.
fn best<'a>(labels: &'a [String], logits: &[f32]) -> &'a str {
    let places = (0..labels.len()).rev();
    let best = places.max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    best.map_or("", |best| &labels[best])
}

fn softmax(logits: &[f32]) -> Vec<f64> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|&x| f64::from(x - highest).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

fn write_text(out: &mut dyn Write, line: &Line) -> Result<()> {
    writeln!(out, "{}", line.text)?;
    write!(out, "  {} tokens", line.tokens)?;
    if let Some(tiers) = &line.tiers {
        let all = (tiers.eight + tiers.four + tiers.zero) as f64 / 100.0;
        write!(
            out,
            ", {:.0} % at 8 bits, {:.0} % at 4, {:.0} % at 0",
            tiers.eight as f64 / all,
            tiers.four as f64 / all,
            tiers.zero as f64 / all
        )?;
    }
    writeln!(out, " ({})", line.plan)?;
    if let Some(embedding) = line.embedding {
        let first: Vec<String> = embedding
            .iter()
            .take(6)
            .map(|x| format!("{x:.4}"))
            .collect();
        writeln!(
            out,
            "  embedding [{}, …], {} values",
            first.join(", "),
            embedding.len()
        )?;
    }
    for pair in line.token_labels.iter().flatten() {
        writeln!(out, "  {:24} {}", pair.token, pair.label)?;
    }
    for pair in line.probabilities.iter().flatten() {
        let mark = if Some(pair.label) == line.label {
            "*"
        } else {
            " "
        };
        writeln!(out, "  {mark} {}  {:.4}", pair.label, pair.probability)?;
    }
    Ok(())
}
