//! Compensation: the lightweight computing on 0-bit tokens.
//!
//! The paper has one and does not publish how it works; these are ours. To add
//! one, write a file beside these, implement [`Compensation`], and name it in
//! [`ALL`].

mod carry;
mod drop;
mod keys_values;

use crate::{Bits, PlanError};

pub use carry::Carry;
pub use drop::Drop;
pub use keys_values::KeysValues;

/// What a token at 0 bits still does at a layer.
pub trait Compensation: Send + Sync {
    /// The name in plan files.
    fn name(&self) -> &'static str;

    /// One sentence for help texts.
    fn summary(&self) -> &'static str;

    /// Whether a token that was at 0 bits once can be computed at a later
    /// layer.
    fn may_return(&self) -> bool;

    /// The bits at which a 0-bit token still offers a key and a value, made
    /// from its carried state, for others to attend to; `None` if it offers
    /// none.
    fn key_value_bits(&self) -> Option<Bits>;
}

/// Every compensation there is.
pub static ALL: &[&dyn Compensation] = &[&Drop, &Carry, &KeysValues];

/// The compensation of that name.
///
/// # Errors
/// [`PlanError::Value`] naming the known ones.
pub fn find(name: &str) -> Result<&'static dyn Compensation, PlanError> {
    ALL.iter()
        .copied()
        .find(|compensation| compensation.name() == name)
        .ok_or_else(|| PlanError::Value {
            field: "compensation",
            value: format!("\"{name}\""),
            allowed: ALL
                .iter()
                .map(|compensation| format!("\"{}\"", compensation.name()))
                .collect::<Vec<_>>()
                .join(" or "),
        })
}
