//! The cache of a decoder: which tokens' keys and values it keeps, and at which
//! tier, while the model generates.
//!
//! At each layer the tokens so far share out the tiers by a [`Ratio`]: the best
//! are kept at 8 bits, the next at 4, the rest is gone. What is gone or has lost
//! bits stays so: a token goes 8 -> 4 -> 0 as others pass it. What ranks the
//! tokens is a [`CachePolicy`]. To add one, write a file beside these, implement
//! the trait, and name it in [`ALL`].

mod attention;
mod cascade;
mod heavy_hitters;
mod recent;

use std::fmt;

use crate::{Bits, PlanError, Ratio};

pub use attention::Attention;
pub use cascade::Cascade;
pub use heavy_hitters::HeavyHitters;
pub use recent::Recent;

impl fmt::Debug for dyn CachePolicy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What ranks the tokens of a cache.
pub trait CachePolicy: Send + Sync {
    /// The name in plan files.
    fn name(&self) -> &'static str;

    /// One sentence for help texts.
    fn summary(&self) -> &'static str;

    /// What a token is worth; the least go first.
    fn rank(&self, token: &CachedToken) -> f32;

    /// Whether the rank depends on what a token received, which must be kept then.
    fn attends(&self) -> bool {
        true
    }

    /// Whether probabilities lose weight as the plan's half-life says.
    fn forgets(&self) -> bool {
        false
    }

    /// Whether a token counts what it received at all layers so far, and leaves a
    /// layer once it has left the one before.
    fn cascades(&self) -> bool {
        false
    }
}

/// What is known of a token in the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CachedToken {
    /// Its place in the text.
    pub position: usize,
    /// The probability that it received from queries since it came, itself
    /// included, summed over the heads that decide together.
    pub received: f32,
    /// The number of queries that could see it, with the same weights.
    pub queries: f32,
}

/// Every policy there is.
pub static ALL: &[&dyn CachePolicy] = &[&Attention, &HeavyHitters, &Recent, &Cascade];

/// The policy of that name.
///
/// # Errors
/// [`PlanError::Value`] naming the known ones.
pub fn find(name: &str) -> Result<&'static dyn CachePolicy, PlanError> {
    let found = ALL.iter().find(|policy| policy.name() == name);
    found.copied().ok_or_else(|| {
        let names = ALL.iter().map(|policy| policy.name());
        PlanError::unknown_name("cache.policy", name, names)
    })
}

/// Which key-value heads of a layer decide together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each for itself.
    Head,
    /// All of them: a token is kept by all heads or by none.
    Layer,
}

/// Widths of keys and values at one tier of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Of a key's codes: 8 or 4.
    pub key: Bits,
    /// Of a value's codes: 8 or 4.
    pub value: Bits,
}

impl Widths {
    /// The same for both.
    pub fn of(bits: Bits) -> Widths {
        Widths {
            key: bits,
            value: bits,
        }
    }
}

/// How a plan keeps keys and values.
#[derive(Clone, Debug)]
pub struct CachePlan {
    /// What ranks the tokens.
    pub policy: &'static dyn CachePolicy,
    /// Shares of the tiers among the tokens so far, by layer: one for all sets of
    /// heads that decide together, or one for each.
    pub layers: Vec<Vec<Ratio>>,
    /// Which heads decide together.
    pub scope: Scope,
    /// The first tokens of a text, which stay at the upper tier.
    pub first: usize,
    /// The newest tokens, which stay there while they are.
    pub newest: usize,
    /// The share of the kept tokens that are the newest whatever their rank: a
    /// token must have had time to be attended to.
    pub grace: f64,
    /// Queries after which a probability counts half; 0: never.
    pub half_life: usize,
    /// Whether keys of the lower tier are kept as differences from their mean.
    pub centred: bool,
    /// Widths at the upper tier.
    pub upper: Widths,
    /// Widths at the lower tier.
    pub lower: Widths,
    /// What bounds the cache, whatever the length of the text; no part of a file.
    pub bound: Option<Bound>,
}

/// A bound in numbers of tokens: see [`CachePlan::bounded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Texts of so many tokens are kept whole at the upper tier.
    whole: usize,
    /// Longer ones get the places of a text of so many tokens.
    places_of: usize,
}

