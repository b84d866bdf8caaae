//! A plan as its file has it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cache_file::{self, CacheFile, SharesFile};
use super::{DEFAULT_RANK, FORMAT, Plan, ProbabilityBits, ProtectedBits, WIDEST};
use crate::compensation;
use crate::importance::{self, Importance};
use crate::{Bits, PlanError, Pruning, Ratio};

/// A plan as it stands in its file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    format: u32,
    #[serde(default)]
    name: String,
    compensation: String,
    #[serde(default = "default_rank", skip_serializing_if = "is_default_rank")]
    rank: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calibration: Option<String>,
    #[serde(default = "cumulative", skip_serializing_if = "is_cumulative")]
    importance: String,
    #[serde(default, skip_serializing_if = "is_false")]
    prior: bool,
    rotation: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    balance: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    group: usize,
    clipping: bool,
    weight_bits: u32,
    probability_bits: ProbabilityField,
    protected_bits: u32,
    #[serde(default = "one")]
    round_to: usize,
    #[serde(default)]
    layer: Vec<LayerFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache: Option<CacheFile>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerFile {
    r8: f64,
    r4: f64,
    r0: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compensation: Option<String>,
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    heads: f64,
    #[serde(default = "whole", skip_serializing_if = "is_whole")]
    values: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<SharesFile>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum ProbabilityField {
    Bits(u32),
    Word(String),
}

fn one() -> usize {
    1
}

fn whole() -> f64 {
    1.0
}

fn is_whole(share: &f64) -> bool {
    *share == whole()
}

fn default_rank() -> usize {
    DEFAULT_RANK
}

fn is_default_rank(rank: &usize) -> bool {
    *rank == DEFAULT_RANK
}

fn cumulative() -> String {
    importance::Cumulative.name().into()
}

fn is_cumulative(name: &String) -> bool {
    *name == importance::Cumulative.name()
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl From<&Plan> for File {
    fn from(plan: &Plan) -> File {
        File {
            format: FORMAT,
            name: plan.name.clone(),
            compensation: plan.compensation.name().into(),
            rank: plan.rank,
            calibration: plan.calibration.clone(),
            importance: plan.importance.name().into(),
            prior: plan.prior,
            rotation: plan.rotation,
            balance: plan.balance,
            group: plan.group,
            clipping: plan.clipping,
            weight_bits: plan.weight_bits.bits(),
            probability_bits: match plan.probability_bits {
                ProbabilityBits::Fixed(bits) => ProbabilityField::Bits(bits.bits()),
                ProbabilityBits::Tier => ProbabilityField::Word("tier".into()),
            },
            protected_bits: plan.protected_bits.tier().bits(),
            round_to: plan.round_to,
            cache: plan.cache.as_deref().map(CacheFile::from),
            layer: plan
                .layers
                .iter()
                .zip(&plan.exceptions)
                .enumerate()
                .map(|(index, (ratio, exception))| LayerFile {
                    cache: plan.cache.as_ref().and_then(|cache| {
                        let own = &cache.layers[index];
                        (own[..] != [cache_file::common(cache)]).then(|| own.into())
                    }),
                    r8: ratio.r8(),
                    r4: ratio.r4(),
                    r0: ratio.r0(),
                    compensation: exception.map(|compensation| compensation.name().into()),
                    heads: plan.pruning[index].head_share(),
                    values: plan.pruning[index].value_share(),
                })
                .collect(),
        }
    }
}

impl TryFrom<File> for Plan {
    type Error = PlanError;

    fn try_from(file: File) -> Result<Plan, PlanError> {
        if file.format != FORMAT {
            return Err(PlanError::Format { found: file.format });
        }
        let layers = file
            .layer
            .iter()
            .enumerate()
            .map(|(layer, shares)| {
                Ratio::from_shares(shares.r8, shares.r4, shares.r0).map_err(|source| {
                    PlanError::Layer {
                        layer,
                        source: Box::new(source),
                    }
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let refuse = |field, value: String, allowed: &str| PlanError::Value {
            field,
            value,
            allowed: allowed.into(),
        };
        if file.round_to == 0 {
            return Err(refuse("round_to", "0".into(), "at least 1"));
        }
        if file.rank == 0 || file.rank > WIDEST {
            return Err(refuse("rank", file.rank.to_string(), "1 to 65536"));
        }
        if file.group > WIDEST {
            return Err(refuse("group", file.group.to_string(), "0 to 65536"));
        }
        let exceptions = file
            .layer
            .iter()
            .enumerate()
            .map(|(layer, shares)| match &shares.compensation {
                None => Ok(None),
                Some(name) => match compensation::find(name) {
                    Ok(found) => Ok(Some(found)),
                    Err(source) => Err(PlanError::Layer {
                        layer,
                        source: Box::new(source),
                    }),
                },
            })
            .collect::<Result<Vec<_>, _>>()?;
        let cache = match file.cache {
            None => match file.layer.iter().position(|layer| layer.cache.is_some()) {
                None => None,
                Some(layer) => {
                    let value = format!("at layer {layer}");
                    return Err(refuse("cache", value, "beside a [cache] for all layers"));
                }
            },
            Some(cache) => Some(Arc::new(cache.read(&file.layer)?)),
        };
        let mut plan = match file.prior {
            true => Plan::with_prior(layers)?,
            false => Plan::new(layers)?,
        };
        for (layer, shares) in file.layer.iter().enumerate() {
            let pruning = Pruning::from_shares(shares.heads, shares.values);
            let pruning = pruning.map_err(|source| PlanError::Layer {
                layer,
                source: Box::new(source),
            })?;
            plan.set_pruning_at(layer, pruning)?;
        }
        Ok(Plan {
            name: file.name,
            compensation: compensation::find(&file.compensation)?,
            exceptions,
            rank: file.rank,
            calibration: file.calibration,
            importance: importance::find(&file.importance)?,
            rotation: file.rotation,
            balance: file.balance,
            group: file.group,
            clipping: file.clipping,
            weight_bits: match file.weight_bits {
                4 => Bits::Four,
                8 => Bits::Eight,
                bits => return Err(refuse("weight_bits", bits.to_string(), "8 or 4")),
            },
            probability_bits: match file.probability_bits {
                ProbabilityField::Bits(4) => ProbabilityBits::Fixed(Bits::Four),
                ProbabilityField::Bits(8) => ProbabilityBits::Fixed(Bits::Eight),
                ProbabilityField::Word(word) if word == "tier" => ProbabilityBits::Tier,
                ProbabilityField::Bits(bits) => {
                    let allowed = "8, 4 or \"tier\"";
                    return Err(refuse("probability_bits", bits.to_string(), allowed));
                }
                ProbabilityField::Word(word) => {
                    let allowed = "8, 4 or \"tier\"";
                    return Err(refuse("probability_bits", format!("\"{word}\""), allowed));
                }
            },
            protected_bits: match file.protected_bits {
                4 => ProtectedBits::Four,
                8 => ProtectedBits::Eight,
                bits => return Err(refuse("protected_bits", bits.to_string(), "8 or 4")),
            },
            round_to: file.round_to,
            cache,
            ..plan
        })
    }
}
