//! What a search varies besides ratios.

use dtatrans_precision::{Plan, compensation, importance};
use serde_json::{Value, json};

use crate::{Gene, GeneKind, SpaceError};

/// The role of the genes that give a layer's compensation, and the key by which
/// they are varied.
pub(crate) const LAYER_COMPENSATION: &str = "layer_compensation";

/// Keys of each layer's table that say what share of its heads and values stays.
pub(crate) const KEPT: [&str; 2] = ["heads", "values"];

/// The shares of them that are tried unless the user says which.
const KEPT_SHARES: [f64; 6] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5];

/// The compensations that a layer may have unless the user says which: what
/// costs least, what predicts the layer, and what predicts its second half.
const LAYER_COMPENSATIONS: [&dyn compensation::Compensation; 3] = [
    &compensation::KeysValues,
    &compensation::KeysValuesPredict,
    &compensation::AttentionPredict,
];

/// The forms of importance that are tried unless the user says which: all but
/// the controls, and the one that needs a prior.
const IMPORTANCES: [&dyn importance::Importance; 6] = [
    &importance::Cumulative,
    &importance::LastLayer,
    &importance::Decayed,
    &importance::ValueWeighted,
    &importance::Returning,
    &importance::Waiting,
];

/// Keys that cannot be varied as a whole.
const FIXED: [&str; 8] = [
    "layer", "format", "name", "prior", "cache", "r8", "r4", "r0",
];

/// A key of the plan's file, and the values that a search tries for it; of `heads` and
/// `values` each layer has its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Variation {
    /// The key; `layer_compensation` is the key `compensation` of each layer's
    /// table.
    pub key: String,
    /// The values, as they would stand in the file.
    pub values: Vec<Value>,
}

impl Variation {
    /// A key with the values that are worth trying.
    ///
    /// # Errors
    /// [`SpaceError::Key`] for a key that has no short list of values.
    pub fn of_key(key: &str) -> Result<Variation, SpaceError> {
        let values = match key {
            LAYER_COMPENSATION => LAYER_COMPENSATIONS.map(|c| json!(c.name())).to_vec(),
            "heads" | "values" => KEPT_SHARES.map(|share| json!(share)).to_vec(),
            "compensation" => compensation::ALL.iter().map(|c| json!(c.name())).collect(),
            "importance" => IMPORTANCES.map(|form| json!(form.name())).to_vec(),
            "weight_bits" | "protected_bits" => vec![json!(8), json!(4)],
            "probability_bits" => vec![json!(8), json!(4), json!("tier")],
            "rotation" | "clipping" | "balance" => vec![json!(true), json!(false)],
            "group" => vec![json!(0), json!(128), json!(32)],
            _ => {
                return Err(SpaceError::Key {
                    key: key.into(),
                    allowed: "compensation, layer_compensation, importance, weight_bits, \
                              probability_bits, protected_bits, rotation, balance, group, \
                              clipping, heads or values, or another key of the plan with its values"
                        .into(),
                });
            }
        };
        Ok(Variation {
            key: key.into(),
            values,
        })
    }

    /// The values, the template's own before the others.
    pub(crate) fn own_value_first(&self, template: &Value) -> Result<Variation, SpaceError> {
        let key = &self.key;
        let own = match template.get(key) {
            Some(own) if !FIXED.contains(&key.as_str()) => own,
            _ => {
                return Err(SpaceError::Key {
                    key: key.clone(),
                    allowed: "a key of the plan other than format, name, prior, calibration, \
                              layer, cache and shares"
                        .into(),
                });
            }
        };
        let mut values = vec![own.clone()];
        values.extend(self.each_once()?.into_iter().filter(|value| value != own));
        Ok(Variation {
            key: key.clone(),
            values,
        })
    }

    /// That no key is varied twice.
    pub(crate) fn each_key_once(variations: &[Variation]) -> Result<(), SpaceError> {
        let mut keys: Vec<&str> = variations.iter().map(|v| v.key.as_str()).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(SpaceError::Twice {
                key: pair[0].into(),
            }),
            None => Ok(()),
        }
    }

    /// That a plan takes each value: `file_of` says how one stands in its file that
    /// has a level of a variation.
    pub(crate) fn check_values(
        variations: &[Variation],
        file_of: impl Fn(usize, u16) -> Value,
    ) -> Result<(), SpaceError> {
        for (index, variation) in variations.iter().enumerate() {
            for (level, value) in variation.values.iter().enumerate() {
                let file = file_of(index, level as u16);
                if let Err(error) = serde_json::from_value::<Plan>(file) {
                    return Err(SpaceError::Value {
                        key: variation.key.clone(),
                        value: value.to_string(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The gene of a key of the whole plan.
    pub(crate) fn gene(&self, group: usize) -> Gene {
        let level = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Gene {
            name: self.key.clone(),
            kind: GeneKind::Categorical,
            role: self.key.clone(),
            group,
            levels: self.values.iter().map(level).collect(),
        }
    }

    /// The names of the compensations that a layer may have: the template's own
    /// before the others, those of its single layers last.
    pub(crate) fn compensations(&self, template: &Plan) -> Result<Vec<String>, SpaceError> {
        let mut names = vec![template.compensation.name().to_owned()];
        let mut add = |name: &str| {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        };
        for value in self.each_once()? {
            let name = value.as_str().unwrap_or_default();
            match compensation::find(name) {
                Ok(found) => add(found.name()),
                Err(error) => {
                    return Err(SpaceError::Value {
                        key: self.key.clone(),
                        value: value.to_string(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        (0..template.layers().len()).for_each(|layer| add(template.compensation_at(layer).name()));
        Ok(names)
    }

    /// Shares of what stays in a layer, from all on.
    pub(crate) fn kept_shares(&self) -> Result<Vec<f64>, SpaceError> {
        let mut shares = vec![1.0];
        for value in self.each_once()? {
            let share = value.as_f64().ok_or_else(|| SpaceError::Value {
                key: self.key.clone(),
                value: value.to_string(),
                reason: "no share".into(),
            })?;
            if share != 1.0 {
                shares.push(share);
            }
        }
        shares[1..].sort_by(|a, b| b.total_cmp(a));
        Ok(shares)
    }

    /// The values, none of which may be there twice.
    fn each_once(&self) -> Result<Vec<Value>, SpaceError> {
        let mut seen: Vec<Value> = Vec::new();
        for value in &self.values {
            if seen.contains(value) {
                return Err(SpaceError::Twice {
                    key: self.key.clone(),
                });
            }
            seen.push(value.clone());
        }
        Ok(seen)
    }
}
