//! The plan: the ratios of all layers and the choices that go with them.
//!
//! A plan is a small TOML file:
//!
//! ```toml
//! format = 1                    # version of this schema
//! name = "an example"           # for people; optional
//! compensation = "keys-values"  # what a 0-bit token still does
//! rank = 64                     # of the maps that calibrated compensations use
//! calibration = "a.safetensors" # the file of those maps; beside the plan
//! importance = "cumulative"     # what ranks the tokens
//! prior = false                 # whether tokens have calibrated scores from the start
//! rotation = true               # block Hadamard rotation before quantizing
//! balance = false               # channels scaled by their activations and weights
//! group = 0                     # channels that share a scale; 0: all of a token
//! clipping = true               # cut the largest values of 4-bit rows
//! weight_bits = 8               # 8 or 4, per output channel
//! probability_bits = 8          # 8, 4 or "tier" (the query's)
//! protected_bits = 8            # least bits of [CLS], [SEP] and their like: 8 or 4
//! round_to = 1                  # rows of a tile that groups are rounded up to
//!
//! [[layer]]                     # without a prior the first layer has one tier
//! r8 = 1.0
//! r4 = 0.0
//! r0 = 0.0
//!
//! [[layer]]                     # shares in whole thousandths that sum to 1
//! r8 = 0.25
//! r4 = 0.4
//! r0 = 0.35
//! compensation = "carry"        # at this layer; optional
//! heads = 0.9                   # share of the heads that stay, SpAtten's cascade; optional
//! values = 0.5                  # share of the values that each query adds up; optional
//! cache = { r8 = 0.2, r4 = 0.5, r0 = 0.3 }  # at this layer; optional; or a list of
//!                               # such tables, one per key-value head
//!
//! [cache]                       # what a decoder keeps while it generates; optional
//! policy = "attention"          # what ranks the tokens
//! r8 = 0.1                      # shares of the tokens so far at each tier
//! r4 = 0.6
//! r0 = 0.3
//! scope = "head"                # or "layer": which heads decide together
//! first = 4                     # first tokens that stay at the upper tier
//! newest = 64                   # newest tokens that stay there
//! grace = 0.0                   # share of the kept tokens that are the newest whatever their rank
//! half_life = 128               # queries after which a probability counts half; 0: never
//! centred = true                # keys of the lower tier are kept as differences from their mean
//! key_bits = [8, 4]             # of keys at the upper and the lower tier
//! value_bits = [8, 4]           # of values
//! ```
//!
//! Keys that are not in the schema are refused. `name`, `rank`, `calibration`,
//! `importance`, `prior`, `balance`, `group` and `round_to` may be left out.

mod cache_file;
mod file;

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::file::File;
use crate::assignment::{Rule, assign};
use crate::cache::CachePlan;
use crate::compensation::{self, Compensation};
use crate::importance::{self, Importance};
use crate::{Bits, Calibration, PlanError, Pruning, Ratio, Tier};

/// Version of the plan format.
pub const FORMAT: u32 = 1;

/// Scales that the clipping of a 4-bit row tries.
pub const CLIPPING_TRIALS: u64 = 4;

/// The ratios of all layers and the choices that go with them.
#[derive(Clone)]
pub struct Plan {
    /// A name for people; may be empty.
    pub name: String,
    /// What a 0-bit token still does, unless its layer says otherwise.
    pub compensation: &'static dyn Compensation,
    /// Rank of the maps that [`Change::LowRank`](compensation::Change::LowRank)
    /// uses.
    pub rank: usize,
    /// Name of the file with the calibration, relative to the plan's.
    pub calibration: Option<String>,
    /// The calibration itself, once somebody has read it; no part of the file.
    pub parameters: Option<Arc<Calibration>>,
    /// What ranks the tokens.
    pub importance: &'static dyn Importance,
    /// Whether inputs of matrix products are rotated by a block Hadamard
    /// transform before they are quantized.
    pub rotation: bool,
    /// Whether the channels of a matrix input are scaled, before the rotation,
    /// so that large activations meet large weights evenly.
    pub balance: bool,
    /// How many channels of a token share a scale where it enters a product with
    /// weights; 0 gives all of them one.
    pub group: usize,
    /// Whether a row of 4-bit codes gets the scale of the least squared error,
    /// which cuts its largest values, instead of the one that keeps them all.
    pub clipping: bool,
    /// Width of the weights: 8 or 4 bits, one scale per output channel.
    pub weight_bits: Bits,
    /// Width of the attention probabilities.
    pub probability_bits: ProbabilityBits,
    /// Least width of protected tokens.
    pub protected_bits: ProtectedBits,
    /// Rows of a tile that groups of tokens are rounded up to; 1 rounds nothing.
    pub round_to: usize,
    /// What a decoder's cache keeps; without it everything at 8 bits.
    pub cache: Option<Arc<CachePlan>>,
    /// Whether the calibration gives each token a score before the first layer.
    prior: bool,
    /// The ratio of each layer; without a prior the first is uniform.
    layers: Vec<Ratio>,
    /// What differs from `compensation` at each layer.
    exceptions: Vec<Option<&'static dyn Compensation>>,
    /// Which shares of the heads and the values are kept at each layer.
    pruning: Vec<Pruning>,
}

