//! Does the RTL compute what the models say, in the cycles that they say?

mod bench;
mod head;
mod mutants;
mod plain;
mod tiles;
mod topk;
