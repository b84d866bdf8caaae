//! The plain array.

use std::ffi::c_void;

use crate::object::{Delete, New, Object};

/// What enters a plain array in a cycle.
#[derive(Clone, Debug)]
pub struct Step {
    /// Codes of rows.
    pub rows: Vec<u8>,
    /// Codes of columns.
    pub columns: Vec<u8>,
    /// Whether the rows' codes are without a sign.
    pub unsigned: bool,
    /// Whether it is the last of a tile.
    pub last: bool,
}

/// A size that was compiled.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Rows of elements.
    pub rows: usize,
    /// Columns of elements.
    pub columns: usize,
    /// What Yosys' `mutate` did to the netlist; empty for the RTL itself.
    pub mutants: &'static [&'static str],
    /// The mutant that runs, counted from 1; 0 is the RTL.
    pub mutant: usize,
    functions: Functions,
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    new: New,
    cycle: unsafe extern "C" fn(*mut c_void, u8, u8, u8, *const u8, *const u8, *mut u8, *mut i32),
    delete: Delete,
}

impl Kind {
    /// An array after a reset; registers without a reset hold noise.
    pub fn build(&self, seed: i32) -> Array {
        Array {
            kind: *self,
            object: Object::new(self.functions.new, self.functions.delete, seed, self.mutant),
        }
    }
}

/// An array that runs.
#[derive(Debug)]
pub struct Array {
    kind: Kind,
    object: Object,
}

impl Array {
    /// Runs a cycle in which a step enters, or none. Returns the sum that left each
    /// column.
    ///
    /// # Panics
    /// If the numbers of codes are not those of rows and columns.
    pub fn cycle(&mut self, step: Option<&Step>) -> Vec<Option<i32>> {
        let none = Step {
            rows: vec![0; self.kind.rows],
            columns: vec![0; self.kind.columns],
            unsigned: false,
            last: false,
        };
        let valid = step.is_some();
        let step = step.unwrap_or(&none);
        let sizes = (step.rows.len(), step.columns.len());
        assert_eq!(sizes, (self.kind.rows, self.kind.columns));
        let mut left = vec![0; self.kind.columns];
        let mut sums = vec![0; self.kind.columns];
        // SAFETY: the object is alive until drop, and the buffers have a place for
        // each row and column of its kind.
        unsafe {
            (self.kind.functions.cycle)(
                self.object.pointer(),
                u8::from(valid),
                u8::from(step.last),
                u8::from(step.unsigned),
                step.rows.as_ptr(),
                step.columns.as_ptr(),
                left.as_mut_ptr(),
                sums.as_mut_ptr(),
            );
        }
        let sums = left.iter().zip(sums);
        sums.map(|(&left, sum)| (left != 0).then_some(sum))
            .collect()
    }
}

macro_rules! plain {
    ($($(#[$doc:meta])* $list:ident { $($name:ident: $rows:literal x $columns:literal, mutants $mutants:expr;)* })*) => {
        mod functions {
            use std::ffi::c_void;
            $($(pub(super) mod $name {
                use super::c_void;
                unsafe extern "C" {
                    #[link_name = concat!(stringify!($name), "_new")]
                    pub(crate) fn new(seed: i32, mutant: u32) -> *mut c_void;
                    #[link_name = concat!(stringify!($name), "_cycle")]
                    pub(crate) fn cycle(
                        array: *mut c_void,
                        valid: u8,
                        last: u8,
                        unsign: u8,
                        rows: *const u8,
                        columns: *const u8,
                        left: *mut u8,
                        sums: *mut i32,
                    );
                    #[link_name = concat!(stringify!($name), "_delete")]
                    pub(crate) fn delete(array: *mut c_void);
                }
            })*)*
        }

        $($(#[$doc])*
        pub static $list: &[Kind] = &[$(Kind {
            rows: $rows,
            columns: $columns,
            mutants: &$mutants,
            mutant: 0,
            functions: Functions {
                new: functions::$name::new,
                cycle: functions::$name::cycle,
                delete: functions::$name::delete,
            },
        },)*];)*
    };
}

include!(concat!(env!("OUT_DIR"), "/plain.rs"));
