//! Calibration: what a plan needs to know of a model's behaviour on real text.
//!
//! A model is run on texts once, and the parameters that fit it best are kept in
//! a file beside the plan. Compensations that estimate a change take their maps
//! from it, and the first layer its scores.

use crate::compensation::Compensation;

/// The parameters that a calibration has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// One entry per layer.
    pub layers: Vec<LayerMaps>,
    /// One entry per token id: the importance to start with; empty where the
    /// plan has no prior.
    pub prior: Vec<f32>,
}

/// The maps that estimate a 0-bit token's change at one layer, where a plan asks
/// for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerMaps {
    /// Of the whole layer, from the state before it.
    pub layer: Option<ChangeMap>,
    /// Of the feed-forward network, from the state after the attention.
    pub feed_forward: Option<ChangeMap>,
}

impl LayerMaps {
    /// The map that a compensation uses: of the feed-forward network if its
    /// tokens attend.
    pub fn of(&self, compensation: &dyn Compensation) -> Option<&ChangeMap> {
        match compensation.attends() {
            true => self.feed_forward.as_ref(),
            false => self.layer.as_ref(),
        }
    }

    /// The place of that map.
    pub fn of_mut(&mut self, compensation: &dyn Compensation) -> &mut Option<ChangeMap> {
        match compensation.attends() {
            true => &mut self.feed_forward,
            false => &mut self.layer,
        }
    }
}

/// An affine map from a token's state to the change that a layer, or its
/// feed-forward network alone, makes before the last layer norm.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeMap {
    /// change\[c\] = gain\[c\] x state\[c\] + offset\[c\].
    Diagonal {
        /// One gain per channel.
        gain: Vec<f32>,
        /// One offset per channel.
        offset: Vec<f32>,
    },
    /// change = up (down state) + offset.
    LowRank {
        /// (rank, channels), row by row.
        down: Vec<f32>,
        /// (channels, rank), row by row.
        up: Vec<f32>,
        /// One offset per channel.
        offset: Vec<f32>,
    },
}

impl ChangeMap {
    /// Its number of channels.
    pub fn channels(&self) -> usize {
        match self {
            ChangeMap::Diagonal { offset, .. } | ChangeMap::LowRank { offset, .. } => offset.len(),
        }
    }

    /// The rank of a low-rank map.
    pub fn rank(&self) -> Option<usize> {
        match self {
            ChangeMap::Diagonal { .. } => None,
            ChangeMap::LowRank { up, offset, .. } => Some(up.len() / offset.len().max(1)),
        }
    }
}
