//! The trace: what each token got at each layer, and what the baselines' own
//! rules need of the same run. The only thing that passes from a model to the
//! accelerators.
//!
//! A trace is a JSON Lines file. The first line is the [`Header`], each other
//! line one [`Input`]:
//!
//! ```json
//! {"format":"dtatrans-trace","version":3,"model":{"name":"minilm","layers":6,...},"plan":{...}}
//! {"id":"0","tokens":["[CLS]","good","[SEP]"],"layers":[{"tiers":"888","importance":[...],"heads":[{"magnitude":0.4,"unsure_queries":1},...]},...]}
//! ```
//!
//! A decoder's input has the record of its layers for the tokens that it read at
//! once, and, where it went on one token at a time, [`Generation`]: what became of
//! each token in the cache. [`Input::replay`] gives it step by step.
//!
//! On request a layer also has the integer operands of heads, [`Operands`].
//!
//! Unknown fields are refused; a change of the format raises its version.

mod depth;
mod operands;
mod replan;

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::workload::Workload;
use crate::{ModelShape, Plan, Tier, TraceError};

pub use operands::{OperandRows, Operands};

/// Name of the file format.
pub const FORMAT: &str = "dtatrans-trace";
/// Version of the file format that is written.
pub const VERSION: u32 = 3;
/// The oldest version that is read: it does not say what stands before and behind the
/// layers.
pub const OLDEST_VERSION: u32 = 2;

/// A query whose largest probability is below this asks SpAtten's progressive
/// quantization for the low bits (HPCA 2021, section V).
pub const UNSURE_BELOW: f32 = 0.1;

/// The first line of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The model's shape.
    pub model: ModelShape,
    /// The plan that the model ran under.
    pub plan: Plan,
}

/// What happened to one input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Names the input, for people.
    pub id: String,
    /// The tokens as text, special ones included.
    pub tokens: Vec<String>,
    /// One record per layer, of the tokens that were read at once.
    pub layers: Vec<Layer>,
    /// How the other tokens came, if not all were read at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
}

/// Tokens that came one by one behind a text that was read at once, and what became
/// of all in the cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// By layer: the sets of key-value heads that decide together, all of a layer or
    /// each alone.
    pub caches: Vec<Vec<KeptTokens>>,
}

/// What a set of key-value heads keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTokens {
    /// Where the tokens that were read at once are then: at the upper tier, 8, at the
    /// lower one, 4, or gone, 0.
    #[serde(with = "digits")]
    pub tiers: Vec<Tier>,
    /// What changed after, in the order of the steps.
    pub moves: Vec<Move>,
}

/// A token that was moved, or came and did not stay at the upper tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(usize, usize, u32)", into = "(usize, usize, u32)")]
pub struct Move {
    /// The token that came and was attended to before.
    pub after: usize,
    /// The token that moved.
    pub token: usize,
    /// Where to.
    pub to: Tier,
}

impl TryFrom<(usize, usize, u32)> for Move {
    type Error = String;

    fn try_from((after, token, bits): (usize, usize, u32)) -> Result<Move, String> {
        let to = Tier::ALL.into_iter().find(|tier| tier.bits() == bits);
        let to = to.ok_or_else(|| format!("tier {bits}: must be 8, 4 or 0"))?;
        Ok(Move { after, token, to })
    }
}

impl From<Move> for (usize, usize, u32) {
    fn from(moved: Move) -> (usize, usize, u32) {
        (moved.after, moved.token, moved.to.bits())
    }
}

/// The steps of an input, one for each token that came alone.
pub struct Replay<'a> {
    caches: &'a [Vec<KeptTokens>],
    /// By layer and set: the moves that are made.
    made: Vec<Vec<usize>>,
    tiers: Vec<Vec<Vec<Tier>>>,
    /// The token that comes next.
    next: usize,
    tokens: usize,
}

impl Replay<'_> {
    /// By layer and set: the tiers of the tokens that the next one attends to, with
    /// its own, the upper one, as the last. `None` behind the last token.
    pub fn step(&mut self) -> Option<&[Vec<Vec<Tier>>]> {
        if self.next >= self.tokens {
            return None;
        }
        let sets = self.caches.iter().zip(&mut self.made).zip(&mut self.tiers);
        for ((caches, made), tiers) in sets {
            for ((cache, made), tiers) in caches.iter().zip(made).zip(tiers) {
                let moves = cache.moves[*made..].iter();
                for moved in moves.take_while(|moved| moved.after < self.next) {
                    tiers[moved.token] = moved.to;
                    *made += 1;
                }
                tiers.push(Tier::Eight);
            }
        }
        self.next += 1;
        Some(&self.tiers)
    }
}

/// A field of an input that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What happened to one input at one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The tier of each token, one digit each.
    #[serde(with = "digits")]
    pub tiers: Vec<Tier>,
    /// The importance of each token after this layer.
    pub importance: Vec<f32>,
    /// What the baselines' rules need, one record per head.
    pub heads: Vec<Head>,
    /// What the products of some heads multiply, by rising head, where it was asked
    /// for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operands: Vec<Operands>,
}

