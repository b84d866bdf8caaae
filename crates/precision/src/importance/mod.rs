//! Importance: what tells one token from another.
//!
//! At each layer token j gains the mean, over heads and over the queries that can
//! attend to it, of the attention probability P\[head, query, j\]. How the gains
//! of layers become one score is an [`Importance`]; the paper adds them up. To
//! add a form, write a file beside these, implement the trait, and name it in
//! [`ALL`].

mod cumulative;
mod decayed;
mod last_layer;
mod prior_only;
mod random;
mod returning;
mod reversed;
mod value_weighted;
mod waiting;

use crate::{PlanError, Tier};

pub use cumulative::Cumulative;
pub use decayed::Decayed;
pub use last_layer::LastLayer;
pub use prior_only::PriorOnly;
pub use random::Random;
pub use returning::Returning;
pub use reversed::Reversed;
pub use value_weighted::ValueWeighted;
pub use waiting::Waiting;

/// How the attention that tokens receive becomes their scores.
pub trait Importance: Send + Sync {
    /// The name in plan files.
    fn name(&self) -> &'static str;

    /// One sentence for help texts.
    fn summary(&self) -> &'static str;

    /// Whether each head's probability is weighted by the norm of the value,
    /// relative to the mean of the head's norms.
    fn weighs_values(&self) -> bool {
        false
    }

    /// Takes a layer into the scores, one per token; higher is more important.
    fn add_layer(&self, scores: &mut [f32], layer: &LayerGain);
}

/// What the tokens of one sequence gained at one layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerGain<'a> {
    /// The tokens that offered a key.
    pub keys: &'a [usize],
    /// The probability that each of them received, summed over heads and over
    /// the queries that could attend to it.
    pub received: &'a [f32],
    /// How many heads and queries each of the sums is over. Dividing by the
    /// queries that can see a token keeps a causal mask from making late tokens
    /// look unimportant.
    pub summed: &'a [usize],
    /// The tier of every token at the layer.
    pub tiers: &'a [Tier],
}

impl LayerGain<'_> {
    /// Each key's token with its gain, a mean over heads and queries.
    pub fn gains(&self) -> impl Iterator<Item = (usize, f32)> {
        assert_eq!(self.keys.len(), self.received.len());
        assert_eq!(self.keys.len(), self.summed.len());
        let sums = self.keys.iter().zip(self.received).zip(self.summed);
        sums.map(|((&key, &sum), &summed)| (key, sum * (1.0 / summed as f32)))
    }

    /// The mean gain of the keys, 0 if there are none.
    pub fn mean_gain(&self) -> f32 {
        let sum: f32 = self.gains().map(|(_, gain)| gain).sum();
        sum / self.keys.len().max(1) as f32
    }
}

/// Every form of importance there is.
pub static ALL: &[&dyn Importance] = &[
    &Cumulative,
    &LastLayer,
    &Decayed,
    &ValueWeighted,
    &Returning,
    &Waiting,
    &PriorOnly,
    &Reversed,
    &Random,
];

/// The form of that name.
///
/// # Errors
/// [`PlanError::Value`] naming the known ones.
pub fn find(name: &str) -> Result<&'static dyn Importance, PlanError> {
    let found = ALL.iter().find(|importance| importance.name() == name);
    found.copied().ok_or_else(|| {
        let names = ALL.iter().map(|importance| importance.name());
        PlanError::unknown_name("importance", name, names)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_one_layer(importance: &dyn Importance) -> Vec<f32> {
        let mut scores = vec![0.5, 0.25, 0.25];
        let layer = LayerGain {
            keys: &[0, 2],
            received: &[6.0, 2.0],
            summed: &[8, 8],
            tiers: &[Tier::Four, Tier::Zero, Tier::Four],
        };
        importance.add_layer(&mut scores, &layer);
        scores
    }

    #[test]
    fn forms_differ_where_a_token_was_left_out() {
        assert_eq!(after_one_layer(&Cumulative), [1.25, 0.25, 0.5]);
        assert_eq!(after_one_layer(&LastLayer), [0.75, 0.0, 0.25]);
        assert_eq!(after_one_layer(&Decayed), [1.0, 0.125, 0.375]);
        assert_eq!(after_one_layer(&Returning), [1.25, 0.75, 0.5]);
        assert_eq!(after_one_layer(&Waiting), [1.25, 1024.25, 0.5]);
    }

    #[test]
    fn waiting_is_forgotten_once_a_token_was_computed() {
        let mut scores = after_one_layer(&Waiting);
        let layer = LayerGain {
            keys: &[0, 1, 2],
            received: &[0.0; 3],
            summed: &[1; 3],
            tiers: &[Tier::Four; 3],
        };
        Waiting.add_layer(&mut scores, &layer);
        assert_eq!(scores, [1.25, 0.25, 0.5]);
    }

    #[test]
    fn every_form_is_found_by_its_name() {
        for importance in ALL {
            assert_eq!(find(importance.name()).unwrap().name(), importance.name());
        }
        assert!(find("mean").is_err());
    }
}