/// The most that a cache may be, over all layers and heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheBudget {
    /// Bytes, as allocated.
    Bytes(usize),
    /// Tokens, a mean over the layers.
    Tokens(usize),
}

impl CachePlan {
    /// Everything at 8 bits.
    pub fn all_eight(layers: usize) -> CachePlan {
        CachePlan {
            policy: &Recent,
            layers: vec![vec![Ratio::ALL_EIGHT]; layers],
            scope: Scope::Layer,
            first: 0,
            newest: 0,
            grace: 0.0,
            half_life: 0,
            centred: true,
            upper: Widths::of(Bits::Eight),
            lower: Widths::of(Bits::Four),
            bound: None,
        }
    }

    /// The plan with a bound: a text is kept whole at the upper tier while it fits;
    /// from then on the cache has the places that the ratios give to the longest
    /// text whose places fit, and no more come. At each layer so many `sets` of heads
    /// decide; `bytes` says what a number of places takes at one of them.
    ///
    /// # Errors
    /// [`PlanError::CacheBudget`] if the protected tokens alone do not fit.
    pub fn bounded(
        mut self,
        budget: CacheBudget,
        sets: usize,
        bytes: impl Fn(Places) -> usize,
    ) -> Result<CachePlan, PlanError> {
        self.bound = None;
        let layers = self.layers.len();
        let size = |places: &dyn Fn(usize, usize) -> Places| -> usize {
            let all = (0..layers).flat_map(|layer| (0..sets).map(move |set| (layer, set)));
            let all = all.map(|(layer, set)| places(layer, set));
            match budget {
                CacheBudget::Bytes(_) => all.map(&bytes).sum(),
                CacheBudget::Tokens(_) => all.map(|own| own.upper + own.lower).sum(),
            }
        };
        let most = match budget {
            CacheBudget::Bytes(most) => most,
            CacheBudget::Tokens(most) => most.saturating_mul(layers * sets),
        };
        let whole = longest(|n| {
            let all = Places { upper: n, lower: 0 };
            size(&|_, _| all) <= most
        });
        let places_of = longest(|n| size(&|layer, set| self.places(layer, set, n)) <= most);
        let protected = self.first + self.newest;
        if places_of < protected.max(1) {
            return Err(PlanError::CacheBudget {
                protected,
                least: size(&|layer, set| self.places(layer, set, protected.max(1))),
                unit: match budget {
                    CacheBudget::Bytes(_) => "bytes",
                    CacheBudget::Tokens(_) => "tokens over all layers and heads",
                },
            });
        }
        self.bound = Some(Bound { whole, places_of });
        Ok(self)
    }

    /// Tiers by attention, with the defaults of everything: all tokens at 4 bits but
    /// for the first 4 and the newest 64, all heads of a layer deciding together,
    /// and a half-life of 128 queries.
    pub fn by_attention(layers: usize) -> CachePlan {
        CachePlan {
            policy: &Attention,
            layers: vec![vec![Ratio::ALL_FOUR]; layers],
            first: 4,
            newest: 64,
            half_life: 128,
            ..CachePlan::all_eight(layers)
        }
    }

    /// The shares that a set of heads of a layer keeps.
    ///
    /// # Panics
    /// If there is no such layer or set.
    pub fn ratio(&self, layer: usize, set: usize) -> Ratio {
        match self.layers[layer][..] {
            [one] => one,
            ref several => several[set],
        }
    }

    /// That the plan has shares for each set of heads that decides at a layer, where
    /// it has more than one.
    ///
    /// # Errors
    /// [`PlanError::Layer`].
    pub fn check_sets(&self, sets: usize) -> Result<(), PlanError> {
        let fits = |ratios: &Vec<Ratio>| ratios.len() == 1 || ratios.len() == sets;
        match self.layers.iter().position(|ratios| !fits(ratios)) {
            None => Ok(()),
            Some(layer) => Err(PlanError::Layer {
                layer,
                source: Box::new(PlanError::Value {
                    field: "cache",
                    value: format!("{} shares", self.layers[layer].len()),
                    allowed: match sets {
                        1 => "one, for all heads of the layer".into(),
                        _ => format!("one for all heads, or one for each of the {sets}"),
                    },
                }),
            }),
        }
    }

