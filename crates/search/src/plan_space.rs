//! The space of precision plans.

use dtatrans_precision::{Plan, Ratio, compensation};
use serde_json::{Map, Value, json};

use crate::variation::{KEPT, LAYER_COMPENSATION, Variation};
use crate::{Candidate, Gene, GeneKind, Space, SpaceError};

/// The role of the genes that give a layer's share of 8-bit tokens.
const EIGHT: &str = "r8";
/// The role of the genes that give a layer's share of 0-bit tokens.
const ZERO: &str = "r0";
/// The role of the gene that gives the first layer's bits.
const FIRST: &str = "bits";
/// The first layer's bits where no token has a score yet.
const FIRST_BITS: [Ratio; 3] = [Ratio::ALL_FOUR, Ratio::ALL_EIGHT, Ratio::ALL_ZERO];

/// The share of 0-bit tokens at which other keys are compared.
const MIDDLE: f64 = 0.4;

/// All plans of one depth whose shares are multiples of a step.
///
/// Without a prior the first layer has all tokens at 4, 8 or 0 bits; each other
/// layer has a share of 0-bit and a share of 8-bit tokens, the rest being at 4
/// bits. Where the two exceed 1 the 8-bit share gives way. A layer's
/// compensation is the template's, or varied, and of no concern where it has no
/// 0-bit tokens. The shares of heads and values that a layer keeps are the template's,
/// or varied; the first layer keeps all heads. All other keys are the template's, or varied.
#[derive(Clone, Debug)]
pub struct PlanSpace {
    genes: Vec<Gene>,
    /// Where the genes of each layer stand.
    places: Vec<LayerPlaces>,
    /// The template as it stands in its file.
    template: Value,
    template_plan: Plan,
    /// Levels above 0 of a share.
    steps: u16,
    /// Names of the compensations that each layer may have; empty where all have
    /// the template's.
    compensations: Vec<String>,
    /// The shares of heads, and of values, that a layer may keep, from all on; empty
    /// where they are the template's.
    kept: [Vec<f64>; 2],
    /// What the last genes choose.
    variations: Vec<Variation>,
}

/// Where the genes of a layer stand.
#[derive(Clone, Copy, Debug)]
struct LayerPlaces {
    shares: Shares,
    compensation: Option<usize>,
    /// Of the share of heads and of that of values that is kept.
    kept: [Option<usize>; 2],
}

