//! A linear layer as checkpoints have it.

/// `weight` of shape (n, k), one row per output, and `bias` of n.
pub(crate) struct Linear {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) n: usize,
    pub(crate) k: usize,
}
