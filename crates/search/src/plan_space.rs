//! The space of precision plans.

use dtatrans_precision::{Plan, compensation};
use serde_json::{Value, json};

use crate::{Candidate, Gene, GeneKind, Space, SpaceError};

/// The role of the genes that give a layer's share of 8-bit tokens.
const EIGHT: &str = "r8";
/// The role of the genes that give a layer's share of 0-bit tokens.
const ZERO: &str = "r0";
/// The role of the gene that gives the first layer's bits.
const FIRST: &str = "bits";

/// The share of 0-bit tokens at which other keys are compared.
const MIDDLE: f64 = 0.4;

/// A key of the plan's file, and the values that a search tries for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Variation {
    /// The key.
    pub key: String,
    /// The values, as they would stand in the file.
    pub values: Vec<Value>,
}

impl Variation {
    /// A key with all values that a plan takes.
    ///
    /// # Errors
    /// [`SpaceError::Key`] for a key that has no short list of values.
    pub fn of_key(key: &str) -> Result<Variation, SpaceError> {
        let values = match key {
            "compensation" => compensation::ALL
                .iter()
                .map(|compensation| json!(compensation.name()))
                .collect(),
            "weight_bits" | "protected_bits" => vec![json!(8), json!(4)],
            "probability_bits" => vec![json!(8), json!(4), json!("tier")],
            "rotation" | "clipping" => vec![json!(true), json!(false)],
            _ => {
                return Err(SpaceError::Key {
                    key: key.into(),
                    allowed: "compensation, weight_bits, probability_bits, protected_bits, \
                              rotation or clipping, or another key of the plan with its values"
                        .into(),
                });
            }
        };
        Ok(Variation {
            key: key.into(),
            values,
        })
    }
}

/// All plans of one depth whose shares are multiples of a step.
///
/// The first layer has all tokens at 4 or all at 8 bits; each other layer has a
/// share of 0-bit and a share of 8-bit tokens, the rest being at 4 bits. Where
/// the two exceed 1 the 8-bit share gives way. All other keys are the
/// template's, or varied.
#[derive(Clone, Debug)]
pub struct PlanSpace {
    genes: Vec<Gene>,
    /// The template as it stands in its file.
    template: Value,
    template_plan: Plan,
    layers: usize,
    /// Levels above 0 of a share.
    steps: u16,
    variations: Vec<Variation>,
}

