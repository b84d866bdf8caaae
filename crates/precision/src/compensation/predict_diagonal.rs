//! The change is estimated channel by channel.

use super::{Change, Compensation};

/// A calibrated gain and offset for each channel estimate what the layer adds
/// to a 0-bit token before its last layer norm: d multiplications. Nobody
/// attends to the token there.
pub struct PredictDiagonal;

impl Compensation for PredictDiagonal {
    fn name(&self) -> &'static str {
        "predict-diagonal"
    }

    fn summary(&self) -> &'static str {
        "a calibrated map of each channel estimates the change of a 0-bit token"
    }

    fn change(&self) -> Change {
        Change::Diagonal
    }
}
