//! A module's instance on the other side of the shims.

use std::ffi::c_void;

pub(crate) type New = unsafe extern "C" fn(i32, u32) -> *mut c_void;
pub(crate) type Delete = unsafe extern "C" fn(*mut c_void);

/// An instance, alive until it is dropped.
#[derive(Debug)]
pub(crate) struct Object {
    pointer: *mut c_void,
    delete: Delete,
}

impl Object {
    /// An instance after a reset; registers without a reset hold noise by the seed.
    /// A netlist of mutants runs as that mutant. Both functions are a shim's own.
    pub(crate) fn new(new: New, delete: Delete, seed: i32, mutant: usize) -> Object {
        // SAFETY: a shim's `new` takes any numbers and returns a new instance.
        let pointer = unsafe { new(seed, mutant as u32) };
        Object { pointer, delete }
    }

    /// What the shim's other functions take.
    pub(crate) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `new` of the same shim and is not used any more.
        unsafe { (self.delete)(self.pointer) }
    }
}
