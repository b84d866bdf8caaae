//! The largest allocation that a test program has asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

thread_local! {
    static LARGEST_HERE: Cell<usize> = const { Cell::new(0) };
}

/// The largest allocation, in bytes, that this thread asks for meanwhile. Only
/// where the program's allocator is [`Watched`].
pub fn largest_in<T>(work: impl FnOnce() -> T) -> (T, usize) {
    LARGEST_HERE.set(0);
    let result = work();
    (result, LARGEST_HERE.get())
}

/// The system's allocator, which remembers the largest request.
pub struct Watched {
    largest: AtomicUsize,
}

impl Watched {
    pub const fn new() -> Watched {
        Watched {
            largest: AtomicUsize::new(0),
        }
    }

    /// The largest request so far, in bytes.
    pub fn largest(&self) -> usize {
        self.largest.load(Relaxed)
    }

    fn note(&self, bytes: usize) {
        self.largest.fetch_max(bytes, Relaxed);
        LARGEST_HERE.set(LARGEST_HERE.get().max(bytes));
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: the caller's promises are those that it asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.note(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
