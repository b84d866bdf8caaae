//! The variable-speed array.

use std::ffi::c_void;

use crate::object::{Delete, New, Object};

/// An operand of a row or a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// 8 bits, else 4.
    pub wide: bool,
    /// A code of -8 to 7 or 0 to 15, or of -128 to 127 or 0 to 255 where wide.
    pub code: i16,
    /// Codes are without a sign. Rows only.
    pub unsigned: bool,
    /// The last step of a tile. Rows only.
    pub last: bool,
}

impl Operand {
    /// Nibbles: the factor of the cycles that a product takes.
    pub fn nibbles(self) -> u8 {
        1 + u8::from(self.wide)
    }

    fn of_row(self) -> i32 {
        i32::from(self.last) << 10 | i32::from(self.unsigned) << 9 | self.of_column()
    }

    fn of_column(self) -> i32 {
        i32::from(self.wide) << 8 | i32::from(self.code as u8)
    }
}

/// What happened at the edges of an array in a cycle.
#[derive(Clone, Debug)]
pub struct Edges {
    /// Whether the operand offered to each row entered.
    pub rows: Vec<bool>,
    /// Whether the operand offered to each column entered.
    pub columns: Vec<bool>,
    /// The sum that left each column.
    pub sums: Vec<Option<i32>>,
}

/// A kind of array that was compiled.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Rows of elements.
    pub rows: usize,
    /// Columns of elements.
    pub columns: usize,
    /// Whether its elements are the naive ones, whose sums take no second stage.
    pub naive: bool,
    /// What Yosys' `mutate` did to the netlist; empty for the RTL itself.
    pub mutants: &'static [&'static str],
    /// The mutant that runs, counted from 1; 0 is the RTL.
    pub mutant: usize,
    functions: Functions,
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    new: New,
    cycle: unsafe extern "C" fn(
        *mut c_void,
        *const i32,
        *const i32,
        *mut u8,
        *mut u8,
        *mut u8,
        *mut i32,
    ),
    delete: Delete,
}

impl Kind {
    /// Stages between product and sum.
    pub fn sum_stages(&self) -> i32 {
        i32::from(!self.naive)
    }

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
    /// Runs a cycle in which these operands are offered to the edges.
    ///
    /// # Panics
    /// If the numbers of operands are not those of rows and columns.
    pub fn cycle(&mut self, rows: &[Option<Operand>], columns: &[Option<Operand>]) -> Edges {
        assert_eq!(
            (rows.len(), columns.len()),
            (self.kind.rows, self.kind.columns)
        );
        let rows: Vec<i32> = rows
            .iter()
            .map(|row| row.map_or(-1, Operand::of_row))
            .collect();
        let columns: Vec<i32> = columns
            .iter()
            .map(|c| c.map_or(-1, Operand::of_column))
            .collect();
        let mut rows_taken = vec![0; rows.len()];
        let mut columns_taken = vec![0; columns.len()];
        let mut left = vec![0; columns.len()];
        let mut sums = vec![0; columns.len()];
        // SAFETY: the object is alive until drop, and the buffers have a place for
        // each row and column of its kind.
        unsafe {
            (self.kind.functions.cycle)(
                self.object.pointer(),
                rows.as_ptr(),
                columns.as_ptr(),
                rows_taken.as_mut_ptr(),
                columns_taken.as_mut_ptr(),
                left.as_mut_ptr(),
                sums.as_mut_ptr(),
            );
        }
        let sums = left
            .iter()
            .zip(sums)
            .map(|(&left, sum)| (left != 0).then_some(sum));
        Edges {
            rows: rows_taken.iter().map(|&taken| taken != 0).collect(),
            columns: columns_taken.iter().map(|&taken| taken != 0).collect(),
            sums: sums.collect(),
        }
    }
}

macro_rules! array {
    ($($(#[$doc:meta])* $list:ident { $($name:ident: $rows:literal x $columns:literal, naive $naive:literal, mutants $mutants:expr;)* })*) => {
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
                        rows: *const i32,
                        columns: *const i32,
                        rows_taken: *mut u8,
                        columns_taken: *mut u8,
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
            naive: $naive,
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

include!(concat!(env!("OUT_DIR"), "/array.rs"));
