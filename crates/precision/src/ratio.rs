//! The shares of the tiers at one layer.

use crate::PlanError;

/// The shares (r8, r4, r0) of the tokens of one layer, in whole thousandths
/// that sum to 1,000, so that counts are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    eight: u16,
    four: u16,
}

impl Ratio {
    /// All tokens at 8 bits.
    pub const ALL_EIGHT: Ratio = Ratio {
        eight: 1000,
        four: 0,
    };
    /// All tokens at 4 bits.
    pub const ALL_FOUR: Ratio = Ratio {
        eight: 0,
        four: 1000,
    };

    /// All tokens at 0 bits, but for the protected ones.
    pub const ALL_ZERO: Ratio = Ratio { eight: 0, four: 0 };

    /// A ratio from thousandths at 8 and at 4 bits; the rest is at 0 bits.
    ///
    /// # Errors
    /// [`PlanError::RatioSum`] if the two exceed 1,000.
    pub fn from_thousandths(eight: u16, four: u16) -> Result<Ratio, PlanError> {
        if u32::from(eight) + u32::from(four) > 1000 {
            return Err(PlanError::RatioSum {
                sum: f64::from(u32::from(eight) + u32::from(four)) / 1000.0,
            });
        }
        Ok(Ratio { eight, four })
    }

    /// A ratio from its three shares, as a plan file gives them.
    ///
    /// # Errors
    /// [`PlanError::Share`] if a share is no whole thousandth between 0 and 1,
    /// [`PlanError::RatioSum`] if they do not sum to 1.
    pub fn from_shares(r8: f64, r4: f64, r0: f64) -> Result<Ratio, PlanError> {
        let eight = thousandths("r8", r8)?;
        let four = thousandths("r4", r4)?;
        let zero = thousandths("r0", r0)?;
        if eight + four + zero != 1000 {
            return Err(PlanError::RatioSum { sum: r8 + r4 + r0 });
        }
        Ratio::from_thousandths(eight, four)
    }

    /// Share of tokens at 8 bits, between 0 and 1.
    pub fn r8(self) -> f64 {
        f64::from(self.eight) / 1000.0
    }

    /// Share of tokens at 4 bits, between 0 and 1.
    pub fn r4(self) -> f64 {
        f64::from(self.four) / 1000.0
    }

    /// Share of tokens at 0 bits, between 0 and 1.
    pub fn r0(self) -> f64 {
        f64::from(1000 - self.eight - self.four) / 1000.0
    }

    /// Whether one tier has all tokens: the only ratios that a layer without
    /// scores can have.
    pub fn is_uniform(self) -> bool {
        [Ratio::ALL_EIGHT, Ratio::ALL_FOUR, Ratio::ALL_ZERO].contains(&self)
    }

    /// Whether some tokens are at 0 bits.
    pub fn leaves_out(self) -> bool {
        self.eight + self.four < 1000
    }

    /// Numbers of tokens at 8 and at 4 bits among `n`: ceil(r8 n), and
    /// ceil(r4 n) cut at what is left.
    pub fn counts(self, n: usize) -> (usize, usize) {
        let share = |thousandths: u16| (n * usize::from(thousandths)).div_ceil(1000);
        let eight = share(self.eight);
        (eight, share(self.four).min(n - eight))
    }
}

/// A share as a whole number of thousandths.
pub(crate) fn thousandths(field: &'static str, share: f64) -> Result<u16, PlanError> {
    let scaled = share * 1000.0;
    let rounded = scaled.round();
    if !(0.0..=1000.0).contains(&rounded) || (scaled - rounded).abs() > 1e-6 {
        return Err(PlanError::Share {
            field,
            value: share,
        });
    }
    Ok(rounded as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_round_up_and_stop_at_n() {
        let ratio = Ratio::from_shares(0.25, 0.4, 0.35).unwrap();
        assert_eq!(ratio.counts(17), (5, 7));
        let ratio = Ratio::from_shares(0.5, 0.5, 0.0).unwrap();
        assert_eq!(ratio.counts(3), (2, 1));
        assert_eq!(ratio.counts(0), (0, 0));
    }

    #[test]
    fn shares_must_be_whole_thousandths_and_sum_to_one() {
        assert!(matches!(
            Ratio::from_shares(0.5, 0.4, 0.2),
            Err(PlanError::RatioSum { .. })
        ));
        assert!(matches!(
            Ratio::from_shares(0.33333, 0.66667, 0.0),
            Err(PlanError::Share { field: "r8", .. })
        ));
        assert!(Ratio::from_shares(f64::NAN, 0.5, 0.5).is_err());
        assert!(Ratio::from_shares(-0.1, 1.1, 0.0).is_err());
    }
}
