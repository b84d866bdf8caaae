//! What a search chooses from.

use serde::{Deserialize, Serialize};

/// One level for each gene of a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Candidate(pub Vec<u16>);

/// Whether neighbouring levels of a gene are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GeneKind {
    /// Levels stand in an order, at even distances.
    Ordered,
    /// Levels have nothing to do with each other.
    Categorical,
}

/// One choice of a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gene {
    /// Its name, for people and for journals.
    pub name: String,
    /// Whether its levels are ordered.
    pub kind: GeneKind,
    /// What it decides, the same for the genes that do so at different layers:
    /// schedules over layers set all genes of one role.
    pub role: String,
    /// Where it decides it, such as a layer. Genes of one group act together,
    /// and those of one role in neighbouring groups interact. The first gene of
    /// a group is the one that the others depend on: a categorical one matters
    /// most where the first has its last level.
    pub group: usize,
    /// Names of its levels.
    pub levels: Vec<String>,
}

impl Gene {
    /// The level as a number between 0 (the first) and 1 (the last).
    pub fn position(&self, level: u16) -> f64 {
        f64::from(level) / (self.levels.len().max(2) - 1) as f64
    }

    /// The level nearest to a number between 0 and 1.
    pub fn nearest(&self, position: f64) -> u16 {
        (position * (self.levels.len() - 1) as f64).round() as u16
    }
}

/// What a search chooses from: its genes, and what a candidate stands for.
pub trait Space {
    /// What a candidate stands for.
    type Point;

    /// The genes, in the order of a candidate's levels; each has a level.
    fn genes(&self) -> &[Gene];

    /// The candidate that stands for the same point and is the only one to be
    /// evaluated; the candidate itself where each has a point of its own.
    fn canonical(&self, candidate: Candidate) -> Candidate {
        candidate
    }

    /// Candidates to begin with: the first is the base, one gene of which is
    /// changed at a time to see what each does; the last is where categorical
    /// genes are tried that are alone in their group, so it must be one where
    /// they matter.
    ///
    /// At least one.
    fn anchors(&self) -> Vec<Candidate>;

    /// Where single ordered genes are tried, as positions between their first and
    /// their last level: sets of them, from fine to coarse.
    fn probes(&self) -> &'static [&'static [f64]] {
        &[&[0.2, 0.5, 0.8], &[0.3, 0.7], &[0.5]]
    }

    /// What a candidate chooses besides shares, for people: names and values.
    fn keys(&self, candidate: &Candidate) -> Vec<(String, String)>;

    /// The point of a candidate.
    fn decode(&self, candidate: &Candidate) -> Self::Point;
}

/// Whether the candidate has one possible level for each gene.
pub fn fits(genes: &[Gene], candidate: &Candidate) -> bool {
    candidate.0.len() == genes.len()
        && candidate
            .0
            .iter()
            .zip(genes)
            .all(|(&level, gene)| usize::from(level) < gene.levels.len())
}
