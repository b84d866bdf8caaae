//! A trace on the shape of another model: what a larger model would do if each of its
//! layers did what the layer at the same relative depth did here.
//!
//! It stands in for a model that is not at hand. The tokens, their number and their
//! tiers are those of a real run; that a larger model would choose the same ones is an
//! assumption.

use super::{Generation, Header, Input};
use crate::ModelShape;

/// The one of `own` that stands where the one of `index` of `all` does.
fn at(index: usize, all: usize, own: usize) -> usize {
    index * own / all
}

impl Header {
    /// The header of the same run on another shape; the plan's layers go with those of
    /// the same relative depth.
    pub fn on_shape(&self, shape: &ModelShape) -> Header {
        let own = self.plan.layers().len();
        Header {
            model: shape.clone(),
            plan: self
                .plan
                .with_layers((0..shape.layers).map(|layer| at(layer, shape.layers, own))),
        }
    }
}

impl Input {
    /// The same input on another shape. Heads go with those of the same relative place;
    /// integer operands, whose widths would not fit, are left out.
    pub fn on_shape(&self, shape: &ModelShape) -> Input {
        let depth = self.layers.len();
        let layers = (0..shape.layers).map(|layer| {
            let own = &self.layers[at(layer, shape.layers, depth)];
            let heads =
                (0..shape.heads).map(|head| own.heads[at(head, shape.heads, own.heads.len())]);
            super::Layer {
                tiers: own.tiers.clone(),
                importance: own.importance.clone(),
                heads: heads.collect(),
                operands: Vec::new(),
            }
        });
        let generation = self.generation.as_ref().map(|generation| {
            let depth = generation.caches.len();
            let caches = (0..shape.layers).map(|layer| {
                let own = &generation.caches[at(layer, shape.layers, depth)];
                let sets = match own.len() {
                    1 => 1,
                    _ => shape.key_value_heads,
                };
                (0..sets)
                    .map(|set| own[at(set, sets, own.len())].clone())
                    .collect()
            });
            Generation {
                caches: caches.collect(),
            }
        });
        Input {
            id: self.id.clone(),
            tokens: self.tokens.clone(),
            layers: layers.collect(),
            generation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Head, KeptTokens, Layer};
    use super::*;
    use crate::{Plan, Ratio, Tier, compensation};

    fn small() -> (Header, Input) {
        let model = ModelShape {
            name: "small".into(),
            layers: 3,
            heads: 2,
            key_value_heads: 2,
            ..ModelShape::gpt2_small()
        };
        let ratio = |four| Ratio::from_thousandths(0, four).unwrap();
        let mut plan = Plan::new(vec![ratio(1000), ratio(500), ratio(250)]).unwrap();
        plan.set_compensation_at(2, &compensation::Carry);
        let layer = |tier, magnitude| Layer {
            tiers: vec![Tier::Four, tier],
            importance: vec![1.0, 0.5],
            heads: vec![
                Head {
                    magnitude,
                    unsure_queries: 0,
                },
                Head {
                    magnitude: 2.0 * magnitude,
                    unsure_queries: 1,
                },
            ],
            operands: Vec::new(),
        };
        let kept = |tier| KeptTokens {
            tiers: vec![Tier::Eight, tier],
            moves: Vec::new(),
        };
        let input = Input {
            id: "x".into(),
            tokens: vec!["a".into(), "b".into(), "c".into()],
            layers: vec![
                layer(Tier::Four, 1.0),
                layer(Tier::Zero, 3.0),
                layer(Tier::Zero, 5.0),
            ],
            generation: Some(Generation {
                caches: vec![
                    vec![kept(Tier::Eight)],
                    vec![kept(Tier::Four), kept(Tier::Zero)],
                    vec![kept(Tier::Zero)],
                ],
            }),
        };
        (Header { model, plan }, input)
    }

    #[test]
    fn layers_and_heads_go_with_those_of_the_same_relative_place() {
        let (header, input) = small();
        let shape = ModelShape::gpt2_small();
        let (header, input) = (header.on_shape(&shape), input.on_shape(&shape));
        assert_eq!(header.model, shape);
        let four: Vec<f64> = header
            .plan
            .layers()
            .iter()
            .map(|ratio| ratio.r4())
            .collect();
        assert_eq!(four, [[1.0; 4], [0.5; 4], [0.25; 4]].concat());
        for layer in 0..12 {
            let carries = header.plan.compensation_at(layer).name() == "carry";
            assert_eq!(carries, layer >= 8);
        }
        assert_eq!(input.layers[3].tiers, [Tier::Four, Tier::Four]);
        assert_eq!(input.layers[4].tiers, [Tier::Four, Tier::Zero]);
        let magnitudes: Vec<f32> = input.layers[11]
            .heads
            .iter()
            .map(|head| head.magnitude)
            .collect();
        assert_eq!(magnitudes, [[5.0; 6], [10.0; 6]].concat());
        let caches = &input.generation.as_ref().unwrap().caches;
        assert_eq!(
            [caches[0].len(), caches[4].len(), caches[11].len()],
            [1, 12, 1]
        );
        assert_eq!(caches[4][5].tiers[1], Tier::Four);
        assert_eq!(caches[4][6].tiers[1], Tier::Zero);
        assert_eq!(input.check(&shape), Ok(()));
    }

    #[test]
    fn a_trace_on_its_own_shape_stays_as_it_is() {
        let (header, input) = small();
        assert_eq!(header.on_shape(&header.model).plan, header.plan);
        assert_eq!(input.on_shape(&header.model), input);
    }
}