/// The rank of a low-rank map unless a plan says otherwise.
pub const DEFAULT_RANK: usize = 64;

/// The widest group and the highest rank that a plan may ask for: far above any
/// model's width.
const WIDEST: usize = 1 << 16;

/// The width of the attention probabilities in the product with the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbabilityBits {
    /// The same for every query: 8 or 4.
    Fixed(Bits),
    /// The tier of the query.
    Tier,
}

impl ProbabilityBits {
    /// The width of the probabilities of a query that is computed at `query`.
    pub fn of(self, query: Bits) -> Bits {
        match self {
            ProbabilityBits::Fixed(bits) => bits,
            ProbabilityBits::Tier => query,
        }
    }
}

/// The least width of protected tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtectedBits {
    /// 4 bits.
    Four,
    /// 8 bits.
    Eight,
}

impl ProtectedBits {
    /// The tier that protected tokens reach at least.
    pub fn tier(self) -> Tier {
        match self {
            ProtectedBits::Four => Tier::Four,
            ProtectedBits::Eight => Tier::Eight,
        }
    }
}

impl Plan {
    /// A plan with these ratios and the defaults of everything else:
    /// `keys-values`, rotation, clipping, 8-bit weights, probabilities and protected
    /// tokens, no rounding.
    ///
    /// # Errors
    /// [`PlanError::NoLayers`], or [`PlanError::FirstLayer`] if the first ratio
    /// is not uniform.
    pub fn new(layers: Vec<Ratio>) -> Result<Plan, PlanError> {
        match layers.first() {
            Some(first) if !first.is_uniform() => Err(PlanError::FirstLayer),
            _ => Plan::with_prior(layers).map(|plan| Plan {
                prior: false,
                ..plan
            }),
        }
    }

    /// As [`Plan::new`], but tokens have calibrated scores before the first
    /// layer, which may mix tiers.
    ///
    /// # Errors
    /// [`PlanError::NoLayers`].
    pub fn with_prior(layers: Vec<Ratio>) -> Result<Plan, PlanError> {
        if layers.is_empty() {
            return Err(PlanError::NoLayers);
        }
        Ok(Plan {
            name: String::new(),
            compensation: &compensation::KeysValues,
            rank: DEFAULT_RANK,
            calibration: None,
            parameters: None,
            importance: &importance::Cumulative,
            prior: true,
            exceptions: vec![None; layers.len()],
            pruning: vec![Pruning::NONE; layers.len()],
            rotation: true,
            balance: false,
            group: 0,
            clipping: true,
            weight_bits: Bits::Eight,
            probability_bits: ProbabilityBits::Fixed(Bits::Eight),
            protected_bits: ProtectedBits::Eight,
            round_to: 1,
            cache: None,
            layers,
        })
    }

    /// All tokens at 8 bits at each of `layers` layers: plain int8.
    ///
    /// # Panics
    /// If `layers` is 0.
    pub fn dense_eight(layers: usize) -> Plan {
        let mut plan = Plan::new(vec![Ratio::ALL_EIGHT; layers]).expect("a uniform first layer");
        plan.name = "dense 8 bits".into();
        plan
    }

    /// All tokens at 4 bits at each of `layers` layers, protected ones and
    /// probabilities too: what needs no tiers.
    ///
    /// # Panics
    /// If `layers` is 0.
    pub fn dense_four(layers: usize) -> Plan {
        let mut plan = Plan::new(vec![Ratio::ALL_FOUR; layers]).expect("a uniform first layer");
        plan.name = "dense 4 bits".into();
        plan.protected_bits = ProtectedBits::Four;
        plan.probability_bits = ProbabilityBits::Tier;
        plan
    }

    /// The same with other ratios.
    ///
    /// # Errors
    /// [`PlanError::Depth`] if they are more or fewer; [`PlanError::FirstLayer`] as in
    /// [`Plan::new`].
    pub fn with_ratios(&self, ratios: Vec<Ratio>) -> Result<Plan, PlanError> {
        self.check_depth(ratios.len())?;
        if !self.prior && ratios.first().is_some_and(|first| !first.is_uniform()) {
            return Err(PlanError::FirstLayer);
        }
        Ok(Plan {
            layers: ratios,
            ..self.clone()
        })
    }