/// What the baselines' own rules need of one head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Mean magnitude of the head's output over computed tokens and channels:
    /// what SpAtten's cascade head pruning accumulates.
    pub magnitude: f32,
    /// Queries whose largest probability is below [`UNSURE_BELOW`].
    pub unsure_queries: u32,
}

impl Input {
    /// Tokens that were read at once.
    pub fn read(&self) -> usize {
        match self.layers.first() {
            Some(layer) => layer.tiers.len(),
            None => 0,
        }
    }

    /// The steps of the tokens that came one by one; none where all were read at
    /// once.
    pub fn replay(&self) -> Replay<'_> {
        let caches: &[Vec<KeptTokens>] = match &self.generation {
            Some(generation) => &generation.caches,
            None => &[],
        };
        let sets = |caches: &Vec<KeptTokens>| caches.iter().map(|set| set.tiers.clone()).collect();
        Replay {
            caches,
            made: caches.iter().map(|sets| vec![0; sets.len()]).collect(),
            tiers: caches.iter().map(sets).collect(),
            next: self.read(),
            tokens: match caches {
                [] => 0,
                _ => self.tokens.len(),
            },
        }
    }

    /// That the input fits a model of this shape.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self, model: &ModelShape) -> Result<(), Misfit> {
        let refuse = |field: String, reason: String| Err(Misfit { field, reason });
        let n = match self.generation {
            Some(_) => self.read(),
            None => self.tokens.len(),
        };
        if self.tokens.is_empty() {
            return refuse("tokens".into(), "is empty".into());
        }
        if self.layers.len() != model.layers {
            let (own, layers) = (self.layers.len(), model.layers);
            let reason = format!("{own} layers, the model has {layers}");
            return refuse("layers".into(), reason);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let field = |name: &str| format!("layers[{index}].{name}");
            if layer.tiers.len() != n {
                let reason = format!("{} tiers for {n} tokens", layer.tiers.len());
                return refuse(field("tiers"), reason);
            }
            if !layer.tiers.iter().any(|tier| tier.is_computed()) {
                return refuse(field("tiers"), "no token is computed".into());
            }
            if layer.importance.len() != n {
                let reason = format!("{} values for {n} tokens", layer.importance.len());
                return refuse(field("importance"), reason);
            }
            if layer.heads.len() != model.heads {
                let reason = format!("{} heads, the model has {}", layer.heads.len(), model.heads);
                return refuse(field("heads"), reason);
            }
            operands::check(&layer.operands, model, &layer.tiers).map_err(|misfit| Misfit {
                field: field(&misfit.field),
                ..misfit
            })?;
        }
        match &self.generation {
            Some(generation) => self.check_generation(generation, model),
            None => Ok(()),
        }
    }

    fn check_generation(&self, generation: &Generation, model: &ModelShape) -> Result<(), Misfit> {
        let refuse = |field: String, reason: String| Err(Misfit { field, reason });
        let (read, tokens, caches) = (self.read(), self.tokens.len(), &generation.caches);
        if !model.causal {
            let reason = "the model sees all tokens at once".into();
            return refuse("generation".into(), reason);
        }
        if tokens <= read {
            let reason = format!("{tokens} tokens, {read} of which were read at once");
            return refuse("tokens".into(), reason);
        }
        if caches.len() != model.layers {
            let reason = format!("{} layers, the model has {}", caches.len(), model.layers);
            return refuse("generation.caches".into(), reason);
        }
        for (layer, sets) in caches.iter().enumerate() {
            let field = format!("generation.caches[{layer}]");
            if ![1, model.key_value_heads].contains(&sets.len()) {
                let (own, heads) = (sets.len(), model.key_value_heads);
                let reason = format!("{own} sets of {heads} key-value heads");
                return refuse(field, reason);
            }
            for (index, set) in sets.iter().enumerate() {
                let field = |name: &str| format!("{field}[{index}].{name}");
                if set.tiers.len() != read {
                    let reason = format!("{} tiers for {read} tokens", set.tiers.len());
                    return refuse(field("tiers"), reason);
                }
                let fits = |moved: &Move| {
                    (read..tokens).contains(&moved.after) && moved.token <= moved.after
                };
                if let Some(moved) = set.moves.iter().find(|moved| !fits(moved)) {
                    let Move { after, token, .. } = moved;
                    let reason = format!("token {token} after token {after}");
                    return refuse(field("moves"), reason);
                }
                if !set.moves.is_sorted_by_key(|moved| moved.after) {
                    return refuse(field("moves"), "not in the order of the steps".into());
                }
            }
        }
        Ok(())
    }

    /// The tiers of all layers.
    pub fn tiers(&self) -> Vec<Vec<Tier>> {
        self.layers
            .iter()
            .map(|layer| layer.tiers.clone())
            .collect()
    }

    /// The workload that reading this input, or what of it was read at once, implies.
    pub fn workload(&self, header: &Header) -> Workload {
        Workload::under_plan(&header.model, &header.plan, &self.tiers())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    format: String,
    version: u32,
    model: ModelShape,
    plan: Plan,
}

