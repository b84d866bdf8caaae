//! The cosines and sines of rotary positions.

use dtatrans_kernels::{Isa, vector};

use super::structure::Rotary;

/// The angles by which rows of queries and keys are turned.
pub(super) struct Turns {
    half: usize,
    /// (rows, head_dim / 2) each.
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Turns {
    /// For rows at these positions.
    ///
    /// In f32, step by step as Hugging Face computes them: at far positions the
    /// rounding of the angle shows.
    pub(super) fn new(
        rotary: &Rotary,
        head_dim: usize,
        positions: impl Iterator<Item = usize>,
    ) -> Turns {
        let half = head_dim / 2;
        let frequency = |pair: usize| {
            let exponent = (2 * pair) as f32 / head_dim as f32;
            1.0 / rotary.base.powf(exponent) / rotary.linear_factor
        };
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let angles = positions.flat_map(|position| {
            let position = position as f32;
            frequencies
                .iter()
                .map(move |frequency| position * frequency)
        });
        let (sines, cosines) = angles.map(f32::sin_cos).unzip();
        Turns {
            half,
            cosines,
            sines,
        }
    }

    /// Turns the heads of a row of queries or keys.
    pub(super) fn turn(&self, isa: Isa, row: usize, heads: &mut [f32]) {
        let place = row * self.half..(row + 1) * self.half;
        let (cosines, sines) = (&self.cosines[place.clone()], &self.sines[place]);
        for head in heads.chunks_exact_mut(2 * self.half) {
            vector::turn_pairs(isa, head, cosines, sines);
        }
    }
}
