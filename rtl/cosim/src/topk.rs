//! The two-level top-k unit.

use std::ffi::c_void;

use crate::object::{Delete, New, Object};

/// A token's tier, 2 for 8 bits, 1 for 4 bits, 0 for none, and its place among the
/// tokens of that tier.
pub type Ranked = (u8, u16);

/// A width that was compiled.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Scores that it reads in a cycle.
    pub lanes: usize,
    /// What Yosys' `mutate` did to the netlist; empty for the RTL itself.
    pub mutants: &'static [&'static str],
    /// The mutant that runs, counted from 1; 0 is the RTL.
    pub mutant: usize,
    functions: Functions,
}

#[derive(Clone, Copy, Debug)]
struct Functions {
    new: New,
    rank:
        unsafe extern "C" fn(*mut c_void, u32, u32, u32, *const u16, *mut u8, *mut u16, i64) -> i64,
    delete: Delete,
}

impl Kind {
    /// A unit after a reset; registers without a reset hold noise.
    pub fn build(&self, seed: i32) -> Unit {
        Unit {
            kind: *self,
            object: Object::new(self.functions.new, self.functions.delete, seed, self.mutant),
        }
    }
}

/// A unit that runs.
#[derive(Debug)]
pub struct Unit {
    kind: Kind,
    object: Object,
}

impl Unit {
    /// Ranks tokens by their scores: `keep` are the numbers of those at 8 bits, and
    /// of those at 8 or 4. Returns the tokens' tiers and places, and the cycles from
    /// the start until the last was told; or nothing where it tells another number
    /// of tokens, or hangs.
    pub fn rank(&mut self, scores: &[u16], keep: [usize; 2]) -> Option<(Vec<Ranked>, i64)> {
        let mut words = scores.to_vec();
        // The words' other lanes hold anything.
        words.resize(scores.len().next_multiple_of(self.kind.lanes), 0xffff);
        let mut tiers = vec![0; scores.len()];
        let mut places = vec![0; scores.len()];
        // SAFETY: the object is alive until drop; the scores fill whole words, and the
        // other buffers have a place for each token.
        let cycles = unsafe {
            (self.kind.functions.rank)(
                self.object.pointer(),
                scores.len() as u32,
                keep[0] as u32,
                keep[1] as u32,
                words.as_ptr(),
                tiers.as_mut_ptr(),
                places.as_mut_ptr(),
                1 << 16,
            )
        };
        (cycles >= 0).then(|| (tiers.into_iter().zip(places).collect(), cycles))
    }
}

macro_rules! topk {
    ($($(#[$doc:meta])* $list:ident { $($name:ident: $lanes:literal, mutants $mutants:expr;)* })*) => {
        mod functions {
            use std::ffi::c_void;
            $($(pub(super) mod $name {
                use super::c_void;
                unsafe extern "C" {
                    #[link_name = concat!(stringify!($name), "_new")]
                    pub(crate) fn new(seed: i32, mutant: u32) -> *mut c_void;
                    #[link_name = concat!(stringify!($name), "_rank")]
                    pub(crate) fn rank(
                        unit: *mut c_void,
                        count: u32,
                        keep_8: u32,
                        keep_4: u32,
                        scores: *const u16,
                        tiers: *mut u8,
                        places: *mut u16,
                        limit: i64,
                    ) -> i64;
                    #[link_name = concat!(stringify!($name), "_delete")]
                    pub(crate) fn delete(unit: *mut c_void);
                }
            })*)*
        }

        $($(#[$doc])*
        pub static $list: &[Kind] = &[$(Kind {
            lanes: $lanes,
            mutants: &$mutants,
            mutant: 0,
            functions: Functions {
                new: functions::$name::new,
                rank: functions::$name::rank,
                delete: functions::$name::delete,
            },
        },)*];)*
    };
}

include!(concat!(env!("OUT_DIR"), "/topk.rs"));
