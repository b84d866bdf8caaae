//! The joint choice of a plan: which tiers each layer gets, at what loss and
//! at what cost.
//!
//! A [`Space`] says which choices there are, [`PlanSpace`] being that of
//! precision plans. A [`Search`] asks for one [`Candidate`] after another and is
//! told what each loses and costs ([`Evaluation`]); what runs the model is the
//! caller's. Its [`Strategy`] is the joint search or one of three baselines,
//! all with the same interface. A [`Journal`] keeps every evaluation, so that a
//! search that was stopped goes on where it was. At the end there are the
//! [`pareto`] set and the cheapest plan within a budget ([`choose`]).
//!
//! What a search asks for depends on its settings, its seed and the evaluations
//! so far, and on nothing else: the same bytes each time, however long an
//! evaluation takes.
//!
//! Reading order: [`space`], [`evaluation`], [`search`], [`strategy`] (the joint
//! search top to bottom), [`surrogate`], [`front`], [`estimate`], [`journal`].

mod cache_space;
mod error;
pub mod estimate;
pub mod evaluation;
pub mod front;
pub mod journal;
mod linear_algebra;
mod plan_space;
pub mod search;
pub mod space;
pub mod strategy;
pub mod surrogate;
mod variation;

pub use cache_space::CacheSpace;
pub use error::{JournalError, SpaceError};
pub use estimate::{Choice, Estimate, choose, estimates};
pub use evaluation::{Evaluated, Evaluation};
pub use front::{hypervolume, pareto};
pub use journal::{Header, Journal};
pub use plan_space::PlanSpace;
pub use search::{Budget, Options, Search};
pub use space::{Candidate, Gene, GeneKind, Space};
pub use strategy::Strategy;
pub use variation::Variation;
