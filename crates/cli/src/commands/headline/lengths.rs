//! One shape at one length: what machines need for it, and what is kept in memory.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use dtatrans_accel::{Machine, RunReport};
use dtatrans_kernels::Isa;
use dtatrans_model::decoder::{Sampling, Settings};
use dtatrans_model::{
    Checkpoint, Decoder, DecoderCheckpoint, Detail, Encoding, Engine, Precision, Truncation,
};
use dtatrans_precision::trace::{Header, Input};
use dtatrans_precision::workload::{ElementCycles, Footprint, Saved, Workload};
use dtatrans_precision::{Bits, ModelShape, Plan};
use dtatrans_tasks::language::Beginnings;
use serde::Serialize;

use super::{NEW_TOKENS, passages};
use crate::commands::trace;
use crate::ladder::mean_cosine;
use crate::machines::Sums;
use crate::traces::Traced;
use crate::{console, decoder as decoders, machines, output};

/// The machines that lengths are run on; the plain array is the dense model at 8 bits.
pub(super) const VSSA: &str = "vssa-512";
pub(super) const VSSA_EQUAL: &str = "vssa-1280";
pub(super) const VSSA_LARGE: &str = "vssa-4096";
pub(super) const DENSE: &str = "systolic-128";
pub(super) const EYERISS: &str = "eyeriss-1ghz";
pub(super) const EYERISS_BUILT: &str = "eyeriss";
pub(super) const SPATTEN: &str = "spatten-eighth";

const MACHINES: [&str; 7] = [
    VSSA,
    VSSA_EQUAL,
    VSSA_LARGE,
    DENSE,
    EYERISS,
    EYERISS_BUILT,
    SPATTEN,
];

/// One shape at one length.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) shape: String,
    pub(super) causal: bool,
    pub(super) tokens: usize,
    pub(super) new_tokens: usize,
    pub(super) inputs: usize,
    /// Mean cosine of the outputs under the plan to those at f32, of encoders.
    pub(super) mean_cosine: Option<f64>,
    /// How much higher the perplexity of the real tokens behind each prompt, as many as are
    /// generated, is than at f32, in per cent; of decoders.
    pub(super) perplexity_rise_percent: Option<f64>,
    /// Of what is read at once.
    pub(super) saved: Saved,
    pub(super) footprint: Footprint,
    pub(super) footprint_dense_8_bits: Footprint,
    /// Bytes of keys and values of a decoder behind the last token.
    pub(super) cache_bytes: Option<u64>,
    pub(super) cache_bytes_dense_8_bits: Option<u64>,
    /// By machine.
    pub(super) reports: BTreeMap<String, RunReport>,
}

impl Row {
    fn name(&self) -> String {
        match self.new_tokens {
            0 => format!("{}, {}", self.shape, self.tokens),
            new => format!("{}, {} + {new}", self.shape, self.tokens),
        }
    }

    pub(super) fn of(&self, machine: &str) -> Option<&RunReport> {
        self.reports.get(machine)
    }
}

/// Texts of an encoder, of exactly so many tokens.
pub(super) fn encoder_texts(
    checkpoint: &mut Checkpoint,
    pieces: &[String],
    tokens: usize,
    count: usize,
) -> Result<Vec<Encoding>> {
    if let Some(tokenizer) = &mut checkpoint.tokenizer {
        tokenizer.set_limit(tokens, Truncation::Cut)?;
    }
    let tokenizer = checkpoint.tokenizer()?;
    let encode = |text: &str| Ok(tokenizer.encode(text)?);
    passages::of_length(pieces, tokens, count, encode, Encoding::len)
}

pub(super) fn encoder_row(
    checkpoint: &Checkpoint,
    isa: Isa,
    plan: &Plan,
    texts: &[Encoding],
    shape: &ModelShape,
) -> Result<(Row, Traced)> {
    let run = |precision: &Precision, detail, name: &str| {
        let engine = Engine::new(checkpoint, precision, isa)?;
        let bar = console::count_bar(name, texts.len(), "texts");
        let outputs = engine.run(texts, detail, &|done| bar.inc(done as u64))?;
        bar.finish_and_clear();
        anyhow::Ok(outputs)
    };
    let float = run(&Precision::F32, Detail::Value, "at f32")?;
    let planned = run(
        &Precision::Plan(plan.clone()),
        Detail::Trace,
        "under the plan",
    )?;
    let mean_cosine = mean_cosine(&planned, &float);
    let traced = Traced::of(checkpoint, plan, texts, &planned).on_shape(shape);
    let row = Row {
        mean_cosine: Some(mean_cosine),
        ..row(&traced)?
    };
    Ok((row, traced))
}

