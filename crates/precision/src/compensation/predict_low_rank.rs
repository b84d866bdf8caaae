//! The change is estimated by a map of low rank.

use super::{Change, Compensation};

/// A calibrated affine map of the plan's `rank` estimates what the layer adds to
/// a 0-bit token before its last layer norm: 2 r d products, at 4 bits. Nobody
/// attends to the token there.
pub struct PredictLowRank;

impl Compensation for PredictLowRank {
    fn name(&self) -> &'static str {
        "predict-low-rank"
    }

    fn summary(&self) -> &'static str {
        "a calibrated map of low rank estimates the change of a 0-bit token"
    }

    fn change(&self) -> Change {
        Change::LowRank
    }
}
