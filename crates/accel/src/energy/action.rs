//! What happens and costs energy, and how often it did.

use std::collections::BTreeMap;

use super::Part;

/// Declares the actions with their names in tables.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal,)*) => {
        /// Something that happens and costs energy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $action,)*
        }

        impl Action {
            /// All actions.
            pub const ALL: &[Action] = &[$(Action::$action),*];

            /// The name in tables.
            pub fn name(self) -> &'static str {
                match self {
                    $(Action::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// A variable-speed element takes operands of 4 and 4 bits and multiplies them; all
    /// its registers included.
    VssaProduct4x4 = "vssa_product_4x4",
    /// The same with 4 and 8 bits.
    VssaProduct4x8 = "vssa_product_4x8",
    /// The same with 8 and 8 bits.
    VssaProduct8x8 = "vssa_product_8x8",
    /// It takes zeros of 4 bits, which pad a tile.
    VssaZeros = "vssa_zeros",
    /// A cycle in which it waits between two products.
    VssaLateCycle = "vssa_late_cycle",
    /// A cycle in which it has nothing to do.
    VssaIdleCycle = "vssa_idle_cycle",
    /// A sum moves by one element down the column.
    VssaShift = "vssa_shift",
    /// A plain element multiplies 8 and 8 bits; all its registers included.
    Plain8Product = "plain8_product",
    /// It multiplies zeros, which pad a tile.
    Plain8Zeros = "plain8_zeros",
    /// A cycle in which it has nothing to do.
    Plain8IdleCycle = "plain8_idle_cycle",
    /// A sum moves by one element down the column.
    Plain8Shift = "plain8_shift",
    /// A plain element multiplies 4 and 4 bits; all its registers included.
    Plain4Product = "plain4_product",
    /// It multiplies zeros, which pad a tile.
    Plain4Zeros = "plain4_zeros",
    /// A cycle in which it has nothing to do.
    Plain4IdleCycle = "plain4_idle_cycle",
    /// A sum moves by one element down the column.
    Plain4Shift = "plain4_shift",
    /// A 16-bit multiply-accumulate of Eyeriss, its registers included, its scratch pads
    /// not.
    EyerissMac = "eyeriss_mac",
    /// A cycle of an element of Eyeriss without one, or with an input of zero.
    EyerissIdleCycle = "eyeriss_idle_cycle",
    /// 16 bits read from the inputs' scratch pad.
    EyerissIfmapRead = "eyeriss_ifmap_read",
    /// 16 bits written there.
    EyerissIfmapWrite = "eyeriss_ifmap_write",
    /// 16 bits read from the weights' scratch pad.
    EyerissFilterRead = "eyeriss_filter_read",
    /// 16 bits written there.
    EyerissFilterWrite = "eyeriss_filter_write",
    /// 16 bits read from the partial sums' scratch pad.
    EyerissPsumRead = "eyeriss_psum_read",
    /// 16 bits written there.
    EyerissPsumWrite = "eyeriss_psum_write",
    /// A transfer of 16 bits between elements of Eyeriss.
    EyerissArray = "eyeriss_array",
    /// An access of 16 bits to the global buffer of Eyeriss.
    EyerissBuffer = "eyeriss_buffer",
    /// A 12-bit product of SpAtten with its share of the tree of adders.
    SpattenProduct = "spatten_product",
    /// A cycle of one of its multipliers without one.
    SpattenIdleCycle = "spatten_idle_cycle",
    /// A 16-bit multiply-add of a vector unit, its result in a register.
    VectorMultiplyAdd = "vector_multiply_add",
    /// A sum of 16 bits of a vector unit, in a register.
    VectorAdd16 = "vector_add_16b",
    /// A sum of 32 bits of a vector unit, in a register.
    VectorAdd32 = "vector_add_32b",
    /// A score that the top-k unit reads in one of its passes.
    RankScore = "rank_score",
    /// A product of 8-bit integers, alone.
    Multiply8 = "multiply_8b",
    /// A product of 12-bit integers, alone.
    Multiply12 = "multiply_12b",
    /// A product of 16-bit integers, alone.
    Multiply16 = "multiply_16b",
    /// A sum of 16-bit integers, alone.
    Add16 = "add_16b",
    /// A sum of 24-bit integers, alone.
    Add24 = "add_24b",
    /// A sum of 32-bit integers, alone.
    Add32 = "add_32b",
    /// A product in single precision, alone.
    MultiplyFp32 = "multiply_fp32",
    /// A sum in single precision, alone.
    AddFp32 = "add_fp32",
    /// One bit clocked into a register.
    RegisterBit = "register_bit",
    /// A comparison of 32-bit numbers.
    Compare32 = "compare_32b",
    /// One bit read or written in DRAM.
    DramBit = "dram_bit",
    /// One bit read from the on-chip SRAM; priced by the machine's SRAM.
    SramReadBit = "sram_read_bit",
    /// One bit written to the on-chip SRAM; priced by the machine's SRAM.
    SramWriteBit = "sram_write_bit",
}

/// What elements do in cycles without a product: see
/// [`Accelerator::waiting`](crate::accelerator::Accelerator::waiting).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The part that they are.
    pub part: Part,
    /// A cycle between two products: elements wait for slower ones, or for the buffer.
    pub late: Action,
    /// Any other cycle.
    pub idle: Action,
    /// Zeros that pad tiles: counted already, a cycle each.
    pub zeros: Option<Action>,
}

/// How often each part did each action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    counts: BTreeMap<(Part, Action), u64>,
}

impl Actions {
    /// Counts `count` more.
    pub fn count(&mut self, part: Part, action: Action, count: u64) {
        if count > 0 {
            *self.counts.entry((part, action)).or_default() += count;
        }
    }

    /// Counts all of another's.
    pub fn add(&mut self, other: &Actions) {
        for (&(part, action), &count) in &other.counts {
            self.count(part, action, count);
        }
    }

    /// How often a part did an action.
    pub fn of(&self, part: Part, action: Action) -> u64 {
        self.counts.get(&(part, action)).copied().unwrap_or(0)
    }

    /// All counts above 0.
    pub fn iter(&self) -> impl Iterator<Item = (Part, Action, u64)> {
        self.counts
            .iter()
            .map(|(&(part, action), &count)| (part, action, count))
    }
}
