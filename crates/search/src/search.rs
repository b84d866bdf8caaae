//! Ask for a candidate, tell what it loses and costs, ask for the next.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::space::fits;
use crate::{Candidate, Choice, Evaluated, Evaluation, Gene, Space, Strategy, estimate};

/// How to search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What to ask for.
    pub strategy: Strategy,
    /// How many evaluations to spend.
    pub evaluations: usize,
    /// Decides all draws.
    pub seed: u64,
    /// What bounds the choice.
    pub budget: Budget,
    /// How many standard errors of its measured loss the chosen candidate stays
    /// below the budget.
    pub margin: f64,
}

/// What bounds the choice of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// The loss that it may have: the cheapest such candidate is chosen.
    Loss(f64),
    /// The cost that it may have: the least harmful such candidate is chosen.
    Cost(f64),
}

/// A search: what it chooses from, and what is known so far.
pub struct Search<S> {
    space: S,
    options: Options,
    anchors: Vec<Candidate>,
    history: Vec<Evaluated>,
    seen: HashSet<Candidate>,
}

/// What a strategy decides by.
pub(crate) struct State<'a> {
    pub(crate) genes: &'a [Gene],
    pub(crate) canonical: &'a dyn Fn(Candidate) -> Candidate,
    pub(crate) anchors: &'a [Candidate],
    pub(crate) probes: &'a [&'a [f64]],
    pub(crate) history: &'a [Evaluated],
    pub(crate) seen: &'a HashSet<Candidate>,
    pub(crate) options: &'a Options,
}

impl State<'_> {
    /// Whether the candidate, which is canonical, was not evaluated yet.
    pub(crate) fn is_new(&self, candidate: &Candidate) -> bool {
        !self.seen.contains(candidate)
    }
}

impl<S: Space> Search<S> {
    /// A search that has evaluated nothing yet.
    pub fn new(space: S, options: Options) -> Search<S> {
        let anchors = space.anchors().into_iter().map(|c| space.canonical(c));
        Search {
            anchors: anchors.collect(),
            space,
            options,
            history: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// The next candidate to evaluate, which is canonical and was not evaluated
    /// before; `None` when all evaluations are spent or the strategy has no
    /// further candidate. It depends on the space, the options and what was
    /// told, and on nothing else: asking twice gives the same.
    pub fn ask(&self) -> Option<Candidate> {
        if self.history.len() >= self.options.evaluations {
            return None;
        }
        self.options.strategy.next(&State {
            genes: self.space.genes(),
            canonical: &|candidate| self.space.canonical(candidate),
            anchors: &self.anchors,
            probes: self.space.probes(),
            history: &self.history,
            seen: &self.seen,
            options: &self.options,
        })
    }

    /// Says what a candidate loses and costs.
    ///
    /// # Panics
    /// If the candidate does not fit the space or was evaluated before, or if a
    /// number of the evaluation is not finite.
    pub fn tell(&mut self, candidate: Candidate, evaluation: Evaluation) {
        let candidate = self.space.canonical(candidate);
        assert!(fits(self.space.genes(), &candidate), "another space");
        assert_eq!(evaluation.fault(), None, "no finite number");
        let new = self.seen.insert(candidate.clone());
        assert!(new, "evaluated before");
        self.history.push(Evaluated {
            candidate,
            evaluation,
        });
    }

    /// Whether a candidate can be told: it fits, is canonical, and was not
    /// evaluated before.
    pub fn takes(&self, candidate: &Candidate) -> bool {
        fits(self.space.genes(), candidate)
            && self.space.canonical(candidate.clone()) == *candidate
            && !self.seen.contains(candidate)
    }

    /// What the search chooses from.
    pub fn space(&self) -> &S {
        &self.space
    }

    /// How it searches.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// All evaluations, in the order in which they were told.
    pub fn history(&self) -> &[Evaluated] {
        &self.history
    }

    /// The cheapest candidate within a budget of loss, by its upper estimate, or
    /// the least harmful one within a budget of cost; `None` if there is none so
    /// far.
    pub fn choice(&self) -> Option<Choice> {
        estimate::choose(&self.history, self.options.budget, self.options.margin)
    }
}