    /// The same with other layers: of each the number of the layer whose ratio,
    /// exception and pruning it has. The first must be 0.
    pub(crate) fn with_layers(&self, layers: impl Iterator<Item = usize>) -> Plan {
        let mut plan = Plan {
            layers: Vec::new(),
            exceptions: Vec::new(),
            pruning: Vec::new(),
            ..self.clone()
        };
        for layer in layers {
            plan.layers.push(self.layers[layer]);
            plan.exceptions.push(self.exceptions[layer]);
            plan.pruning.push(self.pruning[layer]);
        }
        plan
    }

    /// The ratio of each layer.
    pub fn layers(&self) -> &[Ratio] {
        &self.layers
    }

    /// Whether tokens have calibrated scores before the first layer.
    pub fn prior(&self) -> bool {
        self.prior
    }

    /// What a 0-bit token still does at a layer.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn compensation_at(&self, layer: usize) -> &'static dyn Compensation {
        self.exceptions[layer].unwrap_or(self.compensation)
    }

    /// Makes a layer differ from the plan's compensation.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn set_compensation_at(&mut self, layer: usize, compensation: &'static dyn Compensation) {
        self.exceptions[layer] = Some(compensation);
    }

    /// Which shares of the heads and the values a layer keeps.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn pruning_at(&self, layer: usize) -> Pruning {
        self.pruning[layer]
    }

    /// Makes a layer keep these shares of its heads and values.
    ///
    /// # Errors
    /// [`PlanError::Layer`] where the first layer is to lose heads: none has given an
    /// output yet.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn set_pruning_at(&mut self, layer: usize, pruning: Pruning) -> Result<(), PlanError> {
        if layer == 0 && pruning.head_share() < 1.0 {
            return Err(PlanError::Layer {
                layer,
                source: Box::new(PlanError::Value {
                    field: "heads",
                    value: pruning.head_share().to_string(),
                    allowed: "1: no head has given an output yet".into(),
                }),
            });
        }
        self.pruning[layer] = pruning;
        Ok(())
    }

    /// The first layer that does not keep all its heads and values.
    pub fn first_pruned(&self) -> Option<usize> {
        let prunes = |pruning: &Pruning| *pruning != Pruning::NONE;
        self.pruning.iter().position(prunes)
    }

    /// Whether a layer may have 0-bit tokens whose change a calibration
    /// estimates.
    pub fn predicts_at(&self, layer: usize) -> bool {
        self.layers[layer].leaves_out() && self.compensation_at(layer).change().is_calibrated()
    }

    /// Whether the plan runs only with a calibration.
    pub fn needs_calibration(&self) -> bool {
        self.prior || (0..self.layers.len()).any(|layer| self.predicts_at(layer))
    }

    /// Scales that the quantization of a row to that width tries.
    pub fn clipping_trials(&self, bits: Bits) -> u64 {
        if self.clipping && bits == Bits::Four {
            CLIPPING_TRIALS
        } else {
            0
        }
    }

    /// That the plan has as many layers as a model.
    ///
    /// # Errors
    /// [`PlanError::Depth`].
    pub fn check_depth(&self, model: usize) -> Result<(), PlanError> {
        if self.layers.len() != model {
            return Err(PlanError::Depth {
                plan: self.layers.len(),
                model,
            });
        }
        Ok(())
    }

    /// The bits at which a layer computes a protected token that comes alone.
    pub fn bits_of_newest(&self, layer: usize) -> Bits {
        let rule = Rule {
            ratio: self.layers[layer],
            protected: &[true],
            protected_bits: self.protected_bits,
            gone: &[false],
            round_to: 1,
        };
        let tier = assign(&[0.0], rule)[0];
        tier.operand().expect("a protected token is computed")
    }

    /// A plan from the text of its file.
    ///
    /// # Errors
    /// A [`PlanError`] that names the key or the layer at fault.
    pub fn from_toml(text: &str) -> Result<Plan, PlanError> {
        let file: File = toml::from_str(text).map_err(|error| {
            PlanError::Syntax(error.to_string().trim_end().replace('\n', "\n  "))
        })?;
        file.try_into()
    }

    /// The text of the plan's file.
    pub fn to_toml(&self) -> String {
        toml::to_string(&File::from(self)).expect("a plan is plain data")
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Plan) -> bool {
        File::from(self) == File::from(other)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        File::from(self).fmt(f)
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        File::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Plan, D::Error> {
        File::deserialize(deserializer)?
            .try_into()
            .map_err(D::Error::custom)
    }
}
