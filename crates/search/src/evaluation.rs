//! What an evaluation says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Candidate;

/// What a candidate loses and costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The measured loss, such as points of accuracy below f32. It may be below
    /// 0, where chance or the plan gave a gain; it is noisy.
    pub loss: f64,
    /// The standard error of the loss, such as the paired bootstrap's; 0 if the
    /// loss is exact or its error not known.
    pub standard_error: f64,
    /// A smooth measure of the same harm, not below 0, such as the mean
    /// deviation of the outputs from f32: far less noisy than the loss, it leads
    /// the search. `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guide: Option<f64>,
    /// The cost, above 0.
    pub cost: f64,
    /// Whatever else was measured, by name: kept, and not looked at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, f64>,
}

impl Evaluation {
    /// What is no finite number, if anything.
    pub(crate) fn fault(&self) -> Option<&str> {
        let finite = |name: &'static str, value: f64| (!value.is_finite()).then_some(name);
        finite("loss", self.loss)
            .or_else(|| finite("standard_error", self.standard_error))
            .or_else(|| finite("guide", self.guide.unwrap_or(0.0)))
            .or_else(|| finite("cost", self.cost))
            .or_else(|| {
                let mut measures = self.measures.iter();
                measures.find_map(|(name, value)| (!value.is_finite()).then_some(name.as_str()))
            })
    }
}

/// A candidate and what its evaluation said.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The candidate.
    pub candidate: Candidate,
    /// What it loses and costs.
    pub evaluation: Evaluation,
}
