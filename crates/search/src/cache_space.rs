//! The space of caches: how much each layer's cache of a decoder keeps.

use std::sync::Arc;

use dtatrans_precision::cache::CachePlan;
use dtatrans_precision::{Plan, Ratio};
use serde_json::Value;

use crate::plan_space::steps;
use crate::{Candidate, Gene, GeneKind, Space, SpaceError, Variation};

/// The role of the genes that give the share of the bytes that a layer's cache
/// saves.
const SAVED: &str = "saved";

/// The share at which all tokens are at the lower tier.
const LOWER: f64 = 0.5;

/// The share at which other keys are compared.
const MIDDLE: f64 = 0.8;

/// All plans that differ from a template in the shares of tokens that the layers'
/// caches keep, head by head where the template has shares of heads, and in varied
/// keys of the table `[cache]`.
///
/// One number says what a layer's cache saves, a multiple of a step. Up to one half
/// tokens go from the upper to the lower tier, until those are left that the
/// template's share of the upper tier asks for; from there on tokens at the lower
/// tier go. A token at the lower tier takes about half of the bytes, so the number is
/// about the share of them that is saved.
#[derive(Clone, Debug)]
pub struct CacheSpace {
    genes: Vec<Gene>,
    template: Plan,
    /// The template's cache.
    cache: CachePlan,
    /// By layer: the place of its first gene.
    places: Vec<usize>,
    /// Levels above 0 of a share.
    steps: u16,
    variations: Vec<Variation>,
}

impl CacheSpace {
    /// The template's own value of a varied key becomes its first level.
    ///
    /// # Errors
    /// A [`SpaceError`] that names the step, the key or the value.
    pub fn new(
        template: &Plan,
        step: f64,
        variations: &[Variation],
    ) -> Result<CacheSpace, SpaceError> {
        let steps = steps(step)?;
        let Some(cache) = template.cache.as_deref().cloned() else {
            return Err(SpaceError::NoCache);
        };
        let file = serde_json::to_value(template).expect("a plan is plain data");
        Variation::each_key_once(variations)?;
        let variations = variations
            .iter()
            .map(|variation| variation.own_value_first(&file["cache"]))
            .collect::<Result<Vec<_>, _>>()?;
        let shares: Vec<String> = (0..=steps)
            .map(|level| (f64::from(level) / f64::from(steps)).to_string())
            .collect();
        let mut genes: Vec<Gene> = Vec::new();
        let mut places = Vec::new();
        for (layer, ratios) in cache.layers.iter().enumerate() {
            places.push(genes.len());
            for head in 0..ratios.len() {
                genes.push(Gene {
                    name: match ratios.len() {
                        1 => format!("layer {layer} {SAVED}"),
                        _ => format!("layer {layer} head {head} {SAVED}"),
                    },
                    kind: GeneKind::Ordered,
                    role: SAVED.into(),
                    group: genes.len(),
                    levels: shares.clone(),
                });
            }
        }
        for variation in &variations {
            genes.push(variation.gene(genes.len()));
        }
        let space = CacheSpace {
            genes,
            template: template.clone(),
            cache,
            places,
            steps,
            variations,
        };
        space.check_values()?;
        Ok(space)
    }

    /// The plan whose other keys are kept.
    pub fn template(&self) -> &Plan {
        &self.template
    }

    /// Every cache whose keys other than the shares a candidate may have: what a
    /// reading must serve.
    pub fn caches(&self) -> Vec<Arc<CachePlan>> {
        // Where tokens leave: what each received counts then.
        let base = self.anchors().pop().expect("there are anchors");
        let mut all = vec![self.decode(&base)];
        for (index, variation) in self.variations.iter().enumerate() {
            for level in 1..variation.values.len() {
                let mut candidate = base.clone();
                candidate.0[self.first_key() + index] = level as u16;
                all.push(self.decode(&candidate));
            }
        }
        all.into_iter().filter_map(|plan| plan.cache).collect()
    }

    /// Each value once, in an otherwise unchanged plan.
    fn check_values(&self) -> Result<(), SpaceError> {
        Variation::check_values(&self.variations, |index, level| {
            let mut candidate = Candidate(vec![0; self.genes.len()]);
            candidate.0[self.first_key() + index] = level;
            self.file_of(&candidate)
        })
    }

    /// The index of the first gene that is a key.
    fn first_key(&self) -> usize {
        self.genes.len() - self.variations.len()
    }

    fn ratio(&self, candidate: &Candidate, layer: usize, head: usize) -> Ratio {
        let saved = candidate.0[self.places[layer] + head] * (1000 / self.steps);
        let least = (1000.0 * self.cache.layers[layer][head].r8()).round() as u16;
        let lowered = (2 * saved).min(1000);
        let zero = (2 * saved).saturating_sub(1000);
        let eight = (1000 - lowered).max(least.min(1000 - zero));
        Ratio::from_thousandths(eight, 1000 - zero - eight).expect("shares sum to 1")
    }