    /// Whether every token stays at the upper tier.
    pub fn keeps_all(&self) -> bool {
        let mut ratios = self.layers.iter().flatten();
        self.bound.is_none() && ratios.all(|&ratio| ratio == Ratio::ALL_EIGHT)
    }

    /// Whether keys are taken as differences from their mean when they go from 8 bits
    /// to 4: otherwise that would gain nothing.
    pub fn centres(&self) -> bool {
        self.centred && (self.upper.key, self.lower.key) == (Bits::Eight, Bits::Four)
    }

    /// Whether what tokens receive must be kept.
    pub fn keeps_received(&self) -> bool {
        self.policy.attends() && !self.keeps_all()
    }

    /// What the weight of a probability is multiplied by from one query to the
    /// next.
    pub fn decay(&self) -> f32 {
        match self.half_life {
            n if n > 0 && self.policy.forgets() => 0.5f64.powf(1.0 / n as f64) as f32,
            _ => 1.0,
        }
    }

    /// Whether a token stays at the upper tier whatever its rank, among `n`
    /// tokens so far.
    pub fn protects(&self, position: usize, n: usize) -> bool {
        position < self.first || position + self.newest >= n
    }

    /// Whether a token goes after all others that are not protected, among `n`
    /// tokens so far that have these places.
    pub fn spares(&self, places: Places, position: usize, n: usize) -> bool {
        let newest = self.grace * (places.upper + places.lower) as f64;
        position + newest as usize >= n
    }

    /// The most tokens at the upper and at the lower tier that a set of heads of a
    /// layer keeps, among `n` so far.
    pub fn places(&self, layer: usize, set: usize, n: usize) -> Places {
        let n = match self.bound {
            Some(bound) if n <= bound.whole => return Places { upper: n, lower: 0 },
            Some(bound) => n.min(bound.places_of),
            None => n,
        };
        let protected = n.min(self.first + self.newest);
        let (eight, four) = self.ratio(layer, set).counts(n);
        let upper = eight.max(protected);
        Places {
            upper,
            lower: (eight + four).saturating_sub(upper),
        }
    }
}

/// The largest number up to 2^24 of which a condition holds that holds of all
/// smaller ones; 0 if it holds of none.
fn longest(fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, (1 << 24) + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match fits(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// The most tokens at each tier of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// At the upper tier.
    pub upper: usize,
    /// At the lower tier.
    pub lower: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_holds_and_is_used() {
        let plan = CachePlan {
            layers: vec![
                vec![Ratio::from_thousandths(100, 400).unwrap()],
                vec![Ratio::from_thousandths(50, 150).unwrap()],
            ],
            ..CachePlan::by_attention(2)
        };
        let bytes = |places: Places| 140 * places.upper + 75 * places.lower;
        let size = |plan: &CachePlan, n: usize| -> usize {
            (0..2).map(|layer| bytes(plan.places(layer, 0, n))).sum()
        };
        let budget = 200_000;
        let bounded = plan
            .clone()
            .bounded(CacheBudget::Bytes(budget), 1, bytes)
            .unwrap();
        // 714 tokens fit whole.
        assert_eq!(
            bounded.places(0, 0, 714),
            Places {
                upper: 714,
                lower: 0
            }
        );
        let sizes: Vec<usize> = (1..20_000).map(|n| size(&bounded, n)).collect();
        assert!(sizes.iter().all(|&size| size <= budget));
        assert!(sizes[19_000] > budget - 1000);

        let by_tokens = plan
            .clone()
            .bounded(CacheBudget::Tokens(300), 1, bytes)
            .unwrap();
        let tokens = |n: usize| -> usize {
            let places = (0..2).map(|layer| by_tokens.places(layer, 0, n));
            places.map(|own| own.upper + own.lower).sum()
        };
        assert!(tokens(100_000) <= 600 && tokens(100_000) > 590);
        assert_eq!(tokens(300), 600);

        let error = plan.bounded(CacheBudget::Tokens(67), 1, bytes).unwrap_err();
        assert!(error.to_string().contains("68 tokens"), "{error}");
    }

    #[test]
    fn policies_are_found_by_their_names() {
        for policy in ALL {
            assert_eq!(find(policy.name()).unwrap().name(), policy.name());
        }
        assert!(find("oldest").is_err());
    }
}
