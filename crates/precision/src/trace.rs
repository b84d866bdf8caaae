//! The trace: what each token got at each layer, and what the baselines' own
//! rules need of the same run. The only thing that passes from a model to the
//! accelerators.
//!
//! A trace is a JSON Lines file. The first line is the [`Header`], each other
//! line one [`Input`]:
//!
//! ```json
//! {"format":"dtatrans-trace","version":1,"model":{"name":"minilm","layers":6,...},"plan":{...}}
//! {"id":"0","tokens":["[CLS]","good","[SEP]"],"layers":[{"tiers":"888","importance":[...],"heads":[{"magnitude":0.4,"unsure_queries":1},...]},...]}
//! ```
//!
//! Unknown fields are refused; a change of the format raises its version.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::workload::Workload;
use crate::{ModelShape, Plan, Tier, TraceError};

/// Name of the file format.
pub const FORMAT: &str = "dtatrans-trace";
/// Version of the file format.
pub const VERSION: u32 = 1;

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
    /// One record per layer.
    pub layers: Vec<Layer>,
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
    /// The tiers of all layers.
    pub fn tiers(&self) -> Vec<Vec<Tier>> {
        self.layers
            .iter()
            .map(|layer| layer.tiers.clone())
            .collect()
    }

    /// The workload that this input implies.
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
        if format.format != FORMAT || format.version != VERSION {
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
            ("model.head_dim", model.head_dim),
            ("model.intermediate", model.intermediate),
        ] {
            // Far above any model, far below what could overflow a product.
            if size == 0 || size > 1 << 20 {
                return Err(refuse(field, format!("{size}: must be 1 to {}", 1 << 20)));
            }
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
        self.check(&input)?;
        Ok(Some(input))
    }

    fn check(&self, input: &Input) -> Result<(), TraceError> {
        let refuse = |field: String, reason: String| {
            Err(TraceError::Field {
                line: self.line,
                field,
                reason,
            })
        };
        let model = &self.header.model;
        let n = input.tokens.len();
        if n == 0 {
            return refuse("tokens".into(), "is empty".into());
        }
        if input.layers.len() != model.layers {
            let reason = format!(
                "{} layers, the model has {}",
                input.layers.len(),
                model.layers
            );
            return refuse("layers".into(), reason);
        }
        for (index, layer) in input.layers.iter().enumerate() {
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
        }
        Ok(())
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
