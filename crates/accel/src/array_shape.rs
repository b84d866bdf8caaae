//! The size of an output-stationary array.

use crate::AccelError;
use crate::machine::check;

/// The most elements that a machine has: far above any, far below what could
/// overflow a count of element-cycles.
const MOST_ELEMENTS: u64 = 1 << 15;

/// An output-stationary array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayShape {
    /// Rows of elements.
    pub rows: u64,
    /// Columns of elements.
    pub columns: u64,
    /// Equal arrays side by side.
    pub arrays: u64,
}

impl ArrayShape {
    /// That the sizes in `[array]` can be.
    ///
    /// # Errors
    /// [`AccelError::Value`] naming the key.
    pub(crate) fn check(&self) -> Result<(), AccelError> {
        check::between("array.rows", self.rows, 1, 256)?;
        check::between("array.columns", self.columns, 1, 256)?;
        check::between("array.arrays", self.arrays, 1, 256)?;
        let key = "array.rows x columns x arrays";
        check::between(key, self.elements(), 1, MOST_ELEMENTS)
    }

    /// Elements of all arrays.
    pub fn elements(&self) -> u64 {
        self.rows * self.columns * self.arrays
    }
}