impl PlanSpace {
    /// The plans that differ from the template in their ratios, which are
    /// multiples of `step`, and in the keys that are varied. The template's own
    /// value of a varied key becomes its first level.
    ///
    /// # Errors
    /// A [`SpaceError`] that names the step, the key or the value.
    pub fn new(
        template: &Plan,
        step: f64,
        variations: &[Variation],
    ) -> Result<PlanSpace, SpaceError> {
        let layers = template.layers().len();
        if layers == 0 {
            return Err(SpaceError::NoLayers);
        }
        let steps = steps(step)?;
        let file = serde_json::to_value(template).expect("a plan is plain data");
        let variations = variations
            .iter()
            .map(|variation| own_value_first(variation, &file))
            .collect::<Result<Vec<_>, _>>()?;
        let mut keys: Vec<&str> = variations.iter().map(|v| v.key.as_str()).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SpaceError::Twice {
                key: pair[0].into(),
            });
        }
        let space = PlanSpace {
            genes: genes(layers, steps, &variations),
            template: file,
            template_plan: template.clone(),
            layers,
            steps,
            variations,
        };
        space.check_values()?;
        Ok(space)
    }

    /// The plan whose keys are kept.
    pub fn template(&self) -> &Plan {
        &self.template_plan
    }

    /// Each value once, in an otherwise unchanged plan.
    fn check_values(&self) -> Result<(), SpaceError> {
        let base = self.base();
        for (index, variation) in self.variations.iter().enumerate() {
            for (level, value) in variation.values.iter().enumerate() {
                let mut candidate = base.clone();
                candidate.0[self.first_choice() + index] = level as u16;
                if let Err(error) = serde_json::from_value::<Plan>(self.file_of(&candidate)) {
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

    /// All tokens at 4 bits, and the template's keys.
    fn base(&self) -> Candidate {
        Candidate(vec![0; self.genes.len()])
    }

    /// The index of the first gene that is a key.
    fn first_choice(&self) -> usize {
        1 + 2 * (self.layers - 1)
    }

    /// The candidate nearest to the template's ratios, if they are not the same
    /// at all layers.
    fn template_candidate(&self) -> Option<Candidate> {
        let ratios = self.template_plan.layers();
        if ratios.iter().all(|ratio| *ratio == ratios[0]) {
            return None;
        }
        let mut candidate = self.base();
        candidate.0[0] = u16::from(ratios[0].r8() == 1.0);
        for (layer, ratio) in ratios.iter().enumerate().skip(1) {
            let level = |share: f64| (share * f64::from(self.steps)).round() as u16;
            candidate.0[2 * layer - 1] = level(ratio.r0());
            candidate.0[2 * layer] = level(ratio.r8());
        }
        Some(candidate)
    }

    /// A candidate's plan as it would stand in its file.
    fn file_of(&self, candidate: &Candidate) -> Value {
        let levels = &self.canonical(candidate.clone()).0;
        let share = |level: u16| f64::from(level) * 1000.0 / f64::from(self.steps) / 1000.0;
        let layer = |zero: u16, eight: u16| {
            json!({
                "r8": share(eight),
                "r4": share(self.steps - zero - eight),
                "r0": share(zero),
            })
        };
        let first = layer(0, levels[0] * self.steps);
        let others = (1..self.layers).map(|l| layer(levels[2 * l - 1], levels[2 * l]));
        let mut file = self.template.clone();
        file["layer"] = std::iter::once(first).chain(others).collect();
        for (variation, &level) in self.variations.iter().zip(&levels[self.first_choice()..]) {
            file[&variation.key] = variation.values[usize::from(level)].clone();
        }
        file
    }
}

impl Space for PlanSpace {
    type Point = Plan;

    fn genes(&self) -> &[Gene] {
        &self.genes
    }

    fn canonical(&self, mut candidate: Candidate) -> Candidate {
        for layer in 1..self.layers {
            let room = self.steps - candidate.0[2 * layer - 1];
            let eight = &mut candidate.0[2 * layer];
            *eight = (*eight).min(room);
        }
        candidate
    }

    /// All tokens at 4 bits; all at 8; the template's ratios, where they differ
    /// by layer; and 40 % of the tokens at 0 bits from the second layer on, the
    /// rest at 4.
    fn anchors(&self) -> Vec<Candidate> {
        let base = self.base();
        let (mut eight, mut middle) = (base.clone(), base.clone());
        for (index, gene) in self.genes.iter().enumerate() {
            match gene.role.as_str() {
                FIRST => eight.0[index] = 1,
                EIGHT => eight.0[index] = self.steps,
                ZERO => middle.0[index] = gene.nearest(MIDDLE),
                _ => {}
            }
        }
        let mut anchors = vec![base, eight];
        anchors.extend(self.template_candidate());
        anchors.push(middle);
        anchors
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

/// Levels above 0 of a share in these steps.
fn steps(step: f64) -> Result<u16, SpaceError> {
    let thousandths = (step * 1000.0).round();
    let whole = (step * 1000.0 - thousandths).abs() < 1e-6;
    if !whole || !(1.0..=1000.0).contains(&thousandths) || 1000 % thousandths as u16 != 0 {
        return Err(SpaceError::Step { step });
    }
    Ok(1000 / thousandths as u16)
}

/// The values, the template's own before the others.
fn own_value_first(variation: &Variation, template: &Value) -> Result<Variation, SpaceError> {
    let key = &variation.key;
    let own = match template.get(key) {
        Some(own) if key != "layer" && key != "format" && key != "name" => own,
        _ => {
            return Err(SpaceError::Key {
                key: key.clone(),
                allowed: "a key of the plan other than format, name and layer".into(),
            });
        }
    };
    let mut values = vec![own.clone()];
    let mut seen: Vec<&Value> = Vec::new();
    for value in &variation.values {
        if seen.contains(&value) {
            return Err(SpaceError::Twice { key: key.clone() });
        }
        seen.push(value);
        if value != own {
            values.push(value.clone());
        }
    }
    Ok(Variation {
        key: key.clone(),
        values,
    })
}

fn genes(layers: usize, steps: u16, variations: &[Variation]) -> Vec<Gene> {
    let shares: Vec<String> = (0..=steps)
        .map(|level| (f64::from(level) / f64::from(steps)).to_string())
        .collect();
    let mut genes = vec![Gene {
        name: "layer 0 bits".into(),
        kind: GeneKind::Ordered,
        role: FIRST.into(),
        group: 0,
        levels: vec!["4".into(), "8".into()],
    }];
    for layer in 1..layers {
        for role in [ZERO, EIGHT] {
            genes.push(Gene {
                name: format!("layer {layer} {role}"),
                kind: GeneKind::Ordered,
                role: role.into(),
                group: layer,
                levels: shares.clone(),
            });
        }
    }
    for (index, variation) in variations.iter().enumerate() {
        genes.push(Gene {
            name: variation.key.clone(),
            kind: GeneKind::Categorical,
            role: variation.key.clone(),
            group: layers + index,
            levels: variation
                .values
                .iter()
                .map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                })
                .collect(),
        });
    }
    genes
}

#[cfg(test)]
mod tests {
    use dtatrans_precision::{Bits, Ratio};

    use super::*;

    fn space(step: f64, keys: &[&str]) -> Result<PlanSpace, SpaceError> {
        let variations: Vec<Variation> = keys
            .iter()
            .map(|key| Variation::of_key(key))
            .collect::<Result<_, _>>()?;
        PlanSpace::new(&Plan::dense_four(3), step, &variations)
    }

    #[test]
    fn every_candidate_is_a_plan() {
        for step in [0.1, 0.125, 0.05, 0.001, 0.5, 1.0] {
            let space = space(step, &["compensation", "weight_bits", "probability_bits"]).unwrap();
            let mut random = crate::random::Random::of_stream(1, 1);
            for _ in 0..200 {
                let levels = space.genes().iter();
                let levels = levels.map(|gene| random.below(gene.levels.len()) as u16);
                let candidate = Candidate(levels.collect());
                let plan = space.decode(&candidate);
                assert_eq!(plan, space.decode(&space.canonical(candidate.clone())));
                let ratio = plan.layers()[2];
                assert_eq!(ratio.r0(), space.genes()[3].position(candidate.0[3]));
                let eight = space.genes()[4].position(candidate.0[4]);
                assert!((ratio.r8() - eight.min(1.0 - ratio.r0())).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn anchors_are_what_they_say() {
        let space = space(0.1, &["weight_bits"]).unwrap();
        let plans: Vec<Plan> = space.anchors().iter().map(|c| space.decode(c)).collect();
        assert_eq!(plans[0].layers(), [Ratio::ALL_FOUR; 3]);
        assert_eq!(plans[1].layers(), [Ratio::ALL_EIGHT; 3]);
        assert_eq!(plans[2].layers()[2].r0(), 0.4);
        let mut template = Plan::new(vec![
            Ratio::ALL_EIGHT,
            Ratio::from_thousandths(280, 400).unwrap(),
        ])
        .unwrap();
        template.weight_bits = Bits::Four;
        let space = PlanSpace::new(&template, 0.1, &[]).unwrap();
        let anchors = space.anchors();
        let plan = space.decode(&anchors[2]);
        assert_eq!(plan.layers()[1], Ratio::from_thousandths(300, 400).unwrap());
        assert_eq!(plan.weight_bits, Bits::Four);
    }

    #[test]
    fn the_templates_value_comes_first() {
        let space = space(0.1, &["probability_bits", "compensation"]).unwrap();
        let levels = &space.genes()[5].levels;
        assert_eq!(levels[..], ["tier", "8", "4"]);
        assert_eq!(space.genes()[6].levels[0], "keys-values");
        let plan = space.decode(&space.anchors()[0]);
        assert_eq!(plan.to_toml(), {
            let mut four = Plan::dense_four(3);
            four.name.clear();
            four.to_toml()
        });
    }

    #[test]
    fn what_cannot_be_varied_is_named() {
        assert_eq!(space(0.3, &[]).unwrap_err(), SpaceError::Step { step: 0.3 });
        assert!(space(f64::NAN, &[]).is_err() && space(0.0, &[]).is_err());
        assert!(matches!(
            space(0.1, &["layer"]),
            Err(SpaceError::Key { .. })
        ));
        assert!(matches!(
            space(0.1, &["rotation", "rotation"]),
            Err(SpaceError::Twice { .. })
        ));
        let five = Variation {
            key: "weight_bits".into(),
            values: vec![json!(5)],
        };
        let error = PlanSpace::new(&Plan::dense_four(2), 0.1, &[five]).unwrap_err();
        assert!(error.to_string().contains("weight_bits = 5"), "{error}");
    }
}
