//! Checks on the values of machine files.

use std::fmt::Display;

use crate::AccelError;

/// That a size lies between two others.
pub(crate) fn between(key: &str, value: u64, least: u64, most: u64) -> Result<(), AccelError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(refuse(key, value, &format!("{least} to {most}"))),
    }
}

/// That a number is above 0, finite, and at most `most`.
pub(crate) fn positive(key: &str, value: f64, most: f64) -> Result<(), AccelError> {
    match value > 0.0 && value <= most {
        true => Ok(()),
        false => Err(refuse(key, value, &format!("above 0 and at most {most}"))),
    }
}

/// That a number is a share above 0 and at most 1.
pub(crate) fn share(key: &str, value: f64) -> Result<(), AccelError> {
    positive(key, value, 1.0)
}

/// The error for a value that cannot be.
pub(crate) fn refuse(key: &str, value: impl Display, allowed: &str) -> AccelError {
    AccelError::Value {
        key: key.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    }
}
