//! The order of what the DRAM does.

use super::Block;
use super::room::Room;

/// Blocks ahead whose loads come before a block's stores.
const AHEAD: usize = 64;

/// A load or the stores of a block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Transfer {
    Load {
        block: u32,
        place: u32,
        /// The block whose end makes room for it.
        room: Option<u32>,
    },
    Stores(u32),
}

/// The order of what the DRAM does: loads in the order of the blocks, and the stores of
/// a block before the first load that reads them or that is for a block far behind. It
/// does not depend on how long anything takes, nor on the room.
pub(super) fn transfers(blocks: &[Block], room_bytes: u64) -> Vec<Transfer> {
    let mut room = Room::new(room_bytes);
    let mut transfers = Vec::new();
    let mut stored = 0;
    for (number, block) in blocks.iter().enumerate() {
        for (place, load) in block.loads.iter().enumerate() {
            let waited = load.written_by.map_or(0, |writer| writer + 1);
            let stores = waited.max((number + 1).saturating_sub(AHEAD)).min(number);
            for store in stored..stores {
                transfers.push(Transfer::Stores(store as u32));
            }
            stored = stored.max(stores);
            transfers.push(Transfer::Load {
                block: number as u32,
                place: place as u32,
                room: room.make(load, number as u32),
            });
        }
    }
    transfers.extend((stored..blocks.len()).map(|store| Transfer::Stores(store as u32)));
    transfers
}