#[derive(Clone, Copy, Debug)]
enum Shares {
    /// One tier for all tokens.
    Uniform(usize),
    /// A share of 0-bit tokens, and in the next place one of 8-bit tokens.
    Mixed(usize),
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
        if template.layers().is_empty() {
            return Err(SpaceError::NoLayers);
        }
        let steps = steps(step)?;
        let file = with_defaults(template);
        Variation::each_key_once(variations)?;
        let keys: Vec<&str> = variations.iter().map(|v| v.key.as_str()).collect();
        if keys.contains(&"compensation") && keys.contains(&LAYER_COMPENSATION) {
            return Err(SpaceError::Both);
        }
        let of_layers = |key: &str| variations.iter().find(|variation| variation.key == key);
        let compensations = match of_layers(LAYER_COMPENSATION) {
            Some(variation) => variation.compensations(template)?,
            None => Vec::new(),
        };
        let mut kept = [Vec::new(), Vec::new()];
        for (key, shares) in KEPT.into_iter().zip(&mut kept) {
            if let Some(variation) = of_layers(key) {
                *shares = variation.kept_shares()?;
            }
        }
        let of_plan = variations.iter().filter(|variation| {
            variation.key != LAYER_COMPENSATION && !KEPT.contains(&variation.key.as_str())
        });
        let variations = of_plan
            .map(|variation| variation.own_value_first(&file))
            .collect::<Result<Vec<_>, _>>()?;
        let (genes, places) = genes(template, steps, &compensations, &kept, &variations);
        let space = PlanSpace {
            genes,
            places,
            template: file,
            template_plan: template.clone(),
            steps,
            compensations,
            kept,
            variations,
        };
        space.check_values()?;
        Ok(space)
    }

    /// The plan whose keys are kept.
    pub fn template(&self) -> &Plan {
        &self.template_plan
    }

    /// Whether some plan needs a calibration.
    pub fn may_need_calibration(&self) -> bool {
        let calibrated =
            |name: &str| compensation::find(name).is_ok_and(|found| found.change().is_calibrated());
        let of_layers = (0..self.places.len()).any(|layer| {
            self.places[layer].compensation.is_none()
                && calibrated(self.template_plan.compensation_at(layer).name())
        });
        let varied = self.variations.iter().find(|v| v.key == "compensation");
        let values = varied.iter().flat_map(|variation| &variation.values);
        self.template_plan.prior()
            || of_layers
            || self.compensations.iter().any(|name| calibrated(name))
            || values.filter_map(Value::as_str).any(calibrated)
    }

    /// Each value once, in an otherwise unchanged plan.
    fn check_values(&self) -> Result<(), SpaceError> {
        for (which, key) in KEPT.into_iter().enumerate() {
            let place = self.places.iter().find_map(|places| places.kept[which]);
            for (level, share) in self.kept[which].iter().enumerate() {
                let mut candidate = self.base();
                let Some(place) = place else { continue };
                candidate.0[place] = level as u16;
                let file = self.file_of(&candidate);
                if let Err(error) = serde_json::from_value::<Plan>(file) {
                    return Err(SpaceError::Value {
                        key: key.into(),
                        value: share.to_string(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        Variation::check_values(&self.variations, |index, level| {
            let mut candidate = Candidate(vec![0; self.genes.len()]);
            candidate.0[self.first_key() + index] = level;
            self.file_of(&candidate)
        })
    }

    /// All tokens at 4 bits, and the template's keys.
    fn base(&self) -> Candidate {
        Candidate(vec![0; self.genes.len()])
    }

    /// The index of the first gene that is a key.
    fn first_key(&self) -> usize {
        self.genes.len() - self.variations.len()
    }

    /// The ratio of a layer.
    fn ratio(&self, candidate: &Candidate, layer: usize) -> Ratio {
        match self.places[layer].shares {
            Shares::Uniform(place) => FIRST_BITS[usize::from(candidate.0[place])],
            Shares::Mixed(place) => {
                let (zero, eight) = (candidate.0[place], candidate.0[place + 1]);
                let four = (self.steps - zero).saturating_sub(eight);
                let thousandths = |level: u16| level * (1000 / self.steps);
                Ratio::from_thousandths(thousandths(self.steps - zero - four), thousandths(four))
                    .expect("shares sum to 1")
            }
        }
    }

    /// The candidate nearest to the template's ratios and compensations, if not
    /// all its layers are alike.
    fn template_candidate(&self) -> Option<Candidate> {
        let ratios = self.template_plan.layers();
        if ratios.iter().all(|ratio| *ratio == ratios[0]) {
            return None;
        }
        let mut candidate = self.base();
        for (layer, (ratio, places)) in ratios.iter().zip(&self.places).enumerate() {
            let level = |share: f64| (share * f64::from(self.steps)).round() as u16;
            match places.shares {
                Shares::Uniform(place) => {
                    let own = FIRST_BITS.iter().position(|bits| bits == ratio);
                    candidate.0[place] = own.unwrap_or(0) as u16;
                }
                Shares::Mixed(place) => {
                    candidate.0[place] = level(ratio.r0());
                    candidate.0[place + 1] = level(ratio.r8());
                }
            }
            if let Some(place) = places.compensation {
                let own = self.template_plan.compensation_at(layer).name();
                let level = self.compensations.iter().position(|name| name == own);
                candidate.0[place] = level.unwrap_or(0) as u16;
            }
            let own = self.template_plan.pruning_at(layer);
            let own = [own.head_share(), own.value_share()];
            for ((place, shares), own) in places.kept.iter().zip(&self.kept).zip(own) {
                if let Some(place) = *place {
                    let far = |share: &&f64| (**share - own).abs();
                    let nearest = shares.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
                    let level = shares.iter().position(|share| Some(share) == nearest);
                    candidate.0[place] = level.unwrap_or(0) as u16;
                }
            }
        }
        Some(candidate)
    }

    /// A candidate's plan as it would stand in its file.
    fn file_of(&self, candidate: &Candidate) -> Value {
        let mut file = self.template.clone();
        let layer = |layer: usize| {
            let ratio = self.ratio(candidate, layer);
            let mut table = json!({"r8": ratio.r8(), "r4": ratio.r4(), "r0": ratio.r0()});
            let compensation = match self.places[layer].compensation {
                Some(place) => {
                    let name = json!(self.compensations[usize::from(candidate.0[place])]);
                    let differs = ratio.leaves_out() && name != self.template["compensation"];
                    differs.then_some(name)
                }
                None => self.template["layer"][layer].get("compensation").cloned(),
            };
            if let Some(name) = compensation {
                table["compensation"] = name;
            }
            for (which, key) in KEPT.into_iter().enumerate() {
                let share = match self.places[layer].kept[which] {
                    Some(place) => Some(json!(self.kept[which][usize::from(candidate.0[place])])),
                    None => self.template["layer"][layer].get(key).cloned(),
                };
                if let Some(share) = share {
                    table[key] = share;
                }
            }
            table
        };
        file["layer"] = (0..self.places.len()).map(layer).collect();
        for (variation, &level) in self.variations.iter().zip(&candidate.0[self.first_key()..]) {
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
        for (layer, places) in self.places.iter().enumerate() {
            if let Shares::Mixed(place) = places.shares {
                let room = self.steps - candidate.0[place];
                let eight = &mut candidate.0[place + 1];
                *eight = (*eight).min(room);
            }
            if let Some(place) = places.compensation
                && !self.ratio(&candidate, layer).leaves_out()
            {
                candidate.0[place] = 0;
            }
        }
        candidate
    }

    /// All tokens at 4 bits; all at 8; the template's ratios, where they differ
    /// by layer; and 40 % of the tokens at 0 bits from the second layer on, the
    /// rest at 4.
    fn anchors(&self) -> Vec<Candidate> {
        let base = self.base();
        let (mut eight, mut middle) = (base.clone(), base.clone());
        for places in &self.places {
            match places.shares {
                Shares::Uniform(place) => eight.0[place] = 1,
                Shares::Mixed(place) => eight.0[place + 1] = self.steps,
            }
        }
        for places in &self.places[1..] {
            if let Shares::Mixed(place) = places.shares {
                middle.0[place] = self.genes[place].nearest(MIDDLE);
            }
        }
        let mut anchors = vec![base, eight];
        anchors.extend(self.template_candidate());
        anchors.push(middle);
        anchors
    }

    /// The keys of the plan's file that are varied, with a candidate's values.
    fn keys(&self, candidate: &Candidate) -> Vec<(String, String)> {
        let levels = &candidate.0[self.first_key()..];
        let genes = self.genes[self.first_key()..].iter();
        genes
            .zip(levels)
            .map(|(gene, &level)| (gene.name.clone(), gene.levels[usize::from(level)].clone()))
            .collect()
    }

    /// The plan, without a name.
    ///
    /// # Panics
    /// If the candidate does not fit the genes.
    fn decode(&self, candidate: &Candidate) -> Plan {
        let candidate = self.canonical(candidate.clone());
        let mut plan: Plan = serde_json::from_value(self.file_of(&candidate))
            .expect("each value was tried, and ratios are whole thousandths");
        plan.name.clear();
        plan
    }
}

/// Levels above 0 of a share in these steps.
pub(crate) fn steps(step: f64) -> Result<u16, SpaceError> {
    let thousandths = (step * 1000.0).round();
    let whole = (step * 1000.0 - thousandths).abs() < 1e-6;
    if !whole || !(1.0..=1000.0).contains(&thousandths) || 1000 % thousandths as u16 != 0 {
        return Err(SpaceError::Step { step });
    }
    Ok(1000 / thousandths as u16)
}

/// The plan as it stands in its file, with the keys that may be left out; the
/// calibration's name, which belongs to the template alone, without.
fn with_defaults(template: &Plan) -> Value {
    let mut file = Map::from_iter([
        ("rank".into(), json!(template.rank)),
        ("importance".into(), json!(template.importance.name())),
        ("balance".into(), json!(template.balance)),
        ("group".into(), json!(template.group)),
    ]);
    if let Ok(Value::Object(written)) = serde_json::to_value(template) {
        file.extend(written);
    }
    file.remove("calibration");
    Value::Object(file)
}

/// The genes, layer by layer and then key by key, and where those of each layer
/// stand.
fn genes(
    template: &Plan,
    steps: u16,
    compensations: &[String],
    kept: &[Vec<f64>; 2],
    variations: &[Variation],
) -> (Vec<Gene>, Vec<LayerPlaces>) {
    let shares: Vec<String> = (0..=steps)
        .map(|level| (f64::from(level) / f64::from(steps)).to_string())
        .collect();
    let layers = template.layers().len();
    let mut genes: Vec<Gene> = Vec::new();
    let mut places = Vec::new();
    for layer in 0..layers {
        let gene = |what: &str, kind, role: &str, levels: &[String]| Gene {
            name: format!("layer {layer} {what}"),
            kind,
            role: role.into(),
            group: layer,
            levels: levels.to_vec(),
        };
        let place = genes.len();
        let shares = if layer == 0 && !template.prior() {
            let bits = ["4", "8", "0"].map(str::to_owned);
            genes.push(gene("bits", GeneKind::Categorical, FIRST, &bits));
            Shares::Uniform(place)
        } else {
            for role in [ZERO, EIGHT] {
                genes.push(gene(role, GeneKind::Ordered, role, &shares));
            }
            Shares::Mixed(place)
        };
        let compensation = (compensations.len() > 1).then(|| {
            let (what, kind) = ("compensation", GeneKind::Categorical);
            genes.push(gene(what, kind, LAYER_COMPENSATION, compensations));
            genes.len() - 1
        });
        let mut kept_at = [None; 2];
        for (which, role) in KEPT.into_iter().enumerate() {
            // No head has given an output before the first layer.
            let varies = kept[which].len() > 1 && (layer > 0 || role != "heads");
            if varies {
                let levels: Vec<String> = kept[which].iter().map(f64::to_string).collect();
                kept_at[which] = Some(genes.len());
                genes.push(gene(role, GeneKind::Ordered, role, &levels));
            }
        }
        places.push(LayerPlaces {
            shares,
            compensation,
            kept: kept_at,
        });
    }
    for (index, variation) in variations.iter().enumerate() {
        genes.push(variation.gene(layers + index));
    }
    (genes, places)
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
            let mut random = dtatrans_precision::random::Random::of_stream(1, 1);
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

    /// Each layer has its own compensation, which counts only where tokens are
    /// at 0 bits; the first layer may have all of its tokens there.
    #[test]
    fn layers_have_compensations_of_their_own() {
        let space = space(
            0.5,
            &["layer_compensation", "balance", "group", "importance"],
        )
        .unwrap();
        let names: Vec<&str> = space.genes().iter().map(|g| g.name.as_str()).collect();
        let layers = [
            "layer 0 bits",
            "layer 0 compensation",
            "layer 1 r0",
            "layer 1 r8",
            "layer 1 compensation",
            "layer 2 r0",
            "layer 2 r8",
            "layer 2 compensation",
        ];
        assert_eq!(names[..8], layers);
        assert_eq!(names[8..], ["balance", "group", "importance"]);
        let candidate = Candidate(vec![2, 2, 0, 0, 2, 2, 1, 1, 1, 2, 3]);
        let canonical = space.canonical(candidate.clone());
        assert_eq!(canonical.0, [2, 2, 0, 0, 0, 2, 0, 1, 1, 2, 3]);
        let plan = space.decode(&candidate);
        assert_eq!(
            plan.layers(),
            [Ratio::ALL_ZERO, Ratio::ALL_FOUR, Ratio::ALL_ZERO]
        );
        let own = [0, 1, 2].map(|layer| plan.compensation_at(layer).name());
        assert_eq!(
            own,
            ["attention+predict", "keys-values", "keys-values+predict"]
        );
        assert_eq!(plan.to_toml().matches("compensation").count(), 3);
        assert!(plan.balance && plan.group == 32);
        assert_eq!(plan.importance.name(), "value-weighted");
        assert!(space.may_need_calibration() && plan.needs_calibration());
        assert_eq!(space.keys(&canonical)[1], ("group".into(), "32".into()));

        // Those of the template stay, and are among the choices.
        let mut template = space.decode(&candidate);
        template.set_compensation_at(1, compensation::find("fused").unwrap());
        let kept = PlanSpace::new(&template, 0.5, &[]).unwrap();
        assert_eq!(kept.decode(&kept.anchors()[2]), template);
        assert!(kept.may_need_calibration());
        let layers = [Variation::of_key("layer_compensation").unwrap()];
        let varied = PlanSpace::new(&template, 0.5, &layers).unwrap();
        assert_eq!(varied.genes()[1].levels[3], "fused");
        let plan = varied.decode(&varied.anchors()[2]);
        assert_eq!(plan.compensation_at(2).name(), "keys-values+predict");
        let plain = PlanSpace::new(&Plan::dense_four(3), 0.1, &[]).unwrap();
        assert!(!plain.may_need_calibration());
    }

    #[test]
    fn layers_choose_what_they_keep_of_heads_and_values() {
        let space = space(0.5, &["heads", "values"]).unwrap();
        let names: Vec<&str> = space
            .genes()
            .iter()
            .map(|gene| gene.name.as_str())
            .collect();
        assert_eq!(names[..2], ["layer 0 bits", "layer 0 values"]);
        assert_eq!(names[4..6], ["layer 1 heads", "layer 1 values"]);
        assert!(space.keys(&space.base()).is_empty());
        let mut candidate = space.base();
        (candidate.0[4], candidate.0[5], candidate.0[1]) = (2, 5, 1);
        let plan = space.decode(&candidate);
        let kept = |layer| {
            let pruning = plan.pruning_at(layer);
            (pruning.head_share(), pruning.value_share())
        };
        assert_eq!(
            [kept(0), kept(1), kept(2)],
            [(1.0, 0.9), (0.8, 0.5), (1.0, 1.0)]
        );

        // Those of the template stay, and are where the search begins if they vary.
        let layers = vec![Ratio::ALL_EIGHT, Ratio::ALL_FOUR, Ratio::ALL_FOUR];
        let mut template = plan.with_ratios(layers).unwrap();
        template.name.clear();
        let fixed = PlanSpace::new(&template, 0.5, &[]).unwrap();
        assert_eq!(fixed.decode(&fixed.anchors()[2]), template);
        let heads = Variation {
            key: "heads".into(),
            values: vec![json!(0.75), json!(0.5)],
        };
        let varied = PlanSpace::new(&template, 0.5, &[heads]).unwrap();
        assert_eq!(varied.genes()[3].levels, ["1", "0.75", "0.5"]);
        let nearest = varied.decode(&varied.anchors()[2]).pruning_at(1);
        assert_eq!((nearest.head_share(), nearest.value_share()), (0.75, 0.5));

        for value in [json!(0.0), json!(1.5), json!("most")] {
            let heads = Variation {
                key: "heads".into(),
                values: vec![value],
            };
            let error = PlanSpace::new(&Plan::dense_four(2), 0.5, &[heads]).unwrap_err();
            assert!(error.to_string().contains("heads"), "{error}");
        }
    }

    /// With a prior the first layer mixes tiers as all others do.
    #[test]
    fn a_prior_gives_the_first_layer_shares() {
        let mixed = Ratio::from_thousandths(200, 300).unwrap();
        let template = Plan::with_prior(vec![mixed, Ratio::ALL_FOUR]).unwrap();
        let space = PlanSpace::new(&template, 0.1, &[]).unwrap();
        assert_eq!(space.genes()[0].name, "layer 0 r0");
        assert_eq!(space.genes().len(), 4);
        let plan = space.decode(&space.anchors()[2]);
        assert_eq!(plan.layers(), template.layers());
        assert!(space.may_need_calibration());
        // The middle leaves the first layer as it is.
        let middle = space.decode(space.anchors().last().unwrap());
        assert_eq!(middle.layers()[0], Ratio::ALL_FOUR);
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
        assert_eq!(
            space(0.1, &["compensation", "layer_compensation"]).unwrap_err(),
            SpaceError::Both
        );
        let unknown = Variation {
            key: "layer_compensation".into(),
            values: vec![json!("none")],
        };
        let error = PlanSpace::new(&Plan::dense_four(2), 0.1, &[unknown]).unwrap_err();
        assert!(error.to_string().contains("\"none\""), "{error}");
        for key in ["prior", "calibration"] {
            let values = vec![json!(true)];
            let fixed = Variation {
                key: key.into(),
                values,
            };
            let error = PlanSpace::new(&Plan::dense_four(2), 0.1, &[fixed]).unwrap_err();
            assert!(matches!(error, SpaceError::Key { .. }), "{error}");
        }
        let five = Variation {
            key: "weight_bits".into(),
            values: vec![json!(5)],
        };
        let error = PlanSpace::new(&Plan::dense_four(2), 0.1, &[five]).unwrap_err();
        assert!(error.to_string().contains("weight_bits = 5"), "{error}");
    }
}
