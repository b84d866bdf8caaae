//! Shares of a sweep.

use std::fmt;
use std::str::FromStr;

use crate::SweepError;

/// Share I of N: of all points those whose number, counted from 0, leaves the rest I - 1
/// when divided by N. So each share has some of every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    index: usize,
    of: usize,
}

/// Far above any cluster.
const MOST: usize = 1 << 20;

impl Share {
    /// All points.
    pub const WHOLE: Share = Share { index: 0, of: 1 };

    /// Share `share` (from 1) of `of`; `None` if there is no such share.
    pub fn new(share: usize, of: usize) -> Option<Share> {
        let fits = (1..=of).contains(&share) && of <= MOST;
        fits.then(|| Share {
            index: share - 1,
            of,
        })
    }

    /// Which share, from 0.
    pub(crate) fn index(self) -> usize {
        self.index
    }

    /// Of how many.
    pub(crate) fn of(self) -> usize {
        self.of
    }

    /// The numbers of its points, of so many.
    pub fn numbers(self, points: usize) -> impl Iterator<Item = usize> {
        (self.index..points).step_by(self.of)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

impl FromStr for Share {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Share, SweepError> {
        let parse = || {
            let (share, of) = text.split_once('/')?;
            Share::new(share.parse().ok()?, of.parse().ok()?)
        };
        parse().ok_or_else(|| SweepError::Share(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_each_point_once() {
        for (points, of) in [(10, 3), (2, 5), (0, 1), (7, 7)] {
            let shares = (1..=of).map(|share| Share::new(share, of).unwrap());
            let mut all: Vec<usize> = shares.flat_map(|share| share.numbers(points)).collect();
            all.sort_unstable();
            assert_eq!(all, (0..points).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        assert_eq!("2/3".parse::<Share>().unwrap().to_string(), "2/3");
        for text in ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/9999999"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
