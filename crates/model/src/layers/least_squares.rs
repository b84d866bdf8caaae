//! Least squares from one set of vectors to another.

use dtatrans_kernels::F32Gemm;
use dtatrans_precision::calibration::ChangeMap;
use nalgebra::{DMatrix, DVector};

/// Ridge, relative to the mean variance of the channels: our choice, small
/// against real states, enough for channels that never vary.
const RIDGE: f64 = 1e-3;

/// Sums over pairs of rows, from which the best affine maps follow.
pub(super) struct Sums {
    rows: usize,
    x: DVector<f64>,
    y: DVector<f64>,
    xx: DMatrix<f64>,
    /// x down, y across.
    xy: DMatrix<f64>,
}

impl Sums {
    /// No rows of `width` channels.
    pub(super) fn new(width: usize) -> Sums {
        Sums {
            rows: 0,
            x: DVector::zeros(width),
            y: DVector::zeros(width),
            xx: DMatrix::zeros(width, width),
            xy: DMatrix::zeros(width, width),
        }
    }

    /// The sums over rows of `width` channels.
    pub(super) fn of(gemm: &F32Gemm, x: &[f32], y: &[f32], width: usize) -> Sums {
        let rows = x.len() / width;
        let column_sums = |rows: &[f32]| {
            let mut sum = DVector::zeros(width);
            for row in rows.chunks_exact(width) {
                for (sum, &value) in sum.iter_mut().zip(row) {
                    *sum += f64::from(value);
                }
            }
            sum
        };
        let mut sums = Sums::new(width);
        if rows == 0 {
            return sums;
        }
        let mut transposed = vec![0.0; x.len()];
        for (place, row) in x.chunks_exact(width).enumerate() {
            for (channel, &value) in row.iter().enumerate() {
                transposed[channel * rows + place] = value;
            }
        }
        let product = |right: &[f32]| {
            let mut out = vec![0.0; width * width];
            gemm.multiply_plain(&transposed, right, rows, &mut out);
            DMatrix::from_row_iterator(width, width, out.into_iter().map(f64::from))
        };
        sums.rows = rows;
        sums.x = column_sums(x);
        sums.y = column_sums(y);
        sums.xx = product(x);
        sums.xy = product(y);
        sums
    }

    /// Adds other sums.
    pub(super) fn add(&mut self, other: &Sums) {
        self.rows += other.rows;
        self.x += &other.x;
        self.y += &other.y;
        self.xx += &other.xx;
        self.xy += &other.xy;
    }

    /// Number of pairs.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Means, covariance of x with the ridge, covariance of x and y.
    fn moments(&self) -> (DVector<f64>, DVector<f64>, DMatrix<f64>, DMatrix<f64>) {
        let n = self.rows.max(1) as f64;
        let (x, y) = (&self.x / n, &self.y / n);
        let mut xx = &self.xx / n - &x * x.transpose();
        let xy = &self.xy / n - &x * y.transpose();
        let ridge = RIDGE * xx.trace() / xx.nrows() as f64;
        for channel in 0..xx.nrows() {
            xx[(channel, channel)] += ridge;
        }
        (x, y, xx, xy)
    }

    /// The best map of each channel for itself.
    pub(super) fn diagonal(&self) -> ChangeMap {
        let (x, y, xx, xy) = self.moments();
        let gains = xx.diagonal().zip_map(&xy.diagonal(), |xx, xy| xy / xx);
        let offsets = y - gains.component_mul(&x);
        ChangeMap::Diagonal {
            gain: gains.iter().map(|&gain| gain as f32).collect(),
            offset: offsets.iter().map(|&offset| offset as f32).collect(),
        }
    }

    /// The best map of that rank (reduced-rank regression: the least-squares map,
    /// projected on the directions in which its results vary most). `None` if the
    /// covariance is not positive definite.
    pub(super) fn low_rank(&self, rank: usize) -> Option<ChangeMap> {
        let (x, y, xx, xy) = self.moments();
        let full = xx.clone().cholesky()?.solve(&xy);
        let results = full.transpose() * &xx * &full;
        let spectrum = results.symmetric_eigen();
        let mut order: Vec<usize> = (0..spectrum.eigenvalues.len()).collect();
        order.sort_by(|&a, &b| spectrum.eigenvalues[b].total_cmp(&spectrum.eigenvalues[a]));
        let mut down = Vec::new();
        let mut up = vec![0.0; y.len() * rank];
        let mut offset = y;
        for (place, &direction) in order[..rank].iter().enumerate() {
            let out = spectrum.eigenvectors.column(direction);
            let into = &full * out;
            offset -= into.dot(&x) * out;
            // Between the factors all directions are quantized together: even
            // out how much each matters.
            let even = spectrum.eigenvalues[direction]
                .max(f64::MIN_POSITIVE)
                .powf(-0.25);
            down.extend(into.iter().map(|&value| (value * even) as f32));
            for (channel, &value) in out.iter().enumerate() {
                up[channel * rank + place] = (value / even) as f32;
            }
        }
        Some(ChangeMap::LowRank {
            down,
            up,
            offset: offset.iter().map(|&value| value as f32).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, and what an affine map of rank 2 makes of them.
    fn pairs() -> (Vec<f32>, Vec<f32>) {
        let value = |i: usize| ((i * 2654435761) % 1000) as f32 / 500.0 - 1.0;
        let x: Vec<f32> = (0..4 * 200).map(value).collect();
        let y = x
            .chunks_exact(4)
            .flat_map(|r| [2.0 * r[0] + 1.0, r[0] + r[1], -r[1], 0.5 * r[0]])
            .collect();
        (x, y)
    }

    #[test]
    fn a_map_of_rank_two_is_found() {
        let (x, y) = pairs();
        let sums = Sums::of(&F32Gemm::new(), &x, &y, 4);
        let Some(ChangeMap::LowRank { down, up, offset }) = sums.low_rank(2) else {
            panic!("degenerate");
        };
        for (x, y) in x.chunks_exact(4).zip(y.chunks_exact(4)) {
            let middle: Vec<f32> = down
                .chunks_exact(4)
                .map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
                .collect();
            for channel in 0..4 {
                let row = &up[channel * 2..channel * 2 + 2];
                let sum: f32 = row.iter().zip(&middle).map(|(a, b)| a * b).sum();
                assert!((sum + offset[channel] - y[channel]).abs() < 0.02);
            }
        }
    }

    #[test]
    fn parts_add_up() {
        let (x, y) = pairs();
        let gemm = F32Gemm::new();
        let mut sum = Sums::of(&gemm, &x[..400], &y[..400], 4);
        sum.add(&Sums::of(&gemm, &x[400..], &y[400..], 4));
        let whole = Sums::of(&gemm, &x, &y, 4);
        assert_eq!(sum.rows(), whole.rows());
        assert!((sum.xy - whole.xy).norm() < 1e-3);
    }
}