#[derive(Deserialize)]
struct FormatOnly {
    format: String,
    version: u32,
}

/// Writes a trace line by line.
pub struct Writer<W: Write> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`TraceError::Io`].
    pub fn new(mut to: W, header: &Header) -> Result<Writer<W>, TraceError> {
        let line = HeaderLine {
            format: FORMAT.into(),
            version: VERSION,
            model: header.model.clone(),
            plan: header.plan.clone(),
        };
        write_line(&mut to, &line)?;
        Ok(Writer { to })
    }

    /// Writes one input.
    ///
    /// # Errors
    /// [`TraceError::Io`].
    pub fn write(&mut self, input: &Input) -> Result<(), TraceError> {
        write_line(&mut self.to, input)
    }

    /// Flushes and gives back what it wrote to.
    ///
    /// # Errors
    /// [`TraceError::Io`].
    pub fn finish(mut self) -> Result<W, TraceError> {
        self.to.flush()?;
        Ok(self.to)
    }
}

fn write_line(to: &mut impl Write, value: &impl Serialize) -> Result<(), TraceError> {
    serde_json::to_writer(&mut *to, value).map_err(std::io::Error::from)?;
    to.write_all(b"\n")?;
    Ok(())
}

/// Reads a trace: its header at once, its inputs one by one.
pub struct Reader<R: BufRead> {
    from: R,
    line: usize,
    header: Header,
}

impl<R: BufRead> Reader<R> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// [`TraceError`] naming what is wrong with the first line.
    pub fn new(mut from: R) -> Result<Reader<R>, TraceError> {
        let mut text = String::new();
        if read_line(&mut from, &mut text, 1)? == 0 {
            return Err(TraceError::Empty);
        }
        // The version first: a later one may have other fields.
        let format: FormatOnly = parse(&text, 1)?;
        let known = OLDEST_VERSION..=VERSION;
        if format.format != FORMAT || !known.contains(&format.version) {
            return Err(TraceError::Version {
                format: format.format,
                version: format.version,
            });
        }
        let line: HeaderLine = parse(&text, 1)?;
        let header = Header {
            model: line.model,
            plan: line.plan,
        };
        let refuse = |field: &str, reason: String| TraceError::Field {
            line: 1,
            field: field.into(),
            reason,
        };
        let model = &header.model;
        for (field, size) in [
            ("model.layers", model.layers),
            ("model.hidden", model.hidden),
            ("model.heads", model.heads),
            ("model.key_value_heads", model.key_value_heads),
            ("model.head_dim", model.head_dim),
            ("model.intermediate", model.intermediate),
        ] {
            // Far above any model, far below what could overflow a product.
            if size == 0 || size > 1 << 20 {
                return Err(refuse(field, format!("{size}: must be 1 to {}", 1 << 20)));
            }
        }
        if !model.heads.is_multiple_of(model.key_value_heads) {
            let (own, heads) = (model.key_value_heads, model.heads);
            let reason = format!("{own}: must divide the {heads} heads");
            return Err(refuse("model.key_value_heads", reason));
        }
        if let Some(ends) = &model.ends {
            ends.check()
                .map_err(|(field, reason)| refuse(field, reason))?;
        }
        header
            .plan
            .check_depth(model.layers)
            .map_err(|error| refuse("plan", error.to_string()))?;
        Ok(Reader {
            from,
            line: 1,
            header,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next input, or `None` at the end.
    ///
    /// # Errors
    /// [`TraceError`] naming line and field.
    pub fn read(&mut self) -> Result<Option<Input>, TraceError> {
        self.line += 1;
        let mut text = String::new();
        if read_line(&mut self.from, &mut text, self.line)? == 0 {
            return Ok(None);
        }
        let input: Input = parse(&text, self.line)?;
        match input.check(&self.header.model) {
            Ok(()) => Ok(Some(input)),
            Err(Misfit { field, reason }) => Err(TraceError::Field {
                line: self.line,
                field,
                reason,
            }),
        }
    }
}

fn read_line(from: &mut impl BufRead, text: &mut String, line: usize) -> Result<usize, TraceError> {
    from.read_line(text).map_err(|error| {
        if error.kind() == std::io::ErrorKind::InvalidData {
            TraceError::Syntax {
                line,
                reason: "is not UTF-8".into(),
            }
        } else {
            error.into()
        }
    })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, line: usize) -> Result<T, TraceError> {
    serde_json::from_str(text).map_err(|error| TraceError::Syntax {
        line,
        reason: error.to_string(),
    })
}

/// Tiers as a string of digits.
mod digits {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Tier;

    pub(super) fn serialize<S: Serializer>(tiers: &[Tier], to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&tiers.iter().map(|tier| tier.digit()).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Tier>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.chars()
            .map(|digit| {
                Tier::from_digit(digit)
                    .ok_or_else(|| D::Error::custom(format!("tier `{digit}`: must be 8, 4 or 0")))
            })
            .collect()
    }
}
