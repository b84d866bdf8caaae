//! The buffer as room: what must end before something else fits.

use std::collections::BTreeMap;

use super::Load;

/// What is in the buffer, by the block that is the last to need it.
#[derive(Debug)]
pub(super) struct Room {
    free_bytes: u64,
    held: BTreeMap<usize, u64>,
    /// The last block that had to end so that what came before fitted.
    last: Option<u32>,
}

impl Room {
    pub(super) fn new(bytes: u64) -> Room {
        Room {
            free_bytes: bytes,
            held: BTreeMap::new(),
            last: None,
        }
    }

    /// Makes room for what a block loads: the block that must have run before, if
    /// any. What does not fit with everything else gone takes what there is.
    pub(super) fn make(&mut self, load: &Load, block: u32) -> Option<u32> {
        while self.free_bytes < load.bytes {
            match self.held.first_key_value() {
                Some((&until, &bytes)) if until < block as usize => {
                    self.held.remove(&until);
                    self.free_bytes += bytes;
                    self.last = self.last.max(Some(until as u32));
                }
                _ => break,
            }
        }
        let bytes = load.bytes.min(self.free_bytes);
        self.free_bytes -= bytes;
        *self.held.entry(load.until).or_default() += bytes;
        self.last
    }
}
