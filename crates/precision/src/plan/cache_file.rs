//! The table `[cache]` of a plan file.

use serde::{Deserialize, Serialize};

use super::file::LayerFile;
use crate::cache::{self, CachePlan, Scope, Widths};
use crate::{Bits, PlanError, Ratio};

/// Tokens that may be protected, and queries that a half-life may be: far above
/// any model's context.
const MOST: usize = 1 << 24;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheFile {
    policy: String,
    r8: f64,
    r4: f64,
    r0: f64,
    #[serde(default = "head")]
    scope: String,
    #[serde(default)]
    first: usize,
    #[serde(default)]
    newest: usize,
    #[serde(default)]
    grace: f64,
    #[serde(default)]
    half_life: usize,
    #[serde(default = "yes")]
    centred: bool,
    #[serde(default = "eight_four")]
    key_bits: [u32; 2],
    #[serde(default = "eight_four")]
    value_bits: [u32; 2],
}

/// Shares of the tiers, as a table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RatioFile {
    r8: f64,
    r4: f64,
    r0: f64,
}

/// Shares of a layer: of all its heads alike, or of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SharesFile {
    Alike(RatioFile),
    Each(Vec<RatioFile>),
}

impl From<&Vec<Ratio>> for SharesFile {
    fn from(ratios: &Vec<Ratio>) -> SharesFile {
        match ratios[..] {
            [one] => SharesFile::Alike(one.into()),
            ref several => SharesFile::Each(several.iter().map(|&one| one.into()).collect()),
        }
    }
}

impl RatioFile {
    fn read(self) -> Result<Ratio, PlanError> {
        Ratio::from_shares(self.r8, self.r4, self.r0)
    }
}

fn head() -> String {
    "head".into()
}

fn yes() -> bool {
    true
}

fn eight_four() -> [u32; 2] {
    [8, 4]
}

impl From<Ratio> for RatioFile {
    fn from(ratio: Ratio) -> RatioFile {
        RatioFile {
            r8: ratio.r8(),
            r4: ratio.r4(),
            r0: ratio.r0(),
        }
    }
}

impl From<&CachePlan> for CacheFile {
    fn from(plan: &CachePlan) -> CacheFile {
        let RatioFile { r8, r4, r0 } = common(plan).into();
        CacheFile {
            policy: plan.policy.name().into(),
            r8,
            r4,
            r0,
            scope: match plan.scope {
                Scope::Head => "head".into(),
                Scope::Layer => "layer".into(),
            },
            first: plan.first,
            newest: plan.newest,
            grace: plan.grace,
            half_life: plan.half_life,
            centred: plan.centred,
            key_bits: [plan.upper.key.bits(), plan.lower.key.bits()],
            value_bits: [plan.upper.value.bits(), plan.lower.value.bits()],
        }
    }
}

/// The shares of the table `[cache]`: the first layer's, if all its heads have the
/// same.
pub(super) fn common(plan: &CachePlan) -> Ratio {
    plan.layers[0][0]
}

impl CacheFile {
    pub(super) fn read(&self, layers: &[LayerFile]) -> Result<CachePlan, PlanError> {
        let refuse = |field, value: String, allowed: &str| PlanError::Value {
            field,
            value,
            allowed: allowed.into(),
        };
        let policy = cache::find(&self.policy)?;
        let scope = match self.scope.as_str() {
            "head" => Scope::Head,
            "layer" => Scope::Layer,
            other => {
                let value = format!("\"{other}\"");
                return Err(refuse("cache.scope", value, "\"head\" or \"layer\""));
            }
        };
        if policy.cascades() && scope == Scope::Head {
            let value = "\"head\"".into();
            return Err(refuse("cache.scope", value, "\"layer\" for this policy"));
        }
        for (field, count) in [
            ("cache.first", self.first),
            ("cache.newest", self.newest),
            ("cache.half_life", self.half_life),
        ] {
            if count > MOST {
                return Err(refuse(field, count.to_string(), "at most 16777216"));
            }
        }
        if !(0.0..=1.0).contains(&self.grace) {
            return Err(refuse("cache.grace", self.grace.to_string(), "0 to 1"));
        }
        let bits = |field, bits: u32| match bits {
            4 => Ok(Bits::Four),
            8 => Ok(Bits::Eight),
            other => Err(refuse(field, other.to_string(), "8 or 4")),
        };
        let widths = |tier: usize| {
            Ok(Widths {
                key: bits("cache.key_bits", self.key_bits[tier])?,
                value: bits("cache.value_bits", self.value_bits[tier])?,
            })
        };
        let all = Ratio::from_shares(self.r8, self.r4, self.r0)?;
        let layer = |(index, layer): (usize, &LayerFile)| {
            let shares = match &layer.cache {
                None => Ok(vec![all]),
                Some(SharesFile::Alike(own)) => own.read().map(|ratio| vec![ratio]),
                Some(SharesFile::Each(heads)) if heads.is_empty() => {
                    Err(refuse("cache", "[]".into(), "at least one table of shares"))
                }
                Some(SharesFile::Each(heads)) => heads.iter().map(|own| own.read()).collect(),
            };
            shares.map_err(|source| PlanError::Layer {
                layer: index,
                source: Box::new(source),
            })
        };
        Ok(CachePlan {
            policy,
            layers: layers
                .iter()
                .enumerate()
                .map(layer)
                .collect::<Result<_, _>>()?,
            scope,
            first: self.first,
            newest: self.newest,
            grace: self.grace,
            half_life: self.half_life,
            centred: self.centred,
            upper: widths(0)?,
            lower: widths(1)?,
            bound: None,
        })
    }
}
