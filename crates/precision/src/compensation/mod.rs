//! Compensation: the lightweight computing on 0-bit tokens.
//!
//! The paper has one and does not publish how it works; these are ours. To add
//! one, write a file beside these, implement [`Compensation`], and name it in
//! [`ALL`].

mod attention_predict;
mod carry;
mod drop;
mod fused;
mod keys_values;
mod keys_values_fused;
mod keys_values_predict;
mod predict_diagonal;
mod predict_low_rank;

use crate::{Bits, PlanError};

pub use attention_predict::AttentionPredict;
pub use carry::Carry;
pub use drop::Drop;
pub use fused::Fused;
pub use keys_values::KeysValues;
pub use keys_values_fused::KeysValuesFused;
pub use keys_values_predict::KeysValuesPredict;
pub use predict_diagonal::PredictDiagonal;
pub use predict_low_rank::PredictLowRank;

/// What a token at 0 bits still does at a layer.
pub trait Compensation: Send + Sync {
    /// The name in plan files.
    fn name(&self) -> &'static str;

    /// One sentence for help texts.
    fn summary(&self) -> &'static str;

    /// Whether a token that was at 0 bits once can be computed at a later
    /// layer.
    fn may_return(&self) -> bool {
        true
    }

    /// The bits at which a 0-bit token still offers a key and a value, made
    /// from its carried state, for others to attend to; `None` if it offers
    /// none.
    fn key_value_bits(&self) -> Option<Bits> {
        None
    }

    /// Whether a 0-bit token still runs the attention, at the bits of its key:
    /// then only the feed-forward network is left out.
    fn attends(&self) -> bool {
        false
    }

    /// What stands in for the computation that a 0-bit token is spared.
    fn change(&self) -> Change {
        Change::None
    }
}

/// What stands in for the change that a layer makes to a 0-bit token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the state stays as it is.
    None,
    /// The change of the 0-bit tokens' average, which runs as one 8-bit token.
    Fused,
    /// A calibrated gain and offset for each channel.
    Diagonal,
    /// A calibrated affine map of the plan's rank.
    LowRank,
}

impl Change {
    /// Whether it needs parameters from a calibration.
    pub fn is_calibrated(self) -> bool {
        matches!(self, Change::Diagonal | Change::LowRank)
    }
}

/// Every compensation there is.
pub static ALL: &[&dyn Compensation] = &[
    &Drop,
    &Carry,
    &KeysValues,
    &Fused,
    &KeysValuesFused,
    &PredictDiagonal,
    &PredictLowRank,
    &KeysValuesPredict,
    &AttentionPredict,
];

/// The compensation of that name.
///
/// # Errors
/// [`PlanError::Value`] naming the known ones.
pub fn find(name: &str) -> Result<&'static dyn Compensation, PlanError> {
    let found = ALL.iter().find(|compensation| compensation.name() == name);
    found.copied().ok_or_else(|| {
        let names = ALL.iter().map(|compensation| compensation.name());
        PlanError::unknown_name("compensation", name, names)
    })
}