    /// What a layer with these shares saves.
    fn saved(ratio: &Ratio) -> f64 {
        LOWER * ratio.r4() + ratio.r0()
    }

    /// A candidate's plan as it would stand in its file.
    fn file_of(&self, candidate: &Candidate) -> Value {
        let mut plan = self.template.clone();
        let mut cache = self.cache.clone();
        for (layer, ratios) in cache.layers.iter_mut().enumerate() {
            for (head, ratio) in ratios.iter_mut().enumerate() {
                *ratio = self.ratio(candidate, layer, head);
            }
        }
        plan.cache = Some(Arc::new(cache));
        let mut file = serde_json::to_value(&plan).expect("a plan is plain data");
        for (variation, &level) in self.variations.iter().zip(&candidate.0[self.first_key()..]) {
            file["cache"][&variation.key] = variation.values[usize::from(level)].clone();
        }
        file
    }
}

impl Space for CacheSpace {
    type Point = Plan;

    fn genes(&self) -> &[Gene] {
        &self.genes
    }

    /// Everything at the upper tier; what the template's own shares save; and 80 % of
    /// the bytes saved at every layer.
    fn anchors(&self) -> Vec<Candidate> {
        let base = Candidate(vec![0; self.genes.len()]);
        let (mut own, mut middle) = (base.clone(), base.clone());
        for (gene, ratio) in self.cache.layers.iter().flatten().enumerate() {
            own.0[gene] = self.genes[gene].nearest(Self::saved(ratio));
            middle.0[gene] = self.genes[gene].nearest(MIDDLE);
        }
        vec![base, own, middle]
    }

    /// Where most tokens are gone, and halfway to there.
    fn probes(&self) -> &'static [&'static [f64]] {
        &[&[0.5, 0.7, 0.9], &[0.5, 0.9], &[0.9]]
    }

    /// The varied keys, with a candidate's values.
    fn keys(&self, candidate: &Candidate) -> Vec<(String, String)> {
        let first = self.first_key();
        let genes = self.genes[first..].iter().zip(&candidate.0[first..]);
        genes
            .map(|(gene, &level)| (gene.name.clone(), gene.levels[usize::from(level)].clone()))
            .collect()
    }

    /// The plan, without a name.
    ///
    /// # Panics
    /// If the candidate does not fit the genes.
    fn decode(&self, candidate: &Candidate) -> Plan {
        let mut plan: Plan = serde_json::from_value(self.file_of(candidate))
            .expect("each value was tried, and ratios are whole thousandths");
        plan.name.clear();
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Plan {
        let mut plan = Plan::dense_eight(3);
        plan.cache = Some(Arc::new(CachePlan {
            layers: vec![vec![Ratio::from_thousandths(100, 300).unwrap()]; 3],
            ..CachePlan::by_attention(3)
        }));
        plan
    }

    #[test]
    fn shares_and_keys_are_the_candidates() {
        let half_life = Variation {
            key: "half_life".into(),
            values: vec![Value::from(16), Value::from(128)],
        };
        let space = CacheSpace::new(&template(), 0.1, &[half_life]).unwrap();
        assert_eq!(space.genes().len(), 4);
        assert_eq!(space.genes()[3].levels, ["128", "16"]);
        let own = space.decode(&space.anchors()[1]);
        assert_eq!(own.cache.unwrap().layers, template().cache.unwrap().layers);
        let shares = |levels: [u16; 3]| -> Vec<(f64, f64)> {
            let levels = levels.into_iter().chain([1]).collect();
            let cache = space.decode(&Candidate(levels)).cache.unwrap();
            let ratios = cache.layers.iter().flatten();
            ratios.map(|r| (r.r8(), r.r4())).collect()
        };
        assert_eq!(shares([0, 2, 5]), [(1.0, 0.0), (0.6, 0.4), (0.1, 0.9)]);
        assert_eq!(shares([6, 8, 10]), [(0.1, 0.7), (0.1, 0.3), (0.0, 0.0)]);
        let cache = space.decode(&Candidate(vec![0, 0, 0, 1])).cache.unwrap();
        assert_eq!(cache.half_life, 16);
        assert!(space.caches().iter().all(|cache| cache.keeps_received()));
        let lives: Vec<usize> = space.caches().iter().map(|cache| cache.half_life).collect();
        assert_eq!(lives, [128, 16]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let error = CacheSpace::new(&Plan::dense_eight(2), 0.1, &[]).unwrap_err();
        assert_eq!(error, SpaceError::NoCache);
        let wrong = |key: &str, value: &str| {
            let variation = Variation {
                key: key.into(),
                values: vec![Value::from(value)],
            };
            CacheSpace::new(&template(), 0.1, &[variation]).unwrap_err()
        };
        assert!(matches!(wrong("half", "1"), SpaceError::Key { .. }));
        assert!(matches!(wrong("r8", "0.1"), SpaceError::Key { .. }));
        let error = wrong("policy", "best").to_string();
        assert!(
            error.contains("best") && error.contains("attention"),
            "{error}"
        );
    }
}
