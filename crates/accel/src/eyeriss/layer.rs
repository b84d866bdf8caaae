//! A layer: a convolution, of which a matrix product is the 1 x 1 case.

/// A convolution layer with its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Images in the batch (N of the papers).
    pub images: u64,
    /// Groups, each with channels and filters of its own.
    pub groups: u64,
    /// Input channels of a group (C).
    pub channels: u64,
    /// Filters of a group (M).
    pub filters: u64,
    /// Rows of the input, padding included (H).
    pub height: u64,
    /// Columns of the input, padding included (W).
    pub width: u64,
    /// Rows of a filter (R).
    pub filter_rows: u64,
    /// Columns of a filter (S).
    pub filter_columns: u64,
    /// Stride (U).
    pub stride: u64,
    /// Rows and columns of zeros on each side of the input.
    pub padding: u64,
}

impl Layer {
    /// An M x K by K x N product: the K columns of the left operand are channels, its M
    /// rows positions below one another, and the N columns of the right operand filters.
    pub fn product(m: u64, n: u64, k: u64) -> Layer {
        Layer {
            images: 1,
            groups: 1,
            channels: k,
            filters: n,
            height: m,
            width: 1,
            filter_rows: 1,
            filter_columns: 1,
            stride: 1,
            padding: 0,
        }
    }

    /// Rows of the output (E).
    pub fn out_rows(&self) -> u64 {
        (self.height - self.filter_rows) / self.stride + 1
    }

    /// Columns of the output (F).
    pub fn out_columns(&self) -> u64 {
        (self.width - self.filter_columns) / self.stride + 1
    }

    /// Multiply-accumulates of the batch.
    pub fn macs(&self) -> u64 {
        self.outputs() * self.channels * self.filter_rows * self.filter_columns
    }

    /// Weights of all groups.
    pub fn weights(&self) -> u64 {
        self.groups * self.channels * self.filters * self.filter_rows * self.filter_columns
    }

    /// Outputs of the batch.
    pub fn outputs(&self) -> u64 {
        self.images * self.groups * self.filters * self.out_rows() * self.out_columns()
    }

    /// Inputs of the batch without padding.
    pub fn unpadded_inputs(&self) -> u64 {
        let plane = (self.height - 2 * self.padding) * (self.width - 2 * self.padding);
        self.images * self.groups * self.channels * plane
    }
}
