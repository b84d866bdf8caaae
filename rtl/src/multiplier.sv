// The one multiplier of an element, of operands with sign: A_BITS of 5 takes nibbles
// with and without one. Rows of partial products without sign extension (Baugh and
// Wooley, IEEE Trans. Computers C-22(12), 1973): products with one of the two sign bits
// are inverted, and a constant makes up for it.
module multiplier #(
    parameter int unsigned A_BITS = 5,
    parameter int unsigned B_BITS = 5
) (
    input logic signed [A_BITS-1:0] a,
    input logic signed [B_BITS-1:0] b,
    output logic signed [A_BITS+B_BITS-1:0] product
);
  localparam int unsigned Bits = A_BITS + B_BITS;
  localparam logic [Bits-1:0] Constant =
      (Bits'(1) << (Bits - 1)) + (Bits'(1) << (A_BITS - 1)) + (Bits'(1) << (B_BITS - 1));

  logic [Bits-1:0] row;
  always_comb begin
    product = Constant;
    for (int unsigned i = 0; i < B_BITS; i++) begin
      row = '0;
      for (int unsigned j = 0; j < A_BITS; j++)
        row[i+j] = (a[j] && b[i]) ^ ((i == B_BITS - 1) != (j == A_BITS - 1));
      product = product + row;
    end
  end
endmodule
