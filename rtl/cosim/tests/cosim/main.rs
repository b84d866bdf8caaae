//! Does the RTL compute what the models say, in the cycles that they say?

mod mutants;
mod plain;
mod tiles;
mod topk;
