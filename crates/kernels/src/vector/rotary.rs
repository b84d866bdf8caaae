//! Rotary position embedding.

use crate::Isa;

/// Turns each pair of values (x\[i\], x\[i + d/2\]) of a head's row of d values by
/// the angle whose cosine and sine stand at i (Su et al., 2021, with the two
/// halves as Hugging Face's Llama has them).
///
/// # Panics
/// If `cosines` and `sines` are not half as long as the row.
pub fn turn_pairs(isa: Isa, row: &mut [f32], cosines: &[f32], sines: &[f32]) {
    assert_eq!(row.len(), 2 * cosines.len());
    assert_eq!(cosines.len(), sines.len());
    isa.vectorise(
        #[inline(always)]
        || {
            let (low, high) = row.split_at_mut(cosines.len());
            for (((a, b), &cosine), &sine) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_and_turns_back() {
        let row: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let angles = [0.0f32, 0.5, std::f32::consts::FRAC_PI_2, 3.0];
        let cosines = angles.map(f32::cos);
        let sines = angles.map(f32::sin);
        let mut turned = row.clone();
        turn_pairs(Isa::SCALAR, &mut turned, &cosines, &sines);
        // A quarter turn: (2, 6) becomes (-6, 2).
        assert!((turned[2] + 6.0).abs() < 1e-5 && (turned[6] - 2.0).abs() < 1e-5);
        turn_pairs(Isa::SCALAR, &mut turned, &cosines, &sines.map(|x| -x));
        for (a, b) in turned.iter().zip(&row) {
            assert!((a - b).abs() < 1e-5);
        }
    }
}
