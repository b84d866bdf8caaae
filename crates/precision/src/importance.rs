//! Importance: what tells one token from another.

/// The attention probability that each token has received, accumulated over
/// heads, queries and layers: the paper's cumulative attention probability.
///
/// At each layer token j gains the mean, over heads and over the queries that
/// can attend to it, of P\[head, query, j\]. Dividing by the queries that can see
/// the token keeps a causal mask from making late tokens look unimportant.
#[derive(Clone, Debug, PartialEq)]
pub struct CumulativeAttention {
    scores: Vec<f32>,
}

impl CumulativeAttention {
    /// No token has received anything yet.
    pub fn new(tokens: usize) -> CumulativeAttention {
        CumulativeAttention {
            scores: vec![0.0; tokens],
        }
    }

    /// Adds one layer: `received[i]` is the probability that token `keys[i]`
    /// received there, summed over `heads` heads and over the `queries` queries
    /// that could attend to it.
    ///
    /// # Panics
    /// If a key is no token, or the two slices differ in length.
    pub fn add_layer(&mut self, keys: &[usize], received: &[f32], heads: usize, queries: usize) {
        assert_eq!(keys.len(), received.len());
        let mean = 1.0 / (heads * queries) as f32;
        for (&key, &sum) in keys.iter().zip(received) {
            self.scores[key] += sum * mean;
        }
    }

    /// One score per token; higher is more important.
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }
}
