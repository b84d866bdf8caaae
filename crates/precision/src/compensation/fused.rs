//! One token stands for all 0-bit tokens.

use super::{Change, Compensation};

/// The average of the 0-bit tokens, weighted by their importance, runs as one
/// extra 8-bit token that the others can attend to; what it adds before each
/// layer norm is added to each of them.
pub struct Fused;

impl Compensation for Fused {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn summary(&self) -> &'static str {
        "the average of the 0-bit tokens runs as one 8-bit token, its change is theirs"
    }

    fn change(&self) -> Change {
        Change::Fused
    }
}