/// Texts of a decoder: so many tokens are read at once, and as many as are generated
/// stand behind them.
pub(super) fn decoder_texts(
    checkpoint: &DecoderCheckpoint,
    pieces: &[String],
    tokens: usize,
    count: usize,
) -> Result<Vec<Vec<u32>>> {
    let length = tokens + NEW_TOKENS;
    let encode = |text: &str| decoders::encode_first(checkpoint, text, length);
    passages::of_length(pieces, length, count, encode, Vec::len)
}

pub(super) fn decoder_row(
    checkpoint: &DecoderCheckpoint,
    isa: Isa,
    plan: &Plan,
    texts: &[Vec<u32>],
    shape: &ModelShape,
) -> Result<Row> {
    let decoder = Decoder::new(checkpoint, &Precision::Plan(plan.clone()), isa)?;
    let settings = Settings {
        max_new_tokens: NEW_TOKENS,
        sampling: Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
        },
        stop: Vec::new(),
        // All texts get as many.
        ends: Default::default(),
    };
    let bar = console::count_bar("generating", texts.len() * NEW_TOKENS, "tokens");
    // The first token behind what is read begins what is generated.
    let inputs = texts.iter().map(|ids| {
        let prompt = &ids[..=ids.len() - NEW_TOKENS];
        trace::of_prompt(checkpoint, &decoder, prompt, &settings, &bar)
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    bar.finish_and_clear();
    let traced = Traced {
        header: Header {
            model: checkpoint.config.shape(&checkpoint.name),
            plan: plan.clone(),
        },
        inputs,
    };
    Ok(Row {
        perplexity_rise_percent: Some(perplexity_rise(checkpoint, isa, &decoder, texts)?),
        ..row(&traced.on_shape(shape))?
    })
}

/// How much higher the perplexity of the last tokens of texts is than at f32, in per cent.
fn perplexity_rise(
    checkpoint: &DecoderCheckpoint,
    isa: Isa,
    decoder: &Decoder,
    texts: &[Vec<u32>],
) -> Result<f64> {
    let float = Decoder::new(checkpoint, &Precision::F32, isa)?;
    let bar = console::count_bar("beside f32", texts.len(), "texts");
    let mut beginnings = Beginnings::none(texts[0].len() - NEW_TOKENS);
    for text in texts {
        beginnings.add(decoder, &[], text, Some(&float))?;
        bar.inc(1);
    }
    let scores = beginnings.go_on(decoder, &[], Some(&float), &|_| ())?;
    bar.finish_and_clear();
    let known = scores[0].known_perplexity();
    let known = known.context("what was compared has a perplexity at f32")?;
    Ok(100.0 * (scores[0].perplexity() / known - 1.0))
}

/// What machines make of it; accuracies are the caller's.
fn row(traced: &Traced) -> Result<Row> {
    let Traced { header, inputs } = traced;
    let shape = &header.model;
    let opened = MACHINES.map(|name| machines::open(name, &[]));
    let opened = opened.into_iter().collect::<Result<Vec<Machine>>>()?;
    let mut sums = Sums::new(&opened);
    let mut spent = [ElementCycles::default(); 2];
    let mut footprints = [Footprint::default(); 2];
    let mut caches = None;
    let mut tokens = (0, 0);
    let bar = console::count_bar("simulating", inputs.len(), "texts");
    for input in inputs {
        sums.add(header, input)?;
        tokens = (input.read(), input.tokens.len() - input.read());
        let works = [
            input.workload(header),
            Workload::dense(shape, input.read(), Bits::Eight),
        ];
        for ((work, spent), footprint) in works.iter().zip(&mut spent).zip(&mut footprints) {
            spent.add(work.element_cycles());
            *footprint = footprint.larger(work.footprint(shape));
        }
        let last = last_step(header, input).map(|work| {
            let dense = Workload::dense_step(shape, input.tokens.len(), Bits::Eight);
            [work, dense].map(|work| work.footprint(shape).key_value_bytes)
        });
        caches = caches.max(last);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let reports = sums.finish().into_iter();
    Ok(Row {
        shape: shape.name.clone(),
        causal: shape.causal,
        tokens: tokens.0,
        new_tokens: tokens.1,
        inputs: inputs.len(),
        mean_cosine: None,
        perplexity_rise_percent: None,
        saved: Saved::new(spent[0], spent[1]),
        footprint: footprints[0],
        footprint_dense_8_bits: footprints[1],
        cache_bytes: caches.map(|[plan, _]| plan),
        cache_bytes_dense_8_bits: caches.map(|[_, dense]| dense),
        reports: reports
            .map(|report| (report.machine.clone(), report))
            .collect(),
    })
}

/// The work of the last token that came alone.
fn last_step(header: &Header, input: &Input) -> Option<Workload> {
    let mut replay = input.replay();
    let mut last = None;
    while let Some(kept) = replay.step() {
        last = Some(kept.to_vec());
    }
    Some(Workload::step_under_plan(
        &header.model,
        &header.plan,
        &last?,
    ))
}

pub(super) fn print(rows: &[Row]) -> Result<()> {
    let titles = [
        "shape, tokens",
        "attention, GOP/s",
        "encoder, ms an input (dense 8 bits)",
        "saved, attention, encoder",
        "cosine to f32; perplexity above it",
        "peak activations, MB (dense)",
        "keys, values, MB (dense)",
        "weights, MB",
    ];
    let mut table = console::table(&titles);
    let megabytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1e6);
    let beside = |own: u64, dense: u64| format!("{} ({})", megabytes(own), megabytes(dense));
    for row in rows {
        let time = |machine: &str| {
            let encoder = row.of(machine)?.encoder.as_ref()?;
            Some(encoder.time_us() / 1e3 / row.inputs as f64)
        };
        let times = time(VSSA).zip(time(DENSE));
        table.add_row([
            row.name(),
            row.of(VSSA).map_or_else(String::new, |report| {
                format!("{:.0}", report.attention.effective_gops())
            }),
            times.map_or_else(String::new, |(own, dense)| format!("{own:.2} ({dense:.2})")),
            format!(
                "{:.1} %, {:.1} %",
                100.0 * row.saved.attention,
                100.0 * row.saved.encoder
            ),
            match (row.mean_cosine, row.perplexity_rise_percent) {
                (Some(cosine), _) => format!("{cosine:.4}"),
                (_, Some(rise)) => format!("{rise:+.2} %"),
                _ => String::new(),
            },
            beside(
                row.footprint.peak_activation_bytes,
                row.footprint_dense_8_bits.peak_activation_bytes,
            ),
            match (row.cache_bytes, row.cache_bytes_dense_8_bits) {
                (Some(own), Some(dense)) => beside(own, dense),
                _ => beside(
                    row.footprint.key_value_bytes,
                    row.footprint_dense_8_bits.key_value_bytes,
                ),
            },
            megabytes(row.footprint.weight_bytes),
        ]);
    }
    output::print_line(table)?;
    print_against(rows)
}

/// The attention, and what comes token by token, against the baselines.
fn print_against(rows: &[Row]) -> Result<()> {
    let titles = [
        "attention: speed, energy".to_owned(),
        format!("{VSSA_EQUAL} over {EYERISS}"),
        format!("{VSSA} over {SPATTEN}"),
        format!("decoding, us a token: {VSSA}, {SPATTEN}, {EYERISS}"),
    ];
    let mut table = console::table(&titles.each_ref().map(String::as_str));
    for row in rows {
        let over = |own: &str, other: &str| {
            let (own, other) = (&row.of(own)?.attention, &row.of(other)?.attention);
            let energy = other.energy.total_pj() / own.energy.total_pj();
            let speed = other.time_us() / own.time_us();
            Some(format!("{speed:.2}, {energy:.2}"))
        };
        let step = |machine: &str| {
            let decoding = &row.of(machine)?.decoding.as_ref()?.attention;
            let tokens = (row.new_tokens * row.inputs) as f64;
            Some(format!("{:.0}", decoding.time_us() / tokens))
        };
        let steps = [VSSA, SPATTEN, EYERISS].map(step);
        table.add_row([
            row.name(),
            over(VSSA_EQUAL, EYERISS).unwrap_or_default(),
            over(VSSA, SPATTEN).unwrap_or_default(),
            steps.into_iter().flatten().collect::<Vec<_>>().join(", "),
        ]);
    }
    output::print_line(table)
}
