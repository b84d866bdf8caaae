//! Which token comes next.

use dtatrans_precision::random::Random;

/// How the next token is chosen. By default the likeliest one is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by this before one is drawn; 0 takes the likeliest.
    pub temperature: f32,
    /// Only so many of the likeliest can be drawn; 0 allows all.
    pub top_k: usize,
    /// Only the likeliest that together have this probability can be drawn
    /// (Holtzman et al., ICLR 2020); 1 allows all.
    pub top_p: f32,
    /// Logits of tokens that the text already has are divided by this where they
    /// are positive and multiplied where not (Keskar et al., 2019); 1 leaves them.
    pub repetition_penalty: f32,
    /// Decides all draws.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

/// Chooses the tokens of one text.
pub(super) struct Sampler {
    sampling: Sampling,
    random: Random,
}

impl Sampler {
    /// The `number`-th text of a batch has draws of its own.
    pub(super) fn new(sampling: &Sampling, number: u64) -> Sampler {
        Sampler {
            sampling: *sampling,
            random: Random::of_stream(sampling.seed, number),
        }
    }

    /// The next token, from one logit per token of the vocabulary; `so_far` are
    /// the tokens of the text. The order of the steps is that of Hugging Face's
    /// `generate`.
    pub(super) fn choose(&mut self, logits: &mut [f32], so_far: &[u32]) -> u32 {
        let Sampling {
            temperature,
            top_k,
            top_p,
            repetition_penalty,
            ..
        } = self.sampling;
        if repetition_penalty != 1.0 {
            let mut seen = so_far.to_vec();
            seen.sort_unstable();
            seen.dedup();
            for id in seen {
                let logit = &mut logits[id as usize];
                *logit = match *logit > 0.0 {
                    true => *logit / repetition_penalty,
                    false => *logit * repetition_penalty,
                };
            }
        }
        if temperature == 0.0 {
            return likeliest(logits);
        }
        // Likeliest first, of equals the earlier; only as many as can be drawn
        // need to be in order, which a nucleus does not tell beforehand.
        let mut ranked: Vec<u32> = (0..logits.len() as u32).collect();
        let by_logit = |a: &u32, b: &u32| {
            let (x, y) = (logits[*a as usize], logits[*b as usize]);
            y.total_cmp(&x).then(a.cmp(b))
        };
        if top_k > 0 && top_k < ranked.len() {
            ranked.select_nth_unstable_by(top_k - 1, by_logit);
            ranked.truncate(top_k);
        }
        ranked.sort_unstable_by(by_logit);
        let highest = f64::from(logits[ranked[0] as usize]);
        let mut powers: Vec<f64> = ranked
            .iter()
            .map(|&id| ((f64::from(logits[id as usize]) - highest) / f64::from(temperature)).exp())
            .collect();
        if top_p < 1.0 {
            let whole = powers.iter().sum::<f64>() * f64::from(top_p);
            let mut sum = 0.0;
            let enough = powers.iter().position(|power| {
                sum += power;
                sum >= whole
            });
            powers.truncate(enough.map_or(powers.len(), |last| last + 1));
        }
        let mut left = self.random.unit() * powers.iter().sum::<f64>();
        for (&id, power) in ranked.iter().zip(&powers) {
            left -= power;
            if left < 0.0 {
                return id;
            }
        }
        ranked[powers.len() - 1]
    }
}

/// The token of the highest logit, of equals the earlier.
pub fn likeliest(logits: &[f32]) -> u32 {
    let places = (0..logits.len()).rev();
    let best = places.max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    best.unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 5] = [1.0, 3.0, -1.0, 3.0, 2.0];

    fn draws(sampling: Sampling) -> Vec<usize> {
        let mut counts = vec![0; LOGITS.len()];
        let mut sampler = Sampler::new(&sampling, 0);
        for _ in 0..20_000 {
            counts[sampler.choose(&mut LOGITS.to_vec(), &[]) as usize] += 1;
        }
        counts
    }

    #[test]
    fn the_likeliest_comes_first_and_of_equals_the_earlier() {
        let mut sampler = Sampler::new(&Sampling::default(), 0);
        assert_eq!(sampler.choose(&mut LOGITS.to_vec(), &[]), 1);
    }

    #[test]
    fn a_penalty_keeps_from_repeating() {
        let sampling = Sampling {
            repetition_penalty: 2.0,
            ..Sampling::default()
        };
        let mut sampler = Sampler::new(&sampling, 0);
        let mut logits = LOGITS.to_vec();
        assert_eq!(sampler.choose(&mut logits, &[1, 1, 2, 3]), 4);
        assert_eq!(logits, [1.0, 1.5, -2.0, 1.5, 2.0]);
    }

    #[test]
    fn draws_follow_the_softmax() {
        let counts = draws(Sampling {
            temperature: 2.0,
            ..Sampling::default()
        });
        let powers = LOGITS.map(|x| f64::from(x / 2.0).exp());
        let sum: f64 = powers.iter().sum();
        for (count, power) in counts.iter().zip(powers) {
            assert!((*count as f64 / 20_000.0 - power / sum).abs() < 0.015);
        }
    }

    #[test]
    fn top_k_and_top_p_cut_the_tail() {
        let some = |top_k, top_p| {
            let counts = draws(Sampling {
                temperature: 1.0,
                top_k,
                top_p,
                ..Sampling::default()
            });
            counts.iter().map(|&n| n > 0).collect::<Vec<_>>()
        };
        assert_eq!(some(2, 1.0), [false, true, false, true, false]);
        assert_eq!(some(3, 1.0), [false, true, false, true, true]);
        // 0.38 each for the two, 0.14 for the third.
        assert_eq!(some(0, 0.7), [false, true, false, true, false]);
        assert_eq!(some(0, 0.8), [false, true, false, true, true]);
        assert_eq!(some(0, 0.0), [false, true, false, false, false]);
    }
}
