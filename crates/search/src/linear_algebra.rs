//! Small dense systems.

/// The Cholesky factor of a symmetric positive definite matrix: L with
/// L L^T = A.
pub(crate) struct Cholesky {
    n: usize,
    /// Row by row; above the diagonal unused.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors the (n, n) matrix, given row by row; only its lower half is read.
    /// `None` if it is not positive definite.
    pub(crate) fn new(mut a: Vec<f64>, n: usize) -> Option<Cholesky> {
        assert_eq!(a.len(), n * n);
        for i in 0..n {
            for j in 0..=i {
                let (above, row) = a.split_at(i * n);
                let known = if j < i { &above[j * n..] } else { row };
                let dot: f64 = row[..j].iter().zip(known).map(|(x, y)| x * y).sum();
                let rest = row[j] - dot;
                if i > j {
                    a[i * n + j] = rest / a[j * n + j];
                } else if rest > 0.0 {
                    a[i * n + i] = rest.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(Cholesky { n, lower: a })
    }

    /// Solves L y = b.
    pub(crate) fn forward(&self, b: &[f64]) -> Vec<f64> {
        let mut y: Vec<f64> = Vec::with_capacity(self.n);
        for i in 0..self.n {
            let row = &self.lower[i * self.n..];
            let dot: f64 = row.iter().zip(&y).map(|(l, y)| l * y).sum();
            y.push((b[i] - dot) / row[i]);
        }
        y
    }

    /// Solves L^T x = y.
    pub(crate) fn backward(&self, y: &[f64]) -> Vec<f64> {
        let mut x = y.to_vec();
        for i in (0..self.n).rev() {
            x[i] /= self.lower[i * self.n + i];
            let (earlier, done) = x.split_at_mut(i);
            for (j, x) in earlier.iter_mut().enumerate() {
                *x -= self.lower[i * self.n + j] * done[0];
            }
        }
        x
    }

    /// Solves A x = b.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.backward(&self.forward(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_by_hand() {
        let a = vec![4.0, 9.0, 9.0, 2.0, 5.0, 9.0, -2.0, 1.0, 6.0];
        let cholesky = Cholesky::new(a, 3).unwrap();
        let x = [1.0, -2.0, 3.0];
        let rows = [[4.0, 2.0, -2.0], [2.0, 5.0, 1.0], [-2.0, 1.0, 6.0]];
        let b: Vec<f64> = rows
            .iter()
            .map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum())
            .collect();
        for (got, want) in cholesky.solve(&b).iter().zip(x) {
            assert!((got - want).abs() < 1e-12);
        }
        assert!(Cholesky::new(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
    }
}
